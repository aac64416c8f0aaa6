"""The objectives at 50 digits, for parameters so extreme that a float leaves no room for doubt.

Predictions are those of `twin.step`; all derivatives are central differences, whose error of 1e-24
is nothing; the mode is found by Newton's method on them. One subject, lognormal effects on CL, V.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
from mpmath import mpf

from twin import Row, step

STEP = mpf("1e-12")
Point = list  # of mpf, one per effect


@dataclass(frozen=True)
class Case:
    """One subject and the population's parameters."""

    rows: Sequence[Row]
    y: Sequence[float]  # of the rows that are no doses
    theta: tuple[float, float]  # CL, V
    omega: np.ndarray
    additive: float
    proportional: float


def predict(case: Case, eta: Point) -> list:
    cl, v = (mpf(t) * mpmath.exp(e) for t, e in zip(case.theta, eta, strict=True))
    every = [[value] * len(case.rows) for value in (cl, v)]
    found = step(case.rows, *every, rule="nocb")
    return [f for f, row in zip(found, case.rows, strict=True) if not row.is_dose]


def variance(case: Case, f: mpf) -> mpf:
    return mpf(case.additive) ** 2 + (mpf(case.proportional) * f) ** 2


def joint(case: Case, eta: Point, frozen: list | None) -> mpf:
    """Return -2 log of the joint density, without its constants."""
    f = predict(case, eta)
    r = [variance(case, fj) for fj in f] if frozen is None else frozen
    data = sum(
        (
            mpmath.log(rj) + (mpf(yj) - fj) ** 2 / rj
            for yj, fj, rj in zip(case.y, f, r, strict=True)
        ),
        mpf(0),
    )
    omega, e = mpmath.matrix(case.omega.tolist()), mpmath.matrix(eta)
    return data + (e.T * omega**-1 * e)[0] + mpmath.log(mpmath.det(omega))


def moved(eta: Point, *moves: tuple[int, mpf]) -> Point:
    out = list(eta)
    for k, change in moves:
        out[k] += change
    return out


def slopes(function: Callable, eta: Point) -> list[list]:
    """Differentiate a list of numbers: [effect][number]."""
    out = []
    for k in range(len(eta)):
        up, down = function(moved(eta, (k, STEP))), function(moved(eta, (k, -STEP)))
        out.append([(a - b) / (2 * STEP) for a, b in zip(up, down, strict=True)])
    return out


def hessian(function: Callable, eta: Point) -> mpmath.matrix:
    size, h = len(eta), STEP
    out = mpmath.matrix(size, size)
    for a in range(size):
        for b in range(size):
            out[a, b] = (
                function(moved(eta, (a, h), (b, h)))
                - function(moved(eta, (a, h), (b, -h)))
                - function(moved(eta, (a, -h), (b, h)))
                + function(moved(eta, (a, -h), (b, -h)))
            ) / (4 * h * h)
    return out


def find_mode(function: Callable, eta: Point) -> Point:
    """Newton's method, on absolute eigenvalues where the curvature is not positive."""
    for _ in range(100):
        gradient = mpmath.matrix([g[0] for g in slopes(lambda e: [function(e)], eta)])
        curvature, axes = mpmath.eigsy(hessian(function, eta))
        step_ = axes * mpmath.diag([1 / abs(c) for c in curvature]) * axes.T * gradient
        longest = max(abs(s) for s in step_)
        if longest < mpf("1e-18") and min(curvature) > 0:
            return eta
        share = min(mpf(1), 1 / longest)
        while function([e - share * s for e, s in zip(eta, step_, strict=True)]) > function(eta):
            share /= 2
        eta = [e - share * s for e, s in zip(eta, step_, strict=True)]
    raise ArithmeticError("no mode in 100 steps")


def objective(case: Case, method: str, near: Sequence[float] | None = None) -> mpf:
    """Return -2 log L of one subject by FO, FOCE, FOCE-I or Laplace.

    The mode is searched from `near`, for a subject may have several; from zero if absent.
    """
    zero = [mpf(0)] * len(case.omega)
    at_zero = [variance(case, f) for f in predict(case, zero)]
    if method == "fo":
        return first_order(case, zero, at_zero)
    frozen = at_zero if method == "foce" else None
    start = zero if near is None else [mpf(e) for e in near]
    eta = find_mode(lambda e: joint(case, e, frozen), start)
    if method == "laplace":
        h = hessian(lambda e: joint(case, e, frozen), eta) / 2
    else:
        h = expected_curvature(case, eta, frozen)
    return joint(case, eta, frozen) + mpmath.log(mpmath.det(h))


def first_order(case: Case, zero: Point, r: list) -> mpf:
    a = mpmath.matrix(slopes(lambda e: predict(case, e), zero))
    covariance = a.T * mpmath.matrix(case.omega.tolist()) * a + mpmath.diag(r)
    miss = mpmath.matrix(
        [mpf(y) - f for y, f in zip(case.y, predict(case, zero), strict=True)]
    )  # fmt: skip
    fit = miss.T * covariance**-1 * miss
    return mpmath.log(mpmath.det(covariance)) + fit[0]


def expected_curvature(case: Case, eta: Point, frozen: list | None) -> mpmath.matrix:
    def variances(e: Point) -> list:
        return [variance(case, f) for f in predict(case, e)] if frozen is None else frozen

    a, c = slopes(lambda e: predict(case, e), eta), slopes(variances, eta)
    h = mpmath.matrix(case.omega.tolist()) ** -1
    for j, r in enumerate(variances(eta)):
        for p in range(len(eta)):
            for q in range(len(eta)):
                h[p, q] += a[p][j] * a[q][j] / r + c[p][j] * c[q][j] / (2 * r * r)
    return h
