"""One command and one method: exposure by group, contrasts of every kind, and what is written."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from itertools import product

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import pkmodel as pk
from pkmodel.cli import main
from pkmodel.comparability import compare_groups
from pkmodel.comparability_text import comparability_summary
from pkmodel.evidence import WORDS
from pkmodel.number import short
from pkmodel.report import write_report
from pkmodel.status import Status
from pkmodel.summary import plain_text
from report_page import Page

UNITS = '{ time = "h", amount = "ug", concentration = "pg/mL" }'
DEFINITION = """
title = "Two groups"
data = {{ file = "{file}", units = {units} }}
model.structure = "one_compartment"
model.parameters.CL = "cl * BSA"
model.parameters.V = "v * BSA"
theta.cl = {{ init = 0.9, lower = 0 }}
theta.v = {{ init = 3.4, lower = 0 }}
omega = {{ CL = 0.07, V = 0.05 }}
residual.proportional = 0.2
[groups]
age = "AGE"
unit = "year"
cuts = {{ infants = [0, 2], children = [2, 12] }}
bsa = "BSA"
"""
CONTRACT = {
    *("metric", "group", "reference", "kind", "ratio", "lower", "upper", "level", "margin"),
    *("verdict", "n", "n_reference", "warnings"),
}

GROUP_COLUMNS = {
    *("group", "metric", "n", "mean", "sd", "median", "min", "max"),
    *("geometric_mean", "geometric_cv", "p05", "p95"),
}


def _table(ratio=1.25, per_group=8):
    """Two days of 625 ng/h/m2; clearance per m2 of infants is `ratio` times that of children."""
    rng = np.random.default_rng(7)
    rows = []
    for i in range(2 * per_group):
        infant = i < per_group
        bsa = 0.3 + 0.02 * i if infant else 0.7 + 0.05 * (i - per_group)
        cl = 0.9 * bsa * np.exp(0.2 * rng.normal()) * (ratio if infant else 1.0)
        v = 3.4 * bsa * np.exp(0.15 * rng.normal())
        base = {"ID": f"S{i + 1}", "AGE": 0.8 if infant else 6.0, "BSA": bsa, "SEX": i % 2}
        rate, k = 0.625 * bsa, cl / v
        rows.append(base | {"TIME": 0.0, "AMT": 48.0 * rate, "RATE": rate, "DV": np.nan})
        for t in (12.0, 24.0, 36.0, 48.0, 50.0, 52.0, 54.0):
            f = 1e3 * rate / cl * -np.expm1(-k * min(t, 48.0)) * np.exp(-k * max(t - 48.0, 0.0))
            dv = f * np.exp(0.1 * rng.normal())
            rows.append(base | {"TIME": t, "AMT": 0.0, "RATE": 0.0, "DV": dv})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def definition(define, scratch):
    file = scratch / "two_groups.csv"
    _table().to_csv(file, index=False)
    return define("two_groups", DEFINITION.format(file=file, units=UNITS))


@pytest.fixture(scope="module")
def fit(definition):
    return pk.fit(definition, covariance=False)


@pytest.fixture(scope="module")
def found(fit):
    return fit.contrast("age_group")


def _row(found, **wanted):
    (row,) = [c for c in found.contrasts if all(getattr(c, k) == v for k, v in wanted.items())]
    return row


def test_every_kind_is_there_for_every_metric(found):
    """No weight is declared, so CL_70KG is not known; formulas of CL and V add a row each."""
    metrics = {"CSS", "CSS_DN", "CL", "CL_BSA", "V", "V_BSA", "HALF_LIFE"}
    kinds = {"individual", "noncompartmental", "model"}
    assert {(c.metric, c.kind) for c in found.contrasts} == set(product(metrics, kinds))
    assert found.reference == "children"
    assert all(c.group == "infants" for c in found.contrasts)


def test_the_ratio_of_individual_estimates_by_hand(fit, found):
    logs = np.log(fit.individuals["CL"] / fit.individuals["BSA"]).to_numpy()
    expected = np.exp(logs[:8].mean() - logs[8:].mean())
    assert _row(found, metric="CL_BSA", kind="individual").ratio == pytest.approx(expected)


def test_the_three_kinds_agree_where_samples_are_rich(found):
    """Shrinkage is 2 %: three ways to the ratio within 3 %, each about the truth of 1.25."""
    ratios = [
        _row(found, metric="CL_BSA", kind=kind).ratio
        for kind in ("individual", "noncompartmental", "model")
    ]
    assert max(ratios) / min(ratios) < 1.03
    assert 1.05 < ratios[0] < 1.5


def test_a_css_that_nobody_reached_is_warned_of(fit, found):
    assert not _row(found, metric="CSS", kind="model").warnings
    exposure = fit.exposure.assign(R0_LASTS=[1.0] * 3 + [48.0] * 13)
    asked = compare_groups(fit.problem, fit.estimate, fit.subjects, fit.subjects.groups, exposure)
    text = "in 3 of 16 subjects no constant rate lasted to 90 % of steady state"
    assert any(text in w for w in _row(asked, metric="CSS", kind="model").warnings)
    assert not any(text in w for w in _row(asked, metric="CSS", kind="noncompartmental").warnings)
    assert not any(text in w for w in _row(asked, metric="CL_BSA", kind="model").warnings)


def test_plateau_samples_before_steady_state_are_warned_of(found):
    early = int(found.noncompartmental["NOTE"].str.contains("% of steady state").sum())
    text = (
        f"without a model, {early} of 16 subjects have a plateau sample drawn before steady state"
    )
    assert early == 3
    assert any(text in w for w in _row(found, metric="CL_BSA", kind="noncompartmental").warnings)
    assert not any(text in w for w in _row(found, metric="CL_BSA", kind="model").warnings)


def test_a_fit_that_did_not_converge_gives_no_ratio(definition):
    """One evaluation is no search; only what no model made stays."""
    model = replace(definition, options=replace(definition.options, max_evaluations=1))
    stopped = pk.fit(model, covariance=False)
    assert not stopped.converged
    found = stopped.contrast()
    rows = [c for c in found.contrasts if c.kind in ("model", "individual")]
    assert {c.kind for c in rows} == {"model", "individual"}
    assert {c.metric for c in rows} >= {"CSS", "CL", "V", "HALF_LIFE"}
    for row in rows:
        assert np.isnan([row.ratio, row.lower, row.upper, row.p_value, row.p_holm]).all()
        assert (row.verdict, row.share) == ("inconclusive", None)
        reason = "the fit ended as “not converged”, so that its estimates are not to be used"
        assert any(reason in text for text in row.warnings)
    assert _row(found, metric="CL_BSA", kind="noncompartmental").lower > 0.0


def test_the_screen_says_why_there_is_no_ratio_and_no_plateau():
    """Phenobarbital is given as boluses only."""
    failed = replace(pk.evaluate("phenobarbital"), status=Status.NOT_CONVERGED)
    text = " ".join(plain_text(comparability_summary(failed.contrast("APGR"))).split())
    assert "plateau samples: none, for no subject has an infusion with a plateau" in text
    assert "steady-state concentration" not in text
    assert "clearance (L/h)" in text
    for metric in ("CL", "V"):
        for where in ("", " inside the model"):
            reason = "the fit ended as “not converged”, so that its estimates are not to be used"
            assert f"- no ratio of {metric}{where}: {reason}" in text


def test_what_was_not_declared_is_said(fit, found):
    assert [text.split(":")[0] for text in found.assumed] == [
        "no reference was declared",
        "no margin was declared",
    ]
    assert fit.contrast(reference="infants", margin=(0.7, 1.43)).assumed == ()


def test_what_verdicts_rest_on_is_a_table(fit, found):
    table = found.checks().set_index("check")
    assert table["mark"].to_dict() == {
        "reference": "look",
        "margin": "look",
        "steady state by the model": "ok",
        "plateau samples": "look",
    }
    assert table.loc["steady state by the model", "finding"].startswith("in all 16 subjects")
    assert table.loc["plateau samples", "finding"].startswith("without a model, 3 of 16 subjects")
    declared = fit.contrast(reference="infants", margin=(0.7, 1.43)).checks()
    assert declared["finding"].tolist()[:2] == [
        "infants, as declared",
        "0.7 to 1.43, as declared",
    ]


def test_groups_are_summarised_with_and_without_a_model(fit, found):
    table = found.summary.set_index(["kind", "metric", "group"])
    row = table.loc[("individual", "CSS", "infants")]
    values = fit.exposure["CSS"].to_numpy()[:8]
    assert row["n"] == 8
    assert row["mean"] == pytest.approx(values.mean())
    assert row["sd"] == pytest.approx(values.std(ddof=1))
    plain = found.noncompartmental["CSS"].to_numpy()[8:]
    assert table.loc[("noncompartmental", "CSS", "children"), "median"] == np.median(plain)


def test_both_ways_stand_side_by_side(fit, found):
    rows = found.both[found.both["METRIC"] == "CSS"]
    assert rows["ID"].tolist() == fit.individuals["ID"].tolist()
    expected = 100.0 * (fit.exposure["CSS"] / found.noncompartmental["CSS"] - 1.0)
    np.testing.assert_allclose(rows["DIFFERENCE"], expected, rtol=1e-12)
    assert rows["DIFFERENCE"].abs().max() < 10.0


def test_any_covariate_with_few_values_can_divide(fit):
    found = fit.contrast("SEX", reference="SEX 0")
    assert found.groups.names == ("SEX 0", "SEX 1")
    assert _row(found, metric="CL", kind="individual", adjustment="none").n == 8


def test_a_choice_of_metrics_gives_the_same_rows_and_no_others(fit, found):
    chosen = fit.contrast(metrics=["V_BSA", "HALF_LIFE"])
    expected = [c for c in found.contrasts if c.metric in ("V_BSA", "HALF_LIFE")]
    assert [(c.metric, c.kind) for c in chosen.contrasts] == [(c.metric, c.kind) for c in expected]
    for one, other in zip(chosen.contrasts, expected, strict=True):
        assert (one.ratio, one.lower, one.verdict) == (other.ratio, other.lower, other.verdict)
    for table, column in ((chosen.summary, "metric"), (chosen.both, "METRIC")):
        assert set(table[column]) == {"V_BSA", "HALF_LIFE"}
    assert set(chosen.units) == {"V_BSA", "HALF_LIFE"}
    printed = plain_text(comparability_summary(chosen))
    assert "volume per m2 (L/m2)" in printed
    assert "half-life (h)" in printed


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"metrics": ["CSS", "CL_BAS"]}, "no metric 'CL_BAS'; did you mean `CL_BSA`"),
        ({"metrics": ["CL_70KG"]}, "these data do not tell CL_70KG; they tell CSS, CSS_DN, CL, CL"),
        ({"metrics": "CSS"}, r"expected a list of metrics: say metrics = \['CSS'\]"),
        ({"metrics": []}, "no metric is asked for; the data tell CSS"),
        ({"reference": "child"}, "the reference 'child' is no group; did you mean `children`"),
        ({"margin": (0.8, 0.9)}, "the margin .* is no range of ratios about 1"),
        ({"by": "AGES"}, "no covariate AGES, which the comparison of groups uses"),
        ({"by": "BSA"}, "BSA has 16 values among the subjects; groups are made of 2 to 12"),
        ({"multiplicity": "bonf"}, "no multiplicity 'bonf'"),
    ],
)
def test_questions_without_an_answer_are_refused(fit, asked, message):
    with pytest.raises(pk.PkmodelError, match=message):
        fit.contrast(**asked)


def test_without_groups_the_covariates_are_named():
    with pytest.raises(pk.ModelError, match=r"no age groups are declared.*WT, APGR"):
        pk.evaluate("phenobarbital").contrast()


# -- the command --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(definition, tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / "run"
    arguments = ["compare-groups", str(definition.path), "--margin", "0.7,1.43", "--out", str(out)]
    done = CliRunner().invoke(main, arguments)
    return done, out


def test_the_command_writes_the_contract(run):
    done, out = run
    assert done.exit_code == 0, done.output
    rows = json.loads((out / "contrasts.json").read_text())
    assert all(set(row) >= CONTRACT for row in rows)
    assert {row["verdict"] for row in rows} <= {"equivalent", "not equivalent", "inconclusive"}
    assert all(row["margin"] == [0.7, 1.43] and row["level"] == 0.9 for row in rows)
    groups = pd.read_csv(out / "groups.csv")
    assert set(groups.columns) >= GROUP_COLUMNS
    assert set(groups["metric"]) >= {"CSS", "CL", "CL_BSA", "V", "HALF_LIFE"}
    samples = pd.read_csv(out / "samples.csv")
    assert len(samples) == 16 * 7
    assert (samples.groupby("ID")["USE"].nunique() >= 2).all()
    individuals = pd.read_csv(out / "individuals.csv")
    assert {"GROUP", "CSS", "CL_BSA"} <= set(individuals.columns)
    document = json.loads((out / "fit.json").read_text())
    assert document["groups"]["counts"] == [8, 8]
    assert document["virtual"] is False


def test_the_command_prints_groups_ratios_and_verdicts(run):
    done, _ = run
    assert "subjects: infants 8, children 8" in done.output
    assert "body surface: column BSA" in done.output
    assert "steady-state concentration (pg/mL)" in done.output
    assert "clearance per m2 (L/h/m2)" in done.output
    assert "Ratio to children, margin 0.7 to 1.43" in done.output
    assert "inside the model" in done.output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--margin", "0.8"], "'0.8' is not two numbers, such as 0.8,1.25"),
        (["--margin", "0.8,0.9"], "is no range of ratios about 1"),
        (["--reference", "adults"], "the reference 'adults' is no group"),
        (["--settle", "0"], "settle"),
    ],
)
def test_bad_input_ends_with_2_and_nothing_is_written(definition, tmp_path, more, message):
    out = tmp_path / "run"
    arguments = ["compare-groups", str(definition.path), "--out", str(out), *more]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert not out.exists()


def test_without_units_the_settling_time_must_be_said(define, definition, tmp_path):
    text = definition.path.read_text().replace(f", units = {UNITS}", "")
    unitless = define("unitless", text.replace("init = 0.9,", "init = 0.0009,"))
    arguments = ["compare-groups", str(unitless.path), "--out", str(tmp_path / "run")]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert "say --settle in the data's own unit of time" in refused.output
    done = CliRunner().invoke(main, [*arguments, "--settle", "10"])
    assert done.exit_code == 0, done.output
    assert "samples from 10 units of the data's time" in done.output


# -- what was published beside it ---------------------------------------------------------------


def _with_published(define, scratch, definition, name, text):
    (scratch / f"{name}.csv").write_text(text)
    more = definition.path.read_text() + f'published = "{name}.csv"\n'
    return pk.fit(define(f"with_{name}", more), covariance=False)


def test_published_summaries_stand_beside_groups_of_their_name(define, scratch, definition):
    text = "group,metric,unit,mean,sd,source\ninfants,CSS,pg/mL,706,194,A paper\n"
    found = _with_published(define, scratch, definition, "paper", text).contrast()
    printed = plain_text(comparability_summary(found))
    assert "published: A paper" in printed
    assert "706 ± 194" in printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "group,metric,unit,mean,source\ninfants,CSS,ng/mL,0.7,A\n",
            "line 2: CSS is in ng/mL, and",
        ),
        ("group,metric,unit,mean,source\nadults,CSS,pg/mL,700,A\n", "groups there: adults"),
        ("group,metric,mean\ninfants,CSS,700\n", "no column unit, source"),
        ("", "the file is empty; expected a CSV with the columns group, metric, unit, source"),
        ("group,metric,unit,source\n", "a header and no rows; expected .* a row per group and met"),
        ("group,metric,unit,sd,source\ninfants,CSS,pg/mL,0,A\n", "line 2: sd is 0; expected"),
        ("group,metric,unit,source\n\ninfants,CCS,pg/mL,A\n", "line 3: no metric 'CCS'; did"),
        ("group,metric,unit,source\ninfants,CSS,pg/mL,A,B\n", "more cells than its header"),
        ("group,metric,unit,source\ninfants,CSS\n", "line 2: CSS is in , and in pg/mL"),
    ],
)
def test_published_tables_with_faults_are_refused(define, scratch, definition, text, message):
    name = f"faulty_{sha256(text.encode()).hexdigest()[:8]}"
    fit = _with_published(define, scratch, definition, name, text)
    with pytest.raises(pk.DataError, match=message):
        fit.contrast()


# -- the screen and the page say the same ------------------------------------------------------


def test_the_screen_and_the_page_write_the_same_numbers_and_words(run):
    """Each ratio, its interval and each mean with its SD stand letter by letter in both."""
    done, out = run
    printed = " ".join(done.output.split())
    page = Page(write_report(out).read_text(encoding="utf-8"))
    cells = {" ".join(cell.split()) for row in page.rows for cell in row}
    for c in json.loads((out / "contrasts.json").read_text()):
        if c["metric"] == "CL_BSA":
            ends = f"{c['lower']:.3f} to {c['upper']:.3f}"
            assert f"{c['ratio']:.3f} {ends}" in printed
            assert {f"{c['ratio']:.3f}", ends, WORDS[c["kind"]]} <= cells
    groups = pd.read_csv(out / "groups.csv")
    for row in groups[groups["metric"] == "CSS"].to_dict("records"):
        text = f"{short(row['mean'])} ± {short(row['sd'])}"
        assert f"{WORDS[row['kind']]} {row['n']} {text}" in printed
        assert text in cells
    for kind in ("individual", "noncompartmental", "model"):
        said = f"{WORDS[kind]} is kind {kind}"
        assert said in printed
        assert said in page.text


def test_short_numbers():
    assert [short(v) for v in (0.8852, 12.345, 706.2, 12345.6, 1e-7)] == [
        *("0.885", "12.3", "706", "12346", "1e-07")
    ]
