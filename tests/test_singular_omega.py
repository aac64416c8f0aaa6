"""An Omega on its way to singular is the model with fewer effects, to all digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from pkmodel.models.model import Model, OmegaBlock, Options, Residual, Sigma, Theta
from pkmodel.problem import Problem

METHODS = ("fo", "foce", "focei", "laplace")
DOSE, CL, V, B = 100.0, 1.0, 10.0, 0.15
L11, L21 = 0.3, 0.2
TIMES = (0.5, 2.0, 6.0, 12.0, 24.0)
DV = ((12.1, 9.0, 6.2, 3.9, 1.4), (7.5, 6.9, 5.4, 3.1, 0.9), (9.2, 7.0, 4.1, 1.7, 0.35))


def problem(method: str) -> Problem:
    """One bolus, three subjects, effects on CL and V in one block."""
    rows = []
    for subject, values in enumerate(DV, 1):
        rows.append((subject, 0.0, DOSE, np.nan, 1))
        rows += [(subject, t, 0.0, y, 0) for t, y in zip(TIMES, values, strict=True)]
    table = pd.DataFrame(rows, columns=["ID", "TIME", "AMT", "DV", "EVID"])
    model = Model(
        "one_compartment",
        {"CL": "cl", "V": "v"},
        (Theta("cl", CL, 0.0), Theta("v", V, 0.0)),
        (OmegaBlock(("CL", "V"), ((0.09, 0.06), (0.06, 0.08))),),
        Residual((Sigma("proportional", B),)),
    )
    return Problem(model, pk.read_dataset(table), Options(method=method))


def at(log_rest: float) -> np.ndarray:
    """Pack the parameters with a share of V's effect, free of CL's, of exp(log_rest)."""
    return np.array([np.log(CL), np.log(V), np.log(L11), L21, log_rest, np.log(B)])


def one_effect(method: str) -> float:
    """Objective of the model in which one effect u moves CL by L11 u and V by L21 u, in mpmath."""
    with mpmath.workdps(40):
        return float(mpmath.fsum(_one_subject(method, values) for values in DV))


def _one_subject(method: str, values: tuple[float, ...]) -> mpmath.mpf:
    number = mpmath.mpf
    is_frozen = method in ("fo", "foce")

    def f(u: mpmath.mpf, t: float) -> mpmath.mpf:
        cl, v = CL * mpmath.exp(number(L11) * u), V * mpmath.exp(number(L21) * u)
        return DOSE / v * mpmath.exp(-cl / v * t)

    def variance(u: mpmath.mpf, t: float) -> mpmath.mpf:
        return (number(B) * f(number(0) if is_frozen else u, t)) ** 2

    def slope(u: mpmath.mpf, t: float) -> mpmath.mpf:
        k = CL / number(V) * mpmath.exp((number(L11) - number(L21)) * u)
        return f(u, t) * (-number(L21) - k * t * (number(L11) - number(L21)))

    def half(u: mpmath.mpf) -> mpmath.mpf:
        total = u * u
        for t, y in zip(TIMES, values, strict=True):
            r = variance(u, t)
            prediction = f(number(0), t) + slope(number(0), t) * u if method == "fo" else f(u, t)
            total += (y - prediction) ** 2 / r + mpmath.log(r)
        return total / 2

    mode = mpmath.findroot(lambda u: mpmath.diff(half, u), 0)
    if method in ("laplace", "fo"):
        curvature = mpmath.diff(half, mode, 2)
    else:
        doubled = 0 if is_frozen else 2
        weights = [slope(mode, t) ** 2 / variance(mode, t) for t in TIMES]
        relative = [(slope(mode, t) / f(mode, t)) ** 2 * doubled for t in TIMES]
        curvature = 1 + mpmath.fsum(weights) + mpmath.fsum(relative)
    return 2 * half(mode) + mpmath.log(curvature)


@pytest.mark.parametrize("log_rest", [-20.0, -30.0])
@pytest.mark.parametrize("method", METHODS)
def test_objective_is_that_of_one_effect(method: str, log_rest: float) -> None:
    evaluation = problem(method).evaluate(at(log_rest))
    assert (evaluation.terms.status == 0).all()
    # measured 1.3e-13 at most, which is rounding; exp(-2 * 20) is below it
    assert evaluation.objective == pytest.approx(one_effect(method), abs=3e-12)


@pytest.mark.parametrize("log_rest", [-1.0, -8.0, -20.0])
@pytest.mark.parametrize("method", METHODS)
def test_gradient_is_that_of_central_differences(method: str, log_rest: float) -> None:
    study, x = problem(method), at(log_rest)
    found = study.evaluate(x).gradient
    width = 1e-4
    for k in range(x.size):
        step = width * np.eye(x.size)[k]
        far_low, low, high, far_high = (
            study.evaluate(x + share * step).objective for share in (-2, -1, 1, 2)
        )
        difference = (8.0 * (high - low) - (far_high - far_low)) / (12.0 * width)
        assert found[k] == pytest.approx(difference, abs=5e-9)  # measured 4e-10: rounding / width


@pytest.mark.parametrize("method", METHODS)
def test_warm_modes_of_another_omega_lead_to_the_same_modes(method: str) -> None:
    """Effects that the singular Omega does not allow are taken back to what it allows."""
    study = problem(method)
    elsewhere = np.array([[0.5, -0.5], [-1.0, 1.0], [0.0, 2.0]])
    cold, warm = study.evaluate(at(-30.0)), study.evaluate(at(-30.0), elsewhere)
    assert (warm.terms.status == 0).all()
    assert warm.objective == pytest.approx(cold.objective, abs=1e-9)
