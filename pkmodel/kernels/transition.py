"""The transition coefficients of linear compartments, with exact log-rate derivatives.

All of them are divided differences of the exponential, which are computed without cancellation:
by a Taylor series where the points are close, by the recurrence where they are apart
(McCurdy, Ng and Parlett 1984, 10.1090/S0025-5718-1984-0744930-3).
"""

from __future__ import annotations

import math

import numpy as np

from pkmodel._jit import allocating_kernel, arithmetic_kernel, kernel, vector_kernel
from pkmodel.kernels.exponential import FARTHEST, exponential
from pkmodel.kernels.types import Eight, Four, Vector

SERIES_BELOW = 0.1
SLOPE_1, SLOPE_2, SLOPE_3 = 2 / 6, 3 / 24, 4 / 120
SLOPE_4, SLOPE_5, SLOPE_6 = 5 / 720, 6 / 5040, 7 / 40320
SLOPE_7, SLOPE_8, SLOPE_9 = 8 / 362880, 9 / 3628800, 10 / 39916800
"""(m + 1) / (m + 2)!: y d/dy of (1 - exp(-y)) / y is -y (1/2 - y (SLOPE_1 - ...))."""

CLOSE = 2.0
TERMS = 22
INVERSE_FACTORIAL = tuple(1.0 / math.factorial(m) for m in range(TERMS + 6))
MONOMIALS = 10
"""Derivatives in (kappa, lambda): 1, k, l, kk, kl, ll, kkk, kkl, kll, lll."""


@arithmetic_kernel
def elimination_slopes(y: float, given: float) -> Four:
    """Decay and its log k derivative over an interval, then the gain and its.

    Parameters
    ----------
    y : float
        Length of the interval in time constants, k dt.
    given : float
        Constant input over the interval, times its length.

    Returns
    -------
    tuple of 4 floats
        exp(-y); y exp(-y), the negative of its derivative; given (1 - exp(-y)) / y, and its
        derivative.
    """
    e = exponential(-min(y, FARTHEST))
    is_over = y > FARTHEST
    e = 0.0 if is_over else e
    ye = 0.0 if is_over else y * e
    slope = SLOPE_9
    slope = SLOPE_8 - y * slope
    slope = SLOPE_7 - y * slope
    slope = SLOPE_6 - y * slope
    slope = SLOPE_5 - y * slope
    slope = SLOPE_4 - y * slope
    slope = SLOPE_3 - y * slope
    slope = SLOPE_2 - y * slope
    slope = SLOPE_1 - y * slope
    first = -y * (0.5 - y * slope)
    value = (1.0 - e) / y
    is_short = y < SERIES_BELOW
    value, first = (e - first if is_short else value), (first if is_short else e - value)
    return e, ye, given * value, given * first


@vector_kernel
def transitions(y: Vector, rate: Vector, dt: Vector, out: Vector) -> None:
    """Write `elimination_slopes` of all intervals into the rows of an array (4, intervals)."""
    for k in range(y.size):
        out[0, k], out[1, k], out[2, k], out[3, k] = elimination_slopes(y[k], rate[k] * dt[k])


@kernel
def elimination_values(y: float, given: float, slopes: Four) -> Eight:
    """Decay exp(-k dt) and gain over an interval, with derivatives.

    Parameters
    ----------
    y, given : float
    slopes : tuple of 4 floats
        `elimination_slopes` of these.

    Returns
    -------
    tuple of 8 floats
        Decay and its first three derivatives in log k, then the gain and its three.
    """
    e, ye, gain, first = slopes
    yye = y * ye
    second = -given * ye - first
    third = given * (yye - ye) - second
    return e, -ye, yye - ye, 3.0 * yye - ye - y * yye, gain, first, second, third


@kernel
def elimination(rate: float, dt: float, decay: Vector, response: Vector) -> None:
    """Write the decay and the response to unit input, with derivatives, into two arrays (4,)."""
    y = rate * dt
    values = elimination_values(y, dt, elimination_slopes(y, dt))
    decay[0], decay[1], decay[2], decay[3] = values[0], values[1], values[2], values[3]
    response[0], response[1], response[2], response[3] = values[4], values[5], values[6], values[7]


@kernel
def accumulation(rate: float, interval: float, out: Vector) -> None:
    """Accumulation 1 / (1 - exp(-k tau)) of a periodic regimen and three log k derivatives."""
    y = rate * interval
    s = 0.0 if y > 700.0 else 1.0 / np.expm1(y)
    s1 = -s * (1.0 + s)
    s2 = -s1 * (1.0 + 2.0 * s)
    s3 = s1 * (1.0 + 6.0 * s * (1.0 + s))
    out[0] = 1.0 + s
    out[1] = y * s1
    out[2] = y * (s1 + y * s2)
    out[3] = y * (s1 + y * (3.0 * s2 + y * s3))


@allocating_kernel
def _close_differences(x: float, w: float, zero: bool, top: int, h: Vector) -> None:
    """Divided differences exp[(0,) x^i, w^j], i + j <= top, by the series around their middle."""
    low = min(x, w)
    high = max(x, w)
    if zero:
        low = min(low, 0.0)
        high = max(high, 0.0)
    middle = 0.5 * (low + high)
    a = x - middle
    b = w - middle
    scale = np.exp(middle)
    row = np.zeros(TERMS)
    column = np.zeros(TERMS)
    column[0] = 1.0
    if zero:
        for m in range(1, TERMS):
            column[m] = -middle * column[m - 1]
    extra = 1 if zero else 0
    for i in range(top + 1):
        if i > 0:
            for m in range(1, TERMS):
                column[m] += a * column[m - 1]
        for m in range(TERMS):
            row[m] = column[m]
        for j in range(top + 1 - i):
            if j > 0:
                for m in range(1, TERMS):
                    row[m] += b * row[m - 1]
            order = i + j + extra - 1
            if order < 0:
                continue
            total = 0.0
            for m in range(TERMS):
                total += row[m] * INVERSE_FACTORIAL[m + order]
            h[i, j] = scale * total


