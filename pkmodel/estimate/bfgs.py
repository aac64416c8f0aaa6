"""Minimise a smooth function of a scaled, unconstrained vector: BFGS in a given first metric.

The start of the metric is the caller's estimate of the Hessian, steps are bounded, points where
the function is not defined are stepped back from, and the metric is built anew where a search
along a line fails. Source: Nocedal and Wright 2006, 10.1007/978-0-387-40065-5, chapters 3 and 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

LONGEST_STEP = 1.0
ARMIJO = 1e-4
CURVATURE = 0.9

PATIENCE = 100
"""Evaluations that together have to lower the function by the tolerance, or the search stalls."""

SMALLEST_EIGENVALUE = 1e-10
"""Of a metric in the scale of its diagonal; below it, its solution is rounding error."""

LARGEST = 1e200
"""Stands for a square that has left the range of numbers."""


class Ending(StrEnum):
    """Why the search ended."""

    CONVERGED = "converged"
    STALLED = "stalled"
    EXHAUSTED = "exhausted"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Point:
    """A point, the function there, its gradient, and an estimate of its Hessian."""

    x: Vector
    value: float
    gradient: Vector
    metric: Vector


@dataclass(frozen=True)
class Minimum:
    """The end of a search; `decrease` is what the last metric still promised."""

    point: Point
    ending: Ending
    decrease: float


Function = Callable[[Vector], Point]


def _positive(metric: Vector) -> Vector:
    """Make a symmetric matrix safely positive definite, in the scale of its own diagonal."""
    metric = np.nan_to_num(metric, nan=0.0, posinf=LARGEST, neginf=-LARGEST)
    diagonal = np.sqrt(np.maximum(np.abs(np.diag(metric)), 1e-8))
    scaled = metric / np.outer(diagonal, diagonal)
    values, vectors = np.linalg.eigh(0.5 * (scaled + scaled.T))
    values = np.maximum(np.abs(values), 1e-4)
    return np.asarray((vectors * values) @ vectors.T * np.outer(diagonal, diagonal))


def _step(metric: Vector, gradient: Vector) -> Vector:
    """Newton step, solved in the scale of the metric's own diagonal."""
    scale = np.sqrt(np.diag(metric))
    return np.asarray(-np.linalg.solve(metric / np.outer(scale, scale), gradient / scale) / scale)


def _update(metric: Vector, step: Vector, change: Vector) -> Vector:
    """BFGS update of the Hessian estimate, damped so that it stays positive definite."""
    moved = metric @ step
    length = float(step @ moved)
    product = float(step @ change)
    if not length > 1e-300:
        return metric
    if product < 0.2 * length:
        share = 0.8 * length / (length - product)
        change = share * change + (1.0 - share) * moved
        product = float(step @ change)
    outer = np.outer(moved, moved) / length
    return np.asarray(metric - outer + np.outer(change, change) / product)


def _search(function: Function, start: Point, step: Vector, budget: int) -> Point | None:
    """Find a point along `step` by the weak Wolfe conditions: bisection and doubling."""
    slope = float(start.gradient @ step)
    low, high, share = 0.0, np.inf, 1.0
    best: Point | None = None
    slack = 1e-12 * (1.0 + abs(start.value))
    for _ in range(min(budget, 30)):
        trial = function(start.x + share * step)
        is_lower = trial.value <= start.value + ARMIJO * share * slope + slack
        if not np.isfinite(trial.value) or not is_lower:
            high = share
            share = _interpolate(start.value, slope, trial.value, low, share)
        else:
            if best is None or trial.value <= best.value:
                best = trial
            if float(trial.gradient @ step) >= CURVATURE * slope or share >= 8.0:
                return trial
            low = share
            share = 2.0 * share if high == np.inf else 0.5 * (low + high)
        if high - low < 1e-12:
            break
        if low > 0.0 and high < np.inf:
            return best
    return best


def _interpolate(value: float, slope: float, trial: float, low: float, share: float) -> float:
    """Minimum of the parabola through what is known, kept well inside the bracket."""
    if not np.isfinite(trial) or low > 0.0:
        return low + 0.25 * (share - low)
    parabola = -0.5 * slope * share**2 / (trial - value - slope * share)
    return float(min(max(parabola, 0.1 * share), 0.5 * share))


def minimise(
    function: Function,
    start: Point,
    *,
    tolerance: float,
    evaluations: Callable[[], int],
    limit: int,
) -> Minimum:
    """Minimise `function` from `start`.

    Parameters
    ----------
    function : callable
        Point at a vector; its value may be infinite, its metric is that point's own estimate.
    start : Point
    tolerance : float
        Converged where the metric promises a smaller decrease of the function than this, and so
        does the point's own metric.
    evaluations : callable
        Evaluations so far.
    limit : int
        Most evaluations.

    Returns
    -------
    Minimum
    """
    point = start
    metric = _positive(start.metric)
    is_fresh = True
    last, count = start, evaluations()
    while True:
        step = _step(metric, point.gradient)
        decrease = -0.5 * float(point.gradient @ step)
        if decrease < tolerance:
            own = _positive(point.metric)
            step = _step(own, point.gradient)
            decrease = -0.5 * float(point.gradient @ step)
            if decrease < tolerance:
                return Minimum(point, Ending.CONVERGED, decrease)
            metric = own
        left = limit - evaluations()
        if left <= 0:
            return Minimum(point, Ending.EXHAUSTED, decrease)
        if evaluations() - count >= PATIENCE:
            if last.value - point.value < tolerance:
                return Minimum(point, Ending.STALLED, decrease)
            last, count = point, evaluations()
        longest = float(np.max(np.abs(step)))
        if longest > LONGEST_STEP:
            step *= LONGEST_STEP / longest
        found = _search(function, point, step, left)
        if found is None:
            if is_fresh:
                return Minimum(point, Ending.STALLED, decrease)
            metric = _positive(point.metric)
            is_fresh = True
            continue
        metric = _positive_or(
            _update(metric, found.x - point.x, found.gradient - point.gradient), found.metric
        )
        is_fresh = False
        point = found


def _positive_or(metric: Vector, other: Vector) -> Vector:
    """Return `metric` where its smallest curvature is safely known, else the other one made so."""
    if not np.all(np.isfinite(metric)) or not np.all(np.diag(metric) > 0.0):
        return _positive(other)
    scale = np.sqrt(np.diag(metric))
    is_safe = np.linalg.eigvalsh(metric / np.outer(scale, scale))[0] > SMALLEST_EIGENVALUE
    return metric if is_safe else _positive(other)
