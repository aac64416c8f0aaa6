"""All figures, ugly data too: no text cut or covered, and no trace left outside the figure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
import plot_cases
from pkmodel.plots.clearance import PublishedCurve, clearance_plot
from pkmodel.plots.concentration import concentration_time, draw_concentrations
from pkmodel.plots.exposure_by_group import exposure_plot
from pkmodel.plots.forest import forest_plot
from pkmodel.plots.panel import tidy_log_axis, time_ticks
from pkmodel.plots.style import COLOURS, GREY, MARKERS, footnote, look, new_figure
from pkmodel.plots.typical import typical_parameter
from pkmodel.plots.weight_band import weight_band_plot
from pkmodel.plots.wrapping import text_width, wrap
from plot_cases import UNITS, contrast

LONG = (
    "neonates and infants below six months",
    "infants 6 to 11 months",
    "toddlers of one year $x$",
    "preschool children 2 to 5",
    "school children 6 to 9 years",
    "young adolescents 10-13 $\\frac$",
    "adolescents 14 to 17 years of age",
)
BAND = {
    "metric": "CSS",
    "unit": "pg/mL",
    "mean": 706.0,
    "sd": 194.0,
    "source": "Sustained Benefit of Blinatumomab in Infants With KMT2A-Rearranged ALL: Long-Term "
    "Outcomes, Toxicity, and Pharmacokinetics. J Clin Oncol 2026; abstract",
}
CLEMENTS = PublishedCurve("Clements 2020", lambda b: 2.22 * (b / 1.876) ** 0.62, "L/h", 0.37)
PEOPLE = pd.DataFrame({"AGE": np.linspace(0.1, 17.0, 40)}).assign(
    BSA=lambda t: 0.25 + 0.09 * t["AGE"], WT=lambda t: 3.5 + 3.4 * t["AGE"]
)


def long_concentrations():
    rows = [
        ("observation", group, 10 * k + i, time, 700.0 * np.exp(-0.1 * k), int(time > 680), 690.0)
        for k, group in enumerate(LONG)
        for i in range(k + 1)
        for time in (2.0, 24.0, 336.0, 672.0, 684.0)
    ]
    columns = ["KIND", "GROUP", "ID", "TIME", "DV", "CENS", "PREDICTION"]
    return pd.DataFrame(rows, columns=columns).assign(VIRTUAL=True)


def long_contrasts():
    rows = [
        contrast(metric=metric, group=group, reference=LONG[-1], kind=kind, ratio=0.1 * 3.0**k)
        for metric in ("CSS", "CL_BSA")
        for k, group in enumerate(LONG[:-1])
        for kind in ("individual", "model", "noncompartmental")
    ]
    for row in rows:
        row.update(lower=0.9 * row["ratio"], upper=1.1 * row["ratio"], verdict="not equivalent")
    rows[0].update(lower=None, warnings=["few", "eta shrinkage of CL is 41 %, above 25 %: " * 3])
    rows[1].update(ratio=None, lower=None, upper=None, verdict="inconclusive")
    return rows


def make(name, fit):
    table = plot_cases.exposure()
    gaps = plot_cases.exposure(LONG, each=3)
    gaps.loc[::4, "CSS"] = np.nan
    gaps.loc[gaps["GROUP"] == LONG[2], "CL_BSA"] = np.nan
    typical = typical_parameter(fit, "CL", PEOPLE)
    if name == "concentration":
        return concentration_time(fit)
    if name == "concentration, median in a window":
        return concentration_time(fit, prediction="median", window=(46.0, 63.0))
    if name == "concentration, seven groups":
        return draw_concentrations(long_concentrations(), UNITS)
    if name == "concentration, one subject without groups":
        one = long_concentrations().query("ID == 0").drop(columns="GROUP")
        return draw_concentrations(one, UNITS, is_log=False)
    if name == "exposure":
        return exposure_plot(table, UNITS, is_virtual=True, published=[{**BAND, "group": "child"}])
    if name == "exposure, seven groups with gaps":
        return exposure_plot(gaps, UNITS, is_virtual=True, is_log=True, published=[BAND])
    if name == "exposure, one subject and four metrics":
        metrics = ("CSS", "CL", "CL_BSA", "HALF_LIFE")
        return exposure_plot(table.head(1), UNITS, is_virtual=False, metrics=metrics)
    if name == "forest":
        return forest_plot([contrast(), contrast(group="child")], is_virtual=True)
    if name == "forest, wide with gaps":
        return forest_plot(long_contrasts(), is_virtual=True)
    if name == "clearance":
        return clearance_plot(
            fit.exposure, UNITS, is_virtual=True, typical=typical, published=[CLEMENTS]
        )
    if name == "clearance, seven groups with gaps":
        return clearance_plot(gaps.assign(CL=gaps["CSS"] / 700.0), UNITS, is_virtual=True)
    if name == "clearance, three subjects without groups":
        few = table.head(3).drop(columns="GROUP")
        return clearance_plot(few, UNITS, is_virtual=False, against=["BSA"], published=[CLEMENTS])
    if name == "weight band":
        return weight_band_plot(fit, PEOPLE)
    assert name == "weight band, many and empty ones"
    edges = [0.0, 5.0, 7.5, 10.0, 12.5, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 80.0]
    return weight_band_plot(fit, PEOPLE.query("WT < 16 or WT > 50"), edges=edges)


NAMES = (
    "concentration",
    "concentration, median in a window",
    "concentration, seven groups",
    "concentration, one subject without groups",
    "exposure",
    "exposure, seven groups with gaps",
    "exposure, one subject and four metrics",
    "forest",
    "forest, wide with gaps",
    "clearance",
    "clearance, seven groups with gaps",
    "clearance, three subjects without groups",
    "weight band",
    "weight band, many and empty ones",
)


@pytest.fixture(scope="module")
def fit(define):
    return pk.fit(define("plots-layout", plot_cases.TEXT), plot_cases.cohort())


@pytest.fixture(scope="module")
def settings():
    return dict(mpl.rcParams)


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_whole_and_apart_and_drawing_leaves_no_trace(
    name, fit, settings, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    plot = make(name, fit)
    figure = plot_cases.drawn(plot.figure)
    assert plot_cases.cut_texts(figure) == []
    assert plot_cases.overlapping_texts(figure) == []
    assert len(plot.data)
    assert dict(mpl.rcParams) == settings
    assert list(tmp_path.iterdir()) == []


def test_no_figure_asks_for_a_window_system():
    folder = Path(pk.__file__).parent / "plots"
    modules = [f"pkmodel.plots.{path.stem}" for path in folder.glob("*.py")]
    code = f"""
