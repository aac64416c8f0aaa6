"""Rates of infusion as read off a fine grid: slow, obvious, and nothing of the package's.

Times of doses must be multiples of `STEP`; a history restarts its clock where TIME goes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from twin import CENTRAL, Row

STEP = 0.05


@dataclass(frozen=True)
class Period:
    start: float
    end: float
    rate: float
    clock: int


def clocks(rows: Sequence[Row]) -> list[list[Row]]:
    """Split a history where its time goes back."""
    out = [[rows[0]]]
    for before, row in pairwise(rows):
        if row.time < before.time:
            out.append([])
        out[-1].append(row)
    return out


def doses(row: Row) -> list[tuple[float, float]]:
    """Begin and end of each dose that a record stands for, the past of a steady state included."""
    if not row.is_dose or row.amt == 0:
        return []
    duration = row.amt / row.rate if row.rate else 0.0
    past = int(np.ceil(duration / row.ii - 1e-9)) if row.ss else 0
    starts = [row.time + n * row.ii for n in range(-past, row.addl + 1)]
    return [(start, start + duration) for start in starts]


def cut(rows: Sequence[Row], j: int) -> float:
    """Return the time at which what row j began is cancelled."""
    return next((row.time for row in rows[j + 1 :] if row.clears), np.inf)


def midpoints(rows: Sequence[Row]) -> np.ndarray:
    end = max([end for row in rows for _, end in doses(row)] + [row.time for row in rows])
    return rows[0].time + STEP * (np.arange(np.ceil((end - rows[0].time) / STEP - 1e-6)) + 0.5)


def rate_on(grid: np.ndarray, rows: Sequence[Row], into: Sequence[int] = (CENTRAL,)) -> np.ndarray:
    rate = np.zeros(grid.size)
    for j, row in enumerate(rows):
        if row.into in into and row.rate:
            for begin, end in doses(row):
                running = (grid > max(begin, row.time)) & (grid < min(end, cut(rows, j)))
                rate[running] += row.rate
    return rate


def periods(rows: Sequence[Row]) -> list[Period]:
    return [p for clock, part in enumerate(clocks(rows)) for p in periods_of_clock(part, clock)]


def periods_of_clock(rows: Sequence[Row], clock: int) -> list[Period]:
    grid = midpoints(rows)
    rate = np.round(rate_on(grid, rows), 9)
    life = np.sum([grid > row.time for row in rows if row.clears], axis=0, dtype=int)
    life = np.broadcast_to(life, grid.shape)
    found = []
    for (_, level), cells in groupby(range(grid.size), lambda k: (life[k], rate[k])):
        inside = list(cells)
        start, end = grid[inside[0]] - STEP / 2, grid[inside[-1]] + STEP / 2
        found.append(Period(start, end, float(level), clock))
    return [p for p in with_endless(found, rows, clock) if p.rate > 0]


def with_endless(found: list[Period], rows: Sequence[Row], clock: int) -> list[Period]:
    """Put in the constant infusions of the past that steady states stand for."""
    for j, row in enumerate(rows):
        level = endless_rate(row)
        if level == 0 or row.ss != 1:
            continue
        before = [p for p in found if p.end <= row.time + 1e-6]
        after = found[len(before) :]
        if cut(rows, j) > row.time and after and abs(after[0].rate - level) < 1e-8:
            after[0] = Period(-np.inf, after[0].end, level, clock)
            found = before + after
        else:
            found = [*before, Period(-np.inf, row.time, level, clock), *after]
    return found


def endless_rate(row: Row) -> float:
    if not row.is_dose or row.into != CENTRAL or row.rate == 0 or row.ss == 0:
        return 0.0
    if row.amt == 0:
        return row.rate
    times = row.amt / row.rate / row.ii
    return round(times) * row.rate if abs(times - round(times)) < 1e-9 else 0.0


def boluses(rows: Sequence[Row]) -> list[float]:
    """Times of the doses without a rate; one that a reset cancels at its own time was given."""
    out = []
    for part in clocks(rows):
        for j, row in enumerate(part):
            if row.is_dose and row.amt and not row.rate:
                limit = cut(part, j)
                out += [t for t, _ in doses(row) if row.time <= t <= limit]
    return sorted(out)


def total(rows: Sequence[Row]) -> float:
    """Sum of all that was given."""
    amount = 0.0
    for part in clocks(rows):
        amount += STEP * rate_on(midpoints(part), part, into=(0, 1)).sum()
        for j, row in enumerate(part):
            if row.is_dose and row.amt and not row.rate:
                limit = cut(part, j)
                amount += row.amt * sum(row.time <= t <= limit for t, _ in doses(row))
    return amount
