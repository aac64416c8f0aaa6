"""Where each sample stands in the history of its subject's infusions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.exposure.stretches import Stretches
from pkmodel.exposure.timeline import Timeline

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOWHERE = -1


@dataclass(frozen=True, eq=False)
class Samples:
    """The observations in the order of the file; arrays (n_observations,).

    Attributes
    ----------
    subject, row : ndarray of int64
    time : ndarray of float64
    stretch : ndarray of int64
        Stretch of constant rate that the concentration comes from; `NOWHERE` where the subject's
        first record, or a reset, is at the sample's time.
    rate : ndarray of float64
        Of that stretch.
    elapsed : ndarray of float64
        Time since the stretch began; NaN where no infusion began or ended before.
    since_bolus : ndarray of float64
        Time since the last bolus or added steady state (SS = 2); infinite where there was none.
    since_oral : ndarray of float64
        Time since drug last entered the depot; infinite where it did not.
    decline : ndarray of int64
        The stretch without infusion that the sample tells the decline of: the one it is drawn in,
        or the one that begins at its time; `NOWHERE` where there is none, or a bolus was given
        since the stop.
    """

    subject: Ints
    row: Ints
    time: Vector
    stretch: Ints
    rate: Vector
    elapsed: Vector
    since_bolus: Vector
    since_oral: Vector
    decline: Ints


def locate_samples(timeline: Timeline, stretches: Stretches) -> Samples:
    """Find the stretch of each sample, and what was given before it.

    A sample at the time of a change of rate belongs to the rate before it.

    Parameters
    ----------
    timeline : Timeline
    stretches : Stretches

    Returns
    -------
    Samples
    """
    step = np.flatnonzero(timeline.is_observation)
    time = timeline.end[step]
    stretch = _before_change(stretches, stretches.of_step[step], time)
    is_somewhere = stretch != NOWHERE
    begin, rate = (
        np.where(is_somewhere, np.append(values, np.nan)[stretch], default)
        for values, default in ((stretches.begin, np.nan), (stretches.rate, 0.0))
    )
    follows = is_somewhere & _has_previous(stretches)[stretch]
    since_bolus = _since(timeline, timeline.is_bolus | timeline.is_jump, step)
    return Samples(
        subject=timeline.subject[step],
        row=timeline.row[step],
        time=time,
        stretch=stretch,
        rate=rate,
        elapsed=np.where((rate > 0.0) | follows, time - begin, np.nan),
        since_bolus=since_bolus,
        since_oral=_since(timeline, timeline.is_absorbing, step),
        decline=_declines(stretches, stretch, time, since_bolus),
    )


def _has_previous(stretches: Stretches) -> Bools:
    """Tell whether another stretch went before, in the same life; one more entry, False."""
    return np.append(np.diff(stretches.life, prepend=-1) == 0, False)


def _before_change(stretches: Stretches, stretch: Ints, time: Vector) -> Ints:
    """Move samples a mere round-off after a change of rate to the stretch before it."""
    if not stretches.rate.size:
        return stretch
    previous = np.maximum(stretch - 1, 0)
    slack = stretches.slack[previous]
    into = time - stretches.begin[stretch]
    is_close = into <= slack
    change = np.abs(stretches.rate[stretch] - stretches.rate[previous])
    excess = change * np.where(is_close, into, 0.0)
    moves = is_close & (excess <= stretches.rate[previous] * slack)
    return np.where(moves & _has_previous(stretches)[stretch], previous, stretch)


def _since(timeline: Timeline, happened: Bools, step: Ints) -> Vector:
    """Time since something last happened in the life of each sample; infinite where it did not."""
    index = np.arange(happened.size)
    last = np.maximum.accumulate(np.where(happened, index, -1))[step]
    known = (last >= 0) & (timeline.life[last] == timeline.life[step])
    return np.where(known, timeline.end[step] - timeline.end[last], np.inf)


def _declines(stretches: Stretches, stretch: Ints, time: Vector, since_bolus: Vector) -> Ints:
    """Find the stretch after a stop that each sample tells the decline of."""
    if not stretches.rate.size:
        return stretch
    is_off = np.append((stretches.rate == 0.0) & _has_previous(stretches)[:-1], False)
    at_end = stretches.end[stretch] - time <= stretches.slack[stretch]
    decline = np.where(is_off[stretch], stretch, np.where(at_end, stretch + 1, NOWHERE))
    decline = np.where((stretch != NOWHERE) & is_off[decline], decline, NOWHERE)
    since_stop = time - np.append(stretches.begin, np.nan)[decline]
    has_bolus = since_bolus <= np.maximum(since_stop, 0.0)
    return np.where(has_bolus, NOWHERE, decline)
