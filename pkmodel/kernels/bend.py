"""Coordinates bent so that a log density with third derivatives becomes nearly the normal one.

Where -log density of w is w'w / 2 + sum_abc skew_abc w_a w_b w_c / 6, the map

    w_a = exp(s_a) (z_a - skew_aaa (2 + z_a^2) / 6) + t_a,
    s_a = -sum_b<a skew_aab z_b / 2,
    t_a = -sum_b<a (skew_bba z_b^2 / 2 + sum_c<b skew_abc z_b z_c) - sum_b>a skew_bba / 2,

makes z standard normal up to the square of the skewness. Squares grow linearly from `REACH` on, so
that the map is one to one for any z, and its density exact with the logarithm of its slopes.
"""

from __future__ import annotations

import numpy as np

from pkmodel._jit import kernel
from pkmodel.kernels.types import Vector

REACH = 2.0

MOST = 1.2
"""Largest own skewness that is taken out; the map turns back from 3 / `REACH` on."""


@kernel
def _square(z: float) -> tuple[float, float, float]:
    """Square of `z` near 0, linear far away; two derivatives."""
    root = np.sqrt(1.0 + z * z / (REACH * REACH))
    return 2.0 * REACH * REACH * (root - 1.0), 2.0 * z / root, 2.0 / (root * root * root)


@kernel
def bend(skew: Vector, z: Vector, w: Vector) -> float:
    """Write w at z, arrays (n,); return the logarithm of the volume."""
    volume = 0.0
    for a in range(z.size):
        stretch = shift = 0.0
        for b in range(a):
            stretch -= 0.5 * skew[a, a, b] * z[b]
            shift -= 0.5 * skew[b, b, a] * _square(z[b])[0]
            for c in range(b):
                shift -= skew[a, b, c] * z[b] * z[c]
        for b in range(a + 1, z.size):
            shift -= 0.5 * skew[b, b, a]
        own = skew[a, a, a] / 6.0
        square, slope, _ = _square(z[a])
        w[a] = np.exp(stretch) * (z[a] - own * (2.0 + square)) + shift
        volume += stretch + np.log(1.0 - own * slope)
    return volume


@kernel
def bend_back(skew: Vector, z: Vector, by_w: Vector, by_z: Vector) -> None:
    """Write slopes in z of a function of w less the logarithm of the volume."""
    for a in range(z.size):
        by_z[a] = 0.0
    for a in range(z.size):
        stretch = 0.0
        for b in range(a):
            stretch -= 0.5 * skew[a, a, b] * z[b]
        own = skew[a, a, a] / 6.0
        square, slope, second = _square(z[a])
        along = 1.0 - own * slope
        by_own = by_w[a] * np.exp(stretch)
        by_stretch = by_own * (z[a] - own * (2.0 + square)) - 1.0
        by_z[a] += by_own * along + own * second / along
        for b in range(a):
            by_z[b] -= 0.5 * skew[a, a, b] * by_stretch
            by_z[b] -= 0.5 * skew[b, b, a] * _square(z[b])[1] * by_w[a]
            for c in range(b):
                by_z[b] -= skew[a, b, c] * z[c] * by_w[a]
                by_z[c] -= skew[a, b, c] * z[b] * by_w[a]
