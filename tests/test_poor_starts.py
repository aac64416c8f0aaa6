"""Starting values ten times off must not matter: the published minimum is reached all the same.

Oral cases have a second optimum with absorption and elimination exchanged (flip-flop), for
theophylline even a lower one; there a fit must find the better one, and say what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
import reference_cases
from pkmodel.models.model import Model, OmegaBlock, Residual, Sigma, Theta
from reference_cases import FITS, Fitted, Values
from simulation import BOLUS, ORAL, simulate

FACTORS = [(10.0, 10.0), (0.1, 0.1), (10.0, 0.1), (0.1, 10.0)]
CLEARANCES, VOLUMES = ("cl", "lcl", "t1"), ("v", "lv", "t2")


def moved(case: Fitted, clearance: float, volume: float) -> Values:
    """Multiply the starting values of clearance and volume."""
    theta = dict(case.start.theta)
    is_log = case.model.parameters["CL"].startswith("exp(")
    for names, factor in ((CLEARANCES, clearance), (VOLUMES, volume)):
        name = next(n for n in theta if n in names)
        theta[name] = theta[name] + log(factor) if is_log else theta[name] * factor
    return Values(theta, case.start.omega, case.start.residual)


CASES = [
    pytest.param(case, *factors, id=f"{case.name}-{factors[0]:g}-{factors[1]:g}")
    for case in FITS
    for factors in FACTORS
    if "KA" not in case.model.parameters
]


@pytest.mark.parametrize(("case", "clearance", "volume"), CASES)
def test_published_minimum_from_ten_times_off(
    case: Fitted, clearance: float, volume: float, define: Callable, scratch: Path
) -> None:
    data = reference_cases.prepared(case.model, scratch)
    if data is None:
        pytest.skip(f"{case.model.dataset} is not at hand")
    values = moved(case, clearance, volume)
    text = reference_cases.definition_text(case.model, values, case.method, data)
    definition = define(f"poor-{case.name}-{clearance}-{volume}", text)
    fit = pk.fit(definition, covariance=False)
    assert fit.converged, fit.advice
    assert case.expected - case.tolerance <= fit.objective <= case.expected + 1e-3


def test_phenobarbital_from_where_others_end_far_away(define: Callable) -> None:
    """Additive error, correlated effects, variances of 1 and a residual deviation of 0.1."""
    path = reference_cases.data_file("phenobarbital")
    assert path is not None
    start = Values({"cl": 0.008, "v": 0.6}, {"CL": 1.0, "V": 1.0, "CL,V": 0.0}, {"additive": 0.1})
    text = reference_cases.definition_text(reference_cases.PHENO_BLOCK, start, "laplace", path)
    fit = pk.fit(define("poor-phenobarbital-additive", text))
    assert fit.converged, fit.advice
    assert fit.objective == pytest.approx(688.6, abs=0.05)  # TMB, Laplace, to the digits known


# -- virtual data -----------------------------------------------------------------------------

OMEGA = {"CL": 0.09, "V": 0.04}


def oral_data(ka: float) -> pd.DataFrame:
    """Virtual subjects with CL = 1, V = 10 and KA."""
    typical = {"CL": 1.0, "V": 10.0, "KA": ka}
    rng = np.random.default_rng(4)
    return simulate(rng, ORAL, typical, OMEGA, {"proportional": 0.1}, subjects=30)


def oral_model(cl: float, v: float, ka: float, sigma: float = 0.1) -> Model:
    return Model(
        "one_compartment_oral",
        {"CL": "cl", "V": "v", "KA": "ka"},
        (Theta("cl", cl, 0.0), Theta("v", v, 0.0), Theta("ka", ka, 0.0)),
        tuple(OmegaBlock((p,), ((value,),)) for p, value in OMEGA.items()),
        Residual((Sigma("proportional", sigma),)),
    )


@pytest.mark.parametrize("off", [(0.1, 0.1, 0.1, 0.1), (10, 0.1, 0.1, 0.1), (10, 0.1, 10, 10)])
def test_oral_start_in_the_other_optimum(off: tuple[float, ...]) -> None:
    """Without the exchange the first two end 240 higher, the third has no slope to go by."""
    data = pk.read_dataset(oral_data(0.8), structure="one_compartment_oral")
    truth = pk.fit(oral_model(1.0, 10.0, 0.8), data, covariance=False)
    cl, v, ka, sigma = off
    fit = pk.fit(oral_model(cl, 10.0 * v, 0.8 * ka, 0.1 * sigma), data, covariance=False)
    assert fit.converged
    assert fit.objective == pytest.approx(truth.objective, abs=1e-3)
    assert not any("flip-flop" in w for w in fit.warnings)


def test_true_flip_flop_is_kept_and_said() -> None:
    fit = pk.fit(oral_model(1.0, 10.0, 0.03), oral_data(0.03))
    assert fit.converged
    assert fit.summary().loc["theta ka", "estimate"] == pytest.approx(0.03, rel=0.1)
    assert any(w.startswith("flip-flop: KA is below CL / V in 30 of 30") for w in fit.warnings)


def bolus_model(parameters: dict[str, str], thetas: tuple[Theta, ...]) -> Model:
    block = OmegaBlock(("CL", "V"), ((0.09, 0.01), (0.01, 0.04)))
    residual = Residual((Sigma("proportional", 0.15),))
    return Model("one_compartment", parameters, thetas, (block,), residual)


def bolus_data(omega: dict[str, float]) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    typical = {"CL": 1.0, "V": 10.0}
    return simulate(rng, BOLUS, typical, omega, {"proportional": 0.15}, subjects=40)


def test_first_effect_of_a_block_vanishes() -> None:
    """With it its covariance: that V's spread could be told in two ways is no flat direction."""
    model = bolus_model({"CL": "cl", "V": "v"}, (Theta("cl", 1.0, 0.0), Theta("v", 10.0, 0.0)))
    fit = pk.fit(model, bolus_data({"V": 0.04}))
    assert fit.converged, fit.warnings
    assert fit.covariance is not None
    assert {"omega CL", "omega CL,V"} <= set(fit.covariance.boundary)


def test_flat_direction_beside_a_boundary_is_not_converged() -> None:
    thetas = (Theta("cl", 1.0, 0.0), Theta("a", 1.0, 0.0), Theta("v", 10.0, 0.0))
    fit = pk.fit(bolus_model({"CL": "cl * a", "V": "v"}, thetas), bolus_data({"V": 0.04}))
    assert fit.covariance is not None
    assert fit.covariance.boundary
    assert fit.status == "not determined"
