"""Which estimates sit at a boundary of what is allowed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.problem import Problem

Vector = NDArray[np.float64]

VANISHED = 1e-3
"""A standard deviation of effects below this is taken as zero (a boundary)."""

CORRELATED = 5e-3
"""A share of an effect's standard deviation, free of the effects before it, taken as zero."""


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
    for name, value in zip(packing.names[packing.sigma_part], x[packing.sigma_part], strict=True):
        if value < np.log(1e-6):
            names.append(name)
    return tuple(dict.fromkeys(names))
