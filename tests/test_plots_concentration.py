"""Concentration against time: every observation, the limit, and lines that are predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
import plot_cases
import simulation
from pkmodel.errors import DataError, ModelError
from pkmodel.plots.concentration import (
    LINE,
    OBSERVED,
    concentration_table,
    concentration_time,
    draw_concentrations,
)
from pkmodel.plots.prediction_line import individual_lines
from pkmodel.plots.style import VIRTUAL


@pytest.fixture(scope="module")
def fit(define):
    return pk.evaluate(define("plots-concentration", plot_cases.TEXT), plot_cases.cohort())


@pytest.fixture(scope="module")
def table(fit):
    return concentration_table(fit)


def seen(table):
    return table[table["KIND"] == OBSERVED]


def test_no_observation_is_lost(fit, table):
    rows = seen(table).reset_index(drop=True)
    assert rows["ID"].tolist() == fit.predictions["ID"].tolist()
    for name in ("TIME", "DV", "CENS"):
        assert rows[name].to_numpy() == pytest.approx(fit.predictions[name].to_numpy(), rel=0)
    assert rows["PREDICTION"].to_numpy() == pytest.approx(fit.predictions["IPRED"].to_numpy())
    assert rows["CENS"].sum() > 0


def test_the_table_comes_back_with_the_figure(fit, table):
    data = concentration_time(fit).data
    pd.testing.assert_frame_equal(data[table.columns], table)
    assert set(data["GROUP"]) == set(plot_cases.GROUPS)


# worst 2e-12: the walk's 1 - exp(-k t) loses digits at the first point, 1e-4 of an interval;
# head room 10
ROUNDING = 2e-11


def test_lines_between_the_records_against_a_walk(fit):
    """One subject's own line, at its own parameters, by the closed form of another program."""
    lines = individual_lines(fit)
    last = plot_cases.DESIGN.time[-1]
    for i in (0, 7):
        own = lines[lines["SUBJECT"] == i]
        times = own["TIME"].to_numpy()
        dense = simulation.make_design([(0, 480, plot_cases.STOP)], times)
        parameters = fit.individuals.loc[i, ["CL", "V"]].astype(float)
        cl, v = (np.full((1, dense.time.size), parameters[p]) for p in ("CL", "V"))
        expected = 1000.0 * simulation.walk(dense, cl, v)[0, ~dense.is_dose]
        assert own["IPRED"].to_numpy() == pytest.approx(expected, rel=ROUNDING)
        assert times.min() < 0.01
        assert times.max() == last


