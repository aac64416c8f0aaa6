"""A start from the logarithms of all observations, as if every subject were the typical one.

Where a start is orders of magnitude off, predictions vanish and the likelihood has nothing to say
about clearance and volume; log f still falls by k t, so that least squares on the log scale find
the way back. Only a start: the logarithm of an additive error is no normal variable.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.kernels.residual import QUANTIFIED
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

PASSES = 60
SMALLEST = 1e-300
LARGEST_DAMPING = 1e6
DONE = 1e-4
"""Ended where a step lowers the sum of squares by a smaller share than this."""


def _misfit(problem: Problem, x: Vector) -> tuple[Vector, Vector]:
    """Log f - log y of each row that counts, at eta = 0, and its slopes in the packed thetas."""
    f, slope = problem.predict_typical(x)
    y = problem.rows.y
    counted = problem.rows.status == QUANTIFIED
    if problem.rows.is_log:
        return (f - y)[counted], slope[counted]
    counted &= y > 0.0
    f = np.maximum(f[counted], SMALLEST)
    return np.log(f) - np.log(y[counted]), slope[counted] / f[:, None]


def _size(misfit: Vector) -> float:
    """Sum of sqrt(1 + r^2) - 1: squares of small misfits, so that no row rules by its noise."""
    total = float(np.sum(np.sqrt(1.0 + misfit**2) - 1.0))
    return total if np.isfinite(total) else np.inf


def log_misfit(problem: Problem, x: Vector) -> Vector:
    """Log f - log y of each row that counts, at eta = 0."""
    return _misfit(problem, x)[0]


def typical_misfit(problem: Problem, x: Vector) -> float:
    """Median over the rows that count of |log f - log y| at eta = 0."""
    misfit = log_misfit(problem, x)
    return float(np.median(np.abs(misfit))) if misfit.size else 0.0


def pooled_start(problem: Problem, x: Vector) -> Vector:
    """Move the thetas of a packed start by damped least squares on the log scale.

    Parameters
    ----------
    problem : Problem
    x : array (size,)

    Returns
    -------
    array (size,)
        `x` itself where nothing is gained; only thetas move.
    """
    count = len(problem.packing.theta)
    misfit, slope = _misfit(problem, x)
    size = _size(misfit)
    damping = 1e-3
    for _ in range(PASSES):
        if count == 0 or not np.isfinite(size) or not np.all(np.isfinite(slope)):
            break
        weight = 1.0 / np.sqrt(1.0 + misfit**2)
        gradient = slope.T @ (weight * misfit)
        curvature = (slope.T * weight) @ slope
        curvature[np.diag_indices(count)] += damping * (np.diag(curvature) + 1e-12)
        trial = x.copy()
        trial[:count] -= np.clip(np.linalg.solve(curvature, gradient), -2.0, 2.0)
        new_misfit, new_slope = _misfit(problem, trial)
        new_size = _size(new_misfit)
        if not new_size < size:
            damping *= 10.0
            if damping > LARGEST_DAMPING:
                break
            continue
        is_done = size - new_size < DONE * size
        x, misfit, slope, size = trial, new_misfit, new_slope, new_size
        damping *= 0.1
        if is_done:
            break
    return x
