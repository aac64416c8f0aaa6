"""Flip-flop: absorption slower than elimination, KA < CL / V.

A curve after an oral dose is the same with KA and k = CL / V exchanged and V multiplied by k / KA,
so that a search may end in the wrong one of two optima. A search that ends with KA < k is
therefore repeated from the exchanged point; the data decide where they can, and what stays
flip-flop is said to be so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.problem import Problem

Vector = NDArray[np.float64]

PASSES = 20
NEEDED = ("CL", "V", "KA")


def _typical(problem: Problem, x: Vector) -> tuple[Vector, Vector]:
    """Logarithms of CL, V and KA of each subject or row, and their slopes in the packed thetas."""
    mu, jacobian = problem.typical(problem.packing.unpack(x).theta)
    order = [problem.structure.parameters.index(p) for p in NEEDED]
    free = jacobian[:, order][:, :, problem.packing.theta] * problem.packing.theta_slopes(x)
    return mu[:, order], free


def exchanged(problem: Problem, x: Vector) -> Vector | None:
    """Return the packed point with absorption and elimination exchanged.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Where a search ended, packed.

    Returns
    -------
    array (size,) or None
        None where KA > CL / V for most, or a parameter is not lognormal. Only thetas move, and
        where covariates make the exchange inexact, to the nearest.
    """
    parameters, distribution = problem.structure.parameters, problem.model.distribution
    if not set(NEEDED) <= set(parameters):
        return None
    if any(distribution.get(p, "lognormal") != "lognormal" for p in NEEDED):
        return None
    values, _ = _typical(problem, x)
    cl, v, ka = values.T
    if not np.median(ka - cl + v) < 0.0:
        return None
    target = np.column_stack([cl, cl - ka, cl - v])
    count = len(problem.packing.theta)
    moved = x.copy()
    for _ in range(PASSES):
        values, slopes = _typical(problem, moved)
        if not np.all(np.isfinite(values)) or not np.all(np.isfinite(slopes)):
            return None
        step = np.linalg.lstsq(slopes.reshape(-1, count), (target - values).ravel())[0]
        moved[:count] += np.clip(step, -2.0, 2.0)
        if np.max(np.abs(step), initial=0.0) < 1e-8:
            break
    return moved
