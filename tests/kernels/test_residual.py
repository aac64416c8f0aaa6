"""Residual variance and row likelihoods against 40-digit numerical derivatives."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from pkmodel.kernels.residual import (
    SD,
    VARIANCE,
    censored,
    censored_by_sigma,
    mills,
    quantified,
    quantified_by_sigma,
    variance,
    variance_by_sigma,
)

SIGMAS = [(0.5, 0.0, 1.0), (0.0, 0.2, 1.0), (0.5, 0.2, 1.0), (0.3, 0.4, 0.5), (0.1, 0.3, 1.3)]


def exact_variance(combine, f, a, b, p):
    return a**2 + b**2 * f ** (2 * p) if combine == VARIANCE else (a + b * f**p) ** 2


def exact_row(combine, is_censored, y, f, a, b, p):
    r = exact_variance(combine, f, a, b, p)
    if is_censored:
        return -2 * mp.log(mp.ncdf((y - f) / mp.sqrt(r)))
    return (y - f) ** 2 / r + mp.log(r)


def exact_weight(combine, is_censored, y, f, a, b, p):
    r = exact_variance(combine, f, a, b, p)
    if is_censored:
        z = (y - f) / mp.sqrt(r)
        ratio = mp.npdf(z) / mp.ncdf(z)
        slope = mp.diff(lambda v: (y - v) / mp.sqrt(exact_variance(combine, v, a, b, p)), f)
        return ratio * (z + ratio) * slope**2
    slope = mp.diff(lambda v: exact_variance(combine, v, a, b, p), f)
    return 1 / r + (slope / r) ** 2 / 2


@pytest.mark.parametrize("combine", [VARIANCE, SD])
@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("is_censored", [False, True])
@pytest.mark.parametrize(("y", "f"), [(1.0, 1.3), (2.0, 0.4), (0.3, 5.0)])
def test_rows_and_all_their_derivatives(combine, sigma, is_censored, y, f):
    """Worst error seen: 2e-12 relative to the largest of the row."""
    r = variance(combine, np.array(sigma), f)
    out = (censored if is_censored else quantified)(y, f, r)
    with mp.workdps(60):
        arguments = [mp.mpf(v) for v in (f, *sigma)]

        def row(*v):
            return exact_row(combine, is_censored, mp.mpf(y), *v)

        def weight(*v):
            return exact_weight(combine, is_censored, mp.mpf(y), *v)

        def check(value, function, order):
            exact = mp.diff(function, arguments, order) if any(order) else function(*arguments)
            assert float(value) == pytest.approx(float(exact), rel=1e-9, abs=1e-11)

        for m in range(4):
            check(out[m], row, (m, 0, 0, 0))
        check(out[4], weight, (0, 0, 0, 0))
        check(out[5], weight, (1, 0, 0, 0))
        for k in range(3):
            if sigma[k] == 0.0 or (k == 2 and sigma[1] == 0.0):
                continue
            s = variance_by_sigma(combine, np.array(sigma), f, k)
            change = (censored_by_sigma if is_censored else quantified_by_sigma)(y, f, r, s)
            in_sigma = [int(c == k) for c in range(3)]
            for m in range(3):
                check(change[m], row, (m, *in_sigma))
            check(change[3], weight, (0, *in_sigma))


@pytest.mark.parametrize("z", [-1e6, -1e3, -40.0, -8.0, -4.01, -3.99, -1.0, 0.0, 2.0, 8.0])
def test_inverse_mills_ratio_far_into_the_tail(z):
    out = mills(z)
    with mp.workdps(80):
        t = mp.mpf(z)
        cdf = mp.erfc(-t / mp.sqrt(2)) / 2
        ratio = mp.npdf(t) / cdf
        m = ratio * (t + ratio)
        slope = -m * (t + ratio) + ratio * (1 - m)
        for value, exact in zip(out, (mp.log(cdf), ratio, m, slope), strict=True):
            assert float(value) == pytest.approx(float(exact), rel=2e-11, abs=1e-15)
