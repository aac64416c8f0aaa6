"""Forest plots: ratios on a logarithmic axis, margins shaded, verdicts and warnings in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

import plot_cases
from pkmodel.contrast.record import Contrast
from pkmodel.errors import DataError, ModelError
from pkmodel.plots.forest import KINDS, forest_plot, interval_text
from pkmodel.plots.style import VIRTUAL
from plot_cases import contrast

ROWS = [
    contrast(metric="CL_BSA", group="child", kind="model", ratio=1.3, lower=1.1, upper=1.5),
    contrast(),
    contrast(kind="noncompartmental", ratio=0.7, lower=0.6, upper=0.79, verdict="not equivalent"),
    contrast(group="child", ratio=0.9, lower=0.75, upper=1.08, verdict="inconclusive"),
]


def forest(rows, *, is_virtual=False):
    return forest_plot(rows, is_virtual=is_virtual)


def margins(axes):
    """Return (low, high, top, bottom) of each shaded margin."""
    found = [p for p in axes.patches if isinstance(p, Rectangle)]
    return [
        (p.get_x(), p.get_x() + p.get_width(), p.get_y(), p.get_y() + p.get_height()) for p in found
    ]


def markers(axes):
    """Return (x, y, marker, is open) of each marker."""
    return [
        (line.get_xdata()[0], line.get_ydata()[0], line.get_marker(), line.get_mfc() == "white")
        for line in axes.lines
        if line.get_marker() not in ("None", "", None)
    ]


def test_every_row_comes_back_in_its_order():
    data = forest(ROWS, is_virtual=True).data
    for name in ("metric", "group", "kind", "ratio", "verdict"):
        assert data[name].tolist() == [row[name] for row in ROWS]
    assert data[["margin_low", "margin_high"]].to_numpy().tolist() == [[0.8, 1.25]] * 4
    assert data["virtual"].all()


def test_ratios_stand_at_their_places_by_kind():
    axes = forest(ROWS).figure.axes[0]
    assert axes.get_xscale() == "log"
    expected = {(row["ratio"], KINDS[row["kind"]][0].marker, False) for row in ROWS}
    assert {(x, marker, is_open) for x, _, marker, is_open in markers(axes)} == expected
    heights = {x: y for x, y, _, _ in markers(axes)}
    assert heights[0.9] < heights[1.05] < heights[0.7] < heights[1.3]
    intervals = [sorted(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    for row in ROWS:
        assert [row["lower"], row["upper"]] in intervals


def test_the_margin_is_shaded_behind_all_rows():
    axes = forest(ROWS).figure.axes[0]
    ((low, high, top, bottom),) = margins(axes)
    assert (low, high) == pytest.approx((0.8, 1.25))
    assert all(top < y < bottom for _, y, _, _ in markers(axes))


def test_each_row_has_its_own_margin():
    rows = [contrast(), contrast(metric="CL", margin=(0.5, 2.0))]
    figure = forest(rows).figure
    shaded = margins(figure.axes[0])
    assert np.allclose([(low, high) for low, high, _, _ in shaded], [(0.8, 1.25), (0.5, 2.0)])
    (_, first, _, _), (_, second, _, _) = markers(figure.axes[0])
    assert shaded[0][2] < first < shaded[0][3] == shaded[1][2] < second < shaded[1][3]
    assert "margin 0.8 to 1.25 or 0.5 to 2" in plot_cases.texts(figure)


def test_verdicts_counts_and_intervals_are_written():
    written = plot_cases.texts(forest(ROWS).figure)
    assert "1.05 (0.93 to 1.19)" in written
    assert written.count("equivalent") == 2
    assert {"not equivalent", "inconclusive", "30 / 20"} <= set(written)


def test_what_is_not_known_is_said():
    rows = [
        contrast(lower=None, upper=None, verdict="inconclusive"),
        contrast(group="child", ratio=None, lower=None, upper=None, verdict="inconclusive"),
        contrast(metric="CL", upper=float("nan"), verdict="inconclusive"),
    ]
    figure = forest(rows).figure
    written = plot_cases.texts(figure)
    assert {"1.05 (not known)", "not known", "1.05 (0.93 to ?)"} <= set(written)
    assert [is_open for *_, is_open in markers(figure.axes[0])] == [True, True]
    assert any("Open marker: an end of the interval is not known." in text for text in written)


def test_ratios_beyond_the_axis_are_arrows_and_numbers():
    rows = [
        contrast(ratio=30.0, lower=20.0, upper=45.0, verdict="not equivalent"),
        contrast(group="child", lower=0.004, verdict="inconclusive"),
    ]
    figure = forest(rows).figure
    axes = figure.axes[0]
    assert axes.get_xlim() == pytest.approx((0.125, 8.0))
    assert [m for _, _, m, _ in markers(axes)] == [">", ">", "<", "o"]
    written = plot_cases.texts(figure)
    assert {"30 (20 to 45)", "1.05 (0.004 to 1.19)"} <= set(written)
    assert any("Arrow: goes on beyond the axis" in text for text in written)


def test_warnings_are_numbered_once_and_written_out():
    shrunk = "eta shrinkage of CL is 31 %"
    rows = [contrast(warnings=[shrunk]), contrast(group="child", warnings=[shrunk, "few"])]
    written = plot_cases.texts(forest(rows).figure)
    assert {"equivalent [1]", "equivalent [1,2]"} <= set(written)
    (notes,) = [text for text in written if "[1] " in text]
    assert notes.splitlines()[-2:] == [f"[1] {shrunk}", "[2] few"]


def test_contrasts_are_drawn_as_their_rows_are():
    """What `Comparability.contrasts` holds, and what contrasts.json does."""
    row = Contrast(
        **{**contrast(), "margin": (0.8, 1.25), "warnings": ("few",)},
        **{"p_value": 0.01, "p_holm": 0.02, "interval": "Welch"},
    )
    unknown = replace(row, group="child", ratio=float("nan"), lower=float("nan"))
    drawn = forest((row, unknown))
    expected = forest([row.to_dict(), unknown.to_dict()])
    assert plot_cases.texts(drawn.figure) == plot_cases.texts(expected.figure)
    assert "not known" in plot_cases.texts(drawn.figure)
    assert drawn.data["margin_high"].tolist() == [1.25, 1.25]


@pytest.mark.parametrize("ratio", [1.05, 0.0123, 0.00234, 2.5e-5, 12345.6])
def test_columns_of_text_stand_apart_however_long_their_texts(ratio):
    rows = [
        contrast(ratio=ratio, lower=0.9 * ratio, upper=1.1 * ratio, warnings=list("abcdefgh")),
        contrast(group="child", lower=None, verdict="not equivalent"),
    ]
    figure = plot_cases.drawn(forest(rows).figure)
    boxes = {t.get_text(): t.get_window_extent() for t in figure.axes[0].texts if t.get_text()}
    (long,) = [text for text in boxes if text.endswith("[1,2,3,4,5,6,7,8]")]
    interval = interval_text(ratio, 0.9 * ratio, 1.1 * ratio)
    assert boxes[interval].x1 + 5 < boxes[long].x0
    assert boxes[long].x1 + 5 < boxes["30 / 20"].x0
    assert max(box.x1 for box in boxes.values()) < figure.bbox.x1


def test_rows_that_differ_by_adjustment_are_told_apart():
    rows = [
        contrast(kind="model", adjustment="none"),
        contrast(kind="model", adjustment="cl * BSA**b"),
    ]
    written = plot_cases.texts(forest(rows).figure)
    assert {"infant, unadjusted", "infant, by cl * BSA**b"} <= set(written)


def test_groups_are_named_once_in_a_row():
    written = plot_cases.texts(plot_cases.drawn(forest(ROWS).figure))
    assert written.count("infant") == 1
    assert written.count("child") == 2
    assert {"steady-state concentration", "clearance per m²"} <= set(written)


def test_the_axis_names_the_reference_and_the_level():
    axis = forest(ROWS).figure.axes[0].get_xlabel()
    assert axis == "ratio to “adolescent”, with 90 % interval"
    several = forest([*ROWS, contrast(reference="child", level=0.95)]).figure.axes[0].get_xlabel()
    assert several == "ratio to the reference, with 90 % or 95 % interval"


@pytest.mark.parametrize("is_virtual", [True, False])
def test_virtual_data_say_so(is_virtual):
    figure = forest(ROWS, is_virtual=is_virtual).figure
    assert (VIRTUAL in "\n".join(plot_cases.texts(figure))) is is_virtual


def test_kinds_are_apart_by_marker_as_well_as_colour():
    assert len({look.marker for look, _ in KINDS.values()}) == len(KINDS)
    grey = [np.dot(to_rgba(look.colour)[:3], (0.299, 0.587, 0.114)) for look, _ in KINDS.values()]
    assert np.diff(np.sort(grey)).min() > 0.04


def test_what_is_refused():
    with pytest.raises(DataError, match="no contrast to draw"):
        forest([])
    with pytest.raises(DataError, match=r"no metric 'CLBSA'(.|\n)*no kind 'modle'; did you mean"):
        forest([contrast(metric="CLBSA"), contrast(kind="modle")])
    row = contrast()
    del row["margin"]
    with pytest.raises(DataError, match="the table of contrasts has no column margin"):
        forest([row])
    with pytest.raises(ModelError, match="is no range of ratios about 1"):
        forest([contrast(margin=(1.1, 1.3))])
