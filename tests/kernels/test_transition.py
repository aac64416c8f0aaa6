"""Transition coefficients and their derivatives against 60-digit arithmetic."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from pkmodel.kernels.transition import absorption, accumulation, elimination

MONOMIALS = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3)]


@pytest.fixture(autouse=True)
def _digits():
    with mp.workdps(60):
        yield


def relative(value: float, exact: mp.mpf, floor: mp.mpf | float = 1e-290) -> float:
    return float(abs((mp.mpf(float(value)) - exact) / max(abs(exact), mp.mpf(floor))))


@pytest.mark.parametrize("y", [1e-12, 1e-8, 1e-4, 0.0499, 0.0501, 0.3, 1.0, 3.0, 30.0, 300.0, 1e3])
def test_elimination_and_three_derivatives(y):
    """Worst error seen: 2.4e-14, at y = 0.0501 where the series hands over to the recurrence."""
    decay, response = np.zeros(4), np.zeros(4)
    elimination(y, 1.0, decay, response)
    for m in range(4):
        exact = mp.diff(lambda u: mp.exp(-mp.exp(u)), mp.log(mp.mpf(y)), m)
        assert relative(decay[m], exact) < 5e-15
        exact = mp.diff(lambda u: -mp.expm1(-mp.exp(u)) / mp.exp(u), mp.log(mp.mpf(y)), m)
        assert relative(response[m], exact) < 1e-13


@pytest.mark.parametrize("y", [1e-12, 1e-8, 1e-4, 0.05, 0.3, 1.0, 3.0, 30.0])
def test_accumulation_and_three_derivatives(y):
    """Worst error seen: 8e-16."""
    out = np.zeros(4)
    accumulation(y, 1.0, out)
    for m in range(4):
        exact = mp.diff(lambda u: 1 / -mp.expm1(-mp.exp(u)), mp.log(mp.mpf(y)), m)
        assert relative(out[m], exact) < 1e-14


def cases() -> list[tuple[float, float]]:
    rng = np.random.default_rng(1)
    spread = [tuple(10.0 ** rng.uniform((-12, -12), (3, 3))) for _ in range(20)]
    near = [(x, x * (1 + s)) for x in (1e-6, 0.5, 1.9, 5.0, 50.0) for s in (1e-12, 1e-6, 1e-3, 0.1)]
    grid = [(x, w) for x in (0.1, 1.99, 2.01, 4.0, 100.0) for w in (0.11, 2.0, 20.0)]
    return spread + near + grid


def transfer(kappa: mp.mpf, lambda_: mp.mpf) -> mp.mpf:
    k, ka = mp.exp(kappa), mp.exp(lambda_)
    gap = k - ka
    return ka * mp.exp(-k) * (mp.expm1(gap) / gap if gap != 0 else 1)


def response(kappa: mp.mpf, lambda_: mp.mpf) -> mp.mpf:
    k, ka = mp.exp(kappa), mp.exp(lambda_)
    return (-mp.expm1(-ka) + ka * mp.expm1(-k) / k) / (k - ka)


@pytest.mark.parametrize(("ka", "k"), cases())
def test_absorption_and_ten_derivatives(ka, k):
    """Worst error seen: 3.2e-12, in the third derivatives of KA of 26, k of 2e-6."""
    with mp.workdps(110):
        table = np.zeros(10), np.zeros(10)
        absorption(ka, k, 1.0, 3, *table)
        at = (mp.log(mp.mpf(k)), mp.log(mp.mpf(ka)))
        for values, exact_function in zip(table, (transfer, response), strict=True):
            size = abs(exact_function(*at))
            for m, order in enumerate(MONOMIALS):
                if sum(order) == 0:
                    exact = exact_function(*at)
                else:
                    exact = mp.diff(exact_function, at, order, h=mp.mpf(10) ** -18)
                assert relative(values[m], exact, max(size * mp.mpf(10) ** -3, 1e-290)) < 2e-11
