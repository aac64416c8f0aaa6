"""What many observations add to -2 log likelihood, and its slopes, with interaction.

Worked out column by column, in long loops of plain arithmetic, for all observations at once; rows
below a limit of quantification are then put right one by one.
"""

from __future__ import annotations

import numpy as np

from pkmodel._jit import arithmetic_kernel, kernel, vector_kernel
from pkmodel.kernels.exponential import is_ordinary, log_product
from pkmodel.kernels.likelihood import Rows
from pkmodel.kernels.residual import (
    ADDITIVE,
    CENSORED,
    EXPONENT,
    FLOOR,
    QUANTIFIED,
    SLOPE,
    VARIANCE,
    censored_slopes,
)
from pkmodel.kernels.subject import Work
from pkmodel.kernels.types import Counts, Three, Vector

POWER, POWER_SLOPE, SPREAD, BY_F, BY_WEIGHT, COLUMNS = 0, 1, 2, 3, 4, 5
"""f^q and its slope; the residual variance; half the slope of a row in f, and that in its weight
(see `_residual`)."""


@vector_kernel
def _powers(q: float, f: Vector, columns: Vector) -> None:
    """Write f^q and its slope, constant below `FLOOR`."""
    if q == 1.0:
        for j in range(f.size):
            columns[POWER, j] = max(f[j], FLOOR)
            columns[POWER_SLOPE, j] = 1.0 if f[j] >= FLOOR else 0.0
    elif q == 2.0:
        for j in range(f.size):
            g = max(f[j], FLOOR)
            columns[POWER, j] = g * g
            columns[POWER_SLOPE, j] = 2.0 * g if f[j] >= FLOOR else 0.0
    else:
        for j in range(f.size):
            g = max(f[j], FLOOR)
            columns[POWER, j] = g**q
            columns[POWER_SLOPE, j] = q * columns[POWER, j] / g if f[j] >= FLOOR else 0.0


@arithmetic_kernel
def _residual(is_sum: bool, a: float, b: float, u: float, u1: float) -> Three:
    """Residual variance at u = f^q, its slope in f, and its weight.

    The slope of a row in the coefficients is that in the variance, times the weight, times what
    `_by_sigma` has.
    """
    s = a + b * u
    variance = a * a + b * b * u if is_sum else s * s
    slope = b * b * u1 if is_sum else 2.0 * s * b * u1
    return variance, slope, 1.0 if is_sum else s


@vector_kernel
def _quantified(
    is_sum: bool, sigma: Vector, y: Vector, status: Vector, f: Vector, columns: Vector
) -> float:
    """Add up squared residuals over their variances, and write slopes; zeros for other rows."""
    a, b = sigma[ADDITIVE], sigma[SLOPE]
    total = 0.0
    for j in range(f.size):
        r, r1, weight = _residual(is_sum, a, b, columns[POWER, j], columns[POWER_SLOPE, j])
        e, inverse = y[j] - f[j], 1.0 / r
        x = e * e * inverse
        by_r = 0.5 * inverse * (1.0 - x)
        is_here = status[j] == QUANTIFIED
        total += x if is_here else 0.0
        columns[SPREAD, j] = r if is_here else 1.0
        columns[BY_F, j] = by_r * r1 - e * inverse if is_here else 0.0
        columns[BY_WEIGHT, j] = by_r * weight if is_here else 0.0
    return total


@kernel
def _censored(
    is_sum: bool, sigma: Vector, y: Vector, status: Vector, f: Vector, columns: Vector
) -> float:
    """Add up what rows below a limit add, and write their slopes."""
    total = 0.0
    for j in range(f.size):
        if status[j] == CENSORED:
            r, r1, weight = _residual(
                is_sum,
                sigma[ADDITIVE],
                sigma[SLOPE],
                columns[POWER, j],
                columns[POWER_SLOPE, j],
            )
            rho, by_f, by_r = censored_slopes(y[j], f[j], r)
            total += rho
            columns[BY_F, j] = 0.5 * (by_f + by_r * r1)
            columns[BY_WEIGHT, j] = 0.5 * by_r * weight
    return total


@vector_kernel
def _by_weight(columns: Vector, count: int) -> tuple[float, float]:
    """Add up slopes in the weights, and those times f^q."""
    total, by_power = 0.0, 0.0
    for j in range(count):
        total += columns[BY_WEIGHT, j]
        by_power += columns[BY_WEIGHT, j] * columns[POWER, j]
    return total, by_power


@kernel
def _by_sigma(rows: Rows, sigma: Vector, f: Vector, columns: Vector, by_sigma: Vector) -> None:
    """Write half the slopes in the active residual coefficients."""
    total, by_power = _by_weight(columns, f.size)
    b = sigma[SLOPE]
    is_sum = rows.combine == VARIANCE
    by_sigma[ADDITIVE] = 2.0 * (sigma[ADDITIVE] if is_sum else 1.0) * total
    by_sigma[SLOPE] = 2.0 * (b if is_sum else 1.0) * by_power
    by_sigma[EXPONENT] = 0.0
    if rows.active[EXPONENT]:
        by_log = 0.0
        for j in range(f.size):
            by_log += columns[BY_WEIGHT, j] * columns[POWER, j] * np.log(max(f[j], FLOOR))
        by_sigma[EXPONENT] = 2.0 * b * (b if is_sum else 1.0) * by_log
    for k in range(3):
        if not rows.active[k]:
            by_sigma[k] = 0.0


@kernel
def add_rows(
    rows: Rows, sigma: Vector, begin: int, count: int, work: Work, by_sigma: Vector
) -> float:
    """Add up -2 log likelihood of observations whose predictions `work` has, from its first row on.

    Parameters
    ----------
    begin, count : int
        The observations.
    by_sigma : array (3,)
        Written: half the slopes in the active residual coefficients. `work` holds those in the
        predictions for `along_directions`.
    """
    is_sum, columns, f = rows.combine == VARIANCE, work.columns, work.f[:count]
    y, status = rows.y[begin : begin + count], rows.status[begin : begin + count]
    _powers(2.0 * sigma[EXPONENT] if is_sum else sigma[EXPONENT], f, columns)
    total = _quantified(is_sum, sigma, y, status, f, columns)
    total += _censored(is_sum, sigma, y, status, f, columns)
    spread = columns[SPREAD, :count]
    if is_ordinary(spread):
        total += log_product(spread)
    else:
        for j in range(count):
            total += np.log(spread[j])
    _by_sigma(rows, sigma, f, columns, by_sigma)
    return total


@kernel
def along_directions(work: Work, begin: int, end: int, by_direction: Vector) -> None:
    """Write half the slopes of some rows of `work` in the directions, array (m,)."""
    first, by_f = work.f1, work.columns[BY_F]
    for z in range(by_direction.size):
        total = 0.0
        for j in range(begin, end):
            total += by_f[j] * first[j, z]
        by_direction[z] = total


@kernel
def add_up_by_subject(work: Work, first: Counts, by_direction: Vector) -> None:
    """Write `along_directions` of all subjects, array (m, subjects)."""
    for i in range(by_direction.shape[1]):
        along_directions(work, first[i], first[i + 1], by_direction[:, i])
