"""The conditional likelihood of one subject: rows, residual model, penalty on the effects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import kernel
from pkmodel.kernels.events import Steps
from pkmodel.kernels.exponential import LEAST
from pkmodel.kernels.predict import predict_at
from pkmodel.kernels.residual import (
    CENSORED,
    IGNORED,
    censored,
    censored_by_sigma,
    quantified,
    quantified_by_sigma,
    variance,
)
from pkmodel.kernels.small_matrix import apply, apply_transposed, whiten
from pkmodel.kernels.subject import Psi, Work
from pkmodel.kernels.types import Bool1, Byte1, Float1, Four, Six, Three, Vector


class Rows(NamedTuple):
    """Observations of all subjects, in the order of the steps.

    Attributes
    ----------
    y : array (n_observations,)
        Concentration, or its limit where censored; its logarithm if `is_log`.
    status : array (n_observations,)
        `QUANTIFIED`, `CENSORED` (M3) or `IGNORED` (M1).
    combine : int
    is_log : bool
        The residual is additive on the log scale.
    active : array (3,)
        Residual coefficients whose derivatives are wanted.
    """

    y: Float1
    status: Byte1
    combine: int
    is_log: bool
    active: Bool1


class Population(NamedTuple):
    """Population parameters as the kernels need them.

    Attributes
    ----------
    factor : array (n, n)
        Lower triangular L with Omega = L L'.
    sigma : array (3,)
    """

    factor: NDArray[np.float64]
    sigma: NDArray[np.float64]


class Individual(NamedTuple):
    """One subject in its population: all that its joint density depends on but the effects.

    Attributes
    ----------
    predict : int
        Address of the prediction kernel.
    frozen : array (observations of the subject,) or (0,)
        Predictions at eta = 0 where the residual variance does not follow the effects.
    number : int
        Which subject.
    """

    predict: int
    steps: Steps
    psi: Psi
    rows: Rows
    population: Population
    frozen: NDArray[np.float64]
    number: int


@kernel
def to_log(work: Work, rows: int, n: int, m: int, order: int) -> None:
    """Replace f and its derivatives by those of log f: -inf and 0 where f is as good as 0."""
    for j in range(rows):
        f = work.f[j]
        inverse = 0.0 if f < LEAST else 1.0 / f
        if order > 2:
            for a in range(n):
                for b in range(n):
                    for c in range(m):
                        fa, fb, fc = work.f1[j, a], work.f1[j, b], work.f1[j, c]
                        cross = (
                            work.f2[j, a, b] * fc + work.f2[j, a, c] * fb + work.f2[j, b, c] * fa
                        )
                        work.f3[j, a, b, c] = inverse * (
                            work.f3[j, a, b, c] - inverse * (cross - 2.0 * inverse * fa * fb * fc)
                        )
        if order > 1:
            for a in range(n):
                for b in range(m):
                    work.f2[j, a, b] = inverse * (
                        work.f2[j, a, b] - inverse * work.f1[j, a] * work.f1[j, b]
                    )
        if order > 0:
            for b in range(m):
                work.f1[j, b] *= inverse
        work.f[j] = -np.inf if f < LEAST else np.log(f)


@kernel
def predict_rows(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    subject: int,
    eta: Vector,
    order: int,
    work: Work,
) -> None:
    """Predict on the scale on which the residual error is defined."""
    predict_at(predict, (steps, psi, subject, subject + 1, eta, order, work))
    if rows.is_log:
        count = steps.first[subject + 1] - steps.first[subject]
        to_log(work, count, psi.effects, psi.direction.shape[2], order)


@kernel
def row_variance(combine: int, sigma: Vector, frozen: Vector, j: int, f: float) -> Four:
    """Residual variance of a row; without interaction that at eta = 0, which is constant."""
    if frozen.size > 0:
        return variance(combine, sigma, frozen[j])[0], 0.0, 0.0, 0.0
    return variance(combine, sigma, f)


@kernel
def row_terms(status: int, y: float, f: float, variances: Four) -> Six:
    """Likelihood terms of a row that counts."""
    return censored(y, f, variances) if status == CENSORED else quantified(y, f, variances)


@kernel
def row_by_sigma(status: int, y: float, f: float, variances: Four, s: Three) -> Four:
    """Differentiate a row's terms in a coefficient that moves the variance by `s`."""
    if status == CENSORED:
        return censored_by_sigma(y, f, variances, s)
    return quantified_by_sigma(y, f, variances, s)


@kernel
def conditional(
    individual: Individual,
    u: Vector,
    eta: Vector,
    work: Work,
    gradient: Vector,
    exact: Vector,
    weights: Vector,
) -> float:
    """Half of -2 log joint density at eta = L u, its gradient and Hessian in u.

    Parameters
    ----------
    u : array (n,)
    eta : array (n,)
        Written.
    gradient : array (n,)
    exact : array (n, n)
        Written: the Hessian.
    weights : array (n, n)
        Written: what the rows add to the curvature of FOCE-I in eta, never negative.

    Returns
    -------
    float
        Without log|Omega|; infinite where the model is not defined.
    """
    predict, steps, psi, rows, population, frozen, subject = individual
    n = psi.effects
    factor, sigma, combine = population.factor, population.sigma, rows.combine
    total = 0.0
    for a in range(n):
        gradient[a] = 0.0
        for b in range(n):
            exact[a, b] = weights[a, b] = 0.0
        total += u[a] * u[a]
    apply(factor, n, u, eta)
    predict_rows(predict, steps, psi, rows, subject, eta, 2, work)
    begin = steps.first[subject]
    count = steps.first[subject + 1] - begin
    observed, states = rows.y, rows.status
    values, first, second, kept = work.f, work.f1, work.f2, work.rows
    for j in range(count):
        status = states[begin + j]
        if status == IGNORED:
            continue
        f = values[j]
        variances = row_variance(combine, sigma, frozen, j, f)
        rho, rho1, rho2, rho3, weight, weight1 = row_terms(
            status, observed[begin + j], f, variances
        )
        total += rho
        kept[j, 0] = rho1
        kept[j, 1] = rho2
        kept[j, 2] = rho3
        kept[j, 3] = weight
        kept[j, 4] = weight1
        for a in range(n):
            fa = first[j, a]
            gradient[a] += 0.5 * rho1 * fa
            for b in range(a + 1):
                product = fa * first[j, b]
                weights[a, b] += weight * product
                exact[a, b] += 0.5 * (rho2 * product + rho1 * second[j, a, b])
    for a in range(n):
        for b in range(a):
            weights[b, a] = weights[a, b]
            exact[b, a] = exact[a, b]
    apply_transposed(factor, n, gradient, gradient)
    for a in range(n):
        gradient[a] += u[a]
    whiten(exact, factor, n, work.matrix[3], exact)
    return 0.5 * total if np.isfinite(total) else np.inf
