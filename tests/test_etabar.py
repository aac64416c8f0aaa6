"""Means of random effects against what NONMEM printed; warned of where they are off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pkmodel as pk
import pkmodel.summary
import reference_cases
from pkmodel.diagnostics.etabar import eta_bar
from reference_cases import POINTS

TABLE = pd.read_csv(Path(__file__).parent / "reference" / "etabar.csv")
ROWS = [
    pytest.param(
        row,
        id=f"{row.point}-{row.parameter}",
        marks=pytest.mark.xdist_group(row.point),
    )
    for row in TABLE.itertuples()
]


@pytest.fixture(scope="module")
def evaluated(define: Callable, scratch: Path) -> Callable[[str], pk.Fit]:
    @cache
    def run(name: str) -> pk.Fit:
        point = next(p for p in POINTS if p.name == name)
        data = reference_cases.prepared(point.model, scratch)
        if data is None:
            pytest.skip(f"{point.model.dataset} is not at hand")
        text = reference_cases.definition_text(point.model, point.values, point.method, data)
        return pk.evaluate(define(f"etabar-{name}", text))

    return run


@pytest.mark.parametrize("row", ROWS)
def test_mean_error_and_p_value_are_those_of_nonmem(row, evaluated: Callable) -> None:
    """At NONMEM's estimates of 5 and 6 digits; tolerances twice the worst that was measured.

    Measured: mean 1.7e-5, error 2.7e-5 of itself, P 1.3e-4. With divisor n - 1 the errors would
    be off by 0.8 to 12 %, and by a law of Student the P values by 7e-4 to 0.02.
    """
    found = evaluated(row.point).to_dict()["etabar"][row.parameter]
    assert found["n"] == row.n
    assert found["mean"] == pytest.approx(row.mean, rel=0, abs=4e-5)
    assert found["se"] == pytest.approx(row.se, rel=6e-5)
    assert found["p"] == pytest.approx(row.p, rel=0, abs=3e-4)
    assert not found["differs"]


@pytest.mark.parametrize("mean", [0.0, -0.02, 0.4])
def test_p_is_that_of_a_normal_law(mean: float) -> None:
    eta = np.random.default_rng(4).normal(size=31)
    eta += mean - eta.mean()
    found = eta_bar(eta, 1.0)
    assert found.p == pytest.approx(2.0 * stats.norm.sf(abs(mean) / found.se), rel=1e-12)


def test_a_small_mean_is_not_held_against_a_fit_however_sure_it_is() -> None:
    eta = 0.09 + 1e-3 * np.random.default_rng(4).normal(size=400)
    assert eta_bar(eta, 1.0).p < 1e-10
    assert not eta_bar(eta, 1.0).differs
    assert eta_bar(eta, 0.5).differs


def test_nothing_is_said_where_no_mode_was_found_or_all_are_equal() -> None:
    assert eta_bar(np.zeros(0), 1.0).n == 0
    assert np.isnan(eta_bar(np.zeros(0), 1.0).mean)
    assert np.isnan(eta_bar(np.zeros(5), 1.0).p)


def test_an_approximation_that_does_not_hold_is_warned_of() -> None:
    """FOCE without interaction leaves remifentanil's volumes 1 SD above the typical one."""
    without, with_interaction = (
        pk.fit("remifentanil", method=method, covariance=False) for method in ("foce", "focei")
    )
    (warning,) = [w for w in without.warnings if "mean of the random effects" in w]
    assert "V +1.76 (P < 0.001)" in warning
    assert "CL" not in warning
    checks = {check.name: check for check in pkmodel.summary.checks(without.to_dict())}
    assert checks["etabar"].mark == "look"
    assert not any("mean of the random effects" in w for w in with_interaction.warnings)


@pytest.mark.parametrize(
    ("method", "cause"),
    [("nuts", "or a prior"), ("agq", "its distribution does"), ("focei", "app")],
)
def test_an_approximation_is_blamed_only_where_there_is_one(method: str, cause: str) -> None:
    """The clearance is held at twice what the data say, by a prior or fixed."""
    definition = pk.read_definition("phenobarbital")
    theta = {t.name: t for t in definition.model.theta}
    cl = replace(theta["cl"], init=0.01, fixed=method != "nuts")
    narrow = pk.Priors(theta={"cl": pk.Prior("lognormal", (0.01, 0.001))})
    model = replace(
        definition.model,
        theta=(cl, theta["v"], theta["v_apgr"]),
        priors=narrow if method == "nuts" else None,
    )
    options = pk.Options(method)
    if method == "nuts":
        options = pk.Options(method, draws=20, tune=20, chains=1)
    fit = pk.fit(replace(definition, model=model, options=options), covariance=False)
    (warning,) = [w for w in fit.warnings if "mean of the random effects" in w]
    assert cause in warning
    assert ("approximation" in warning) == (method == "focei")


def test_initial_values_are_not_judged() -> None:
    """Evaluated at a clearance of twice the estimate, no effect has mean zero."""
    definition = pk.read_definition("phenobarbital")
    doubled = tuple(
        replace(theta, init=2.0 * theta.init) if theta.name == "cl" else theta
        for theta in definition.model.theta
    )
    fit = pk.evaluate(replace(definition, model=replace(definition.model, theta=doubled)))
    assert fit.etabar["CL"].differs
    assert fit.warnings == ()
