"""Third derivatives of the joint density, by which its coordinates are bent towards a normal law.

They are second differences of its exact slopes in the effects, of all subjects at once, as wide as
the law itself, for that is where the density matters. What is approximate here costs the sampler
time, and changes nothing of its law.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.joint import JointTarget
from pkmodel.kernels.bend import MOST

Vector = NDArray[np.float64]


def bent(target: JointTarget) -> JointTarget:
    """Return a target in coordinates of the effects that are bent by their skewness."""
    shape, size = target.coordinates.place.shape, target.anchor.x.size

    def slope(step: Vector) -> Vector:
        vector = np.concatenate([np.zeros(size), np.repeat(step, shape[1])])
        return -target(vector)[1][size:].reshape(shape)

    skew = third_derivatives(slope, shape[0])
    skew[..., np.max(np.abs(skew), axis=(0, 1, 2)) >= MOST] = 0.0
    coordinates = target.coordinates._replace(skew=skew)
    return JointTarget(target.problem, target.prior, target.anchor, coordinates)


def third_derivatives(slope: Callable[[Vector], Vector], n: int) -> Vector:
    """Differentiate slopes, arrays (n, m), twice in n directions; array (n, n, n, m)."""
    units = np.eye(n)
    middle = slope(np.zeros(n))
    out = np.zeros((n, n, *middle.shape))
    for side in (1.0, -1.0):
        one = [slope(side * unit) for unit in units]
        for a in range(n):
            out[a, a] += one[a] - middle
            for b in range(a):
                both = slope(side * (units[a] + units[b])) - one[a] - one[b] + middle
                out[a, b] += 0.5 * both
                out[b, a] += 0.5 * both
    even = [out.transpose(*order, 3) for order in permutations((0, 1, 2))]
    return np.asarray(np.mean(even, axis=0))
