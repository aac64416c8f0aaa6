"""FO: the marginal likelihood of a model linearised at eta = 0, and its exact gradient."""

from __future__ import annotations

import numpy as np

from pkmodel._jit import allocating_kernel
from pkmodel.kernels.by_factor import add_curvature_by_factor, add_outer
from pkmodel.kernels.events import Steps
from pkmodel.kernels.likelihood import Population, Rows, predict_rows
from pkmodel.kernels.mode import FOUND, UNDEFINED
from pkmodel.kernels.residual import IGNORED, variance, variance_by_sigma
from pkmodel.kernels.small_matrix import (
    apply,
    apply_transposed,
    cholesky,
    log_determinant,
    solve,
    unwhiten,
    whiten,
)
from pkmodel.kernels.subject import Psi, Work
from pkmodel.kernels.terms import Terms


@allocating_kernel
def first_order(
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
    predict_rows(predict, steps, psi, rows, i, np.zeros(n), 2, work)
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
    inverse, root = terms.covariance[i], work.matrix[1]
    unwhiten(factor, lower, n, root, inverse)
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
    by_factor, identity = terms.by_factor[i], work.matrix[2]
    for a in range(n):
        for b in range(n):
            identity[a, b] = 1.0 if a == b else 0.0
    add_outer(2.0, slope, u, n, by_factor)
    add_curvature_by_factor(weights, root, identity, lower, n, work.matrix[3], by_factor)
