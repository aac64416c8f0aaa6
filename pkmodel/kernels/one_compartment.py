"""One compartment, intravenous, parameters constant in time and log-normal: the fast path.

The amount depends on the parameters only through kappa = log k = log CL - log V, so its exact
derivatives are those of one variable; f = amount / V adds the rest.
"""

from __future__ import annotations

import numpy as np

from pkmodel._jit import allocating_kernel, arithmetic_kernel, kernel
from pkmodel.kernels.events import BOLUS, OBSERVE, RESET, STEADY, Steps
from pkmodel.kernels.subject import Psi, Work
from pkmodel.kernels.transition import (
    accumulation,
    elimination_slopes,
    elimination_values,
    transitions,
)
from pkmodel.kernels.types import Eight, Four, Two, Vector


@kernel
def _propagate(a: Four, rate: float, dt: float, input_: float) -> Four:
    """Advance the amount and its kappa derivatives over an interval of constant input."""
    y, given = rate * dt, input_ * dt
    return _advance(a, elimination_values(y, given, elimination_slopes(y, given)))


@kernel
def _advance(a: Four, coefficients: Eight) -> Four:
    """Advance the amount and its kappa derivatives by the coefficients of an interval."""
    a0, a1, a2, a3 = a
    e0, e1, e2, e3, p0, p1, p2, p3 = coefficients
    return (
        e0 * a0 + p0,
        e0 * a1 + e1 * a0 + p1,
        e0 * a2 + 2.0 * e1 * a1 + e2 * a0 + p2,
        e0 * a3 + 3.0 * (e1 * a2 + e2 * a1) + e3 * a0 + p3,
    )


@arithmetic_kernel
def advance_once(a0: float, a1: float, slopes: Four) -> Two:
    """Advance the amount and its first kappa derivative by `elimination_slopes`."""
    e, ye, gain, by_gain = slopes
    return e * a0 + gain, e * a1 + (by_gain - ye * a0)


@allocating_kernel
def _steady(before: Four, rate: float, regimen: Vector) -> Four:
    """Return the amount at the steady state of a regimen, just before its next dose."""
    if regimen[7] > 0.5:
        level = regimen[2] / rate
        a0, a1, a2, a3 = level, -level, level, -level
    else:
        first = _propagate((regimen[4], 0.0, 0.0, 0.0), rate, regimen[1], regimen[2])
        b0, b1, b2, b3 = _propagate(first, rate, regimen[0] - regimen[1], regimen[3])
        s = np.empty(4)
        accumulation(rate, regimen[0], s)
        a0 = s[0] * b0
        a1 = s[0] * b1 + s[1] * b0
        a2 = s[0] * b2 + 2.0 * s[1] * b1 + s[2] * b0
        a3 = s[0] * b3 + 3.0 * (s[1] * b2 + s[2] * b1) + s[3] * b0
    if regimen[6] > 0.5:
        return a0 + before[0], a1 + before[1], a2 + before[2], a3 + before[3]
    return a0, a1, a2, a3


@kernel
def logarithms(psi: Psi, subject: int, eta: Vector, at: int) -> Two:
    """Logarithms of CL and V of a subject whose effects begin at a place of `eta`."""
    cl, v, n = psi.order[0], psi.order[1], psi.effects
    log_cl, log_v = psi.typical[subject, 0], psi.typical[subject, 1]
    if cl < n:
        log_cl += eta[at + cl]
    if v < n:
        log_v += eta[at + v]
    return log_cl, log_v


@kernel
def after_event(a: Four, steps: Steps, s: int, rate: float) -> Four:
    """Return the amount and its kappa derivatives after the event that ends a step."""
    kind = steps.kind[s]
    if kind == BOLUS:
        return a[0] + steps.amount[s], a[1], a[2], a[3]
    if kind == RESET:
        return 0.0, 0.0, 0.0, 0.0
    if kind == STEADY:
        return _steady(a, rate, steps.regimen[steps.steady[s]])
    return a


@kernel
def _predict(
    steps: Steps, psi: Psi, subject: int, eta: Vector, order: int, j: int, work: Work
) -> int:
    """Predict the observations of a subject from row `j` on; return the row after the last.

    With f = scale * A(kappa) / V, the direction of log CL moves kappa, that of log V moves
    kappa back and 1 / V. What decays over the intervals is worked out for all of them together.
    """
    cl, v, n = psi.order[0], psi.order[1], psi.effects
    f, first, second, third = work.f, work.f1, work.f2, work.f3
    begin, end = steps.start[subject], steps.start[subject + 1]
    durations, inputs, kinds = steps.dt[begin:end], steps.rate[begin:end], steps.kind[begin:end]
    times, decay = work.time[: end - begin], work.decay
    log_cl, log_v = logarithms(psi, subject, eta, 0)
    rate, factor = np.exp(log_cl - log_v), psi.scale * np.exp(-log_v)
    for s in range(times.size):
        times[s] = rate * durations[s]
    transitions(times, inputs, durations, decay)
    a = (0.0, 0.0, 0.0, 0.0)
    for s in range(times.size):
        slopes = (decay[0, s], decay[1, s], decay[2, s], decay[3, s])
        if order > 1:
            given = inputs[s] * durations[s]
            a = _advance(a, elimination_values(times[s], given, slopes))
        else:
            a0, a1 = advance_once(a[0], a[1], slopes)
            a = (a0, a1, 0.0, 0.0)
        if kinds[s] != OBSERVE:
            a = after_event(a, steps, begin + s, rate)
            continue
        f0, f1 = factor * a[0], factor * a[1]
        f[j] = f0
        first[j, cl] = f1
        first[j, v] = -(f1 + f0)
        if order > 1:
            f2, f3 = factor * a[2], factor * a[3]
            if cl < n:
                second[j, cl, cl] = f2
                second[j, cl, v] = -(f2 + f1)
            if v < n:
                second[j, v, cl] = -(f2 + f1)
                second[j, v, v] = f2 + 2.0 * f1 + f0
        if order > 2:
            if cl < n:
                third[j, cl, cl, cl] = f3
                third[j, cl, cl, v] = -(f3 + f2)
            if v < n:
                third[j, v, v, cl] = f3 + 2.0 * f2 + f1
                third[j, v, v, v] = -(f3 + 3.0 * (f2 + f1) + f0)
            if cl < n and v < n:
                third[j, cl, v, cl] = third[j, v, cl, cl] = -(f3 + f2)
                third[j, cl, v, v] = third[j, v, cl, v] = f3 + 2.0 * f2 + f1
        j += 1
    return j


@kernel
def predict_plain(
    steps: Steps, psi: Psi, low: int, high: int, eta: Vector, order: int, work: Work
) -> None:
    """Predict all observations of the subjects low ... high - 1, as `predict_range`."""
    n = psi.effects
    j = 0
    for i in range(low, high):
        j = _predict(steps, psi, i, eta[(i - low) * n : (i - low + 1) * n], order, j, work)
