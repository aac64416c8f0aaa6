"""What the data cannot say, a fit does not claim: few subjects, vanished errors, empty evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from simulation import INFUSION, make_design, simulate

TYPICAL, OMEGA = {"CL": 1.0, "V": 10.0}, {"CL": 0.09, "V": 0.04}


def model(*sigmas: pk.Sigma) -> pk.Model:
    return pk.Model(
        "one_compartment",
        {"CL": "cl", "V": "v"},
        (pk.Theta("cl", 1.0, lower=0.0), pk.Theta("v", 10.0, lower=0.0)),
        (pk.OmegaBlock(("CL",), ((0.1,),)), pk.OmegaBlock(("V",), ((0.1,),))),
        pk.Residual(sigmas or (pk.Sigma("proportional", 0.2),)),
    )


def data(subjects: int, design=INFUSION, lloq: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    errors = {"proportional": 0.15}
    return simulate(rng, design, TYPICAL, OMEGA, errors, subjects=subjects, lloq=lloq)


@pytest.mark.parametrize("subjects", [3, 5])
def test_no_more_subjects_than_parameters_gives_errors_from_r(subjects: int) -> None:
    table = data(subjects)
    fit = pk.fit(model(), table)
    assert fit.covariance.source == "r"
    assert any("standard errors are from R" in text for text in fit.warnings)
    by_r = pk.fit(model(), table, covariance="r")
    np.testing.assert_array_equal(fit.summary()["se"], by_r.summary()["se"])


def test_more_subjects_than_parameters_give_the_sandwich() -> None:
    assert pk.fit(model(), data(12)).covariance.source == "sandwich"


def test_an_error_that_adds_nothing_is_at_a_boundary() -> None:
    fit = pk.fit(model(pk.Sigma("additive", 0.1), pk.Sigma("proportional", 0.2)), data(40))
    sigma = fit.summary().loc["sigma additive"]
    assert sigma["estimate"] < 1e-3 * 0.15 * fit.predictions["DV"].min()
    assert sigma["note"] == "at a boundary"
    assert np.isnan(sigma["se"])
    assert np.isfinite(fit.summary().loc["sigma proportional", "se"])


def test_an_error_that_matters_somewhere_is_not() -> None:
    table = data(40)
    rng = np.random.default_rng(3)
    seen = table["EVID"] == 0
    table.loc[seen, "DV"] += 0.3 * rng.normal(size=int(seen.sum()))
    table.loc[seen, "DV"] = table.loc[seen, "DV"].clip(lower=0.05)
    fit = pk.fit(model(pk.Sigma("additive", 0.1), pk.Sigma("proportional", 0.2)), table)
    assert fit.summary().loc["sigma additive", "note"] == ""


def test_one_observation_per_subject_is_said() -> None:
    fit = pk.fit(model(), data(30, make_design([(0, 100, 2)], [6.0])))
    assert any("no subject has more than one observation" in text for text in fit.warnings)


def test_nothing_but_censored_observations_is_refused() -> None:
    table = data(10)
    seen = table["EVID"] == 0
    table.loc[seen, "CENS"] = 1
    table["CENS"] = table["CENS"].fillna(0)
    with pytest.raises(pk.FitError, match="observations are censored: nothing in the data"):
        pk.fit(model(), table)


def test_bic_counts_the_rows_that_the_likelihood_uses() -> None:
    table = data(40, lloq=1.0)
    options = pk.Options(censoring="m1")
    whole = pk.read_dataset(table)
    definition = pk.Definition(title="", model=model(), data=None, options=options)
    fit = pk.fit(definition, whole, covariance=False)
    used = fit.n_observations - fit.n_censored
    assert 0 < used < fit.n_observations
    size = fit.problem.packing.size
    assert fit.bic == pytest.approx(fit.minus2ll + size * np.log(used), abs=1e-9)


def test_progress_says_which_start_of_how_many() -> None:
    lines: list[str] = []
    pk.fit(model(), data(12), starts=2, covariance=False, progress=lines.append)
    assert any(
        text.startswith("one_compartment by focei: start 1 of 2, evaluation 1: objective")
        for text in lines
    )
    assert any(text.startswith("one_compartment by focei: start 2 of 2") for text in lines)
