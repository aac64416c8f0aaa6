"""Linear compartments in full generality: parameters that change in time, any distribution.

The same walk through the steps as the fast path, in jets: the structural model says only how many
compartments there are and what the transition coefficients of an interval are. Central is state 0,
the depot of an oral model state 1.
"""

from __future__ import annotations

import numpy as np

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.events import BOLUS, OBSERVE, RESET, STEADY, Steps
from pkmodel.kernels.jets import add_scaled, compose, compose_two, copy, length, multiply_add
from pkmodel.kernels.subject import LOGNORMAL, NORMAL, Psi, Work
from pkmodel.kernels.transition import absorption, accumulation, elimination
from pkmodel.kernels.types import Vector

CL, V, KA = 0, 1, 2
DECAY, INPUT, DEPOT_DECAY, DEPOT_INPUT, TRANSFER, DEPOT_RESPONSE = 0, 1, 2, 3, 4, 5


@kernel
def _log_parameter(distribution: int, value: float, u: Vector) -> None:
    """Write the logarithm of a parameter and its derivatives in the transformed value."""
    if distribution == LOGNORMAL:
        u[0] = value
        u[1] = 1.0
        u[2] = u[3] = 0.0
    elif distribution == NORMAL:
        u[0] = np.log(value) if value > 0.0 else np.nan
        u[1] = 1.0 / value
        u[2] = -u[1] * u[1]
        u[3] = -2.0 * u[2] * u[1]
    else:
        p = 1.0 / (1.0 + np.exp(-value))
        u[0] = -np.log1p(np.exp(-value))
        u[1] = 1.0 - p
        u[2] = -p * (1.0 - p)
        u[3] = u[2] * (1.0 - 2.0 * p)


@allocating_kernel
def _parameters(
    psi: Psi,
    segment: int,
    eta: Vector,
    n: int,
    m: int,
    order: int,
    log_v: Vector,
    kappa: Vector,
    lambda_: Vector,
) -> None:
    """Jets of log V, kappa = log CL - log V and lambda = log KA of a segment."""
    direction = psi.direction[segment if psi.direction.shape[0] > 1 else 0]
    size = log_v.size
    x = np.zeros(size)
    u = np.zeros(4)
    part = np.zeros(size)
    kappa[:] = 0.0
    for p in range(psi.typical.shape[1]):
        x[:] = 0.0
        x[0] = psi.typical[segment, p]
        for a in range(n):
            x[0] += direction[p, a] * eta[a]
        for a in range(m):
            x[1 + a] = direction[p, a]
        _log_parameter(psi.distribution[p], x[0], u)
        compose(u, x, n, m, order, part)
        if p == CL:
            add_scaled(part, 1.0, kappa)
        elif p == V:
            copy(part, log_v)
            add_scaled(part, -1.0, kappa)
        else:
            copy(part, lambda_)


@kernel
def _coefficients(
    kappa: Vector,
    lambda_: Vector,
    dt: float,
    has_depot: bool,
    n: int,
    m: int,
    order: int,
    c: Vector,
    u: Vector,
    w: Vector,
) -> None:
    """Jets of the transition coefficients of an interval."""
    rate = np.exp(kappa[0])
    elimination(rate, dt, u[:4], w[:4])
    compose(u, kappa, n, m, order, c[DECAY])
    compose(w, kappa, n, m, order, c[INPUT])
    if has_depot:
        ka = np.exp(lambda_[0])
        elimination(ka, dt, u[:4], w[:4])
        compose(u, lambda_, n, m, order, c[DEPOT_DECAY])
        compose(w, lambda_, n, m, order, c[DEPOT_INPUT])
        absorption(ka, rate, dt, order, u, w)
        compose_two(u, kappa, lambda_, n, m, order, c[TRANSFER])
        compose_two(w, kappa, lambda_, n, m, order, c[DEPOT_RESPONSE])


@kernel
def _propagate(
    state: Vector,
    c: Vector,
    rate: float,
    depot: float,
    has_depot: bool,
    n: int,
    m: int,
    order: int,
    out: Vector,
) -> None:
    """Advance the state over an interval whose coefficients are `c`."""
    out[:] = 0.0
    multiply_add(c[DECAY], state[0], n, m, order, out[0])
    if rate != 0.0:
        add_scaled(c[INPUT], rate, out[0])
    if has_depot:
        multiply_add(c[TRANSFER], state[1], n, m, order, out[0])
        multiply_add(c[DEPOT_DECAY], state[1], n, m, order, out[1])
        if depot != 0.0:
            add_scaled(c[DEPOT_RESPONSE], depot, out[0])
            add_scaled(c[DEPOT_INPUT], depot, out[1])
    for k in range(state.shape[0]):
        copy(out[k], state[k])


