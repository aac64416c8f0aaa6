"""From regimens and people to what each of them is given and when: bags, pauses, samples.

Vectorised over people. Times are hours, to 36 seconds (0.01 h); rates have six digits, as a file
holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.simulate.people import People
from pkmodel.simulate.regimen import Bags, Flush, Pauses, Regimen, Sampling, Step

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DECIMALS = 2
DIGITS = 6
FIRST_PAUSE = 1.0
"""Hours; no random pause begins before."""


@dataclass(frozen=True, eq=False)
class Infusions:
    """Constant-rate pieces, in order of subject and time; arrays (n_pieces,).

    Attributes
    ----------
    subject : array of int64
    start, stop : array
        Hours.
    rate : array
        Amount per time of the data.
    """

    subject: Ints
    start: Vector
    stop: Vector
    rate: Vector

    def where(self, keep: Bools | Ints) -> Infusions:
        """Return some of the pieces, or all in another order."""
        return Infusions(self.subject[keep], self.start[keep], self.stop[keep], self.rate[keep])


@dataclass(frozen=True, eq=False)
class Boluses:
    """Boluses; arrays (n_boluses,): subject, time in hours, and the hours of infusion they hold."""

    subject: Ints
    time: Vector
    rate: Vector
    hours: float


def infuse(regimen: Regimen, people: People, rng: np.random.Generator) -> Infusions:
    """Give everybody the infusion.

    Parameters
    ----------
    regimen : Regimen
        With steps from the start on for every weight among the people.
    people : People
    rng : numpy Generator
        For bags and pauses that are drawn.

    Returns
    -------
    Infusions
    """
    rate = np.column_stack([_rates(step, people) for step in regimen.steps])
    ends = _step_ends(regimen, ~np.isnan(rate))
    size = _bag_lengths(regimen, people.age.size, rng)
    parts = [
        _bags_of_step(step.start, ends[:, k], rate[:, k], size)
        for k, step in enumerate(regimen.steps)
    ]
    pieces = _join(parts)
    for begin, end in _pauses(regimen.pauses, people.age.size, regimen.hours, rng):
        pieces = _interrupt(pieces, begin, end)
    return pieces.where(np.lexsort([pieces.start, pieces.subject]))


def _rates(step: Step, people: People) -> Vector:
    """Rate of a step for each person; NaN for weights that it is not for."""
    sizes = {"m2": people.bsa, "kg": people.weight, "": np.ones(people.age.size)}
    rate = _to_digits(np.minimum(step.rate * sizes[step.per], step.cap))
    low, high = step.weight
    return np.where((people.weight >= low) & (people.weight < high), rate, np.nan)


def _to_digits(values: Vector) -> Vector:
    scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(values)))
    return np.asarray(np.round(values * scale) / scale)


def _step_ends(regimen: Regimen, applies: Bools) -> Vector:
    """End of each step for each person: where the next one that applies begins, or the stop."""
    ends = np.empty(applies.shape)
    following = np.full(len(applies), regimen.hours)
    for k in reversed(range(len(regimen.steps))):
        ends[:, k] = following
        following = np.where(applies[:, k], regimen.steps[k].start, following)
    return ends


def _bag_lengths(regimen: Regimen, n: int, rng: np.random.Generator) -> Vector:
    """Lengths of the bags that follow one another in a step, as many as may be needed."""
    bags = regimen.bags or Bags((regimen.hours,))
    length = np.array(bags.hours)
    count = int(np.ceil(regimen.hours / length.min()))
    if bags.choice == "per subject":
        return np.repeat(rng.choice(length, (n, 1)), count, axis=1)
    if bags.choice == "per bag":
        return rng.choice(length, (n, count))
    return np.broadcast_to(np.resize(length, count), (n, count))


def _bags_of_step(start: float, end: Vector, rate: Vector, size: Vector) -> Infusions:
    """Bags of a step, for those whom it applies to."""
    stops = start + np.cumsum(size, axis=1)
    starts = stops - size
    subject, bag = np.nonzero((starts < end[:, None]) & ~np.isnan(rate)[:, None])
    stop = np.minimum(stops[subject, bag], end[subject])
    return Infusions(subject.astype(np.int64), starts[subject, bag], stop, rate[subject])


def _join(parts: Sequence[Infusions]) -> Infusions:
    return Infusions(
        np.concatenate([part.subject for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.stop for part in parts]),
        np.concatenate([part.rate for part in parts]),
    )


def _pauses(
    pauses: Pauses, n: int, hours: float, rng: np.random.Generator
) -> list[tuple[Vector, Vector]]:
    """Begins and ends of pauses: an entry per pause, infinite for people without it."""
    found = [(np.full(n, begin), np.full(n, begin + length)) for begin, length in pauses.planned]
    if pauses.mean == 0.0:
        return found
    count = rng.poisson(pauses.mean, n)
    shape = (int(count.max(initial=0)), n)
    begin = np.round(rng.uniform(FIRST_PAUSE, hours, shape), DECIMALS)
    length = np.round(rng.uniform(*pauses.hours, shape), DECIMALS)
    begin = np.where(np.arange(shape[0])[:, None] < count, begin, np.inf)
    return [*found, *zip(begin, begin + length, strict=True)]


def _interrupt(pieces: Infusions, begin: Vector, end: Vector) -> Infusions:
    """Take a pause of each subject out of what it is given."""
    begin, end = begin[pieces.subject], end[pieces.subject]
    is_hit = (pieces.start < end) & (pieces.stop > begin)
    hit, begin, end = pieces.where(is_hit), begin[is_hit], end[is_hit]
    before = replace(hit, stop=begin).where(hit.start < begin)
    after = replace(hit, start=end).where(end < hit.stop)
    return _join([pieces.where(~is_hit), before, after])


def flush(regimen: Flush | None, infusions: Infusions, rng: np.random.Generator) -> Boluses:
    """Draw the flushes at changes of bags that follow one another without a pause."""
    changes = np.flatnonzero(
        (infusions.subject[1:] == infusions.subject[:-1])
        & (infusions.start[1:] == infusions.stop[:-1])
    )
    if regimen is None:
        changes, hours = changes[:0], 0.0
    else:
        changes = changes[rng.random(changes.size) < regimen.chance]
        hours = regimen.hours
    at = infusions.where(np.isin(np.arange(infusions.rate.size), changes))
    return Boluses(at.subject, at.stop, at.rate, hours)


def sample_times(sampling: Sampling, n: int, stop: float, rng: np.random.Generator) -> Vector:
    """Draw the times of samples, hours, array (n, n_samples)."""
    planned = np.array(sampling.hours)
    met = planned + rng.uniform(-1.0, 1.0, (n, planned.size)) * sampling.spread
    after = np.broadcast_to(stop + np.array(sampling.after_stop), (n, len(sampling.after_stop)))
    return np.round(np.concatenate([met, after], axis=1), DECIMALS)
