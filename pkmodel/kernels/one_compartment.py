"""One compartment, intravenous, parameters constant in time and log-normal: the fast path.

The amount depends on the parameters only through kappa = log k = log CL - log V, so its exact
derivatives are those of one variable; f = amount / V adds the rest.
"""

from __future__ import annotations

import numpy as np

from pkmodel._jit import kernel
from pkmodel.kernels.events import BOLUS, OBSERVE, RESET, STEADY
from pkmodel.kernels.transition import accumulation, elimination


@kernel
def _propagate(a, rate, dt, input_, decay, response):
    """Advance the amount and its kappa derivatives over an interval of constant input."""
    if dt <= 0.0:
        return
    elimination(rate, dt, decay, response)
    a0, a1, a2, a3 = a[0], a[1], a[2], a[3]
    a[0] = decay[0] * a0 + input_ * response[0]
    a[1] = decay[0] * a1 + decay[1] * a0 + input_ * response[1]
    a[2] = decay[0] * a2 + 2.0 * decay[1] * a1 + decay[2] * a0 + input_ * response[2]
    a[3] = (
        decay[0] * a3
        + 3.0 * (decay[1] * a2 + decay[2] * a1)
        + decay[3] * a0
        + input_ * response[3]
    )


@kernel
def _steady(a, rate, regimen, decay, response):
    """Set the amount to the steady state of a regimen, just before its next dose."""
    before = (a[0], a[1], a[2], a[3])
    if regimen[7] > 0.5:
        level = regimen[2] / rate
        sign = 1.0
        for d in range(4):
            a[d] = sign * level
            sign = -sign
    else:
        a[0] = regimen[4]
        a[1] = a[2] = a[3] = 0.0
        _propagate(a, rate, regimen[1], regimen[2], decay, response)
        _propagate(a, rate, regimen[0] - regimen[1], regimen[3], decay, response)
        accumulation(rate, regimen[0], decay)
        a0, a1, a2, a3 = a[0], a[1], a[2], a[3]
        a[0] = decay[0] * a0
        a[1] = decay[0] * a1 + decay[1] * a0
        a[2] = decay[0] * a2 + 2.0 * decay[1] * a1 + decay[2] * a0
        a[3] = decay[0] * a3 + 3.0 * (decay[1] * a2 + decay[2] * a1) + decay[3] * a0
    if regimen[6] > 0.5:
        for d in range(4):
            a[d] += before[d]


@kernel
def _observe(a, factor, order, n, j, cl, v, work):
    """Write f and its derivatives in log CL (direction `cl`) and log V (direction `v`)."""
    f0 = factor * a[0]
    f1 = factor * a[1]
    f2 = factor * a[2]
    work.f[j] = f0
    work.f1[j, cl] = f1
    work.f1[j, v] = -(f1 + f0)
    cv = -(f2 + f1)
    vv = f2 + 2.0 * f1 + f0
    if cl < n:
        work.f2[j, cl, cl] = f2
        work.f2[j, cl, v] = cv
    if v < n:
        work.f2[j, v, cl] = cv
        work.f2[j, v, v] = vv
    if order < 3:
        return
    f3 = factor * a[3]
    ccv = -(f3 + f2)
    cvv = f3 + 2.0 * f2 + f1
    vvv = -(f3 + 3.0 * (f2 + f1) + f0)
    if cl < n:
        work.f3[j, cl, cl, cl] = f3
        work.f3[j, cl, cl, v] = ccv
    if v < n:
        work.f3[j, v, v, cl] = cvv
        work.f3[j, v, v, v] = vvv
    if cl < n and v < n:
        work.f3[j, cl, v, cl] = work.f3[j, v, cl, cl] = ccv
        work.f3[j, cl, v, v] = work.f3[j, v, cl, v] = cvv


@kernel
def predict_plain(steps, psi, subject, eta, order, work):
    """Predict all observations of a subject, with derivatives of the given order."""
    log_cl = psi.typical[subject, 0]
    log_v = psi.typical[subject, 1]
    cl = psi.order[0]
    v = psi.order[1]
    if cl < psi.effects:
        log_cl += eta[cl]
    if v < psi.effects:
        log_v += eta[v]
    rate = np.exp(log_cl - log_v)
    factor = psi.scale * np.exp(-log_v)
    a = np.zeros(4)
    decay = np.zeros(4)
    response = np.zeros(4)
    j = 0
    for s in range(steps.start[subject], steps.start[subject + 1]):
        _propagate(a, rate, steps.dt[s], steps.rate[s], decay, response)
        kind = steps.kind[s]
        if kind == OBSERVE:
            _observe(a, factor, order, psi.effects, j, cl, v, work)
            j += 1
        elif kind == BOLUS:
            a[0] += steps.amount[s]
        elif kind == RESET:
            a[:] = 0.0
        elif kind == STEADY:
            _steady(a, rate, steps.regimen[steps.steady[s]], decay, response)
