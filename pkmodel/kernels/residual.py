"""Residual variance, and what one observation adds to -2 log likelihood, with exact derivatives.

`rho(f, sigma)` is the contribution of a row without its log(2 pi); a left-censored row contributes
-2 log Phi((limit - f) / sd) (method M3, Beal 2001, 10.1023/A:1012299115260).
"""

from __future__ import annotations

import math

import numpy as np

from pkmodel._jit import kernel

VARIANCE, SD = 0, 1
ADDITIVE, SLOPE, EXPONENT = 0, 1, 2
QUANTIFIED, CENSORED, IGNORED = 0, 1, 2

FLOOR = 1e-30
"""A prediction below this is taken as this in the residual variance, and as constant there."""

R, R1, R2, R3 = 0, 1, 2, 3
VALUE, FIRST, SECOND, THIRD, WEIGHT, WEIGHT_FIRST = 0, 1, 2, 3, 4, 5


@kernel
def variance(combine, sigma, f, out, by_sigma):
    """Residual variance a^2 + b^2 f^2p, or (a + b f^p)^2, and its derivatives.

    Parameters
    ----------
    combine : int
        `VARIANCE` or `SD`.
    sigma : array (3,)
        a, b and p.
    f : float
        Prediction.
    out : array (4,)
        Written: the variance and three derivatives in f.
    by_sigma : array (3, 3)
        Written: by coefficient, derivative in it of the variance and of its two derivatives in f.
    """
    a = sigma[0]
    b = sigma[1]
    p = sigma[2]
    is_floored = f < FLOOR
    if is_floored:
        f = FLOOR
    q = 2.0 * p if combine == VARIANCE else p
    if q == 1.0:
        u, u1, u2, u3 = f, 1.0, 0.0, 0.0
    elif q == 2.0:
        u, u1, u2, u3 = f * f, 2.0 * f, 2.0, 0.0
    else:
        u = f**q
        u1 = q * u / f
        u2 = (q - 1.0) * u1 / f
        u3 = (q - 2.0) * u2 / f
    log_f = np.log(f)
    t = u * log_f
    t1 = u1 * log_f + u / f
    t2 = u2 * log_f + (2.0 * u1 - u / f) / f
    if combine == VARIANCE:
        bb = b * b
        out[0] = a * a + bb * u
        out[1] = bb * u1
        out[2] = bb * u2
        out[3] = bb * u3
        by_sigma[0, 0] = 2.0 * a
        by_sigma[0, 1] = by_sigma[0, 2] = 0.0
        by_sigma[1, 0] = 2.0 * b * u
        by_sigma[1, 1] = 2.0 * b * u1
        by_sigma[1, 2] = 2.0 * b * u2
        by_sigma[2, 0] = 2.0 * bb * t
        by_sigma[2, 1] = 2.0 * bb * t1
        by_sigma[2, 2] = 2.0 * bb * t2
    else:
        s = a + b * u
        s1 = b * u1
        s2 = b * u2
        s3 = b * u3
        out[0] = s * s
        out[1] = 2.0 * s * s1
        out[2] = 2.0 * (s1 * s1 + s * s2)
        out[3] = 2.0 * (3.0 * s1 * s2 + s * s3)
        for k in range(3):
            if k == 0:
                d, d1, d2 = 1.0, 0.0, 0.0
            elif k == 1:
                d, d1, d2 = u, u1, u2
            else:
                d, d1, d2 = b * t, b * t1, b * t2
            by_sigma[k, 0] = 2.0 * s * d
            by_sigma[k, 1] = 2.0 * (d * s1 + s * d1)
            by_sigma[k, 2] = 2.0 * (2.0 * s1 * d1 + d * s2 + s * d2)
    if is_floored:
        out[1] = out[2] = out[3] = 0.0
        by_sigma[:, 1:] = 0.0


@kernel
def quantified(y, f, r, out):
    """Contribution of a quantified row: rho and three derivatives in f, then FOCE-I's weight.

    The weight h = 1/R + (R'/R)^2 / 2 is what the row adds to the curvature per f_eta f_eta'.
    """
    e = y - f
    q = 1.0 / r[R]
    x = e * e * q
    by_r = q * (1.0 - x)
    by_rr = q * q * (2.0 * x - 1.0)
    by_fr = 2.0 * e * q * q
    by_ffr = -2.0 * q * q
    by_frr = -4.0 * e * q * q * q
    by_rrr = q * q * q * (2.0 - 6.0 * x)
    d1, d2, d3 = r[R1], r[R2], r[R3]
    out[VALUE] = x + np.log(r[R])
    out[FIRST] = -2.0 * e * q + by_r * d1
    out[SECOND] = 2.0 * q + 2.0 * by_fr * d1 + by_rr * d1 * d1 + by_r * d2
    out[THIRD] = (
        3.0 * (by_ffr * d1 + by_frr * d1 * d1 + by_fr * d2 + by_rr * d1 * d2)
        + by_rrr * d1 * d1 * d1
        + by_r * d3
    )
    qd = q * d1
    out[WEIGHT] = q + 0.5 * qd * qd
    out[WEIGHT_FIRST] = qd * (-q - qd * qd + q * d2)


