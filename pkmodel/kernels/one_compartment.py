"""One compartment, intravenous, parameters constant in time and log-normal: the fast path.

The amount depends on the parameters only through kappa = log k = log CL - log V, so its exact
derivatives are those of one variable; f = amount / V adds the rest.
"""

from __future__ import annotations

import numpy as np

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.events import BOLUS, OBSERVE, RESET, STEADY, Steps
from pkmodel.kernels.subject import Psi, Work
from pkmodel.kernels.transition import (
    accumulation,
    elimination_slopes,
    elimination_values,
    transitions,
)
from pkmodel.kernels.types import Eight, Four, Vector


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
def _logarithms(psi: Psi, subject: int, eta: Vector, at: int) -> tuple[float, float]:
    """Logarithms of CL and V of a subject whose effects begin at a place of `eta`."""
    cl, v, n = psi.order[0], psi.order[1], psi.effects
    log_cl, log_v = psi.typical[subject, 0], psi.typical[subject, 1]
    if cl < n:
        log_cl += eta[at + cl]
    if v < n:
        log_v += eta[at + v]
    return log_cl, log_v


@kernel
def predict_plain(
    steps: Steps, psi: Psi, low: int, high: int, eta: Vector, order: int, work: Work
) -> None:
    """Predict all observations of the subjects low ... high - 1, as `predict_range`.

    With f = scale * A(kappa) / V, the direction of log CL moves kappa, that of log V moves
    kappa back and 1 / V. Arrays are taken out of their records once: each access would count
    references. What decays over the intervals is worked out for all of them together.
    """
    cl, v, n, scale = psi.order[0], psi.order[1], psi.effects, psi.scale
    start, kinds, durations = steps.start, steps.kind, steps.dt
    inputs, amounts, regimens = steps.rate, steps.amount, steps.regimen
    steady = steps.steady
    f, first, second, third = work.f, work.f1, work.f2, work.f3
    begin, end = start[low], start[high]
    times, decay = work.time[: end - begin], work.decay
    for i in range(low, high):
        log_cl, log_v = _logarithms(psi, i, eta, (i - low) * n)
        rate = np.exp(log_cl - log_v)
        for s in range(start[i], start[i + 1]):
            times[s - begin] = rate * durations[s]
    transitions(times, inputs[begin:end], durations[begin:end], decay)
    j = 0
    for i in range(low, high):
        log_cl, log_v = _logarithms(psi, i, eta, (i - low) * n)
        factor = scale * np.exp(-log_v)
        a = (0.0, 0.0, 0.0, 0.0)
        for s in range(start[i], start[i + 1]):
            at = s - begin
            e, ye, gain, slope = decay[0, at], decay[1, at], decay[2, at], decay[3, at]
            if order > 1:
                given = inputs[s] * durations[s]
                a = _advance(a, elimination_values(times[at], given, (e, ye, gain, slope)))
            else:
                a = (e * a[0] + gain, e * a[1] + (slope - ye * a[0]), 0.0, 0.0)
            kind = kinds[s]
            if kind == OBSERVE:
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
            elif kind == BOLUS:
                a = (a[0] + amounts[s], a[1], a[2], a[3])
            elif kind == RESET:
                a = (0.0, 0.0, 0.0, 0.0)
            elif kind == STEADY:
                a = _steady(a, np.exp(log_cl - log_v), regimens[steady[s]])
