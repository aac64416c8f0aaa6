"""Ratios of values of single subjects, the shrinkage that spoils them, and what is left out."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pkmodel as pk
from group_data import group_data
from pkmodel.contrast.comparison import Comparison, given_comparison
from pkmodel.contrast.group_shrinkage import group_shrinkage
from pkmodel.contrast.individual import individual_contrasts, noncompartmental_contrasts
from pkmodel.contrast.record import Contrast, LikelihoodRatioTest
from pkmodel.dataset.selection import select_subjects
from pkmodel.errors import DataError, ModelError
from pkmodel.estimate.maximum_likelihood import maximise
from pkmodel.problem import Problem

NAMES = ("infant", "child", "adult")
NONE = {"CL": 0.0, "V": 0.0}


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    cl = np.exp(rng.normal(0.0, 0.3, 30))
    return pd.DataFrame({"ID": np.arange(101, 131), "CL": cl, "V": 3.0 * cl, "CL_BSA": cl})


def comparison(**more: object) -> Comparison:
    code = np.repeat([0, 1, 2], [8, 10, 12])
    return given_comparison(NAMES, code, reference="adult", **more)


def test_each_group_is_welch_on_the_logarithms(table: pd.DataFrame) -> None:
    rows = noncompartmental_contrasts(table, comparison(), ["CL"])
    logs = np.log(table["CL"].to_numpy())
    for row, own in zip(rows, (logs[:8], logs[8:18]), strict=True):
        known = stats.ttest_ind(own, logs[18:], equal_var=False)
        ends = known.confidence_interval(0.90)
        np.testing.assert_allclose(np.log([row.lower, row.upper]), ends, rtol=1e-9)
        assert row.interval == f"Welch, t with {known.df:.3g} degrees of freedom"
    assert [(row.group, row.n, row.n_reference) for row in rows] == [
        ("infant", 8, 12),
        ("child", 10, 12),
    ]
    p = sorted(row.p_value for row in rows)
    assert sorted(row.p_holm for row in rows) == pytest.approx([2 * p[0], max(2 * p[0], p[1])])


def test_share_of_each_group_inside_the_band_of_the_reference(table: pd.DataFrame) -> None:
    row = noncompartmental_contrasts(table, comparison(), ["CL"])[0]
    low, high = np.quantile(table["CL"][18:], [0.05, 0.95])
    inside = int(table["CL"][:8].between(low, high).sum())
    assert row.share is not None
    assert (row.share.inside, row.share.n, row.share.band) == (inside, 8, (low, high))


def test_subjects_without_a_value_are_named_and_counted(table: pd.DataFrame) -> None:
    table.loc[[0, 3, 20], "CL"] = np.nan
    asked = given_comparison(
        NAMES, np.where(np.arange(30) == 9, -1, comparison().code), reference="adult"
    )
    row = individual_contrasts(table, asked, NONE, ["CL"])[1]
    assert (row.n, row.n_reference) == (9, 11)
    assert row.warnings == (
        "3 subjects left out of CL, no mode found or no value: 101, 104, 121",
        "1 subject left out of CL, in no group: 110",
    )


@pytest.mark.parametrize(
    ("size", "reason"), [(0, "infant has no values of CL"), (1, "infant has 1 value of CL")]
)
def test_a_group_too_small_for_an_interval_says_so(
    table: pd.DataFrame, size: int, reason: str
) -> None:
    table.loc[size:7, "CL"] = np.nan
    row = noncompartmental_contrasts(table, comparison(), ["CL"])[0]
    assert row.n == size
    assert np.isfinite(row.ratio) == (size == 1)
    assert np.isnan([row.lower, row.upper, row.p_value]).all()
    assert (row.verdict, row.interval) == ("inconclusive", "")
    assert f"no interval and no verdict: {reason}" in row.warnings


def test_values_without_spread_have_no_interval(table: pd.DataFrame) -> None:
    row = individual_contrasts(table.assign(V=3.0), comparison(), NONE, ["V"])[0]
    assert np.isnan(row.lower)
    assert "no interval and no verdict: the values of V have no spread" in row.warnings


def test_a_value_that_has_no_logarithm_is_refused(table: pd.DataFrame) -> None:
    table.loc[[4, 7], "CL"] = [0.0, -1.0]
    with pytest.raises(DataError, match=r"CL must be above 0 .* of 2 subjects is not: 105, 108"):
        individual_contrasts(table, comparison(), NONE, ["CL"])


# -- shrinkage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shrinkage", "metric", "expected"),
    [
        ({"CL": 0.26, "V": 0.9}, "CL_BSA", ["eta shrinkage of CL is 26 %: ratios of individual"]),
        ({"CL": 0.9, "V": 0.3}, "V", ["eta shrinkage of V is 30 %: ratios of individual"]),
        ({"CL": 0.2, "V": 0.05}, "CL_BSA", ["drawn towards 0 by about 36 %; see kind model"]),
        ({"CL": 0.05}, "V", ["V has no random effect: its values are those of the formula"]),
        ({"CL": 0.05, "V": 0.09}, "V", []),
    ],
)
def test_shrinkage_of_what_is_behind_a_metric_is_warned_of(
    table: pd.DataFrame, shrinkage: dict[str, float], metric: str, expected: list[str]
) -> None:
    for row in individual_contrasts(table, comparison(), shrinkage, [metric]):
        assert len(row.warnings) == len(expected)
        assert all(text in warning for text, warning in zip(expected, row.warnings, strict=True))


def test_a_half_life_has_the_shrinkage_of_both(table: pd.DataFrame) -> None:
    both = table.assign(HALF_LIFE=2.0 * table["CL"])
    rows = individual_contrasts(both, comparison(), {"CL": 0.3, "V": 0.4}, ["HALF_LIFE"])
    assert [warning[:19] for warning in rows[0].warnings] == [
        "eta shrinkage of CL",
        "eta shrinkage of V ",
    ]


def bolus_problem(shift: float) -> tuple[Problem, np.ndarray, np.ndarray]:
    """No elimination, so that log f = log dose - log V: a linear mixed model in closed form.

    Returns also the means of the subjects' -log V + log dose and their groups.
    """
    rng = np.random.default_rng(5)
    rows, means = [], []
    code = np.repeat([0, 1], 30)
    for subject, group in enumerate(code):
        level = np.log(10.0) + shift * group + 0.3 * rng.normal()
        y = np.log(100.0) - level + 0.5 * rng.normal(size=2)
        means.append(np.log(100.0) - y.mean())
        rows.append((subject, 0.0, 100.0, np.nan, 1))
        rows += [(subject, t, 0.0, np.exp(v), 0) for t, v in zip((1.0, 2.0), y, strict=True)]
    data = pd.DataFrame(rows, columns=["ID", "TIME", "AMT", "DV", "EVID"])
    model = pk.Model(
        "one_compartment",
        {"CL": "cl", "V": "v"},
        (pk.Theta("cl", 1e-12, lower=0.0, fixed=True), pk.Theta("v", 6.0, lower=0.0)),
        (pk.OmegaBlock(("V",), ((0.1,),)),),
        pk.Residual((pk.Sigma("lognormal", 0.5, fixed=True),)),
    )
    return Problem(model, pk.read_dataset(data), pk.Options()), np.array(means), code


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.5])
def test_shrinkage_about_group_means_in_closed_form(shift: float) -> None:
    """The subjects' means have the variance omega_w^2 + s^2 within groups, s^2 = 0.25 / 2."""
    problem, means, code = bolus_problem(shift)
    estimate = maximise(problem)
    assert estimate is not None
    asked = given_comparison(("a", "b"), code, reference="a")
    found = group_shrinkage(problem, estimate, asked)["V"]
    within = sum(((means[code == k] - means[code == k].mean()) ** 2).sum() for k in (0, 1)) / 58
    own = 1.0 - np.sqrt(max(within - 0.125, 0.0) / within)
    eta, omega = estimate.final.terms.eta, problem.packing.unpack(estimate.x).omega
    usual = 1.0 - np.sqrt(np.mean(eta**2) / omega[0, 0])
    assert found == pytest.approx(max(own, usual), rel=1e-6)  # seen 1e-9
    if shift == 1.5:
        assert usual < 0.15 < 0.25 < found


