"""Exposure by weight band: doses of the label, and percentiles of a law that is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

import pkmodel as pk
import plot_cases
from pkmodel.errors import DataError, ModelError
from pkmodel.plots.dose_band import BLINATUMOMAB_LABEL, DoseBand
from pkmodel.plots.weight_band import EDGES, weight_band_plot, weight_band_table

PEOPLE = pd.DataFrame(
    {
        "WT": [3.5, 4.0, 8.0, 9.9, 10.0, 44.9, 45.0, 70.0],
        "BSA": [0.22, 0.24, 0.40, 0.46, 0.47, 1.37, 1.38, 1.85],
    }
)


@pytest.fixture(scope="module")
def fit(define):
    return pk.evaluate(define("plots-weight", plot_cases.TEXT), plot_cases.cohort())


@pytest.fixture(scope="module")
def table(fit):
    return weight_band_table(fit, PEOPLE)


def test_rates_are_those_of_the_label():
    """ug/h by hand: 15 x BSA / 24 below 45 kg, at most 28 / 24; from 45 kg 28 / 24."""
    big = PEOPLE.assign(BSA=PEOPLE["BSA"].replace(1.37, 1.95))
    light, heavy = (band.rate(big, plot_cases.UNITS) for band in BLINATUMOMAB_LABEL)
    expected = [0.1375, 0.15, 0.25, 0.2875, 0.29375, 1.16667, 0.8625, 1.15625]
    assert light == pytest.approx(expected, rel=1e-5)
    assert heavy == pytest.approx([28.0 / 24.0] * 8, rel=1e-14)


def test_every_person_is_in_one_band(table):
    assert table["N"].tolist() == [2, 2, 1, 0, 0, 1, 1, 1]
    assert table["BAND"].iloc[[0, 1, -1]].tolist() == ["under 5", "5 to under 10", "60 and over"]
    assert table["REGIMEN"].tolist() == [
        *["15 µg/m²/day, at most 28 µg/day (under 45 kg)"] * 6,
        *["28 µg/day (45 kg and over)"] * 2,
    ]
    assert table.loc[table["N"] == 0, ["MEDIAN", "P05", "P95"]].isna().all(axis=None)
    assert table["SIMULATED"].all()
    assert table["UNIT"].eq("pg/mL").all()


EXACT = 1e-10  # the root is searched to 1e-12 of log Css; head room 100


def test_one_person_has_the_percentiles_of_a_lognormal_law(table):
    """At 70 kg: 1000 x 28 / 24 / (0.4 (1.85 / 0.6)^0.7), times exp(+-1.645 x 0.3)."""
    centre = 1000.0 * 28.0 / 24.0 / (0.4 * (1.85 / 0.6) ** 0.7)
    row = table.iloc[-1]
    found = [row["P05"], row["MEDIAN"], row["P95"]]
    expected = [centre * np.exp(z * 0.3) for z in norm.ppf([0.05, 0.5, 0.95])]
    assert found == pytest.approx(expected, rel=EXACT)


def test_a_band_has_the_percentiles_of_the_mixture_of_its_persons(fit):
    people = pd.DataFrame({"WT": [5.0, 6.0, 7.0, 9.5], "BSA": [0.29, 0.33, 0.37, 0.9]})
    row = weight_band_table(fit, people).iloc[1]
    bsa = people["BSA"].to_numpy()
    centre = np.log(1000.0 * 15.0 * bsa / 24.0 / (0.4 * (bsa / 0.6) ** 0.7))

    def percentile(share):
        return np.exp(brentq(lambda x: norm.cdf((x - centre) / 0.3).mean() - share, 0.0, 20.0))

    found = [row["P05"], row["MEDIAN"], row["P95"]]
    expected = [percentile(share) for share in (0.05, 0.5, 0.95)]
    assert found == pytest.approx(expected, rel=EXACT)


def test_variability_between_occasions_is_part_of_it(define):
    text = plot_cases.TEXT.replace("V = 0.04", "V = 0.04\noccasion = { CL = 0.07 }")
    table = plot_cases.cohort().assign(OCC=lambda t: 1 + (t["TIME"] > 30.0))
    fit = pk.evaluate(define("plots-occasion", text), table)
    plot = weight_band_plot(fit, PEOPLE)
    row = plot.data.iloc[-1]
    width = np.log(row["P95"] / row["MEDIAN"]) / norm.ppf(0.95)
    assert width == pytest.approx(np.sqrt(0.09 + 0.07), rel=EXACT)
    assert any("between subjects and occasions" in text for text in plot_cases.texts(plot.figure))


def test_a_normal_law_may_leave_clearances_without_a_finite_css(define):
    """At sd 0.3 and a typical CL of 0.2 a quarter of the persons have none."""
    text = plot_cases.TEXT.replace("V = 0.04", 'V = 0.04\ndistribution = { CL = "normal" }')
    fit = pk.evaluate(define("plots-normal", text), plot_cases.cohort())
    row = weight_band_table(fit, PEOPLE.tail(1)).iloc[-1]
    centre = 0.4 * (1.85 / 0.6) ** 0.7
    low, median = (1000.0 * 28.0 / 24.0 / (centre + z * 0.3) for z in (norm.ppf(0.95), 0.0))
    assert [row["P05"], row["MEDIAN"]] == pytest.approx([low, median], rel=EXACT)
    small = weight_band_plot(fit, PEOPLE.head(1))
    assert small.data.loc[0, "P95"] == np.inf
    assert np.isfinite(small.data.loc[0, "MEDIAN"])
    assert any("no finite 95th percentile" in text for text in plot_cases.texts(small.figure))


def test_the_figure_shows_what_the_table_says(fit, table):
    plot = weight_band_plot(fit, PEOPLE)
    pd.testing.assert_frame_equal(plot.data, table)
    axes = plot.figure.axes[0]
    medians = [line for line in axes.lines if len(line.get_xdata()) == 1]
    shown = [line.get_ydata()[0] for line in medians]
    assert shown == pytest.approx(table["MEDIAN"].tolist(), nan_ok=True)
    assert axes.get_ylabel() == "steady-state concentration (pg/mL)"
    assert axes.get_xlabel() == "weight band (kg), and persons in it"
    written = plot_cases.texts(plot_cases.drawn(plot.figure))
    assert any(text.endswith("n = 0") for text in written)
    assert any("Simulated, not observed: typical" in text for text in written)


def test_what_is_refused(fit, define):
    with pytest.raises(ModelError, match="limit of the regimen at 45 kg"):
        weight_band_table(fit, PEOPLE, edges=[0.0, 30.0, 60.0, 90.0])
    with pytest.raises(ModelError, match="expected two or more rising weights"):
        weight_band_table(fit, PEOPLE, edges=[0.0, 45.0, 45.0, 90.0])
    with pytest.raises(DataError, match="has weights outside of 0 to 60 kg"):
        weight_band_table(fit, PEOPLE, edges=[0.0, 45.0, 60.0])
    with pytest.raises(DataError, match="no column BSA"):
        weight_band_table(fit, PEOPLE[["WT"]])
    with pytest.raises(DataError, match="1 rows without a dose"):
        weight_band_table(fit, PEOPLE.assign(BSA=PEOPLE["BSA"].where(PEOPLE["WT"] != 8.0)))
    gap = (DoseBand(0.0, 30.0, 15.0, "ug/m2/day"), BLINATUMOMAB_LABEL[1])
    with pytest.raises(ModelError, match="no dose for some of the weight bands"):
        weight_band_table(fit, PEOPLE, regimen=gap, edges=EDGES)
    with pytest.raises(ModelError, match="is not an amount per time of the kind of ug/h"):
        weight_band_table(fit, PEOPLE, regimen=[DoseBand(0.0, np.inf, 5.0, "mmol/day")])
    bare = plot_cases.TEXT.replace(
        'units = { time = "h", amount = "ug", concentration = "pg/mL" }\n', ""
    )
    unknown = pk.evaluate(define("plots-no-units", bare), plot_cases.cohort())
    with pytest.raises(ModelError, match="units are not declared"):
        weight_band_table(unknown, PEOPLE)
