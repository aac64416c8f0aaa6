"""A search that has run away is warned of, whatever its status; a sound fit is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from pkmodel.diagnostics.parameters import parameters
from pkmodel.diagnostics.plausibility import implausible_estimates
from simulation import Design, make_design, simulate

OMEGA = {"CL": 0.09, "V": 0.04}
RUN_AWAY = ("far from the initial", "standard error above", "log-normal variance", "the error is")


def model(cl: float, v: float) -> pk.Model:
    return pk.Model(
        "one_compartment",
        {"CL": "cl", "V": "v"},
        (pk.Theta("cl", cl, lower=0.0), pk.Theta("v", v, lower=0.0)),
        (pk.OmegaBlock(("CL",), ((0.1,),)), pk.OmegaBlock(("V",), ((0.1,),))),
        pk.Residual((pk.Sigma("proportional", 0.2),)),
    )


def data(design: Design, cl: float, v: float) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return simulate(rng, design, {"CL": cl, "V": v}, OMEGA, {"proportional": 0.15}, subjects=25)


def said(fit: pk.Fit) -> list[str]:
    return [text for text in fit.warnings if any(part in text for part in RUN_AWAY)]


@pytest.fixture(scope="module")
def early() -> pd.DataFrame:
    """Half-life of 8 years, samples within 2 h."""
    return data(make_design([(0, 100, 0)], [0.5, 1.0, 2.0]), 1e-4, 10.0)


def test_a_clearance_that_early_samples_cannot_tell_is_named_though_the_fit_converged(
    early: pd.DataFrame,
) -> None:
    fit = pk.fit(model(1.0, 10.0), early)
    assert fit.converged
    (warning,) = said(fit)
    rse = fit.summary().loc["theta cl", "rse"]
    assert rse > 100.0
    assert f"relative standard error above 100 %: theta cl {rse:.0f} %; the data" in warning
    assert "V" not in warning


def test_a_variance_that_no_people_have_is_named_though_the_fit_converged(
    early: pd.DataFrame,
) -> None:
    """FO puts what the data cannot tell of the clearance into its variance."""
    blocks = (pk.OmegaBlock(("CL", "V"), ((0.1, 0.01), (0.01, 0.1))),)
    fit = pk.fit(replace(model(1.0, 10.0), omega=blocks), early, method="fo")
    assert fit.converged
    assert any("log-normal variance above 4" in w and "omega CL = 17.2" in w for w in said(fit))


def test_what_is_fixed_is_not_judged(early: pd.DataFrame) -> None:
    fixed = replace(
        model(1.0, 10.0),
        theta=(pk.Theta("cl", 1e-4, lower=0.0, fixed=True), pk.Theta("v", 10.0, lower=0.0)),
        omega=(pk.OmegaBlock(("CL",), ((5.0,),), fixed=True), pk.OmegaBlock(("V",), ((0.1,),))),
    )
    assert said(pk.fit(fixed, early)) == []


def test_estimates_that_have_run_away_are_said_to_in_every_way() -> None:
    """As if a search had ended e^20 away from where it ends, with standard errors as wide."""
    fit = pk.fit(model(1.0, 10.0), data(make_design([(0, 100, 0)], [1.0, 4.0, 8.0]), 1.0, 10.0))
    assert said(fit) == []
    assert fit.covariance is not None
    x = fit.estimate.x + 20.0
    vague = replace(fit.covariance, natural=1e20 * fit.covariance.natural)
    found = parameters(fit.problem, x, vague)
    far, uncertain, wide, noisy = implausible_estimates(fit.problem, x, found)
    assert "typical CL = " in far
    assert "theta cl" in uncertain
    assert "omega CL = " in wide
    assert "sigma proportional = " in noisy


def test_an_effect_of_a_covariate_may_be_near_zero() -> None:
    """A theta without a lower bound of zero has no relative error to speak of."""
    table = data(make_design([(0, 100, 0)], [1.0, 4.0, 8.0, 24.0]), 1.0, 10.0)
    table["X"] = (table["ID"] % 4 == 0).astype(float)
    covariate = replace(
        model(1.0, 10.0),
        parameters={"CL": "cl * exp(effect * X)", "V": "v"},
        theta=(*model(1.0, 10.0).theta, pk.Theta("effect", 0.5)),
    )
    fit = pk.fit(covariate, table)
    assert fit.summary().loc["theta effect", "rse"] > 100.0
    assert said(fit) == []


@pytest.mark.parametrize("name", ["phenobarbital", "theophylline", "remifentanil", "blinatumomab"])
def test_shipped_fits_are_plausible(name: str) -> None:
    assert said(pk.fit(name)) == []


def test_the_start_may_be_any_where_the_units_are_right() -> None:
    """A thousand times too large a start is no fault of the estimates."""
    table = data(make_design([(0, 100, 0)], [1.0, 4.0, 8.0, 24.0]), 1.0, 10.0)
    fit = pk.fit(model(1e3, 1e4), table)
    assert fit.converged
    assert said(fit) == []
    (far,) = said(pk.fit(model(1e5, 1e6), table))
    assert far.startswith("far from the initial values: typical CL = 0.92")
    assert ", V = 9.4" in far


@pytest.mark.parametrize(
    ("factor", "side"), [(1e-3, "above"), (1.0, None), (3.0, None), (1e3, "below")]
)
def test_predictions_in_another_unit_than_the_observations_are_warned_of(factor, side):
    """By the initial values, before a fit and after it."""
    table = data(make_design([(0, 100, 0)], [0.5, 2.0, 8.0]), 1.0, 10.0)
    table["DV"] *= factor
    for fit in (pk.evaluate(model(1.0, 10.0), table), pk.fit(model(1.0, 10.0), table)):
        found = [text for text in fit.warnings if text.startswith("typical predictions")]
        assert len(found) == (side is not None)
        assert all(f"are {side} the observations by more than a factor of 10" in t for t in found)