@pytest.mark.parametrize("name", ["phenobarbital", "remifentanil", "theophylline"])
def test_lines_pass_through_the_predictions_at_the_observations(name):
    """Boluses, piecewise infusions and an oral drug; a line ends at each record."""
    fit = pk.evaluate(name)
    ends = individual_lines(fit).drop_duplicates(["ID", "TIME"], keep="last")
    both = fit.predictions.merge(ends, on=["ID", "TIME"], suffixes=("", "_LINE"))
    later = fit.predictions["TIME"] > fit.predictions.groupby("ID")["TIME"].transform("min")
    assert len(both) >= later.sum()
    for column in ("PRED", "IPRED"):
        line = both[f"{column}_LINE"].to_numpy()
        assert line == pytest.approx(both[column].to_numpy(), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("rule", ["nocb", "locf"])
def test_lines_follow_covariates_that_change_in_time(define, rule):
    """Clearance doubles from one record to the next; both rules of when it does."""
    table = plot_cases.cohort(3).assign(BSA=lambda t: np.where(t["TIME"] < 30.0, 0.6, 1.2))
    text = plot_cases.TEXT.replace("[model]\n", f'covariates = "{rule}"\n[model]\n', 1)
    text = text.replace('bsa = "BSA"\n', "")
    fit = pk.evaluate(define(f"plots-{rule}", text), table)
    ends = individual_lines(fit).drop_duplicates(["ID", "TIME"], keep="last")
    both = fit.predictions.merge(ends, on=["ID", "TIME"], suffixes=("", "_LINE"))
    assert len(both) == len(fit.predictions)
    assert both["IPRED_LINE"].to_numpy() == pytest.approx(both["IPRED"].to_numpy(), rel=ROUNDING)


def test_lines_follow_effects_between_occasions(define):
    table = plot_cases.cohort(3).assign(OCC=lambda t: 1 + (t["TIME"] > 30.0))
    text = plot_cases.TEXT.replace("V = 0.04", "V = 0.04\noccasion = { CL = 0.07 }")
    fit = pk.evaluate(define("plots-occasions", text), table)
    own = [f"ETA_CL_OCC{k}" for k in (1, 2)]
    assert fit.individuals[own].abs().min(axis=None) > 1e-4
    ends = individual_lines(fit).drop_duplicates(["ID", "TIME"], keep="last")
    both = fit.predictions.merge(ends, on=["ID", "TIME"], suffixes=("", "_LINE"))
    assert both["IPRED_LINE"].to_numpy() == pytest.approx(both["IPRED"].to_numpy(), rel=ROUNDING)


def test_lines_bend_at_doses_and_ends_of_infusions_without_a_record(define):
    """Doses of 4 h every 12 h, in one record, between samples at 1 and 63 h."""
    table = plot_cases.cohort(2).query("TIME in (0, 1, 63)")
    dose = table["EVID"] == 1
    table = table.assign(
        AMT=table["AMT"].where(~dose, 40.0), RATE=table["RATE"].where(~dose, 10.0)
    ).assign(II=np.where(dose, 12.0, 0.0), ADDL=np.where(dose, 4, 0))
    fit = pk.evaluate(define("plots-bends", plot_cases.TEXT), table)
    times = set(individual_lines(fit).query("ID == 1")["TIME"])
    assert {12.0, 16.0, 24.0, 28.0, 36.0, 40.0, 48.0, 52.0, 63.0} <= times


def test_the_median_line_is_the_median_of_the_walks_of_the_group(fit):
    table = concentration_table(fit, prediction="median")
    lines = table[(table["KIND"] == LINE) & (table["GROUP"] == "child")]
    times = lines["TIME"].to_numpy()[1:]
    dense = simulation.make_design([(0, 480, plot_cases.STOP)], times)
    own = fit.individuals[fit.individuals["GROUP"] == "child"]
    cl, v = (np.repeat(own[[p]].to_numpy(float), dense.time.size, axis=1) for p in ("CL", "V"))
    expected = 1000.0 * np.median(simulation.walk(dense, cl, v)[:, ~dense.is_dose], axis=0)
    assert len(own) > 2
    assert lines["PREDICTION"].to_numpy()[1:] == pytest.approx(expected, rel=ROUNDING)


def test_a_median_stops_where_less_than_half_of_the_subjects_are_left(define):
    table = plot_cases.cohort(4).query("ID == 1 or TIME <= 36")
    text = plot_cases.TEXT.replace(
        "infant = [0, 2], child = [2, 7], adolescent = [7, 18]", "all = [0, 18]"
    )
    fit = pk.evaluate(define("plots-few", text), table)
    lines = concentration_table(fit, prediction="median").query("KIND == @LINE")
    assert lines["TIME"].max() == 36.0


def test_a_median_is_refused_where_time_begins_anew(define):
    first = plot_cases.cohort(1)
    second = first.assign(EVID=first["EVID"].replace(1, 4))
    fit = pk.evaluate(define("plots-anew", plot_cases.TEXT), pd.concat([first, second]))
    with pytest.raises(ModelError, match="TIME of subject 1 begins anew at row"):
        concentration_time(fit, prediction="median")
    lines = concentration_time(fit).figure.axes[0].lines[0].get_ydata()
    assert np.isnan(lines).sum() == 1


def test_a_subject_without_a_mode_has_no_line(fit, monkeypatch):
    failed = np.array([2])
    monkeypatch.setattr(type(fit.problem), "failed", lambda self, terms: failed)
    plot = concentration_time(fit)
    lost = plot.data["PREDICTION"].isna()
    assert set(plot.data.loc[lost, "ID"]) == {3}
    assert plot.data.loc[plot.data["ID"] == 3, "PREDICTION"].isna().all()
    note = "Without a prediction: 1 of 12 subjects (3); no mode was found."
    assert any(note in text for text in plot_cases.texts(plot.figure))


def test_censored_observations_are_open_triangles_at_the_limit(fit):
    plot = concentration_time(fit)
    for axes, name in zip(plot.figure.axes, plot_cases.GROUPS, strict=True):
        rows = seen(plot.data)
        rows = rows[rows["GROUP"] == name]
        (low,) = [line for line in axes.lines if line.get_marker() == "v"]
        (quantified,) = [line for line in axes.lines if line.get_marker() == "o"]
        assert low.get_markerfacecolor() == "white"
        assert (low.get_ydata() == plot_cases.LIMIT).all()
        assert low.get_xdata().tolist() == rows.loc[rows["CENS"] == 1, "TIME"].tolist()
        assert len(quantified.get_xdata()) == (rows["CENS"] == 0).sum()


def test_axes_hold_units_and_panels_their_groups(fit):
    figure = plot_cases.drawn(concentration_time(fit).figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        f"{name} (n\u00a0=\u00a0{n})"
        for name, n in (("infant", 2), ("child", 3), ("adolescent", 7))
    ]
    assert figure.axes[0].get_ylabel() == "concentration (pg/mL)"
    assert {axes.get_xlabel() for axes in figure.axes} == {"time (h)"}
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}
    assert concentration_time(fit, is_log=False).figure.axes[0].get_yscale() == "linear"


