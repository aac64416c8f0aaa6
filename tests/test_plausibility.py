"""A search that has run away is warned of, whatever its status; a sound fit is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from simulation import Design, make_design, simulate

OMEGA = {"CL": 0.09, "V": 0.04}
RUN_AWAY = ("far from the initial", "standard error above", "log-normal variance", "the error is")


def model(cl: float, v: float, *, fixed: bool = False) -> pk.Model:
    return pk.Model(
        "one_compartment",
        {"CL": "cl", "V": "v"},
        (pk.Theta("cl", cl, lower=0.0), pk.Theta("v", v, lower=0.0, fixed=fixed)),
        (pk.OmegaBlock(("CL",), ((0.1,),)), pk.OmegaBlock(("V",), ((0.1,),), fixed=fixed)),
        pk.Residual((pk.Sigma("proportional", 0.2),)),
    )


def data(design: Design, cl: float, v: float) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return simulate(rng, design, {"CL": cl, "V": v}, OMEGA, {"proportional": 0.15}, subjects=25)


def said(fit: pk.Fit) -> list[str]:
    return [text for text in fit.warnings if any(part in text for part in RUN_AWAY)]


def test_a_volume_that_a_plateau_cannot_tell_is_named_though_the_fit_converged() -> None:
    """Half-life 0.35 h, first sample at 12 h: every volume below the truth fits as well."""
    plateau = data(make_design([(0, 2400, 24)], [12.0, 16.0, 20.0, 24.0]), 10.0, 5.0)
    fit = pk.fit(model(1.0, 10.0), plateau)
    assert fit.converged
    (warning,) = said(fit)
    assert "relative standard error above 100 %: theta v 5" in warning
    assert "omega V" in warning
    assert "CL" not in warning
    assert said(pk.fit(model(1.0, 10.0, fixed=True), plateau)) == []


def test_a_clearance_that_three_early_samples_cannot_tell_has_no_believable_spread() -> None:
    """Half-life of 8 years, samples within 2 h; FO puts the noise into the variance of CL."""
    early = data(make_design([(0, 100, 0)], [0.5, 1.0, 2.0]), 1e-4, 10.0)
    blocks = (pk.OmegaBlock(("CL", "V"), ((0.1, 0.01), (0.01, 0.1))),)
    fit = pk.fit(replace(model(1.0, 10.0), omega=blocks), early, method="fo")
    assert fit.converged
    assert any("log-normal variance above 4" in w and "omega CL = 17.2" in w for w in said(fit))


def test_a_search_that_has_run_away_says_so_in_every_way() -> None:
    """Proportional error alone cannot describe propofol's late samples."""
    definition = pk.read_definition("propofol_children")
    residual = pk.Residual((pk.Sigma("proportional", 0.3),))
    alone = replace(definition, model=replace(definition.model, residual=residual))
    fit = pk.fit(alone, method="fo", starts=1)
    far, vague, wide, noisy = said(fit)
    assert "typical CL = " in far
    assert "theta cl" in vague
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
