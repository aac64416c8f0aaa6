"""The marginal likelihood of a subject and its exact gradient, for every method.

With z the directions (effects first), OFV = 2 l(eta*) + log|Omega| + log|H|, and the mode moves
by -(l_ee)^-1 l_ep, the total derivative is (Almquist et al. 2015, 10.1007/s10928-015-9409-1)

    dOFV/dp = partial_p (2 l + log|Omega| + log|H|) - l_pe q,   q = (l_ee)^-1 partial_e log|H|.

Quadrature and importance sampling differ in the derivatives at fixed mode alone, which are
averages over nodes, and in those of the curvature, see `quadrature`.

All is computed in u with eta = L u and Omega = L L': there H is 1 + L' W L and log|Omega| + log|H|
one determinant, which stays well conditioned as Omega becomes singular.

Each row adds weight * f_e f_e' to H (and half of rho' f_ee for the exact curvature), so all
derivatives of H come from the weight's derivatives and from f_ez, f_eez. Without interaction the
variance of a row is a constant of the mode search and its dependence on z, through f(0), is added
at the end.
"""

from __future__ import annotations

import numpy as np

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.by_factor import add_curvature_by_factor, add_outer
from pkmodel.kernels.events import Steps
from pkmodel.kernels.first_order import first_order
from pkmodel.kernels.likelihood import (
    Individual,
    Population,
    Rows,
    predict_rows,
    row_by_sigma,
    row_variance,
)
from pkmodel.kernels.mode import UNDEFINED, find_mode
from pkmodel.kernels.predict import predict_range
from pkmodel.kernels.quadrature import Average, average_over_nodes, make_average, take_mode
from pkmodel.kernels.residual import IGNORED, variance, variance_by_sigma
from pkmodel.kernels.small_matrix import (
    apply,
    apply_transposed,
    cholesky,
    log_determinant,
    sandwich,
    solve,
    unwhiten,
    whiten,
)
from pkmodel.kernels.subject import Psi, Work, make_work
from pkmodel.kernels.terms import CONDITIONAL, FO, NODES, Method, Terms
from pkmodel.kernels.types import Vector


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
    average: Average,
    terms: Terms,
) -> None:
    """All methods but FO: integrate about the mode, and carry derivatives back through it."""
    n = psi.effects
    m = psi.direction.shape[2]
    is_exact, has_nodes = method.kind != CONDITIONAL, method.kind == NODES
    is_frozen = frozen.size > 0
    begin = steps.first[i]
    count = steps.first[i + 1] - begin
    eta, u = terms.eta[i], work.vector[8]
    individual = Individual(predict, steps, psi, rows, population, frozen, i)
    status, value = find_mode(individual, eta, method.is_cold, method.tolerance, u, work)
    terms.status[i] = status
    terms.objective[i] = np.inf
    if status == UNDEFINED:
        return
    factor, sigma, combine = population.factor, population.sigma, rows.combine
    exact, gauss, cross = work.matrix[0], work.matrix[1], work.matrix[5]
    scratch, lower, exact_lower = work.matrix[3], work.matrix[6], work.matrix[7]
    if not is_exact:
        whiten(gauss, factor, n, scratch, lower)
    if not cholesky(exact if is_exact else lower, n, lower):
        terms.status[i] = UNDEFINED
        return
    if not cholesky(exact, n, exact_lower):
        whiten(gauss, factor, n, scratch, exact_lower)
        cholesky(exact_lower, n, exact_lower)
    if has_nodes:
        value, terms.share[i] = average_over_nodes(
            individual, method.nodes, u[:n], lower, work, average, terms.deviation[i]
        )
        if not np.isfinite(value):
            terms.status[i] = UNDEFINED
            return
    terms.objective[i] = 2.0 * value + log_determinant(lower, n)
    if is_exact:
        predict_rows(predict, steps, psi, rows, i, eta, 3, work)

    observed, states, active = rows.y, rows.status, rows.active
    values, first, second, third = work.f, work.f1, work.f2, work.f3
    kept = work.rows
    by_direction, by_sigma = terms.by_direction[i], terms.by_sigma[i]
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

    slope_by_eta, q_white = work.vector[0], work.vector[1]
    for a in range(n):
        slope_by_eta[a] = 0.5 * by_direction[a]
    if not has_nodes:
        take_mode(u[:n], by_direction, average)
    root, inverse = work.matrix[2], work.matrix[4]
    unwhiten(factor, lower, n, root, terms.covariance[i])
    sandwich(root, average.middle, n, scratch, inverse)
    by_curvature, projected, q = work.vector[3], work.vector[4], work.vector[5]
    direct = 0.0 if has_nodes else 1.0
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
        if is_exact:
            weight = 0.5 * rho2
            slope = 0.5 * (rho3 * leverage + rho2 * trace)
        for z in range(m):
            total = 0.0
            for a in range(n):
                total += projected[a] * second[j, a, z]
            by_curvature[z] += slope * first[j, z] + 2.0 * weight * total
            if is_exact:
                total = 0.0
                for a in range(n):
                    for b in range(n):
                        total += inverse[a, b] * third[j, a, b, z]
                by_curvature[z] += 0.5 * rho1 * total
        for k in range(1 if is_frozen else 3):
            if is_frozen:
                moved = row_by_sigma(state, y, f, variances, (1.0, 0.0, 0.0))
            elif active[k]:
                s = variance_by_sigma(combine, sigma, f, k)
                moved = row_by_sigma(state, y, f, variances, s)
            else:
                continue
            if is_exact:
                part = direct * moved[0] + 0.5 * (moved[2] * leverage + moved[1] * trace)
            else:
                part = direct * moved[0] + moved[3] * leverage
            if is_frozen:
                by_variance[j, 0] = part
                for a in range(n):
                    by_variance[j, 1 + a] = 0.5 * moved[1] * first[j, a]
            else:
                by_sigma[k] += part
                for a in range(n):
                    sigma_mode[k, a] += 0.5 * moved[1] * first[j, a]

    apply_transposed(factor, n, by_curvature, q_white)
    for a in range(n):
        q_white[a] += average.by_mode[a]
    solve(exact_lower, n, q_white, q_white)
    apply(factor, n, q_white, q)
    for z in range(m):
        for a in range(n):
            by_curvature[z] -= cross[a, z] * q[a]
        by_direction[z] = average.by_direction[z] + by_curvature[z]
    for k in range(3):
        by_sigma[k] += average.by_sigma[k]
        for a in range(n):
            by_sigma[k] -= sigma_mode[k, a] * q[a]
    by_factor, weights = terms.by_factor[i], cross if is_exact else gauss
    for a in range(n):
        for b in range(n):
            by_factor[a, b] = average.by_factor[a, b]
    add_outer(1.0, by_curvature, u, n, by_factor)
    add_outer(-1.0, slope_by_eta, q_white, n, by_factor)
    add_curvature_by_factor(weights, root, average.middle, lower, n, scratch, by_factor)
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
    work = make_work(steps, psi, low, high)
    average = make_average(n, m)
    zero = np.zeros(n)
    nothing = np.zeros(0)
    no_slope = np.zeros((0, m))
    for i in range(low, high):
        terms.by_direction[i] = 0.0
        terms.by_sigma[i] = 0.0
        terms.by_factor[i] = 0.0
        if method.kind == FO:
            first_order(predict, steps, psi, rows, population, i, work, terms)
        elif method.interaction:
            _conditional(
                predict,
                steps,
                psi,
                rows,
                population,
                method,
                i,
                nothing,
                no_slope,
                work,
                average,
                terms,
            )
        else:
            count = steps.first[i + 1] - steps.first[i]
            predict_rows(predict, steps, psi, rows, i, zero, 2, work)
            frozen = work.f[:count].copy()
            frozen1 = work.f1[:count].copy()
            _conditional(
                predict,
                steps,
                psi,
                rows,
                population,
                method,
                i,
                frozen,
                frozen1,
                work,
                average,
                terms,
            )


@allocating_kernel
def _predictions(
    predict: int, steps: Steps, psi: Psi, rows: Rows, eta: Vector, f: Vector, f1: Vector
) -> None:
    m = psi.direction.shape[2]
    work = make_work(steps, psi, 0, steps.start.size - 1)
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
    address = predict_range.address
    _marginal(address, steps, psi, rows, population, method, low, high, terms)


def predictions(steps: Steps, psi: Psi, rows: Rows, eta: Vector, f: Vector, f1: Vector) -> None:
    """Predict on the residual scale, with slopes in the directions, at given effects."""
    _predictions(predict_range.address, steps, psi, rows, eta, f, f1)
