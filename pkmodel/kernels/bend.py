"""Coordinates bent so that a log density with third derivatives becomes nearly the normal one.

Where -log density of w is w'w / 2 + sum_abc skew_abc w_a w_b w_c / 6, the map

    w_a = exp(s_a) (z_a - skew_aaa (2 + z_a^2) / 6) + t_a,
    s_a = -sum_b<a skew_aab z_b / 2,
    t_a = -sum_b<a (skew_bba z_b^2 / 2 + sum_c<b skew_abc z_b z_c) - sum_b>a skew_bba / 2,

makes z standard normal up to the square of the skewness. Squares grow linearly from `REACH` on, so
that the map is one to one for any z, and its density exact with the logarithm of its slopes.

Arrays have the subjects last, and all subjects take each step together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pkmodel._jit import allocating_kernel, kernel, vector_kernel
from pkmodel.kernels.exponential import FARTHEST, exponential, log_product
from pkmodel.kernels.long_sums import add, add_product, add_triple
from pkmodel.kernels.types import Vector

REACH = 2.0

MOST = 0.4
"""Largest skewness that is taken out: a subject with more is none that a small correction makes
normal, and chains diverge in its bent tail. The map would turn back from 3 / `REACH` on."""


class Bent(NamedTuple):
    """Of each coordinate, for the way back; arrays (n, subjects).

    Attributes
    ----------
    square, slope, second
        z^2 as the map has it, and two derivatives.
    inside
        z - skew (2 + z^2) / 6.
    along
        Slope of `inside`.
    stretch
        exp(s).
    """

    square: Vector
    slope: Vector
    second: Vector
    inside: Vector
    along: Vector
    stretch: Vector


@allocating_kernel
def make_bent(n: int, subjects: int) -> Bent:
    """Allocate room."""
    shape = n, subjects
    return Bent(
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
    )


@vector_kernel
def _squares(z: Vector, square: Vector, slope: Vector, second: Vector) -> None:
    """Write z^2 and two derivatives, of one coordinate."""
    for i in range(z.size):
        inverse = 1.0 / np.sqrt(1.0 + z[i] * z[i] / (REACH * REACH))
        square[i] = 2.0 * REACH * REACH * (1.0 / inverse - 1.0)
        slope[i] = 2.0 * z[i] * inverse
        second[i] = 2.0 * inverse * inverse * inverse


@vector_kernel
def _own(skew: Vector, z: Vector, square: Vector, slope: Vector, out: Vector, by: Vector) -> None:
    """Write the part of a coordinate alone, and its slope."""
    for i in range(z.size):
        own = skew[i] / 6.0
        out[i] = z[i] - own * (2.0 + square[i])
        by[i] = 1.0 - own * slope[i]


@vector_kernel
def _stretched(s: Vector, inside: Vector, w: Vector) -> float:
    """Replace s by exp(s), add exp(s) inside to w, and return the sum of s."""
    total = 0.0
    for i in range(s.size):
        total += s[i]
        s[i] = exponential(min(max(s[i], -FARTHEST), FARTHEST))
        w[i] += s[i] * inside[i]
    return total


@vector_kernel
def _by_own(
    skew: Vector, second: Vector, along: Vector, stretch: Vector, by_w: Vector, by_z: Vector
) -> None:
    """Write the slope in a coordinate of its own part, less that of the volume."""
    for i in range(by_z.size):
        by_z[i] = by_w[i] * stretch[i] * along[i] + skew[i] / 6.0 * second[i] / along[i]


@vector_kernel
def _add_by_stretch(
    skew: Vector, inside: Vector, stretch: Vector, by_w: Vector, by_z: Vector
) -> None:
    """Add the slope in another coordinate through s, less that of the volume."""
    for i in range(by_z.size):
        by_z[i] -= 0.5 * skew[i] * (by_w[i] * stretch[i] * inside[i] - 1.0)


@kernel
def bend(skew: Vector, z: Vector, w: Vector, bent: Bent) -> float:
    """Write w at z, arrays (n, subjects), and what the way back needs.

    Parameters
    ----------
    skew : array (n, n, n, subjects)

    Returns
    -------
    float
        Logarithm of the volume, of all subjects.
    """
    n = z.shape[0]
    volume = 0.0
    w[:] = 0.0
    bent.stretch[:] = 0.0
    for a in range(n):
        _squares(z[a], bent.square[a], bent.slope[a], bent.second[a])
    for a in range(n):
        inside, along, stretch = bent.inside[a], bent.along[a], bent.stretch[a]
        _own(skew[a, a, a], z[a], bent.square[a], bent.slope[a], inside, along)
        for b in range(a):
            add_product(-0.5, skew[a, a, b], z[b], stretch)
            add_product(-0.5, skew[b, b, a], bent.square[b], w[a])
            for c in range(b):
                add_triple(-1.0, skew[a, b, c], z[b], z[c], w[a])
        for b in range(a + 1, n):
            add(-0.5, skew[b, b, a], w[a])
        volume += _stretched(stretch, inside, w[a]) + log_product(along)
    return volume


@kernel
def bend_back(skew: Vector, z: Vector, bent: Bent, by_w: Vector, by_z: Vector) -> None:
    """Write slopes in z of a function of w less the logarithm of the volume."""
    for a in range(z.shape[0]):
        along, stretch = bent.along[a], bent.stretch[a]
        _by_own(skew[a, a, a], bent.second[a], along, stretch, by_w[a], by_z[a])
        for b in range(a):
            _add_by_stretch(skew[a, a, b], bent.inside[a], stretch, by_w[a], by_z[b])
            add_triple(-0.5, skew[b, b, a], bent.slope[b], by_w[a], by_z[b])
            for c in range(b):
                add_triple(-1.0, skew[a, b, c], z[c], by_w[a], by_z[b])
                add_triple(-1.0, skew[a, b, c], z[b], by_w[a], by_z[c])