@kernel
def _pure_differences(x: float, top: int, along: int, h: Vector) -> None:
    """exp[x^i] = exp(x) / (i - 1)!, written along the first (0) or second (1) index."""
    value = np.exp(x)
    for i in range(1, top + 1):
        if i > 1:
            value /= i - 1.0
        if along == 0:
            h[i, 0] = value
        else:
            h[0, i] = value


@kernel
def differences(x: float, w: float, top: int, h: Vector) -> None:
    """Divided differences exp[x^i, w^j] for 1 <= i + j <= top, i and j repeats of x and w."""
    if abs(x - w) < CLOSE:
        _close_differences(x, w, False, top, h)
        return
    _pure_differences(x, top, 0, h)
    _pure_differences(w, top, 1, h)
    for n in range(2, top + 1):
        for i in range(1, n):
            j = n - i
            h[i, j] = (h[i - 1, j] - h[i, j - 1]) / (w - x)


@kernel
def _edge_with_zero(x: float, top: int, along: int, h: Vector, g: Vector) -> None:
    """exp[0, x^i] along one edge of the table."""
    for i in range(1, top + 1):
        if along == 0:
            g[i, 0] = (h[i, 0] - g[i - 1, 0]) / x
        else:
            g[0, i] = (h[0, i] - g[0, i - 1]) / x


@allocating_kernel
def differences_with_zero(x: float, w: float, top: int, h: Vector, g: Vector) -> None:
    """Divided differences exp[0, x^i, w^j] for i + j <= top, given the table `h` without 0."""
    apart = max(abs(x - w), abs(x), abs(w))
    if apart < CLOSE:
        _close_differences(x, w, True, top, g)
        return
    g[0, 0] = 1.0
    edge = np.zeros((top + 1, top + 1))
    if abs(x) < CLOSE:
        _close_differences(x, x, True, top, edge)
        for i in range(1, top + 1):
            g[i, 0] = edge[i, 0]
    else:
        _edge_with_zero(x, top, 0, h, g)
    if abs(w) < CLOSE:
        _close_differences(w, w, True, top, edge)
        for j in range(1, top + 1):
            g[0, j] = edge[j, 0]
    else:
        _edge_with_zero(w, top, 1, h, g)
    for n in range(2, top + 1):
        for i in range(1, n):
            j = n - i
            if apart == abs(x - w):
                g[i, j] = (g[i - 1, j] - g[i, j - 1]) / (w - x)
            elif apart == abs(x):
                g[i, j] = (h[i, j] - g[i - 1, j]) / x
            else:
                g[i, j] = (h[i, j] - g[i, j - 1]) / w


@kernel
def _in_log_rates(x: float, w: float, table: Vector, factor: float, out: Vector) -> None:
    """Differentiate -x * exp[x, w, ...] in kappa = log(-w) and lambda = log(-x).

    `table[i, j]` has i repeats of x and j of w; derivatives of a divided difference raise the
    repeats: d^i/dx^i d^j/dw^j exp[x, w] = i! j! exp[x^(i+1), w^(j+1)].
    """
    g = table[1, 1]
    gx = table[2, 1]
    gw = table[1, 2]
    gxx = 2.0 * table[3, 1]
    gxw = table[2, 2]
    gww = 2.0 * table[1, 3]
    gxxx = 6.0 * table[4, 1]
    gxxw = 2.0 * table[3, 2]
    gxww = 2.0 * table[2, 3]
    gwww = 6.0 * table[1, 4]
    l1 = x * gx
    k1 = w * gw
    l2 = l1 + x * x * gxx
    kl = x * w * gxw
    k2 = k1 + w * w * gww
    l3 = l1 + x * x * (3.0 * gxx + x * gxxx)
    k1l2 = kl + x * x * w * gxxw
    k2l1 = kl + w * w * x * gxww
    k3 = k1 + w * w * (3.0 * gww + w * gwww)
    c = -x * factor
    out[0] = c * g
    out[1] = c * k1
    out[2] = c * (g + l1)
    out[3] = c * k2
    out[4] = c * (k1 + kl)
    out[5] = c * (g + 2.0 * l1 + l2)
    out[6] = c * k3
    out[7] = c * (k2 + k2l1)
    out[8] = c * (k1 + 2.0 * kl + k1l2)
    out[9] = c * (g + 3.0 * l1 + 3.0 * l2 + l3)


@allocating_kernel
def absorption(
    ka: float, rate: float, dt: float, order: int, transfer: Vector, response: Vector
) -> None:
    """Depot-to-central transfer and central response to unit input into the depot.

    Parameters
    ----------
    ka, rate : float
        Absorption and elimination rate constants.
    dt : float
        Length of the interval.
    order : int
        Of the highest derivatives that are wanted, at most 3; higher ones are written wrong.
    transfer : array (10,)
        Written: ka (exp(-ka dt) - exp(-k dt)) / (k - ka) and its derivatives.
    response : array (10,)
        Written: the integral of `transfer` from 0 to dt and its derivatives.
    """
    x = -ka * dt
    w = -rate * dt
    h = np.zeros((6, 6))
    g = np.zeros((6, 6))
    differences(x, w, order + 2, h)
    differences_with_zero(x, w, order + 2, h, g)
    _in_log_rates(x, w, h, 1.0, transfer)
    _in_log_rates(x, w, g, dt, response)