@pytest.mark.parametrize("is_virtual", [True, False])
def test_virtual_data_say_so(define, is_virtual):
    table = plot_cases.cohort(4, is_virtual=is_virtual)
    plot = concentration_time(pk.evaluate(define("plots-virtual", plot_cases.TEXT), table))
    assert (VIRTUAL in "\n".join(plot_cases.texts(plot.figure))) is is_virtual
    assert (plot.data["VIRTUAL"] == is_virtual).all()


def test_a_window_says_what_lies_outside(fit):
    plot = concentration_time(fit, window=(40.0, 64.0))
    outside = "72 of 144 observations lie outside this window."
    assert any(outside in text for text in plot_cases.texts(plot.figure))
    assert len(seen(plot.data)) == 144
    low, high = plot.figure.axes[0].get_xlim()
    assert low < 40.0 < 64.0 < high


def test_a_logarithmic_axis_says_what_it_cannot_show(table):
    changed = table.copy()
    changed.loc[:1, "DV"] = [0.0, -3.0]
    plot = draw_concentrations(changed, plot_cases.UNITS, order=plot_cases.GROUPS)
    assert "2 of 144 observations are 0 or less: not on this axis." in "\n".join(
        plot_cases.texts(plot.figure)
    )


def test_subjects_without_a_group_have_a_panel(table):
    changed = table.assign(GROUP=table["GROUP"].where(table["ID"] != 1))
    plot = draw_concentrations(changed, plot_cases.UNITS, order=plot_cases.GROUPS)
    assert "no group (n\u00a0=\u00a01)" in plot_cases.texts(plot.figure)
    assert len(plot.data) == len(table)


def test_what_is_refused(fit, table):
    with pytest.raises(ModelError, match="no prediction 'medain'; did you mean `median`"):
        concentration_time(fit, prediction="medain")
    with pytest.raises(ModelError, match=r"no observation lies in the window \(90.0, 99.0\)"):
        concentration_time(fit, window=(90.0, 99.0))
    with pytest.raises(DataError, match="the table of concentrations has no column CENS"):
        draw_concentrations(table.drop(columns="CENS"), plot_cases.UNITS)
    with pytest.raises(ModelError, match="the order of groups leaves out 'child'"):
        draw_concentrations(table, plot_cases.UNITS, order=["infant", "adolescent"])
