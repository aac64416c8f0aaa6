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

MOST = 0.75
"""Largest skewness that is taken out; the map would turn back from 3 / `REACH` on."""

SQUARE, SLOPE, SECOND, STRETCH, KEPT = 0, 1, 2, 3, 4
"""Kept of each coordinate: its square with two derivatives, and exp(s)."""


@kernel
def bend(skew: Vector, z: Vector, w: Vector, kept: Vector) -> float:
    """Write w at z, arrays (n,), and `kept` (n, 4) for the way back.

    Returns
    -------
    float
        Logarithm of the volume.
    """
    total, volume = 0.0, 1.0
    for a in range(z.size):
        root = np.sqrt(1.0 + z[a] * z[a] / (REACH * REACH))
        inverse = 1.0 / root
        kept[a, SQUARE] = 2.0 * REACH * REACH * (root - 1.0)
        kept[a, SLOPE] = 2.0 * z[a] * inverse
        kept[a, SECOND] = 2.0 * inverse * inverse * inverse
        stretch = shift = 0.0
        for b in range(a):
            stretch -= 0.5 * skew[a, a, b] * z[b]
            shift -= 0.5 * skew[b, b, a] * kept[b, SQUARE]
            for c in range(b):
                shift -= skew[a, b, c] * z[b] * z[c]
        for b in range(a + 1, z.size):
            shift -= 0.5 * skew[b, b, a]
        kept[a, STRETCH] = np.exp(stretch) if a > 0 else 1.0
        own = skew[a, a, a] / 6.0
        w[a] = kept[a, STRETCH] * (z[a] - own * (2.0 + kept[a, SQUARE])) + shift
        total += stretch
        volume *= 1.0 - own * kept[a, SLOPE]
    total += np.log(volume)
    return float(total)


@kernel
def bend_back(skew: Vector, z: Vector, kept: Vector, by_w: Vector, by_z: Vector) -> None:
    """Write slopes in z of a function of w less the logarithm of the volume."""
    for a in range(z.size):
        own = skew[a, a, a] / 6.0
        along = 1.0 - own * kept[a, SLOPE]
        by_own = by_w[a] * kept[a, STRETCH]
        by_stretch = by_own * (z[a] - own * (2.0 + kept[a, SQUARE])) - 1.0
        by_z[a] = by_own * along + own * kept[a, SECOND] / along
        for b in range(a):
            by_z[b] -= 0.5 * skew[a, a, b] * by_stretch
            by_z[b] -= 0.5 * skew[b, b, a] * kept[b, SLOPE] * by_w[a]
            for c in range(b):
                by_z[b] -= skew[a, b, c] * z[c] * by_w[a]
                by_z[c] -= skew[a, b, c] * z[b] * by_w[a]
