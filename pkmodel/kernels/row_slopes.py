"""What many observations add to -2 log likelihood, and its slopes, with interaction.

Worked out column by column, in long loops of plain arithmetic, for all observations at once; rows
below a limit of quantification are then put right one by one.
"""

from __future__ import annotations

import numpy as np

from pkmodel._jit import arithmetic_kernel, kernel, vector_kernel
from pkmodel.kernels.exponential import is_ordinary, log_product
from pkmodel.kernels.likelihood import Rows
from pkmodel.kernels.long_sums import dot, total
from pkmodel.kernels.residual import (
    ADDITIVE,
    CENSORED,
    EXPONENT,
    FLOOR,
    QUANTIFIED,
    SLOPE,
    VARIANCE,
    censored_slopes,
    power_of,
)
from pkmodel.kernels.subject import Work
from pkmodel.kernels.types import Bytes, Counts, Three, Vector

POWER, POWER_SLOPE = 0, 1
"""f^q and its slope."""

ADDED, SPREAD, BY_F, BY_WEIGHT = 0, 1, 2, 3
"""What a row adds but for the logarithm of the next one, its residual variance; half its slope in f
and in the weight (see `_residual`)."""


@vector_kernel
def _powers(q: float, f: Vector, power: Vector) -> None:
    """Write f^q and its slope, constant below `FLOOR`."""
    for j in range(f.size):
        u, u1, _, _ = power_of(q, max(f[j], FLOOR))
        power[POWER, j] = u
        power[POWER_SLOPE, j] = u1 if f[j] >= FLOOR else 0.0


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
    is_sum: bool, sigma: Vector, y: Vector, f: Vector, power: Vector, columns: Vector
) -> None:
    """Write the columns of rows, as if all were quantified."""
    a, b = sigma[ADDITIVE], sigma[SLOPE]
    for j in range(f.size):
        r, r1, weight = _residual(is_sum, a, b, power[POWER, j], power[POWER_SLOPE, j])
        e, inverse = y[j] - f[j], 1.0 / r
        x = e * e * inverse
        by_r = 0.5 * inverse * (1.0 - x)
        columns[ADDED, j] = x
        columns[SPREAD, j] = r
        columns[BY_F, j] = by_r * r1 - e * inverse
        columns[BY_WEIGHT, j] = by_r * weight


@vector_kernel
def _are_quantified(status: Bytes) -> bool:
    """Tell whether all rows are quantified."""
    others = 0
    for j in range(status.size):
        others += 0 if status[j] == QUANTIFIED else 1
    return others == 0


@kernel
def _put_right(
    is_sum: bool, sigma: Vector, y: Vector, status: Bytes, f: Vector, power: Vector, out: Vector
) -> None:
    """Write the columns of rows that are not quantified."""
    if _are_quantified(status):
        return
    for j in range(f.size):
        if status[j] == QUANTIFIED:
            continue
        added = by_f = by_weight = 0.0
        if status[j] == CENSORED:
            r, r1, weight = _residual(
                is_sum, sigma[ADDITIVE], sigma[SLOPE], power[POWER, j], power[POWER_SLOPE, j]
            )
            added, slope, by_r = censored_slopes(y[j], f[j], r)
            by_f, by_weight = 0.5 * (slope + by_r * r1), 0.5 * by_r * weight
        out[ADDED, j], out[SPREAD, j], out[BY_F, j], out[BY_WEIGHT, j] = added, 1.0, by_f, by_weight


@kernel
def _by_sigma(
    rows: Rows, sigma: Vector, f: Vector, power: Vector, by_weight: Vector, by_sigma: Vector
) -> None:
    """Write half the slopes in the active residual coefficients."""
    b, is_sum = sigma[SLOPE], rows.combine == VARIANCE
    by_sigma[ADDITIVE] = 2.0 * (sigma[ADDITIVE] if is_sum else 1.0) * total(by_weight)
    by_sigma[SLOPE] = 2.0 * (b if is_sum else 1.0) * dot(by_weight, power)
    by_sigma[EXPONENT] = 0.0
    if rows.active[EXPONENT]:
        by_log = 0.0
        for j in range(f.size):
            by_log += by_weight[j] * power[j] * np.log(max(f[j], FLOOR))
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
    is_sum, f = rows.combine == VARIANCE, work.f[:count]
    power, columns = work.power, work.columns
    y, status = rows.y[begin : begin + count], rows.status[begin : begin + count]
    _powers(2.0 * sigma[EXPONENT] if is_sum else sigma[EXPONENT], f, power)
    _quantified(is_sum, sigma, y, f, power, columns)
    _put_right(is_sum, sigma, y, status, f, power, columns)
    added, spread = total(columns[ADDED, :count]), columns[SPREAD, :count]
    if is_ordinary(spread):
        added += log_product(spread)
    else:
        for j in range(count):
            added += np.log(spread[j])
    _by_sigma(rows, sigma, f, power[POWER, :count], columns[BY_WEIGHT, :count], by_sigma)
    return added


@kernel
def along_directions(work: Work, ends: Counts, by_direction: Vector) -> None:
    """Write half the slopes of rows of `work` in the directions, by subject.

    Two directions at a time, so that neither sum waits for itself.

    Parameters
    ----------
    ends : array (subjects + 1,)
        First row of each subject and end of the last, counted from anywhere.
    by_direction : array (m, subjects)
        Written.
    """
    first, by_f = work.f1, work.columns[BY_F]
    m = by_direction.shape[0]
    for z in range(0, m, 2):
        other = min(z + 1, m - 1)
        for i in range(by_direction.shape[1]):
            along = along_other = 0.0
            for j in range(ends[i] - ends[0], ends[i + 1] - ends[0]):
                along += by_f[j] * first[j, z]
                along_other += by_f[j] * first[j, other]
            by_direction[z, i], by_direction[other, i] = along, along_other
