"""Which estimates sit at a boundary of what is allowed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.kernels.residual import QUANTIFIED
from pkmodel.packing import SIGMA_SLOT
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

VANISHED = 1e-3
"""A standard deviation of effects below this is taken as zero (a boundary)."""

CORRELATED = 5e-3
"""A share of an effect's standard deviation, free of the effects before it, taken as zero."""

NO_ERROR = 1e-5
"""A residual standard deviation below this share of every observation is taken as zero."""

NO_SHARE = 1e-3
"""A coefficient with no more than this share of the deviation, of all rows, is taken as zero."""


def at_boundary(problem: Problem, x: Vector) -> tuple[str, ...]:
    """Name the free parameters that sit at a bound, or whose variance has vanished.

    With a variance in a block its covariances with the effects after it: what an effect that has
    vanished leads them to is no longer told apart from their own.
    """
    packing = problem.packing
    names = []
    values = packing.unpack(x)
    for k, i in enumerate(packing.theta):
        theta = problem.model.theta[i]
        for bound in (theta.lower, theta.upper):
            width = theta.upper - theta.lower
            size = width if np.isfinite(width) else max(abs(bound), abs(theta.init), 1e-300)
            if np.isfinite(bound) and abs(values.theta[i] - bound) < 1e-5 * size:
                names.append(packing.names[k])
    for block, part in zip(packing.blocks, packing.block_parts, strict=True):
        size = len(block.parameters)
        for i in range(size):
            first = part.start + i * (i + 1) // 2
            row = x[first : first + i + 1]
            own = np.exp(row[-1])
            if own < VANISHED or own < CORRELATED * np.hypot(own, np.linalg.norm(row[:-1])):
                names.append(packing.names[first + i])
                below = [part.start + j * (j + 1) // 2 + i for j in range(i + 1, size)]
                names += [packing.names[k] for k in below]
    names += [packing.names[k] for k in _vanished_errors(problem, x)]
    return tuple(dict.fromkeys(names))


def _vanished_errors(problem: Problem, x: Vector) -> list[int]:
    """Places of residual coefficients that add nothing to the error of any observation."""
    packing = problem.packing
    counted = problem.rows.status == QUANTIFIED
    y = problem.rows.y[counted]
    size = np.ones_like(y) if problem.rows.is_log else np.maximum(np.abs(y), 1e-300)
    a, b, p = packing.unpack(x).sigma
    parts = {0: np.full_like(size, a), 1: b * size**p}
    whole = np.hypot(parts[0], parts[1])
    is_nothing = bool(np.all(whole <= NO_ERROR * size))
    out = []
    for place, i in enumerate(packing.sigma, start=packing.sigma_part.start):
        part = parts.get(SIGMA_SLOT[problem.model.residual.sigmas[i].name])
        if part is not None and (is_nothing or bool(np.all(part <= NO_SHARE * whole))):
            out.append(place)
    return out
