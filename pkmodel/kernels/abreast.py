"""The plain model of `one_compartment` for all subjects at once, with first derivatives.

An amount waits for the one before it, and a processor for the last operation; so all subjects take
each step together, several of them in one instruction. Steps stand in the order of their number
within a subject, and subjects from the one with most steps to the one with fewest, so that those
who still walk are always the first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel, kernel, vector_kernel
from pkmodel.kernels.events import OBSERVE, PASS, Steps
from pkmodel.kernels.exponential import exponentials
from pkmodel.kernels.one_compartment import advance_once, after_event, logarithms
from pkmodel.kernels.subject import Psi, Work
from pkmodel.kernels.transition import elimination_slopes
from pkmodel.kernels.types import Bool1, Float1, Long1, Vector


class Abreast(NamedTuple):
    """Steps of all subjects in the order in which they are walked.

    Attributes
    ----------
    subject : array (subjects,)
        Who walks in each lane.
    begin : array (most steps of a subject + 1,)
        Where the steps of each number begin, a lane after the other.
    source : array (steps,)
        Which of `Steps` each is.
    dt, given : arrays (steps,)
        Length of the interval, and constant input times it.
    alters : array (most steps of a subject,)
        Whether an event at the end of one of these steps alters an amount.
    place : array (observations,)
        The step that ends in each.
    """

    subject: Long1
    begin: Long1
    source: Long1
    dt: Float1
    given: Float1
    alters: Bool1
    place: Long1


class Walk(NamedTuple):
    """Room for the walk.

    Attributes
    ----------
    rate, factor, amount, slope : arrays (subjects,)
        By lane: k, scale / V, the amount and its slope in log k.
    f, by_rate : arrays (steps,)
        Prediction at the end of each step, and its slope in log k.
    """

    rate: Vector
    factor: Vector
    amount: Vector
    slope: Vector
    f: Vector
    by_rate: Vector


def arrange(steps: Steps) -> Abreast:
    """Put the steps of all subjects side by side."""
    counts = np.diff(steps.start)
    subject = np.argsort(-counts, kind="stable")
    lane = np.argsort(subject)
    walker = np.repeat(np.arange(counts.size), counts)
    number = np.arange(walker.size) - steps.start[walker]
    source = np.lexsort((lane[walker], number))
    ends = steps.kind[source]
    place: NDArray[np.int64] = np.argsort(source)[steps.kind == OBSERVE]
    alters = np.zeros(int(counts.max(initial=0)), dtype=np.bool_)
    np.logical_or.at(alters, number[source], (ends != OBSERVE) & (ends != PASS))
    return Abreast(
        subject=subject,
        begin=np.append(0, np.cumsum(np.bincount(number, minlength=alters.size))),
        source=source,
        dt=steps.dt[source],
        given=(steps.rate * steps.dt)[source],
        alters=alters,
        place=place,
    )


@allocating_kernel
def make_walk(abreast: Abreast) -> Walk:
    """Allocate room."""
    lanes, steps = abreast.subject.size, abreast.dt.size
    return Walk(
        np.empty(lanes),
        np.empty(lanes),
        np.empty(lanes),
        np.empty(lanes),
        np.empty(steps),
        np.empty(steps),
    )


@kernel
def _set_out(abreast: Abreast, psi: Psi, eta: Vector, walk: Walk) -> None:
    """Write what each lane begins with."""
    subject, n, scale = abreast.subject, psi.effects, psi.scale
    rate, factor, amount, slope = walk.rate, walk.factor, walk.amount, walk.slope
    for lane in range(subject.size):
        log_cl, log_v = logarithms(psi, subject[lane], eta, subject[lane] * n)
        rate[lane], factor[lane] = log_cl - log_v, -log_v
        amount[lane] = slope[lane] = 0.0
    exponentials(rate)
    exponentials(factor)
    for lane in range(subject.size):
        factor[lane] *= scale


@vector_kernel
def _advance(
    rate: Vector,
    factor: Vector,
    dt: Vector,
    given: Vector,
    amount: Vector,
    slope: Vector,
    f: Vector,
    by_rate: Vector,
) -> None:
    """Advance all lanes by an interval each, and write their predictions at its end."""
    for lane in range(dt.size):
        slopes = elimination_slopes(rate[lane] * dt[lane], given[lane])
        a0, a1 = advance_once(amount[lane], slope[lane], slopes)
        f[lane], by_rate[lane] = factor[lane] * a0, factor[lane] * a1
        amount[lane], slope[lane] = a0, a1


@kernel
def _alter(abreast: Abreast, number: int, steps: Steps, walk: Walk) -> None:
    """Let the events happen that end the steps of a number."""
    source, rate, amount, slope = abreast.source, walk.rate, walk.amount, walk.slope
    begin, end = abreast.begin[number], abreast.begin[number + 1]
    for lane in range(end - begin):
        a = (amount[lane], slope[lane], 0.0, 0.0)
        after = after_event(a, steps, source[begin + lane], rate[lane])
        amount[lane], slope[lane] = after[0], after[1]


@kernel
def predict_abreast(
    abreast: Abreast, steps: Steps, psi: Psi, eta: Vector, walk: Walk, work: Work
) -> None:
    """Predict all observations of all subjects, and their first derivatives, into `work`.

    `eta` has their effects, subject after subject.
    """
    _set_out(abreast, psi, eta, walk)
    rate, factor, amount, slope = walk.rate, walk.factor, walk.amount, walk.slope
    dt, given, f, by_rate = abreast.dt, abreast.given, walk.f, walk.by_rate
    for number in range(abreast.alters.size):
        b, e = abreast.begin[number], abreast.begin[number + 1]
        _advance(rate, factor, dt[b:e], given[b:e], amount, slope, f[b:e], by_rate[b:e])
        if abreast.alters[number]:
            _alter(abreast, number, steps, walk)
    cl, v, place, out, first = psi.order[0], psi.order[1], abreast.place, work.f, work.f1
    for j in range(place.size):
        f0, f1 = f[place[j]], by_rate[place[j]]
        out[j], first[j, cl], first[j, v] = f0, f1, -(f0 + f1)
