"""Published figures: each has a mark and a source, and what is derived is computed again."""

from __future__ import annotations

import re
import tomllib
from math import exp, log, sqrt

import numpy as np
import pytest
from scipy.stats import norm

from pkmodel.errors import PkmodelError
from pkmodel.marks import MARKS
from pkmodel.published import TABLES, published_figures, published_model
from pkmodel.shipped import shipped_data

FOLDERS = {name: d.file.parent for name, d in shipped_data().items() if d.is_published}


def row(table, name):
    return published_figures(table).set_index("id").loc[name]


@pytest.mark.parametrize("table", TABLES)
def test_every_row_has_a_mark_that_may_be_shipped(table):
    figures = published_figures(table)
    assert len(figures) > 0
    assert set(figures["mark"]) <= set(MARKS)
    assert set(figures["data"]) == set(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_nothing_from_memory_is_shipped(name):
    for file in FOLDERS[name].iterdir():
        assert "RECALL" not in file.read_text(encoding="utf-8")


def test_derived_rows_stand_apart():
    assert set(published_figures("derived")["mark"]) == {"DERIVED"}
    for table in set(TABLES) - {"derived"}:
        assert "DERIVED" not in set(published_figures(table)["mark"])


@pytest.mark.parametrize("table", ["summaries", "outcomes", "regimens"])
def test_every_row_names_a_listed_source_and_is_named_once(table):
    figures = published_figures(table)
    assert set(figures["source"]) <= set(published_figures("sources")["source"])
    assert figures["id"].is_unique
    assert (figures["unit"] != "").all()


def test_numbers_are_numbers_and_unknown_ones_are_missing():
    summaries = published_figures()
    for name in ("n", "mean", "sd", "median", "min", "max"):
        assert summaries[name].dtype == np.float64
    assert not summaries[["mean", "median", "min"]].isna().all(axis=1).any()
    ordered = summaries[summaries["median"].notna()]
    assert ((ordered["min"] < ordered["median"]) & (ordered["median"] < ordered["max"])).all()
    assert (summaries["sd"].isna() | summaries["mean"].notna()).all()


def test_metrics_are_those_of_exposure_in_their_units():
    units = {
        "CSS": "pg/mL",
        "CL": "L/h",
        "CL_BSA": "L/h/m2",
        "V": "L",
        "V_BSA": "L/m2",
        "HALF_LIFE": "h",
    }
    for _, figure in published_figures().iterrows():
        assert figure["unit"] == units[figure["metric"]]


def test_the_infants_are_as_published():
    css, clearance = row("summaries", "infants_css"), row("summaries", "infants_cl_bsa")
    assert (css["n"], css["mean"], css["sd"]) == (30, 706, 194)
    assert clearance[["median", "min", "max"]].tolist() == [0.89, 0.57, 2.66]


# -- derived ----------------------------------------------------------------------------------


def log_log_interval(survivors, n):
    """Kaplan-Meier estimate without censoring, Greenwood's variance, log(-log) scale; percent."""
    estimate = survivors / n
    error = sqrt((n - survivors) / (n * survivors)) / abs(log(estimate))
    half = norm.ppf(0.975) * error
    return [100 * estimate, 100 * estimate ** exp(half), 100 * estimate ** exp(-half)]


def clements_per_m2(bsa):
    model = tomllib.loads((FOLDERS["blinatumomab_published"] / "models.toml").read_text())
    figures = {k: v["value"] for k, v in model["clements_2020"]["figures"].items()}
    size = bsa / figures["reference_bsa"]
    return figures["clearance"] * size ** figures["bsa_exponent"] / bsa


def recomputed():
    """Compute every derived figure from the rows that it names."""
    css, infants = row("summaries", "infants_css"), row("summaries", "infants_cl_bsa")
    dose = float(re.match(r"([\d.]+) ug/m2/day", css["regimen"]).group(1))
    rate = dose * 1000 / 24  # ug/day in ng/h
    cv = css["sd"] / css["mean"]
    volume = published_model("clements_2020").figures["volume"].value
    per_m2 = row("summaries", "children_v_bsa")["mean"]
    return {
        "rate_bsa": [rate],
        "clearance_of_means": [rate / css["mean"]],  # ng/h/m2 over pg/mL, which is ng/L
        "css_log_sd": [sqrt(log(1 + cv**2))],
        "css_geometric_mean": [css["mean"] / sqrt(1 + cv**2)],
        "model_cl_bsa_0.25": [clements_per_m2(0.25)],
        "model_css_0.25": [rate / clements_per_m2(0.25)],
        "model_cl_bsa_0.45": [clements_per_m2(0.45)],
        "model_css_0.45": [rate / clements_per_m2(0.45)],
        "half_life_of_flat_volume": [log(2) * volume / (infants["median"] * 0.40)],
        "half_life_of_volume_per_m2": [log(2) * per_m2 / infants["median"]],
        "dfs_4_interval": log_log_interval(25, 30),
        "os_4_interval": log_log_interval(28, 30),
    }


def test_every_derived_row_follows_from_its_inputs():
    """Shipped with four digits."""
    expected = recomputed()
    derived = published_figures("derived").set_index("id")
    assert list(derived.index) == list(expected)
    for name, values in expected.items():
        shipped = derived.loc[name, ["value", "lower", "upper"]].dropna().tolist()
        assert shipped == [float(f"{value:.4g}") for value in values], name


def test_every_input_of_a_derived_row_is_shipped():
    names = {name for table in ("summaries", "outcomes", "derived")
             for name in published_figures(table)["id"]}  # fmt: skip
    for inputs in published_figures("derived")["inputs"]:
        for name in inputs.split():
            assert name in names or published_model(name)


@pytest.mark.parametrize("name", ["dfs_4", "os_4"])
def test_derived_intervals_are_the_published_ones(name):
    published, derived = row("outcomes", name), row("derived", f"{name}_interval")
    for end in ("value", "lower", "upper"):
        assert round(derived[end], 1) == published[end]


def test_derived_figures_round_to_those_in_use():
    assert round(row("derived", "clearance_of_means")["value"], 3) == 0.885
    assert round(row("derived", "css_geometric_mean")["value"]) == 681
    assert round(row("derived", "css_log_sd")["value"], 3) == 0.270
    predicted = [row("derived", f"model_{what}")["value"]
                 for what in ("cl_bsa_0.45", "cl_bsa_0.25")]  # fmt: skip
    assert np.round(predicted, 1).tolist() == [2.0, 2.5]


# -- the published model ------------------------------------------------------------------------


def test_clearance_of_the_published_model():
    model = published_model("clements_2020")
    assert model.clearance(1.876) == 2.22
    bsa = np.array([0.25, 0.45, 1.876])
    np.testing.assert_allclose(model.clearance_per_m2(bsa), clements_per_m2(bsa), rtol=1e-15)
    # The paper says that the smallest surface, 0.37 m2, goes with a clearance lower by 63 %.
    smallest = model.figures["smallest_bsa"].value
    assert round(float(100 * (1 - model.clearance(smallest) / 2.22))) == 63


def test_figures_of_the_published_model_have_marks_and_a_source():
    model = published_model("clements_2020")
    assert model.source in set(published_figures("sources")["source"])
    for figure in model.figures.values():
        assert figure.mark in MARKS
        assert figure.mark != "DERIVED"


def test_mean_concentrations_agree_with_rate_over_clearance_within_a_third():
    """28 ug/day over 2.22 L/h is 526 pg/mL, and means of skewed values lie above: units fit."""
    rate = 28 * 1000 / 24
    typical = rate / published_model("clements_2020").clearance(1.876)
    mean = row("summaries", "clements_css_heavy_28")["mean"]
    assert 1.0 < mean / typical < 1.35


def test_unknown_names_are_refused_with_what_is_known():
    with pytest.raises(PkmodelError, match="no published table 'summary'; did you mean `summarie"):
        published_figures("summary")
    with pytest.raises(PkmodelError, match="no published model 'clements'; did you mean `clem"):
        published_model("clements")
