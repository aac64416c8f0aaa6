"""Exposure by group: every subject, boxes by the percentiles they claim, published bands."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Rectangle

import plot_cases
from pkmodel.errors import DataError, ModelError
from pkmodel.plots.exposure_by_group import PUBLISHED, SUBJECT, exposure_plot
from pkmodel.plots.style import VIRTUAL

CSS_BAND = {
    "metric": "CSS",
    "group": "infant",
    "unit": "pg/mL",
    "mean": 706.0,
    "sd": 194.0,
    "source": "J Clin Oncol 2026",
    "population": "infants",
}
CL_BAND = {
    "metric": "CL_BSA",
    "group": None,
    "unit": "L/h/m2",
    "median": 0.89,
    "min": 0.57,
    "max": 2.66,
    "source": "a paper",
}


@pytest.fixture(scope="module")
def table():
    return plot_cases.exposure()


def plot(table, **how):
    return exposure_plot(table, plot_cases.UNITS, **{"is_virtual": False, **how})


def test_no_subject_is_lost_even_without_a_value(table):
    changed = table.copy()
    changed.loc[3, "CSS"] = np.nan
    changed.loc[5, "GROUP"] = None
    result = plot(changed, metrics=["CSS", "CL"])
    data = result.data
    assert (data["KIND"] == SUBJECT).all()
    for metric, unit in (("CSS", "pg/mL"), ("CL", "L/h")):
        rows = data[data["METRIC"] == metric]
        assert rows["ID"].tolist() == table["ID"].tolist()
        assert rows["VALUE"].to_numpy() == pytest.approx(changed[metric].to_numpy(), nan_ok=True)
        assert set(rows["UNIT"]) == {unit}
    assert data.loc[data["ID"] == 6, "GROUP"].eq("no group").all()
    note = "Without steady-state concentration: 1 of 27 subjects (4)."
    assert any(note in text for text in plot_cases.texts(result.figure))


def test_every_known_value_is_a_point_of_its_group(table):
    axes = plot(table, metrics=["CSS"]).figure.axes[0]
    points = [line for line in axes.lines if line.get_linestyle() == "None"]
    for k, (name, line) in enumerate(zip(plot_cases.GROUPS, points, strict=True)):
        own = table.loc[table["GROUP"] == name, "CSS"]
        assert line.get_xdata().tolist() == own.tolist()
        assert np.abs(np.asarray(line.get_ydata()) - k).max() < 0.4


def test_points_stand_at_the_same_places_every_time(table):
    one, two = (plot(table).figure.axes[0].lines[0].get_ydata() for _ in range(2))
    assert np.array_equal(one, two)


def test_boxes_are_at_the_percentiles_that_the_note_says(table):
    axes = plot(table, metrics=["CSS"]).figure.axes[0]
    own = table.loc[table["GROUP"] == "infant", "CSS"]
    q1, median, q3 = own.quantile([0.25, 0.5, 0.75])
    low, high = own.quantile([0.05, 0.95])
    lines = [sorted(set(line.get_xdata())) for line in axes.lines]
    for expected in ([q1, q3], [median], [low, q1], [q3, high], [low], [high]):
        assert any(found == pytest.approx(expected, rel=1e-12) for found in lines)


def test_few_subjects_have_no_box(table):
    few = table.groupby("GROUP").head(4)
    axes = plot(few, metrics=["CSS"]).figure.axes[0]
    assert len(axes.lines) == 2 * len(plot_cases.GROUPS)
    medians = [line.get_xdata()[0] for line in axes.lines[1::2]]
    assert medians == pytest.approx(few.groupby("GROUP", sort=False)["CSS"].median().tolist())


def test_published_bands_are_drawn_where_they_belong(table):
    result = plot(table, published=[CSS_BAND, CL_BAND], order=plot_cases.GROUPS)
    (css,), (cl,) = (
        [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        for axes in result.figure.axes
    )
    assert (css.get_x(), css.get_x() + css.get_width()) == pytest.approx((512.0, 900.0))
    assert -0.5 < css.get_y() < css.get_y() + css.get_height() < 0.5
    assert (cl.get_x(), cl.get_x() + cl.get_width()) == pytest.approx((0.57, 2.66))
    assert cl.get_height() == pytest.approx(3.0)
    rows = result.data[result.data["KIND"] == PUBLISHED]
    assert rows[["VALUE", "LOWER", "UPPER"]].to_numpy().tolist() == [
        [706.0, 512.0, 900.0],
        [0.89, 0.57, 2.66],
    ]
    legend = " ".join(plot_cases.texts(result.figure)).replace("\n", " ")
    assert "infant: published mean ± SD (infants, J Clin Oncol 2026)" in legend
    assert "published median and range (a paper)" in legend


def test_a_published_mean_alone_is_a_line_without_a_band(table):
    result = plot(table, metrics=["CSS"], published=[{**CSS_BAND, "sd": np.nan}])
    axes = result.figure.axes[0]
    assert not [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert any(list(line.get_xdata()) == [706.0, 706.0] for line in axes.lines)


def test_faults_of_published_rows_are_told_together(table):
    rows = [
        {**CSS_BAND, "group": "infants"},
        {**CSS_BAND, "unit": "ng/mL"},
        {**CL_BAND, "median": None},
    ]
    with pytest.raises(DataError) as caught:
        plot(table, published=rows)
    message = str(caught.value)
    assert "published row 1, CSS: no group 'infants'; did you mean `infant`" in message
    assert "published row 2, CSS: in ng/mL, the data in pg/mL; convert" in message
    assert "published row 3, CL_BSA: needs a mean" in message


def test_axes_hold_units(table):
    figure = plot(table, metrics=["CSS", "CL_BSA", "HALF_LIFE"]).figure
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "steady-state concentration (pg/mL)",
        "clearance per m² (L/h/m²)",
        "half-life (h)",
    ]


def test_a_group_without_subjects_stands_with_its_number(table):
    order = ("newborn", *plot_cases.GROUPS)
    figure = plot_cases.drawn(plot(table, order=order).figure)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["newborn\nn = 0", "infant\nn = 9", "child\nn = 9", "adolescent\nn = 9"]


@pytest.mark.parametrize("is_virtual", [True, False])
def test_virtual_data_say_so(table, is_virtual):
    result = plot(table, is_virtual=is_virtual, published=[CSS_BAND])
    assert (VIRTUAL in "\n".join(plot_cases.texts(result.figure))) is is_virtual
    own = result.data["KIND"] == SUBJECT
    assert (result.data.loc[own, "VIRTUAL"] == is_virtual).all()
    assert not result.data.loc[~own, "VIRTUAL"].any()


def test_what_is_refused(table):
    with pytest.raises(ModelError, match="no metric 'CL_BAS'; did you mean `CL_BSA`"):
        plot(table, metrics=["CL_BAS"])
    with pytest.raises(ModelError, match="no metric to draw"):
        plot(table, metrics=[])
    with pytest.raises(DataError, match="the table of exposure has no column ID"):
        plot(table.drop(columns="ID"))
