"""Residual variance, and what one observation adds to -2 log likelihood, with exact derivatives.

`rho(f, sigma)` is the contribution of a row without its log(2 pi); a left-censored row contributes
-2 log Phi((limit - f) / sd) (method M3, Beal 2001, 10.1023/A:1012299115260).
"""

from __future__ import annotations

import math

import numpy as np

from pkmodel._jit import kernel
from pkmodel.kernels.types import Four, Six, Three, Vector

VARIANCE, SD = 0, 1
ADDITIVE, SLOPE, EXPONENT = 0, 1, 2
QUANTIFIED, CENSORED, IGNORED = 0, 1, 2

FLOOR = 1e-30
"""A prediction below this is taken as this in the residual variance, and as constant there."""


@kernel
def power_of(q: float, f: float) -> Four:
    """f^q and three derivatives."""
    if q == 1.0:
        return f, 1.0, 0.0, 0.0
    if q == 2.0:
        return f * f, 2.0 * f, 2.0, 0.0
    u = f**q
    u1 = q * u / f
    u2 = (q - 1.0) * u1 / f
    return u, u1, u2, (q - 2.0) * u2 / f


@kernel
def variance(combine: int, sigma: Vector, f: float) -> Four:
    """Residual variance a^2 + b^2 f^2p, or (a + b f^p)^2, and three derivatives in f.

    Parameters
    ----------
    combine : int
        `VARIANCE` or `SD`.
    sigma : array (3,)
        a, b and p.
    f : float
        Prediction.
    """
    a, b, p = sigma[0], sigma[1], sigma[2]
    u, u1, u2, u3 = power_of(2.0 * p if combine == VARIANCE else p, max(f, FLOOR))
    if combine == VARIANCE:
        bb = b * b
        r, r1, r2, r3 = a * a + bb * u, bb * u1, bb * u2, bb * u3
    else:
        s, s1, s2, s3 = a + b * u, b * u1, b * u2, b * u3
        r = s * s
        r1 = 2.0 * s * s1
        r2 = 2.0 * (s1 * s1 + s * s2)
        r3 = 2.0 * (3.0 * s1 * s2 + s * s3)
    if f < FLOOR:
        return r, 0.0, 0.0, 0.0
    return r, r1, r2, r3


@kernel
def variance_by_sigma(combine: int, sigma: Vector, f: float, slot: int) -> Three:
    """Differentiate the variance and its two derivatives in f by a, b or p (`slot`)."""
    a, b, p = sigma[0], sigma[1], sigma[2]
    g = max(f, FLOOR)
    u, u1, u2, _ = power_of(2.0 * p if combine == VARIANCE else p, g)
    if slot == EXPONENT:
        log_f = np.log(g)
        t = u * log_f
        t1 = u1 * log_f + u / g
        t2 = u2 * log_f + (2.0 * u1 - u / g) / g
    else:
        t = t1 = t2 = 0.0
    if combine == VARIANCE:
        if slot == ADDITIVE:
            s, s1, s2 = 2.0 * a, 0.0, 0.0
        elif slot == SLOPE:
            s, s1, s2 = 2.0 * b * u, 2.0 * b * u1, 2.0 * b * u2
        else:
            s, s1, s2 = 2.0 * b * b * t, 2.0 * b * b * t1, 2.0 * b * b * t2
    else:
        if slot == ADDITIVE:
            d, d1, d2 = 1.0, 0.0, 0.0
        elif slot == SLOPE:
            d, d1, d2 = u, u1, u2
        else:
            d, d1, d2 = b * t, b * t1, b * t2
        w, w1, w2 = a + b * u, b * u1, b * u2
        s = 2.0 * w * d
        s1 = 2.0 * (d * w1 + w * d1)
        s2 = 2.0 * (2.0 * w1 * d1 + d * w2 + w * d2)
    if f < FLOOR:
        return s, 0.0, 0.0
    return s, s1, s2


@kernel
def quantified(y: float, f: float, variances: Four) -> Six:
    """Contribution of a quantified row.

    Returns
    -------
    tuple of 6 floats
        rho, its three derivatives in f, FOCE-I's weight h = 1/R + (R'/R)^2 / 2, which is what the
        row adds to the curvature per f_eta f_eta', and the weight's derivative.
    """
    r, d1, d2, d3 = variances
    e = y - f
    q = 1.0 / r
    x = e * e * q
    by_r = q * (1.0 - x)
    by_rr = q * q * (2.0 * x - 1.0)
    by_fr = 2.0 * e * q * q
    by_ffr = -2.0 * q * q
    by_frr = -4.0 * e * q * q * q
    by_rrr = q * q * q * (2.0 - 6.0 * x)
    qd = q * d1
    return (
        x + np.log(r),
        -2.0 * e * q + by_r * d1,
        2.0 * q + 2.0 * by_fr * d1 + by_rr * d1 * d1 + by_r * d2,
        3.0 * (by_ffr * d1 + by_frr * d1 * d1 + by_fr * d2 + by_rr * d1 * d2)
        + by_rrr * d1 * d1 * d1
        + by_r * d3,
        q + 0.5 * qd * qd,
        qd * (-q - qd * qd + q * d2),
    )


