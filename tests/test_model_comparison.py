"""Fits on one likelihood: its value, the criteria, subjects left out, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from pkmodel.draws.by_subject import subject_log_likelihood
from pkmodel.estimate.judge import exact_likelihood
from pkmodel.estimate.orders import SETTLED
from pkmodel.model_comparison.judgement import judged, parameters_by_subject
from pkmodel.model_comparison.left_out_subjects import leave_out_each
from pkmodel.model_comparison.testing import likelihood_ratios
from pkmodel.number import number
from pkmodel.problem import Problem
from simulation import make_design, simulate

GIVEN = pk.read_definition("phenobarbital")


def _fit(title: str, method: str = "focei", **changes: object) -> pk.Fit:
    model = replace(GIVEN.model, **changes)
    return pk.fit(replace(GIVEN, title=title, model=model), method=method, covariance=False)


WITHOUT_APGAR = {
    "parameters": {"CL": "cl * WT", "V": "v * WT"},
    "theta": GIVEN.model.theta[:2],
}


@pytest.fixture(scope="module")
def fits() -> dict[str, pk.Fit]:
    return {
        "FOCE-I": _fit("Apgar"),
        "FO": _fit("Apgar", method="fo"),
        "without Apgar": _fit("none", **WITHOUT_APGAR),
        "without omega V": _fit("none", omega=GIVEN.model.omega[:1]),
        "quadrature": _fit("Apgar", method="agq"),
        "log error": _fit("log", residual=pk.Residual((pk.Sigma("lognormal", 0.2),))),
    }


@pytest.fixture(scope="module")
def found(fits) -> pk.ModelComparison:
    return pk.compare(fits)


# -- the exact likelihood -----------------------------------------------------------------------


def test_the_error_of_quadrature_is_that_of_the_certificate(fits, found):
    """In the table, in its text, and in the difference of two fits."""
    error = fits["FOCE-I"].certify().comparison.error
    assert 0.0 < error < SETTLED
    row = found.table.loc["FOCE-I"]
    assert row["error"] == pytest.approx(error, rel=1e-3)
    assert f"{row['exact']:.3f} ± {number(row['error'])}" in str(found)
    other = found.table.loc["FO"]
    assert other["difference_error"] >= other["error"] > 0.0


@pytest.mark.parametrize("name", ["FO", "log error"])
def test_the_exact_objective_is_the_integral(fits, found, name):
    """Against a sum over a grid of 161 x 161 points from -7 to 7 SD of each effect.

    The grid's own error is far below 1e-6 (the sum over a regular grid of a smooth function that
    vanishes at both ends); the quadrature stops where the next order moves it by less than 1e-3,
    of which there may be a few.
    """
    problem = fits[name].problem.with_method("laplace")
    x = fits[name].estimate.x
    side = np.linspace(-7.0, 7.0, 161)
    u = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    total = 0.0
    for part in np.array_split(u, 8):
        value = problem.joint(x, np.tile(part, (problem.n_subjects, 1, 1)))
        total = total + np.sum(np.exp(-value), axis=1)
    area = (side[1] - side[0]) ** 2 / (2.0 * np.pi)
    objective = float(np.sum(-2.0 * np.log(total * area) + problem.own_scale))
    assert found.table.loc[name, "exact"] == pytest.approx(objective, abs=3e-3)


def test_the_column_above_minimum_is_what_minimising_gains(found):
    """FOCE-I's estimates against those of the exact likelihood; second order, 2 % here."""
    table = found.table
    gained = table.loc["FOCE-I", "exact"] - table.loc["quadrature", "exact"]
    assert table.loc["FOCE-I", "above_minimum"] == pytest.approx(gained, abs=0.02)
    assert table.loc["quadrature", "above_minimum"] < 0.01
    assert table["difference"].idxmin() == "quadrature"


def test_few_effects_are_judged_by_quadrature(fits):
    """Importance sampling gives the same within 4 of its errors."""
    problem = fits["FOCE-I"].problem
    x, modes = fits["FOCE-I"].estimate.x, fits["FOCE-I"].estimate.final.terms.eta
    quadrature = exact_likelihood(problem, x, modes)
    drawn = problem.with_method("imp").evaluate(x, modes)
    assert str(quadrature) == "adaptive quadrature of orders 11 to 15"
    assert quadrature.is_settled
    assert drawn.objective == pytest.approx(quadrature.evaluation.objective, abs=4.0 * drawn.error)


