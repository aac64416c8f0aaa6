"""From the packed vector of population parameters to matrices, and slopes back.

The packing is that of `pkmodel.packing`: logarithms or logits of bounded thetas, factors of the
blocks of Omega with logarithms on the diagonal, logarithms of residual coefficients.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pkmodel._jit import kernel
from pkmodel.kernels.types import Float1, Float2, Long1, Long2, Vector

PLAIN, ABOVE, BELOW, BETWEEN = 0, 1, 2, 3
"""How a theta is bounded."""


class Layout(NamedTuple):
    """Where the packed values go; the first are the free thetas.

    Attributes
    ----------
    theta, factor, sigma : arrays (thetas,), (n, n), (3,)
        With what is fixed put in.
    free : array (free thetas, 2)
        Number among all thetas, and how it is bounded.
    bounds : array (free thetas, 3)
        Lower and upper bound, and scale where it has none.
    entry : array (entries, 3)
        Packed place, row and column of each free entry of the factor.
    slot : array (free coefficients,)
        Coefficient of each of the last packed values.
    """

    theta: Float1
    factor: Float2
    sigma: Float1
    free: Long2
    bounds: Float2
    entry: Long2
    slot: Long1


@kernel
def theta_at(kind: int, bounds: Vector, x: float) -> tuple[float, float, float, float]:
    """Return a theta, its slope in `x`, the logarithm of that slope, and the slope of this."""
    low, high, scale = bounds[0], bounds[1], bounds[2]
    if kind == PLAIN:
        return x * scale, scale, np.log(scale), 0.0
    if kind == ABOVE:
        distance = np.exp(x)
        return low + distance, distance, x, 1.0
    if kind == BELOW:
        distance = np.exp(-x)
        return high - distance, distance, -x, -1.0
    share = 1.0 / (1.0 + np.exp(-x))
    log_slope = np.log(high - low) - abs(x) - 2.0 * np.log1p(np.exp(-abs(x)))
    slope = (high - low) * share * (1.0 - share)
    return low + (high - low) * share, slope, log_slope, 1.0 - 2.0 * share


@kernel
def unpack(
    layout: Layout, x: Vector, theta: Vector, slope: Vector, factor: Vector, sigma: Vector
) -> bool:
    """Write the population parameters, and slopes of the free thetas; return whether finite."""
    n, entries, coefficients = factor.shape[0], layout.entry, layout.slot.size
    for k in range(theta.size):
        theta[k] = layout.theta[k]
    for k in range(slope.size):
        found = theta_at(layout.free[k, 1], layout.bounds[k], x[k])
        theta[layout.free[k, 0]], slope[k] = found[0], found[1]
    for a in range(n):
        for b in range(n):
            factor[a, b] = layout.factor[a, b]
    is_finite = True
    for e in range(entries.shape[0]):
        a, b = entries[e, 1], entries[e, 2]
        factor[a, b] = np.exp(x[entries[e, 0]]) if a == b else x[entries[e, 0]]
        is_finite = is_finite and np.isfinite(factor[a, b])
    for k in range(3):
        sigma[k] = layout.sigma[k]
    for k in range(coefficients):
        sigma[layout.slot[k]] = np.exp(x[x.size - coefficients + k])
    for k in range(3):
        is_finite = is_finite and np.isfinite(sigma[k])
    return is_finite


@kernel
def add_packed(
    layout: Layout,
    factor: Vector,
    sigma: Vector,
    by_factor: Vector,
    by_sigma: Vector,
    out: Vector,
) -> None:
    """Add slopes in the factor and in the coefficients to those in the packed vector."""
    entries, coefficients = layout.entry, layout.slot.size
    for e in range(entries.shape[0]):
        k, a, b = entries[e, 0], entries[e, 1], entries[e, 2]
        out[k] += by_factor[a, b] * factor[a, b] if a == b else by_factor[a, b]
    for k in range(coefficients):
        slot = layout.slot[k]
        out[out.size - coefficients + k] += by_sigma[slot] * sigma[slot]
