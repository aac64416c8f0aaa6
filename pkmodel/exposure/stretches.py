"""Stretches of one rate of infusion, zero included, from one change of rate to the next.

Round-off is no change: a bag of AMT / RATE = 23.99998 h is followed by the next one at 24 h. A
piece between two stretches is none of its own where it is as short as round-off, and what it
gives more or less than a neighbour is as small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.exposure.timeline import ROUND_OFF, Timeline

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LARGEST_SLACK = 0.01
"""Of the length of a stretch: no more than this of it is a moment."""


@dataclass(frozen=True, eq=False)
class Stretches:
    """Stretches of constant rate, in the order in which they happen.

    Attributes
    ----------
    subject, clock, life : ndarray of int64, shape [n_stretches]
        As of `pkmodel.exposure.timeline.Timeline`.
    parameter_row : ndarray of int64
        Row whose covariates hold when the stretch ends.
    begin, end : ndarray of float64
        Minus infinity where an endless infusion is at steady state at the first row.
    rate : ndarray of float64
    slack : ndarray of float64
        Times that differ by no more are one time.
    of_step : ndarray of int64, shape [n_steps]
        The stretch in which, or at whose end, a step of the timeline ends; -1 where nothing has
        gone before in its life.
    """

    subject: Ints
    clock: Ints
    life: Ints
    parameter_row: Ints
    begin: Vector
    end: Vector
    rate: Vector
    slack: Vector
    of_step: Ints


def find_stretches(timeline: Timeline, resolution: float = 0.0) -> Stretches:
    """Join intervals of equal rate.

    Parameters
    ----------
    timeline : Timeline
    resolution : float
        Times that differ by no more are one time, beside round-off; in the data's unit of time. It
        is `LARGEST_SLACK` of the neighbouring stretch at most.

    Returns
    -------
    Stretches
    """
    step, begin, rate, life = _intervals(timeline)
    end = timeline.end[step]
    close = np.maximum(timeline.round_off[step], resolution)
    first, last = _runs(life, rate)
    while True:
        held = _without_slivers(life[first], rate[first], end[last] - begin[first], close[first])
        rate = np.repeat(held, last - first + 1)
        known = first.size
        first, last = _runs(life, rate)
        if first.size == known:
            break
    return Stretches(
        subject=timeline.subject[step[first]],
        clock=timeline.clock[step[first]],
        life=life[first],
        parameter_row=timeline.parameter_row[step[last]],
        begin=begin[first],
        end=end[last],
        rate=rate[first],
        slack=np.minimum(close[first], LARGEST_SLACK * (end[last] - begin[first])),
        of_step=_of_step(timeline, step, begin, np.repeat(np.arange(first.size), last - first + 1)),
    )


def _intervals(timeline: Timeline) -> tuple[Ints, Vector, Vector, Ints]:
    """Intervals that last: the step that ends each, its begin, rate and life.

    An endless infusion lasts from minus infinity to the step that says so, in the life after it.
    """
    lasting = np.flatnonzero(timeline.end > timeline.begin)
    endless = np.flatnonzero(timeline.endless_rate > 0.0)
    step = np.concatenate([lasting, endless])
    begin = np.concatenate([timeline.begin[lasting], np.full(endless.size, -np.inf)])
    rate = np.concatenate([timeline.rate[lasting], timeline.endless_rate[endless]])
    life = np.concatenate([timeline.life[lasting], timeline.life[endless] + 1])
    order = np.lexsort([np.isinf(begin), step])
    return step[order], begin[order], rate[order], life[order]


def _runs(life: Ints, rate: Vector) -> tuple[Ints, Ints]:
    """First and last of the neighbours that share a life and, but for round-off, a rate."""
    is_equal = np.abs(np.diff(rate)) <= ROUND_OFF * np.maximum(rate[1:], rate[:-1])
    changes = np.flatnonzero((np.diff(life) != 0) | ~is_equal)
    inner = np.concatenate([changes, np.arange(rate.size)[-1:]])
    return np.append(0, inner[:-1] + 1)[: inner.size], inner


def _without_slivers(life: Ints, rate: Vector, length: Vector, close: Vector) -> Vector:
    """Return the rates, with those of slivers replaced by that of the stretch before them."""
    index = np.arange(rate.size)
    slack = np.minimum(close, LARGEST_SLACK * length)
    is_sliver = np.zeros(rate.size, dtype=bool)
    for other in (index - 1, index + 1):
        there = np.clip(other, 0, rate.size - 1)
        short = (length <= slack[there]) & (length < length[there]) & (life[there] == life)
        excess = np.abs(rate - rate[there]) * np.where(short, length, 0.0)
        is_sliver |= short & (excess <= rate[there] * slack[there])
    before = np.maximum.accumulate(np.where(is_sliver, -1, index))
    after = np.minimum.accumulate(np.where(is_sliver, rate.size, index)[::-1])[::-1]
    use_before = (before >= 0) & (life[before] == life)
    return rate[np.where(use_before, before, np.minimum(after, rate.size - 1))]


def _of_step(timeline: Timeline, step: Ints, begin: Vector, run: Ints) -> Ints:
    """Return the stretch of the last interval at or before each step, in its life."""
    from_step = step + np.isinf(begin)
    last = np.searchsorted(from_step, np.arange(timeline.end.size), side="right") - 1
    interval_life = np.append(timeline.life[step] + np.isinf(begin), -1)
    return np.where(interval_life[last] == timeline.life, np.append(run, -1)[last], -1)