def test_many_effects_are_judged_by_importance_sampling_with_its_error():
    """Two effects between subjects and two occasions: the test says what its error does to p."""
    design = make_design([(0.0, 100.0, 1.0)], [1.5, 4.0, 9.0], occasions=2)
    data = simulate(
        np.random.default_rng(3),
        design,
        {"CL": 5.0, "V": 30.0},
        {"CL": 0.09, "V": 0.04},
        {"proportional": 0.1},
        subjects=16,
        occasion={"CL": 0.05},
    )
    blocks = tuple(pk.OmegaBlock((name,), ((0.1,),)) for name in ("CL", "V"))
    occasions = pk.OmegaBlock(("CL",), ((0.1,),), occasion=True)
    thetas = (pk.Theta("cl", 4.0, lower=0.0), pk.Theta("v", 20.0, lower=0.0))
    residual = pk.Residual((pk.Sigma("proportional", 0.2),))
    formulas = {"CL": "cl", "V": "v"}
    judgements = {
        name: judged(pk.fit(pk.Model("one_compartment", formulas, thetas, omega, residual), data))
        for name, omega in (("without", blocks), ("with", (*blocks, occasions)))
    }
    large = judgements["with"]
    assert str(large.likelihood).startswith("importance sampling with ")
    assert 0.0 < large.error < 0.5
    (test,) = likelihood_ratios(judgements, nested=False)
    assert test.held == ("occasion CL",)
    assert test.error == pytest.approx(np.hypot(large.error, judgements["without"].error))
    assert "by the error of the exact objectives" in test.note
    assert test.statistic == pytest.approx(test.own_statistic, abs=2.0)


# -- criteria -----------------------------------------------------------------------------------


def test_criteria_are_the_textbooks(fits, found):
    row = found.table.loc["FOCE-I"]
    problem = fits["FOCE-I"].problem
    minus2ll = row["exact"] + 155 * np.log(2.0 * np.pi)
    assert row["aic"] == pytest.approx(minus2ll + 2 * 6)
    assert row["bic"] == pytest.approx(minus2ll + 6 * np.log(155))
    assert row["mixed_bic"] == pytest.approx(minus2ll + 5 * np.log(59) + np.log(155))
    assert parameters_by_subject(problem) == 5


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 5),  # cl, v, v_apgr, two variances
        ({"omega": GIVEN.model.omega[:1]}, 2),  # cl and its variance: V has no effect
        (
            {"parameters": {"CL": "cl * WT * v_apgr", "V": "v * v_apgr"}}
            | {"omega": GIVEN.model.omega[:1]},
            2,  # v_apgr stands in V's formula as well
        ),
        ({"omega": (replace(GIVEN.model.omega[0], fixed=True), GIVEN.model.omega[1])}, 4),
        ({"theta": (replace(GIVEN.model.theta[0], fixed=True), *GIVEN.model.theta[1:])}, 4),
    ],
)
def test_parameters_that_more_subjects_tell_are_counted(changes, expected):
    model = replace(GIVEN.model, **changes)
    assert GIVEN.data is not None
    data = GIVEN.data.read(model.structure)
    assert parameters_by_subject(Problem(model, data, pk.Options())) == expected


def test_subjects_without_observations_do_not_count_in_the_mixed_criterion(fits, found):
    """Their records hold doses alone. Seen 6e-4, by the errors of two quadratures."""
    assert GIVEN.data is not None
    table = pd.read_csv(GIVEN.data.file, na_values=".")
    more = table[table["MDV"] == 1].assign(ID=lambda t: 1000 + t["ID"])
    definition = replace(GIVEN, data=replace(GIVEN.data, allow=("no_observations",)))
    fit = pk.fit(definition, pd.concat([table, more]), covariance=False)
    assert fit.n_subjects == 2 * 59
    mixed = judged(fit).mixed_bic
    assert mixed == pytest.approx(found.table.loc["FOCE-I", "mixed_bic"], abs=2 * SETTLED)


def test_a_log_normal_error_is_judged_on_the_scale_of_the_data(fits, found):
    """AIC of log DV would be lower by 2 sum log DV."""
    result = fits["log error"]
    assert found.table.loc["log error", "objective"] == result.objective
    assert found.table.loc["log error", "exact"] == pytest.approx(result.objective, abs=0.6)