# -- records and selection ----------------------------------------------------------------------


def test_a_record_is_fit_for_json() -> None:
    nan = float("nan")
    row = Contrast(
        *("CL", "infant", "adult", "model", "none"),
        *(1.2, nan, 1.5, 0.9, (0.8, 1.25), "inconclusive", nan, nan, "", 3, 4),
        likelihood_ratio=LikelihoodRatioTest(1.5, 1, nan),
        warnings=("no lower end",),
    )
    plain = json.loads(json.dumps(row.to_dict(), allow_nan=False))
    assert plain["lower"] is None
    assert plain["interval"] is None
    assert plain["margin"] == [0.8, 1.25]
    assert plain["likelihood_ratio"] == {"statistic": 1.5, "df": 1, "p_value": None}
    assert plain["share"] is None
    assert plain["warnings"] == ["no lower end"]


def test_all_faults_of_a_question_at_once() -> None:
    with pytest.raises(ModelError) as caught:
        given_comparison(NAMES, np.zeros(3, int), reference="adults", margin=(1, 2), level=90)
    text = str(caught.value)
    assert "the reference 'adults' is no group; did you mean `adult`" in text
    assert "is no range of ratios about 1" in text
    assert "is no share between 0 and 1" in text
    with pytest.raises(ModelError, match="needs two groups or more; there is only 'a'"):
        given_comparison(("a",), np.zeros(3, int), reference="a")


def test_selected_subjects_are_those_of_a_smaller_table() -> None:
    data = group_data(3, (3, 4), (1.0, 1.0))
    whole = pk.read_dataset(data)
    kept = np.array([True, False, True, True, False, True, True])
    found = select_subjects(whole, kept)
    expected = pk.read_dataset(data[data["ID"].isin(whole.ids[kept])])
    assert found.ids.tolist() == expected.ids.tolist()
    for name in ("subject", "time", "amt", "rate", "dv", "evid", "cens", "occ", "limit"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_array_equal(found.covariates["BSA"], expected.covariates["BSA"])
    assert select_subjects(whole, np.ones(7, bool)) is whole
