"""The marginal likelihood of a subject and its exact gradient, for FO, FOCE, FOCE-I and Laplace.

With z the directions (effects first), OFV = 2 l(eta*) + log|Omega| + log|H|, and the mode moves
by -(l_ee)^-1 l_ep, the total derivative is (Almquist et al. 2015, 10.1007/s10928-015-9409-1)

    dOFV/dp = partial_p (2 l + log|Omega| + log|H|) - l_pe q,   q = (l_ee)^-1 partial_e log|H|.

All is computed in u with eta = L u and Omega = L L': there H is 1 + L' W L and log|Omega| + log|H|
one determinant, which stays well conditioned as Omega becomes singular.

Each row adds weight * f_e f_e' to H (and half of rho' f_ee for Laplace), so all derivatives of H
come from the weight's derivatives and from f_ez, f_eez. Without interaction the variance of a row
is a constant of the mode search and its dependence on z, through f(0), is added at the end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.events import Steps
from pkmodel.kernels.likelihood import Individual, Population, Rows, predict_rows, row_variance
from pkmodel.kernels.mode import FOUND, UNDEFINED, find_mode
from pkmodel.kernels.predict import predict_subject
from pkmodel.kernels.residual import (
    CENSORED,
    IGNORED,
    censored_by_sigma,
    quantified_by_sigma,
    variance,
    variance_by_sigma,
)
from pkmodel.kernels.small_matrix import (
    apply,
    apply_transposed,
    cholesky,
    log_determinant,
    solve,
    unwhiten,
    whiten,
)
from pkmodel.kernels.subject import Psi, Work, make_work
from pkmodel.kernels.types import Four, Three, Vector

FO, CONDITIONAL, LAPLACE = 0, 1, 2


class Method(NamedTuple):
    """`kind` is FO, CONDITIONAL (FOCE, FOCE-I) or LAPLACE."""

    kind: int
    interaction: bool
    tolerance: float


class Terms(NamedTuple):
    """What the kernel writes of each subject.

    Attributes
    ----------
    objective : array (subjects,)
    by_direction : array (subjects, m)
        Derivative in the directions that are no effects, and in the shift of the effects.
    by_sigma : array (subjects, 3)
    by_factor : array (subjects, n, n)
        Derivative in the lower triangle of L, Omega = L L': dOFV = sum(by_factor * dL).
    eta : array (subjects, n)
        Read as the start of the search, written as the mode.
    covariance : array (subjects, n, n)
        Inverse of the curvature in eta.
    status : array (subjects,)
    """

    objective: NDArray[np.float64]
    by_direction: NDArray[np.float64]
    by_sigma: NDArray[np.float64]
    by_factor: NDArray[np.float64]
    eta: NDArray[np.float64]
    covariance: NDArray[np.float64]
    status: NDArray[np.int8]


@kernel
def _factor_terms(
    factor: Vector,
    lower: Vector,
    weights: Vector,
    slope: Vector,
    shift: Vector,
    u: Vector,
    q: Vector,
    n: int,
    scratch: Vector,
    out: Vector,
) -> None:
    """Write the derivative in L, at the mode eta = L u: shift u' - slope q' + 2 W L H^-1.

    `slope` is that of the rows' half of l in eta and `shift` the derivative of the objective in a
    shift of eta; `weights` is W, and H = 1 + L' W L is `lower` times its transpose.
    """
    for a in range(n):
        row = scratch[a]
        for b in range(n):
            total = 0.0
            for c in range(b, n):
                total += weights[a, c] * factor[c, b]
            row[b] = total
        solve(lower, n, row, row)
        for b in range(n):
            out[a, b] = shift[a] * u[b] - slope[a] * q[b] + 2.0 * row[b]


@allocating_kernel
def _first_order(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    i: int,
    work: Work,
    terms: Terms,
) -> None:
    """FO: linearised at eta = 0; the mode of the linearised problem stands in for eta*."""
    n = psi.effects
    m = psi.direction.shape[2]
    first = steps.first[i]
    count = steps.first[i + 1] - first
    zero = np.zeros(n)
    predict_rows(predict, steps, psi, rows, i, zero, 2, work)
    combine, sigma = rows.combine, population.sigma
    r = np.empty((count, 2))
    factor = population.factor
    weights = np.zeros((n, n))
    moment = np.zeros(n)
    for j in range(count):
        r[j, 0], r[j, 1], _, _ = variance(combine, sigma, work.f[j])
        if rows.status[first + j] == IGNORED:
            continue
        for a in range(n):
            fa = work.f1[j, a] / r[j, 0]
            moment[a] += fa * (rows.y[first + j] - work.f[j])
            for b in range(n):
                weights[a, b] += fa * work.f1[j, b]
    lower = np.zeros((n, n))
    whiten(weights, factor, n, work.matrix[0], lower)
    if not cholesky(lower, n, lower):
        terms.status[i] = UNDEFINED
        terms.objective[i] = np.inf
        return
    inverse = terms.covariance[i]
    unwhiten(factor, lower, n, work.matrix[0], inverse)
    eta, u = terms.eta[i], work.vector[0]
    apply_transposed(factor, n, moment, u)
    solve(lower, n, u, u)
    apply(factor, n, u, eta)
    total = log_determinant(lower, n)
    slope = np.empty(n)
    for a in range(n):
        total += u[a] * u[a]
        slope[a] = -moment[a]
        for b in range(n):
            slope[a] += weights[a, b] * eta[b]
    projected = np.zeros(n)
    for j in range(count):
        if rows.status[first + j] == IGNORED:
            continue
        q = 1.0 / r[j, 0]
        e = rows.y[first + j] - work.f[j]
        leverage = 0.0
        for a in range(n):
            e -= work.f1[j, a] * eta[a]
            projected[a] = 0.0
            for b in range(n):
                projected[a] += inverse[a, b] * work.f1[j, b]
            leverage += projected[a] * work.f1[j, a]
        total += e * e * q + np.log(r[j, 0])
        by_r = q - (e * e + leverage) * q * q
        for z in range(m):
            moved = work.f1[j, z]
            spread = 0.0
            for a in range(n):
                moved += work.f2[j, a, z] * eta[a]
                spread += projected[a] * work.f2[j, a, z]
            terms.by_direction[i, z] += (
                2.0 * q * (spread - e * moved) + by_r * r[j, 1] * work.f1[j, z]
            )
        for k in range(3):
            if rows.active[k]:
                s = variance_by_sigma(combine, sigma, work.f[j], k)
                terms.by_sigma[i, k] += by_r * s[0]
    terms.objective[i] = total
    terms.status[i] = FOUND if np.isfinite(total) else UNDEFINED
    _factor_terms(
        factor, lower, weights, slope, 2.0 * slope, u, zero, n, work.matrix[0], terms.by_factor[i]
    )


@kernel
def _row_by_sigma(status: int, y: float, f: float, variances: Four, s: Three) -> Four:
    if status == CENSORED:
        return censored_by_sigma(y, f, variances, s)
    return quantified_by_sigma(y, f, variances, s)


@kernel
def _conditional(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    method: Method,
    i: int,
    frozen: Vector,
    frozen1: Vector,
    work: Work,
    terms: Terms,
) -> None:
    """FOCE, FOCE-I and Laplace, at the mode."""
    n = psi.effects
    m = psi.direction.shape[2]
    is_laplace = method.kind == LAPLACE
    is_frozen = frozen.size > 0
    begin = steps.first[i]
    count = steps.first[i + 1] - begin
    eta, u = terms.eta[i], work.vector[8]
    individual = Individual(predict, steps, psi, rows, population, frozen, i)
    status, value = find_mode(individual, eta, method.tolerance, u, work)
    terms.status[i] = status
    if status == UNDEFINED:
        terms.objective[i] = np.inf
        return
    if is_laplace:
        predict_rows(predict, steps, psi, rows, i, eta, 3, work)

    factor, sigma, combine = population.factor, population.sigma, rows.combine
    observed, states, active = rows.y, rows.status, rows.active
    values, first, second, third = work.f, work.f1, work.f2, work.f3
    kept = work.rows
    by_direction, by_sigma = terms.by_direction[i], terms.by_sigma[i]
    exact, gauss, cross = work.matrix[0], work.matrix[1], work.matrix[5]
    for a in range(n):
        cross[a] = 0.0
    for j in range(count):
        if states[begin + j] == IGNORED:
            continue
        rho1, rho2 = kept[j, 0], kept[j, 1]
        for a in range(n):
            fa = first[j, a]
            for z in range(m):
                cross[a, z] += 0.5 * (rho2 * fa * first[j, z] + rho1 * second[j, a, z])
        for z in range(m):
            by_direction[z] += rho1 * first[j, z]

    weights = cross if is_laplace else gauss
    scratch, lower, exact_lower = work.matrix[3], work.matrix[6], work.matrix[7]
    if not is_laplace:
        whiten(gauss, factor, n, scratch, lower)
    if not cholesky(exact if is_laplace else lower, n, lower):
        terms.status[i] = UNDEFINED
        terms.objective[i] = np.inf
        return
    if not cholesky(exact, n, exact_lower):
        whiten(gauss, factor, n, scratch, exact_lower)
        cholesky(exact_lower, n, exact_lower)
    inverse = terms.covariance[i]
    unwhiten(factor, lower, n, scratch, inverse)
    terms.objective[i] = 2.0 * value + log_determinant(lower, n)

    by_curvature, projected, q = work.vector[3], work.vector[4], work.vector[5]
    slope_by_eta, q_white = work.vector[0], work.vector[1]
    for a in range(n):
        slope_by_eta[a] = 0.5 * by_direction[a]
    by_curvature[:] = 0.0
    by_variance, sigma_mode = work.by_variance, work.by_sigma
    for k in range(3):
        sigma_mode[k] = 0.0
    for j in range(count):
        state = states[begin + j]
        if state == IGNORED:
            continue
        y = observed[begin + j]
        f = values[j]
        variances = row_variance(combine, sigma, frozen, j, f)
        rho1, rho2, rho3 = kept[j, 0], kept[j, 1], kept[j, 2]
        weight, weight1 = kept[j, 3], kept[j, 4]
        leverage = 0.0
        trace = 0.0
        for a in range(n):
            projected[a] = 0.0
            for b in range(n):
                projected[a] += inverse[a, b] * first[j, b]
                trace += inverse[a, b] * second[j, a, b]
            leverage += projected[a] * first[j, a]
        slope = weight1 * leverage
        if is_laplace:
            weight = 0.5 * rho2
            slope = 0.5 * (rho3 * leverage + rho2 * trace)
        for z in range(m):
            total = 0.0
            for a in range(n):
                total += projected[a] * second[j, a, z]
            by_curvature[z] += slope * first[j, z] + 2.0 * weight * total
            if is_laplace:
                total = 0.0
                for a in range(n):
                    for b in range(n):
                        total += inverse[a, b] * third[j, a, b, z]
                by_curvature[z] += 0.5 * rho1 * total
        for k in range(1 if is_frozen else 3):
            if is_frozen:
                moved = _row_by_sigma(state, y, f, variances, (1.0, 0.0, 0.0))
            elif active[k]:
                s = variance_by_sigma(combine, sigma, f, k)
                moved = _row_by_sigma(state, y, f, variances, s)
            else:
                continue
            if is_laplace:
                part = moved[0] + 0.5 * (moved[2] * leverage + moved[1] * trace)
            else:
                part = moved[0] + moved[3] * leverage
            if is_frozen:
                by_variance[j, 0] = part
                for a in range(n):
                    by_variance[j, 1 + a] = 0.5 * moved[1] * first[j, a]
            else:
                by_sigma[k] += part
                for a in range(n):
                    sigma_mode[k, a] += 0.5 * moved[1] * first[j, a]

    apply_transposed(factor, n, by_curvature, q_white)
    solve(exact_lower, n, q_white, q_white)
    apply(factor, n, q_white, q)
    for z in range(m):
        total = by_curvature[z]
        for a in range(n):
            total -= cross[a, z] * q[a]
        by_direction[z] += total
    for k in range(3):
        for a in range(n):
            by_sigma[k] -= sigma_mode[k, a] * q[a]
    _factor_terms(
        factor,
        lower,
        weights,
        slope_by_eta,
        by_direction,
        u,
        q_white,
        n,
        scratch,
        terms.by_factor[i],
    )
    for j in range(frozen.size):
        if states[begin + j] == IGNORED:
            continue
        part = by_variance[j, 0]
        for a in range(n):
            part -= by_variance[j, 1 + a] * q[a]
        slope = variance(combine, sigma, frozen[j])[1]
        for z in range(m):
            by_direction[z] += part * slope * frozen1[j, z]
        for k in range(3):
            if active[k]:
                by_sigma[k] += part * variance_by_sigma(combine, sigma, frozen[j], k)[0]
    if not np.isfinite(terms.objective[i]):
        terms.status[i] = UNDEFINED


@allocating_kernel
def _marginal(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    method: Method,
    low: int,
    high: int,
    terms: Terms,
) -> None:
    n = psi.effects
    m = psi.direction.shape[2]
    most = 0
    for i in range(low, high):
        most = max(most, steps.first[i + 1] - steps.first[i])
    work = make_work(most, n, m)
    zero = np.zeros(n)
    nothing = np.zeros(0)
    no_slope = np.zeros((0, m))
    for i in range(low, high):
        terms.by_direction[i] = 0.0
        terms.by_sigma[i] = 0.0
        if method.kind == FO:
            _first_order(predict, steps, psi, rows, population, i, work, terms)
        elif method.interaction:
            _conditional(
                predict, steps, psi, rows, population, method, i, nothing, no_slope, work, terms
            )
        else:
            count = steps.first[i + 1] - steps.first[i]
            predict_rows(predict, steps, psi, rows, i, zero, 2, work)
            frozen = work.f[:count].copy()
            frozen1 = work.f1[:count].copy()
            _conditional(
                predict, steps, psi, rows, population, method, i, frozen, frozen1, work, terms
            )


@kernel
def _predictions(
    predict: int, steps: Steps, psi: Psi, rows: Rows, eta: Vector, f: Vector, f1: Vector
) -> None:
    n = psi.effects
    m = psi.direction.shape[2]
    most = 0
    for i in range(steps.start.size - 1):
        most = max(most, steps.first[i + 1] - steps.first[i])
    work = make_work(most, n, m)
    for i in range(steps.start.size - 1):
        predict_rows(predict, steps, psi, rows, i, eta[i], 2, work)
        first = steps.first[i]
        for j in range(steps.first[i + 1] - first):
            f[first + j] = work.f[j]
            for z in range(m):
                f1[first + j, z] = work.f1[j, z]


def marginal(
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    method: Method,
    low: int,
    high: int,
    terms: Terms,
) -> None:
    """Objective and exact gradient terms of the subjects low ... high - 1."""
    address = predict_subject.address
    _marginal(address, steps, psi, rows, population, method, low, high, terms)


def predictions(steps: Steps, psi: Psi, rows: Rows, eta: Vector, f: Vector, f1: Vector) -> None:
    """Predict on the residual scale, with slopes in the directions, at given effects."""
    _predictions(predict_subject.address, steps, psi, rows, eta, f, f1)