# -- subjects left out --------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "residual"), [("focei", "proportional"), ("agq", "lognormal")])
def test_subjects_left_out_are_those_of_whole_fits_to_the_others(method, residual):
    """16 subjects, each left out in a fit of its own; measured error 0.027 (0.08 in
    total), twice that allowed.

    Without subject 9 a variance vanishes; scores fall by up to 2 when their subject is left out.
    """
    assert GIVEN.data is not None
    data = pd.read_csv(GIVEN.data.file)
    data = data[data["ID"] <= 16]
    model = replace(GIVEN.model, **WITHOUT_APGAR, residual=pk.Residual((pk.Sigma(residual, 0.2),)))
    result = pk.fit(model, data, method=method, covariance=False)
    judgement = judged(result)
    found = leave_out_each(judgement)
    expected = []
    for k, subject in enumerate(result.problem.dataset.ids):
        other = pk.fit(
            result.final_model, data[data["ID"] != subject], method=method, covariance=False
        )
        there = judgement.judge.evaluate(other.estimate.x, result.estimate.final.terms.eta)
        expected.append(subject_log_likelihood(judgement.judge, there)[k])
    assert np.max(judgement.log_likelihood - expected) > 0.3
    np.testing.assert_allclose(found.score, expected, atol=0.06)
    assert found.total == pytest.approx(np.sum(expected), abs=0.16)
    assert found.error == pytest.approx(np.sqrt(16) * np.std(found.score, ddof=1))


def test_differences_of_subjects_left_out_are_paired(found):
    table = found.subjects.pivot_table(index="ID", columns="fit", values="elpd")
    best = found.table["elpd"].idxmax()
    difference = table["without omega V"] - table[best]
    row = found.table.loc["without omega V"]
    assert row["elpd_difference"] == pytest.approx(difference.sum())
    assert row["elpd_difference_se"] == pytest.approx(np.sqrt(59) * difference.std(ddof=1))
    assert row["elpd_difference"] < -2.0 * row["elpd_difference_se"]


# -- tests of pairs -----------------------------------------------------------------------------


def _pair(found, smaller, larger):
    tests = found.tests
    return tests[(tests["smaller"] == smaller) & (tests["larger"] == larger)].iloc[0]


def test_nested_models_are_tested_by_the_exact_objectives(found):
    test = _pair(found, "without Apgar", "FOCE-I")
    exact = found.table["exact"]
    assert test["statistic"] == pytest.approx(exact["without Apgar"] - exact["FOCE-I"])
    assert test["own_statistic"] == pytest.approx(4.543, abs=1e-3)
    assert test["law"] == "chi2(1)"
    assert test["held"] == "theta v_apgr"
    assert test["p"] == pytest.approx(0.034, abs=5e-4)


def test_a_variance_at_its_edge_has_the_mixture(found):
    test = _pair(found, "without omega V", "FOCE-I")
    assert test["law"] == "0.5 chi2(0) + 0.5 chi2(1)"
    assert test["held"] == "omega V"


def test_what_is_not_nested_is_not_tested_and_says_why(found):
    test = _pair(found, "FOCE-I", "log error")
    assert np.isnan(test["p"])
    assert "nesting not shown: sigma proportional is in the smaller" in test["note"]
    assert _pair(found, "FOCE-I", "FO")["note"] == "the same model"


def test_nesting_may_be_asserted(fits):
    pair = {name: fits[name] for name in ("without Apgar", "log error")}
    (test,) = pk.compare(pair, nested=True).tests.to_dict("records")
    assert test["law"] == "chi2(1)"
    assert "by your word only" in test["note"]


# -- what is refused, and what is said ----------------------------------------------------------


def _other_data(**changes: object) -> pk.Fit:
    assert GIVEN.data is not None
    other = replace(GIVEN, title="other", data=replace(GIVEN.data, **changes))
    return pk.fit(other, covariance=False)