@kernel
def quantified_by_sigma(y, f, r, s, out):
    """Derivatives of (rho, rho', rho'', weight) in a coefficient that moves the variance by `s`."""
    e = y - f
    q = 1.0 / r[R]
    x = e * e * q
    by_r = q * (1.0 - x)
    by_rr = q * q * (2.0 * x - 1.0)
    by_fr = 2.0 * e * q * q
    by_ffr = -2.0 * q * q
    by_frr = -4.0 * e * q * q * q
    by_rrr = q * q * q * (2.0 - 6.0 * x)
    d1, d2 = r[R1], r[R2]
    out[0] = by_r * s[0]
    out[1] = by_fr * s[0] + by_rr * s[0] * d1 + by_r * s[1]
    out[2] = (
        by_ffr * s[0]
        + 2.0 * (by_frr * s[0] * d1 + by_fr * s[1] + by_rr * d1 * s[1])
        + by_rrr * s[0] * d1 * d1
        + by_rr * s[0] * d2
        + by_r * s[2]
    )
    out[3] = -q * q * s[0] + q * q * d1 * (s[1] - q * d1 * s[0])


@kernel
def mills(z, out):
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
    out[0] = log_p
    out[1] = ratio
    out[2] = m
    out[3] = ratio * rest - m * gap


@kernel
def censored(limit, f, r, out):
    """Contribution of a row below `limit`: rho, three derivatives in f, then the weight.

    The weight is the Gauss-Newton one: m (dz/df)^2 with z = (limit - f) / sd, never negative.
    """
    w = 1.0 / np.sqrt(r[R])
    c = -0.5 * w * w * w
    d1, d2, d3 = r[R1], r[R2], r[R3]
    w1 = c * d1
    c1 = -1.5 * w * w * w1
    w2 = c1 * d1 + c * d2
    c2 = -3.0 * w * w1 * w1 - 1.5 * w * w * w2
    w3 = c2 * d1 + 2.0 * c1 * d2 + c * d3
    e = limit - f
    z1 = e * w1 - w
    z2 = e * w2 - 2.0 * w1
    z3 = e * w3 - 3.0 * w2
    ratio = np.empty(4)
    mills(e * w, ratio)
    m, m1 = ratio[2], ratio[3]
    out[VALUE] = -2.0 * ratio[0]
    out[FIRST] = -2.0 * ratio[1] * z1
    out[SECOND] = 2.0 * (m * z1 * z1 - ratio[1] * z2)
    out[THIRD] = 2.0 * (m1 * z1 * z1 * z1 + 3.0 * m * z1 * z2 - ratio[1] * z3)
    out[WEIGHT] = m * z1 * z1
    out[WEIGHT_FIRST] = m1 * z1 * z1 * z1 + 2.0 * m * z1 * z2


@kernel
def censored_by_sigma(limit, f, r, s, out):
    """Derivatives of (rho, rho', rho'', weight) in a coefficient that moves the variance by `s`."""
    w = 1.0 / np.sqrt(r[R])
    c = -0.5 * w * w * w
    d1, d2 = r[R1], r[R2]
    w1 = c * d1
    c1 = -1.5 * w * w * w1
    w2 = c1 * d1 + c * d2
    ws = c * s[0]
    cs = -1.5 * w * w * ws
    w1s = cs * d1 + c * s[1]
    c1s = -3.0 * w * ws * w1 - 1.5 * w * w * w1s
    w2s = c1s * d1 + c1 * s[1] + cs * d2 + c * s[2]
    e = limit - f
    z1 = e * w1 - w
    z2 = e * w2 - 2.0 * w1
    zs = e * ws
    z1s = e * w1s - ws
    z2s = e * w2s - 2.0 * w1s
    ratio = np.empty(4)
    mills(e * w, ratio)
    m, m1 = ratio[2], ratio[3]
    out[0] = -2.0 * ratio[1] * zs
    out[1] = 2.0 * (m * zs * z1 - ratio[1] * z1s)
    out[2] = 2.0 * (
        m1 * zs * z1 * z1 + m * (2.0 * z1 * z1s + zs * z2) - ratio[1] * z2s
    )
    out[3] = m1 * zs * z1 * z1 + 2.0 * m * z1 * z1s