import importlib, sys
for name in {modules}: importlib.import_module(name)
from pkmodel.plots.forest import forest_plot
forest_plot([{contrast()!r}], is_virtual=True)._repr_png_()
print("matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


def test_seven_groups_share_neither_colour_nor_marker():
    looks = [look(k) for k in range(7)]
    assert {one.colour for one in looks} == set(COLOURS)
    assert {one.marker for one in looks} == set(MARKERS)
    assert len({look(k) for k in range(14)}) == 14
    assert GREY not in COLOURS


def test_footnotes_add_up_and_stay_below_the_panels():
    figure = new_figure()
    axes = figure.subplots()
    axes.set_xlabel("time (h)")
    footnote(figure, "one", "")
    footnote(figure, "two " * 60)
    (note,) = [text for text in plot_cases.drawn(figure).texts if text.get_gid() == "footnote"]
    assert note.get_text().startswith("one\ntwo two")
    assert note.get_window_extent().y1 < axes.get_tightbbox().y0
    assert plot_cases.cut_texts(figure) == []


def test_long_infusions_have_ticks_at_whole_days():
    axes = new_figure().subplots()
    axes.set_xlim(0.0, 700.0)
    time_ticks(axes.xaxis, "h", 700.0)
    ticks = axes.get_xticks()
    assert (np.mod(ticks, 24.0) == 0.0).all()
    assert len(ticks) <= 9
    short = new_figure().subplots()
    time_ticks(short.xaxis, "h", 24.0)
    assert list(short.get_xticks()) == list(new_figure().subplots().get_xticks())


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (40.0, 3000.0, {"50", "100", "200", "500", "1000", "2000"}),
        (0.3, 0.65, {"0.3", "0.4", "0.5", "0.6"}),
        (0.004, 40.0, {"0.01", "0.1", "1", "10"}),
    ],
)
def test_logarithmic_axes_have_plain_numbers(low, high, expected):
    figure = new_figure()
    axes = figure.subplots()
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    tidy_log_axis(axes.yaxis, low, high)
    assert set(plot_cases.texts(plot_cases.drawn(figure))) - {"0.0", "1.0"} >= expected


def test_wrapped_lines_fit_and_lose_no_word():
    text = "Sustained Benefit of Blinatumomab in Infants With KMT2A-Rearranged ALL " * 3
    lines = wrap(text.strip(), 2.0, 9.0).splitlines()
    assert " ".join(lines) == text.strip()
    assert max(text_width(line, 9.0) for line in lines) <= 2.0
    assert len(lines) < 3.0 * text_width(text, 9.0) / 2.0