DIFFERENT = {
    "rows": ({"where": "ID > 1"}, "different rows: .* line 2 is in one of them only"),
    "a limit": ({"lloq": 12.0}, "DV differs in .* first in line"),
    "units": ({"units": {"time": "h", "amount": "ug", "concentration": "mg/L"}}, "units: h, ug"),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_fits_of_different_data_are_not_compared(fits, name):
    changes, message = DIFFERENT[name]
    with pytest.raises(pk.ModelError, match=message) as caught:
        pk.compare([fits["FOCE-I"], _other_data(**changes)])
    assert "'other' and 'Apgar'" in str(caught.value)
    assert "compare fits of the same data only" in str(caught.value)


def test_a_table_with_another_hash_is_other_data(fits):
    assert GIVEN.data is not None
    table = pd.read_csv(GIVEN.data.file)
    with pytest.raises(pk.ModelError, match=r"different data: .*sha256"):
        pk.compare([fits["FOCE-I"], pk.fit(GIVEN, table, covariance=False)])


def test_censored_rows_used_and_left_out_are_different_data():
    assert GIVEN.data is not None
    limited = replace(GIVEN, data=replace(GIVEN.data, lloq=12.0))
    pair = [
        pk.fit(replace(limited, title=c, options=pk.Options(censoring=c)), covariance=False)
        for c in ("m1", "m3")
    ]
    with pytest.raises(pk.ModelError, match=r"probabilities \(M3, \d+\), and left out \(M1"):
        pk.compare(pair)


@pytest.mark.parametrize("given", [[], ["FOCE-I"]])
def test_one_fit_is_no_comparison(fits, given):
    with pytest.raises(pk.ModelError, match="at least two"):
        pk.compare([fits[name] for name in given])


def test_only_fits_are_compared(fits):
    with pytest.raises(pk.ModelError, match="not Definition"):
        pk.compare([fits["FOCE-I"], GIVEN])
    for stranger in ("phenobarbital", 3, fits["FOCE-I"]):
        with pytest.raises(pk.ModelError, match=r"^compare takes a list of fits, such as"):
            pk.compare(stranger)


def test_a_fit_that_did_not_converge_has_no_criteria_and_no_test(fits):
    model, data = fits["FOCE-I"].model, GIVEN
    short = replace(data, title="short", model=model, options=pk.Options(max_evaluations=3))
    stopped = pk.fit(short, covariance=False)
    assert not stopped.converged
    found = pk.compare([stopped, fits["without Apgar"]])
    row = found.table.loc["short"]
    assert np.isfinite(row["exact"])
    assert np.all(np.isnan(row[["aic", "bic", "mixed_bic", "elpd"]].astype(float)))
    assert np.isnan(found.tests["p"]).all()
    assert any("short: not converged; no criteria" in text for text in found.warnings)
    assert "nothing to compare" not in str(found)


def test_where_no_fit_ended_as_it_should_there_is_said_to_be_nothing_to_compare(fits):
    few = replace(GIVEN, title="few", options=pk.Options("nuts", draws=20, tune=20, chains=2))
    short = replace(GIVEN, title="short", options=pk.Options(max_evaluations=3))
    failed = [pk.fit(few), pk.fit(short, covariance=False)]
    text = " ".join(str(pk.compare(failed)).split())
    assert "nothing to compare: no fit ended as it should" in text
    for fit in failed:
        assert f"{fit.title}: {fit.status}; no criteria, no test, no elpd" in text
    assert "± SE" not in text


def test_names_tell_fits_apart(fits):
    same = [fits["FOCE-I"], fits["FO"]]
    assert list(pk.compare(same).table.index) == ["Apgar (focei)", "Apgar (fo)"]
    twice = [fits["FOCE-I"], fits["FOCE-I"]]
    assert list(pk.compare(twice).table.index) == ["1. Apgar (focei)", "2. Apgar (focei)"]


# -- what is printed and written ----------------------------------------------------------------


def test_it_prints_the_tables_and_how_to_read_them(fits):
    text = str(pk.compare({name: fits[name] for name in ("without Apgar", "FOCE-I", "FO")}))
    for line in (
        "59 subjects, 155 observations  ·  data phenobarbital.csv",
        "2  FOCE-I         focei            6  converged    586.276",
        "1 in 2  4.494 ± 0.00",
        "4.543  chi2(1)  0.03401  theta v_apgr",
        "by own: the same difference",
        "  - 2 and 3: the same model",
        "10.1214/14-EJS890",
    ):
        assert line in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_a_notebook_shows_tables_and_escapes_names(fits):
    page = pk.compare({"<b>": fits["FOCE-I"], "FO": fits["FO"]})._repr_html_()
    assert "<table" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


def test_the_files_hold_what_is_printed(found, tmp_path):
    found.write(tmp_path)
    table = pd.read_csv(tmp_path / "model_comparison.csv", index_col="fit")
    pd.testing.assert_frame_equal(
        table, found.table.rename_axis("fit"), check_dtype=False, rtol=1e-12
    )
    document = json.loads((tmp_path / "model_comparison.json").read_text())
    assert document == found.to_dict()
    assert document["fits"][0]["pareto_k"] is None
    assert len(pd.read_csv(tmp_path / "likelihood_ratios.csv")) == 15
    assert len(pd.read_csv(tmp_path / "model_comparison_subjects.csv")) == 6 * 59
