"""The log prior density on the packed vector, and its exact gradient.

For a row i (from 1) of the Cholesky factor of a block of size K, with standard deviation s, the
standard deviation times a row w of the factor of the correlations, the density in the packed row is

    p(s) w_ii^(K - i + 2 (lkj - 1)) (w_ii / s^(i - 1)) L_ii,      w_ii = L_ii / s,

up to the constant of the LKJ distribution (Lewandowski, Kurowicka and Joe 2009,
10.1016/j.jmva.2009.04.008); the first row has w_11 = 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pkmodel._jit import kernel
from pkmodel.kernels.packed import Layout, theta_at
from pkmodel.kernels.types import Float1, Float2, Long1, Long2, Vector

FLAT, NORMAL, LOGNORMAL, STUDENT_T = 0, 1, 2, 3
"""Families; half of a symmetric one differs by its constant alone."""


class Law(NamedTuple):
    """The prior of every free parameter: thetas, standard deviations row by row, coefficients.

    Attributes
    ----------
    family : array (k,)
    numbers : array (k, 3)
        Location (or logarithm of the median), scale, degrees of freedom.
    row : array (rows, 2)
        Of all free blocks: where the packed row begins, and how many entries precede its diagonal.
    power : array (rows,)
        To which w_ii counts.
    constant : float
        Of all densities together.
    """

    family: Long1
    numbers: Float2
    row: Long2
    power: Float1
    constant: float


@kernel
def log_density(family: int, numbers: Vector, value: float) -> tuple[float, float]:
    """Log density of a value, without its constant, and its slope."""
    location, scale, degrees = numbers[0], numbers[1], numbers[2]
    if family == FLAT:
        return 0.0, 0.0
    if family == LOGNORMAL:
        if value <= 0.0:
            return -np.inf, 0.0
        log_value = np.log(value)
        z = (log_value - location) / scale
        return -0.5 * z * z - log_value, -(1.0 + z / scale) / value
    z = (value - location) / scale
    if family == NORMAL:
        return -0.5 * z * z, -z / scale
    density = -0.5 * (degrees + 1.0) * np.log1p(z * z / degrees)
    return density, -(degrees + 1.0) * z / (degrees + z * z) / scale


@kernel
def _row(law: Law, number: int, which: int, x: Vector, gradient: Vector) -> float:
    """Log density of a packed row of a factor."""
    first, i, power = law.row[number, 0], law.row[number, 1], law.power[number]
    log_diagonal = x[first + i]
    square = np.exp(2.0 * log_diagonal)
    variance = square
    for k in range(first, first + i):
        variance += x[k] * x[k]
    deviation = np.sqrt(variance)
    density, slope = log_density(law.family[which], law.numbers[which], deviation)
    by_variance = 0.5 * (slope / deviation - (power + i) / variance)
    for k in range(first, first + i):
        gradient[k] = 2.0 * by_variance * x[k]
    gradient[first + i] = 2.0 * by_variance * square + power + 1.0
    density += (power + 1.0) * log_diagonal
    density -= (power + i) * 0.5 * np.log(variance)
    return float(density)


@kernel
def log_prior(law: Law, layout: Layout, x: Vector, gradient: Vector) -> float:
    """Log prior density at a packed vector.

    Parameters
    ----------
    x : array (size,)
    gradient : array (size,)
        Written.

    Returns
    -------
    float
        Normalised but for truncation at bounds and flat priors; -inf out of range.
    """
    free, rows, coefficients = layout.free.shape[0], law.row.shape[0], layout.slot.size
    total = law.constant
    for k in range(free):
        value, slope, log_slope, by_x = theta_at(layout.free[k, 1], layout.bounds[k], x[k])
        density, by_value = log_density(law.family[k], law.numbers[k], value)
        total += density + log_slope
        gradient[k] = by_value * slope + by_x
    for number in range(rows):
        total += _row(law, number, free + number, x, gradient)
    for k in range(coefficients):
        at, which = x.size - coefficients + k, free + rows + k
        value = np.exp(x[at])
        density, by_value = log_density(law.family[which], law.numbers[which], value)
        total += density + x[at]
        gradient[at] = by_value * value + 1.0
    return total if np.isfinite(total) else -np.inf