@allocating_kernel
def _steady(
    state: Vector,
    kappa: Vector,
    lambda_: Vector,
    regimen: Vector,
    has_depot: bool,
    n: int,
    m: int,
    order: int,
    c: Vector,
    u: Vector,
    w: Vector,
    out: Vector,
) -> None:
    """Set the state to the steady state of a regimen, just before its next dose."""
    before = state.copy()
    compartment = int(regimen[5])
    state[:] = 0.0
    if regimen[7] > 0.5:
        u[1] = u[3] = -regimen[2] / np.exp(kappa[0])
        u[0] = u[2] = -u[1]
        compose(u, kappa, n, m, order, state[0])
        if compartment == 1:
            u[1] = u[3] = -regimen[2] / np.exp(lambda_[0])
            u[0] = u[2] = -u[1]
            compose(u, lambda_, n, m, order, state[1])
    else:
        state[compartment, 0] = regimen[4]
        for part in range(2):
            dt = regimen[1] if part == 0 else regimen[0] - regimen[1]
            rate = regimen[2] if part == 0 else regimen[3]
            if dt > 0.0:
                _coefficients(kappa, lambda_, dt, has_depot, n, m, order, c, u, w)
                depot = rate if compartment == 1 else 0.0
                _propagate(state, c, rate - depot, depot, has_depot, n, m, order, out)
        factor = np.zeros(out.shape[1])
        if has_depot:
            accumulation(np.exp(lambda_[0]), regimen[0], u[:4])
            compose(u, lambda_, n, m, order, factor)
            out[1] = 0.0
            multiply_add(factor, state[1], n, m, order, out[1])
            copy(out[1], state[1])
            _coefficients(kappa, lambda_, regimen[0], has_depot, n, m, order, c, u, w)
            multiply_add(c[TRANSFER], state[1], n, m, order, state[0])
        accumulation(np.exp(kappa[0]), regimen[0], u[:4])
        compose(u, kappa, n, m, order, factor)
        out[0] = 0.0
        multiply_add(factor, state[0], n, m, order, out[0])
        copy(out[0], state[0])
    if regimen[6] > 0.5:
        for k in range(state.shape[0]):
            add_scaled(before[k], 1.0, state[k])


@kernel
def _observe(
    amount: Vector,
    log_v: Vector,
    scale: float,
    n: int,
    m: int,
    order: int,
    j: int,
    u: Vector,
    inverse: Vector,
    out: Vector,
    work: Work,
) -> None:
    """Write f = scale * amount / V and its derivatives."""
    u[0] = scale * np.exp(-log_v[0])
    u[1] = u[3] = -u[0]
    u[2] = u[0]
    compose(u, log_v, n, m, order, inverse)
    out[:] = 0.0
    multiply_add(amount, inverse, n, m, order, out)
    work.f[j] = out[0]
    for a in range(m):
        work.f1[j, a] = out[1 + a]
    if order > 1:
        for a in range(n):
            for b in range(m):
                work.f2[j, a, b] = out[1 + m + a * m + b]
    if order > 2:
        third = 1 + m + n * m
        for a in range(n):
            for b in range(n):
                for c in range(m):
                    work.f3[j, a, b, c] = out[third + (a * n + b) * m + c]


@allocating_kernel
def _predict(
    steps: Steps, psi: Psi, subject: int, eta: Vector, order: int, j: int, work: Work
) -> int:
    """Predict the observations of a subject from row `j` of `work` on; return the next row."""
    n = psi.effects
    m = psi.direction.shape[2] if order > 0 else 0
    size = length(n, m, order)
    has_depot = psi.typical.shape[1] > 2
    state = np.zeros((2 if has_depot else 1, size))
    out = np.zeros_like(state)
    c = np.zeros((6 if has_depot else 2, size))
    log_v = np.zeros(size)
    kappa = np.zeros(size)
    lambda_ = np.zeros(size)
    u = np.zeros(10)
    w = np.zeros(10)
    current = -1
    is_constant = psi.segment.size == 1 and psi.typical.shape[0] == steps.start.size - 1
    for s in range(steps.start[subject], steps.start[subject + 1]):
        if steps.dt[s] > 0.0:
            wanted = subject if is_constant else psi.segment[steps.row[s]]
            if wanted != current:
                current = wanted
                _parameters(psi, current, eta, n, m, order, log_v, kappa, lambda_)
            _coefficients(kappa, lambda_, steps.dt[s], has_depot, n, m, order, c, u, w)
            _propagate(state, c, steps.rate[s], steps.depot[s], has_depot, n, m, order, out)
        kind = steps.kind[s]
        if kind in (OBSERVE, STEADY):
            wanted = subject if is_constant else psi.segment[steps.at[s]]
            if wanted != current:
                current = wanted
                _parameters(psi, current, eta, n, m, order, log_v, kappa, lambda_)
            if kind == OBSERVE:
                _observe(state[0], log_v, psi.scale, n, m, order, j, u, c[0], out[0], work)
                j += 1
            else:
                regimen = steps.regimen[steps.steady[s]]
                _steady(state, kappa, lambda_, regimen, has_depot, n, m, order, c, u, w, out)
        elif kind == BOLUS:
            state[steps.compartment[s], 0] += steps.amount[s]
        elif kind == RESET:
            state[:] = 0.0
    return j


@kernel
def predict_general(
    steps: Steps, psi: Psi, low: int, high: int, eta: Vector, order: int, work: Work
) -> None:
    """Predict all observations of the subjects low ... high - 1, as `predict_range`."""
    n = psi.effects
    j = 0
    for i in range(low, high):
        j = _predict(steps, psi, i, eta[(i - low) * n : (i - low + 1) * n], order, j, work)