@kernel
def quantified_by_sigma(y: float, f: float, variances: Four, s: Three) -> Four:
    """Differentiate (rho, rho', rho'', weight) in a coefficient that moves the variance by `s`."""
    r, d1, d2, _ = variances
    s0, s1, s2 = s
    e = y - f
    q = 1.0 / r
    x = e * e * q
    by_r = q * (1.0 - x)
    by_rr = q * q * (2.0 * x - 1.0)
    by_fr = 2.0 * e * q * q
    by_ffr = -2.0 * q * q
    by_frr = -4.0 * e * q * q * q
    by_rrr = q * q * q * (2.0 - 6.0 * x)
    return (
        by_r * s0,
        by_fr * s0 + by_rr * s0 * d1 + by_r * s1,
        by_ffr * s0
        + 2.0 * (by_frr * s0 * d1 + by_fr * s1 + by_rr * d1 * s1)
        + by_rrr * s0 * d1 * d1
        + by_rr * s0 * d2
        + by_r * s2,
        -q * q * s0 + q * q * d1 * (s1 - q * d1 * s0),
    )


@kernel
def mills(z: float) -> Four:
    """Log Phi(z), the inverse Mills ratio lambda = phi / Phi, m = -lambda' and m'.

    Below -4 by the continued fraction of Laplace, whose tails k1, k2 give z + lambda = k1 and
    1 - m = k1 (2 k2 - k1) without cancellation.
    """
    if z > -4.0:
        p = 0.5 * math.erfc(-z * 0.7071067811865476)
        ratio = 0.3989422804014327 * np.exp(-0.5 * z * z) / p
        log_p = np.log(p)
        gap = z + ratio
        rest = 1.0 - ratio * gap
    else:
        k = 0.0
        for n in range(60, 2, -1):
            k = 1.0 / ((n + 1.0) * k - z)
        k2 = 1.0 / (3.0 * k - z)
        gap = 1.0 / (2.0 * k2 - z)
        ratio = gap - z
        rest = gap * (2.0 * k2 - gap)
        log_p = -0.5 * z * z - 0.9189385332046727 - np.log(ratio)
    m = ratio * gap
    return log_p, ratio, m, ratio * rest - m * gap


@kernel
def censored(limit: float, f: float, variances: Four) -> Six:
    """Contribution of a row below `limit`, as `quantified`.

    The weight is the Gauss-Newton one: m (dz/df)^2 with z = (limit - f) / sd, never negative.
    Nothing is contributed where f is the logarithm of 0, which is below any limit.
    """
    if f == -np.inf:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    r, d1, d2, d3 = variances
    w = 1.0 / np.sqrt(r)
    c = -0.5 * w * w * w
    w1 = c * d1
    c1 = -1.5 * w * w * w1
    w2 = c1 * d1 + c * d2
    c2 = -3.0 * w * w1 * w1 - 1.5 * w * w * w2
    w3 = c2 * d1 + 2.0 * c1 * d2 + c * d3
    e = limit - f
    z1 = e * w1 - w
    z2 = e * w2 - 2.0 * w1
    z3 = e * w3 - 3.0 * w2
    log_p, ratio, m, m1 = mills(e * w)
    return (
        -2.0 * log_p,
        -2.0 * ratio * z1,
        2.0 * (m * z1 * z1 - ratio * z2),
        2.0 * (m1 * z1 * z1 * z1 + 3.0 * m * z1 * z2 - ratio * z3),
        m * z1 * z1,
        m1 * z1 * z1 * z1 + 2.0 * m * z1 * z2,
    )


@kernel
def censored_slopes(limit: float, f: float, r: float) -> Three:
    """Contribution of a row below `limit`, and its slopes in f and in the variance r."""
    if f == -np.inf:
        return 0.0, 0.0, 0.0
    w = 1.0 / np.sqrt(r)
    z = (limit - f) * w
    log_p, ratio, _, _ = mills(z)
    return -2.0 * log_p, 2.0 * ratio * w, ratio * z * w * w


@kernel
def censored_by_sigma(limit: float, f: float, variances: Four, s: Three) -> Four:
    """Differentiate (rho, rho', rho'', weight) in a coefficient that moves the variance by `s`."""
    if f == -np.inf:
        return 0.0, 0.0, 0.0, 0.0
    r, d1, d2, _ = variances
    s0, s1, s2 = s
    w = 1.0 / np.sqrt(r)
    c = -0.5 * w * w * w
    w1 = c * d1
    c1 = -1.5 * w * w * w1
    w2 = c1 * d1 + c * d2
    ws = c * s0
    cs = -1.5 * w * w * ws
    w1s = cs * d1 + c * s1
    c1s = -3.0 * w * ws * w1 - 1.5 * w * w * w1s
    w2s = c1s * d1 + c1 * s1 + cs * d2 + c * s2
    e = limit - f
    z1 = e * w1 - w
    z2 = e * w2 - 2.0 * w1
    zs = e * ws
    z1s = e * w1s - ws
    z2s = e * w2s - 2.0 * w1s
    _, ratio, m, m1 = mills(e * w)
    return (
        -2.0 * ratio * zs,
        2.0 * (m * zs * z1 - ratio * z1s),
        2.0 * (m1 * zs * z1 * z1 + m * (2.0 * z1 * z1s + zs * z2) - ratio * z2s),
        m1 * zs * z1 * z1 + 2.0 * m * z1 * z1s,
    )
