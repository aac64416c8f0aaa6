"""Exposure of each subject by the model: against formulas written out, and from units to units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from pkmodel.exposure.metric import METRICS
from pkmodel.exposure.summary import describe, group_summary
from pkmodel.grouping import Groups

MODEL = """
data.file = "{file}"
data.units = {{ time = "{time}", amount = "{amount}", concentration = "{conc}" }}
model.structure = "one_compartment"
model.parameters.CL = "cl * BSA"
model.parameters.V = "v * BSA"
theta.cl = {{ init = {cl}, lower = 0 }}
theta.v = {{ init = 3.4, lower = 0 }}
omega = {{ CL = 0.07, V = 0.05 }}
residual.proportional = 0.2
[groups]
age = "AGE"
unit = "month"
cuts = {{ young = [0, 6], old = [6, 24] }}
bsa = "BSA"
weight = "WT"
"""


def _infants(hour=1.0, microgram=1.0, picogram_per_ml=1.0, subjects=12):
    """28-day infusions of 15 ug/m2/day with washout, in h, ug and pg/mL unless said."""
    rng = np.random.default_rng(20260101)
    rows = []
    for i in range(subjects):
        age, bsa = 1.5 + i, 0.25 + 0.015 * i
        cl = 0.89 * bsa * np.exp(0.25 * rng.normal())
        v = 3.4 * bsa * np.exp(0.2 * rng.normal())
        rate, k = 15.0 / 24.0 * bsa, cl / v
        base = {"ID": i + 1, "AGE": age, "WT": 3.0 + 0.5 * i, "BSA": bsa}
        rows.append(base | {"TIME": 0.0, "AMT": rate * 672.0, "RATE": rate, "DV": np.nan})
        for t in (24.0, 168.0, 336.0, 671.0, 672.0, 674.0, 676.0, 678.0):
            f = 1e3 * rate / cl * -np.expm1(-k * min(t, 672.0)) * np.exp(-k * max(t - 672.0, 0.0))
            rows.append(
                base | {"TIME": t, "AMT": 0.0, "RATE": 0.0, "DV": f * np.exp(0.15 * rng.normal())}
            )
    table = pd.DataFrame(rows)
    table["TIME"] *= hour
    table["AMT"] *= microgram
    table["RATE"] *= microgram / hour
    table["DV"] *= picogram_per_ml
    return table


def _fit(define, scratch, name, table, units=("h", "ug", "pg/mL"), cl=0.9):
    file = scratch / f"{name}.csv"
    table.to_csv(file, index=False)
    time, amount, conc = units
    text = MODEL.format(file=file, time=time, amount=amount, conc=conc, cl=cl)
    return pk.fit(define(name, text))


@pytest.fixture(scope="module")
def fit(define, scratch):
    return _fit(define, scratch, "infants", _infants())


def test_every_metric_is_its_formula(fit):
    table, values = fit.exposure, fit.individuals
    cl, v, bsa, weight = (values[name].to_numpy() for name in ("CL", "V", "BSA", "WT"))
    rate = 15.0 / 24.0 * bsa
    expected = {
        "R0": rate,
        "R0_LASTS": np.full(rate.size, 672.0),
        "R0_BSA": rate / bsa,
        "CSS": 1000.0 * rate / cl,
        "CSS_DN": 1000.0 * bsa / cl,
        "CL": cl,
        "CL_BSA": cl / bsa,
        "CL_70KG": cl / (weight / 70.0) ** 0.75,
        "V": v,
        "V_BSA": v / bsa,
        "HALF_LIFE": np.log(2.0) * v / cl,
        "T90": np.log(10.0) * v / cl,
        "AUC": 1000.0 * rate * 672.0 / cl,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(table[name], value, rtol=1e-12, err_msg=name)
    assert table["GROUP"].tolist() == ["young"] * 5 + ["old"] * 7


def test_individuals_hold_group_css_and_clearance_per_m2(fit):
    for name in ("GROUP", "CSS", "CL_BSA"):
        assert fit.individuals[name].tolist() == fit.exposure[name].tolist()


def test_intervals_of_modes_and_of_draws_agree_up_to_skewness(fit):
    """Ends of the normal laws against 4000 draws: worst 11 % of the width off (half-life); 15 %."""
    drawn = fit.drawn_exposure(4000, seed=1)
    for metric in ("CL", "CSS", "V", "HALF_LIFE", "AUC"):
        modes = fit.exposure
        width = np.log(modes[f"{metric}_UPPER"] / modes[f"{metric}_LOWER"])
        for name in (metric, f"{metric}_LOWER", f"{metric}_UPPER"):
            assert np.max(np.abs(np.log(drawn[name] / modes[name])) / width) < 0.15, name
        assert (modes[f"{metric}_LOWER"] < modes[metric]).all()


@pytest.mark.parametrize(
    ("name", "factors", "units", "clearance"),
    [
        ("in_days", {"hour": 1 / 24}, ("day", "ug", "pg/mL"), 24.0),
        ("in_ng", {"microgram": 1e3, "picogram_per_ml": 1e-3}, ("h", "ng", "ng/mL"), 1.0),
        ("in_mg", {"microgram": 1e-3, "hour": 60.0}, ("min", "mg", "pg/mL"), 1 / 60),
    ],
)
def test_units_change_no_result(fit, define, scratch, name, factors, units, clearance):
    """The same infants in other units: worst relative difference 2e-7, from where searches end."""
    other = _fit(define, scratch, name, _infants(**factors), units, cl=0.9 * clearance).exposure
    per_css = factors.get("picogram_per_ml", 1.0)
    np.testing.assert_allclose(other["CSS"] / per_css, fit.exposure["CSS"], rtol=2e-5)
    np.testing.assert_allclose(other["CL_BSA"] / clearance, fit.exposure["CL_BSA"], rtol=2e-5)
    np.testing.assert_allclose(other["HALF_LIFE"] * clearance, fit.exposure["HALF_LIFE"], rtol=2e-5)


def test_the_arithmetic_of_the_founding_study():
    """15 ug/m2/day and Css 706 pg/mL: R0 625 ng/h/m2, clearance 0.885 L/h/m2."""
    from pkmodel.exposure.metric import Subject
    from pkmodel.units import read_units

    units = read_units({"time": "h", "amount": "ug", "concentration": "pg/mL"})
    bsa = np.array([0.3])
    infant = Subject(units.scale, 15.0 * bsa / 24.0, np.array([np.nan]), bsa, None)
    assert round(1000.0 * float(infant.rate_by_size[0])) == 625
    cl = METRICS["CSS"].factor(infant) / 706.0
    assert round(float((cl * METRICS["CL_BSA"].factor(infant))[0]), 3) == 0.885
    assert METRICS["CL_BSA"].unit(units, True) == "L/h/m2"
    assert METRICS["CSS"].unit(units, True) == "pg/mL"


def test_a_step_up_has_a_css_for_each_rate(define, scratch):
    rows = [
        {"ID": 1, "TIME": 0.0, "AMT": 7 * 24 * 0.1, "RATE": 0.1, "DV": np.nan},
        {"ID": 1, "TIME": 100.0, "AMT": 0, "RATE": 0, "DV": 300.0},
        {"ID": 1, "TIME": 168.0, "AMT": 21 * 24 * 0.3, "RATE": 0.3, "DV": np.nan},
        {"ID": 1, "TIME": 300.0, "AMT": 0, "RATE": 0, "DV": 900.0},
    ]
    table = pd.DataFrame(rows).assign(AGE=5.0, WT=7.0, BSA=0.37)
    table = pd.concat([table, table.assign(ID=2)])
    file = scratch / "steps.csv"
    table.to_csv(file, index=False)
    units = {"time": "h", "amount": "ug", "conc": "pg/mL"}
    result = pk.evaluate(define("steps", MODEL.format(file=file, cl=0.9, **units)))
    periods = result.exposure_by_period
    assert periods["R0"].round(12).tolist() == [0.1, 0.3, 0.1, 0.3]
    assert periods["START"].tolist() == [0.0, 168.0, 0.0, 168.0]
    np.testing.assert_allclose(periods["END"], [168.0, 672.0, 168.0, 672.0])
    cl = result.individuals["CL"].to_numpy()[0]
    np.testing.assert_allclose(periods["CSS"][:2], [1e3 * 0.1 / cl, 1e3 * 0.3 / cl])
    np.testing.assert_allclose(result.exposure["CSS"], periods["CSS"][[1, 3]])


def test_a_subject_without_a_dose_has_an_auc_of_zero(define, scratch):
    table = _infants(subjects=3)
    table = table[(table["ID"] != 2) | (table["AMT"] == 0)]
    file = scratch / "undosed.csv"
    table.to_csv(file, index=False)
    text = MODEL.format(file=file, time="h", amount="ug", conc="pg/mL", cl=0.9)
    text = text.replace("data.file", 'data.allow = ["no_dose"]\ndata.file')
    text = text.replace("residual.proportional = 0.2", "residual.additive = 50.0")
    exposure = pk.evaluate(define("undosed", text)).exposure
    assert exposure["AUC"].tolist()[1] == 0.0
    assert np.isnan(exposure["CSS"].tolist()[1])
    assert (exposure["AUC"][[0, 2]] > 0).all()


def test_without_infusions_there_is_no_css():
    result = pk.evaluate("theophylline")
    assert "CSS" not in result.exposure
    assert "CSS" not in result.individuals
    assert (result.exposure["AUC"] > 0).all()


def test_a_clearance_that_changes_in_time_is_that_of_the_period(define, scratch):
    """By nocb the values of a row hold over the interval that ends at it."""
    rows = [
        {"ID": 1, "TIME": 0.0, "AMT": 24.0, "RATE": 1.0, "DV": np.nan, "WT": 3.0},
        {"ID": 1, "TIME": 12.0, "AMT": 0.0, "RATE": 0.0, "DV": 900.0, "WT": 4.0},
        {"ID": 1, "TIME": 24.0, "AMT": 0.0, "RATE": 0.0, "DV": 900.0, "WT": 5.0},
        {"ID": 1, "TIME": 30.0, "AMT": 0.0, "RATE": 0.0, "DV": 100.0, "WT": 6.0},
    ]
    file = scratch / "growing.csv"
    pd.DataFrame(rows).to_csv(file, index=False)
    text = f"""
    model.structure = "one_compartment"
    model.parameters = {{ CL = "cl * WT", V = "v" }}
    theta = {{ cl = {{ init = 1.0, fixed = true }}, v = {{ init = 3.0 }} }}
    omega = {{ V = 0.1 }}
    residual.proportional = 0.2
    [data]
    file = "{file}"
    units = {{ time = "h", amount = "ug", concentration = "ug/L" }}
    """
    for rule, expected in (("nocb", 1.0 / 5.0), ("locf", 1.0 / 4.0)):
        result = pk.evaluate(define(f"growing_{rule}", text + f'covariates = "{rule}"\n'))
        assert result.exposure["CSS"][0] == pytest.approx(expected, rel=1e-12)


GROWING = """
    model.structure = "one_compartment"
    model.parameters = { CL = "cl * WT", V = "v" }
    theta = { cl = { init = 0.5, fixed = true }, v = { init = 3.0 } }
    omega = { V = 0.1 }
    residual.proportional = 0.2
    groups = { age = "AGE", unit = "month", cuts = { all = [0, 24] }, bsa = "BSA", weight = "WT" }
    """


@pytest.mark.parametrize(
    ("rule", "first", "last"),
    [("nocb", (4.0, 0.25), (6.0, 0.32)), ("locf", (3.0, 0.2), (5.0, 0.3))],
)
def test_a_growing_infant_has_clearance_per_size_of_one_time(define, scratch, rule, first, last):
    """One rate until day 10, another until day 40; weight and surface at the ends by hand."""
    rows = [
        {"TIME": 0.0, "AMT": 10.0, "RATE": 1.0, "DV": np.nan, "WT": 3.0, "BSA": 0.2},
        {"TIME": 10.0, "AMT": 60.0, "RATE": 2.0, "DV": np.nan, "WT": 4.0, "BSA": 0.25},
        {"TIME": 25.0, "AMT": 0.0, "RATE": 0.0, "DV": 900.0, "WT": 5.0, "BSA": 0.3},
        {"TIME": 40.0, "AMT": 0.0, "RATE": 0.0, "DV": 900.0, "WT": 6.0, "BSA": 0.32},
        {"TIME": 50.0, "AMT": 0.0, "RATE": 0.0, "DV": 100.0, "WT": 7.0, "BSA": 0.35},
    ]
    file = scratch / "growing_infant.csv"
    pd.DataFrame(rows).assign(ID=1, AGE=1.0).to_csv(file, index=False)
    units = '{ time = "day", amount = "ug", concentration = "ug/L" }'
    data = f'\n    [data]\n    file = "{file}"\n    units = {units}\n    covariates = "{rule}"\n'
    result = pk.evaluate(define(f"growing_infant_{rule}", GROWING + data))
    weight, bsa = last
    cl = 0.5 * weight
    v = result.individuals["V"][0]
    expected = {
        **{"WT": weight, "BSA": bsa, "R0": 2.0, "R0_BSA": 2.0 / bsa, "CL": cl, "CL_BSA": cl / bsa},
        **{"CL_70KG": cl * (70.0 / weight) ** 0.75, "CSS": 2.0 / cl, "CSS_DN": bsa / cl, "V": v},
        **{"V_BSA": v / bsa, "HALF_LIFE": np.log(2.0) * v / cl, "AGE": 1.0 / 12.0},
    }
    drawn = result.drawn_exposure(50, seed=1)
    for name, value in expected.items():
        assert result.exposure[name][0] == pytest.approx(value, rel=1e-12), name
        if name not in ("V", "V_BSA", "HALF_LIFE"):
            assert drawn[name][0] == pytest.approx(value, rel=1e-12), name
    assert drawn["V_BSA"][0] == pytest.approx(drawn["V"][0] / bsa, rel=1e-12)
    periods = result.exposure_by_period
    assert periods["R0_BSA"].tolist() == pytest.approx([1.0 / first[1], 2.0 / bsa], rel=1e-12)
    assert periods["CSS"].tolist() == pytest.approx([1.0 / (0.5 * first[0]), 2.0 / cl], rel=1e-12)


# -- summaries ----------------------------------------------------------------------------------


def test_summaries_by_hand():
    row = describe(np.array([1.0, 2.0, 4.0, 8.0, np.nan]))
    assert (row["n"], row["n_missing"]) == (4, 1)
    assert row["mean"] == 3.75
    assert row["sd"] == pytest.approx(np.sqrt((2.75**2 + 1.75**2 + 0.25**2 + 4.25**2) / 3))
    assert (row["median"], row["min"], row["max"]) == (3.0, 1.0, 8.0)
    assert row["geometric_mean"] == pytest.approx(2.0**1.5)
    log_variance = np.log(2.0) ** 2 * (1.5**2 + 0.5**2 + 0.5**2 + 1.5**2) / 3
    assert row["geometric_cv"] == pytest.approx(100 * np.sqrt(np.exp(log_variance) - 1))
    assert row["p05"] == pytest.approx(1.15)
    assert row["p95"] == pytest.approx(7.4)


def test_small_samples_have_no_spread_and_none_no_mean():
    assert describe(np.array([2.0]))["sd"] is None
    assert describe(np.array([np.nan]))["mean"] is None


def test_a_group_without_subjects_stays_in_the_table():
    groups = Groups("age group", ("a", "b", "c"), np.array([0, 2, 2]), "")
    table = group_summary(pd.DataFrame({"CL": [1.0, 2.0, 3.0]}), groups, "individual")
    assert table[["group", "metric", "n"]].to_numpy().tolist() == [
        ["a", "CL", 1],
        ["b", "CL", 0],
        ["c", "CL", 2],
    ]
