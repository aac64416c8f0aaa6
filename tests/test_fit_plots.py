"""Figures of a fit: what is in them, and that no point is lost on the way."""

from __future__ import annotations

from colorsys import rgb_to_hsv

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pkmodel.diagnostics.trend import local_trend
from pkmodel.plots.goodness_of_fit import (
    normal_quantiles,
    observed_against_predicted,
    weighted_residuals,
)
from pkmodel.plots.individual_fits import individual_fits
from pkmodel.plots.random_effects import effect_against_covariates, effect_distribution
from pkmodel.plots.scatter import TREND, TREND_NAME
from pkmodel.plots.search import search_path

SEED = 20260101


@pytest.fixture
def predictions():
    """Make 23 subjects of three groups, with censored rows, over three decades."""
    rng = np.random.default_rng(SEED)
    time = np.tile([1.0, 4.0, 12.0, 30.0], 23)
    ipred = 100.0 * np.exp(-0.2 * time) * rng.lognormal(0.0, 0.1, time.size)
    dv = ipred * rng.lognormal(0.0, 0.2, time.size)
    censored = dv < 0.5
    residual = np.where(censored, np.nan, rng.normal(size=time.size))
    table = pd.DataFrame(
        {
            "ID": np.repeat([f"S{k}" for k in range(23)], 4),
            "TIME": time,
            "DV": np.where(censored, 0.5, dv),
            "PRED": 100.0 * np.exp(-0.2 * time),
            "IPRED": ipred,
            "IRES": residual,
            "IWRES": residual,
            "CWRES": residual,
            "CENS": censored.astype(float),
            "GROUP": np.repeat(np.resize(["child", "infant", "adult"], 23), 4),
        }
    )
    assert 0 < censored.sum() < len(table)
    return table


@pytest.fixture
def individuals():
    rng = np.random.default_rng(SEED + 1)
    eta = rng.normal(size=(30, 2)) * (0.3, 0.2)
    return pd.DataFrame(
        {
            "ID": [str(k) for k in range(30)],
            "ETA_CL": eta[:, 0],
            "ETA_V": eta[:, 1],
            "WT": rng.uniform(2.0, 60.0, 30),
            "SEX": np.resize([0.0, 1.0], 30),
        }
    )


def _points(axes):
    """Every point of the scatters of one panel."""
    scatters = [c.get_offsets().filled(np.nan) for c in axes.collections if _is_scatter(c)]
    marks = [line.get_xydata() for line in axes.lines if line.get_marker() == "v"]
    return np.concatenate([*scatters, *marks])


def _is_scatter(collection):
    return collection.get_offsets().size > 0 and type(collection).__name__ == "PathCollection"


def test_every_observation_stands_in_both_panels(predictions):
    plot = observed_against_predicted(predictions, is_virtual=False)
    for axes, column in zip(plot.figure.axes, ("PRED", "IPRED"), strict=True):
        drawn = pd.DataFrame(_points(axes), columns=["x", "y"]).sort_values(["x", "y"])
        wanted = predictions[[column, "DV"]].sort_values([column, "DV"])
        np.testing.assert_array_equal(drawn.to_numpy(), wanted.to_numpy())


def test_censored_rows_are_marked_apart(predictions):
    plot = observed_against_predicted(predictions, is_virtual=False)
    for axes in plot.figure.axes:
        marked = [line for line in axes.lines if line.get_marker() == "v"]
        limits = np.concatenate([line.get_ydata() for line in marked])
        assert limits.tolist() == [0.5] * int((predictions["CENS"] == 1).sum())
    names = [text.get_text() for text in plot.figure.legends[0].get_texts()]
    assert names == ["child", "infant", "adult", "below quantification"]


def test_predictions_far_below_the_data_are_counted_and_kept(predictions):
    predictions.loc[:4, "PRED"] = 1e-30
    axes = observed_against_predicted(predictions, is_virtual=False).figure.axes[0]
    assert len(_points(axes)) == len(predictions)
    assert any("5 at the left edge" in text.get_text() for text in axes.texts)
    assert axes.get_xlim()[0] > 1e-3


def test_axes_are_linear_where_an_observation_is_zero(predictions):
    predictions.loc[0, "DV"] = 0.0
    plot = observed_against_predicted(predictions, is_virtual=False)
    assert {axes.get_xscale() for axes in plot.figure.axes} == {"linear"}


def test_each_residual_panel_has_each_residual_once(predictions):
    plot = weighted_residuals(predictions, is_virtual=False)
    known = np.sort(predictions["CWRES"].dropna())
    for axes in plot.figure.axes:
        drawn = _points(axes)[:, 1]
        np.testing.assert_array_equal(np.sort(drawn[np.isfinite(drawn)]), known)


def test_normal_quantiles_are_those_of_the_ranks():
    values = np.random.default_rng(SEED).normal(size=101)
    values[7] = np.nan
    known = np.isfinite(values)
    expected = stats.norm.ppf((stats.rankdata(values[known], method="ordinal") - 0.5) / 100)
    found = normal_quantiles(values)
    assert np.isnan(found[7])
    # two libraries' inverse normal; measured difference 4e-16
    np.testing.assert_allclose(found[known], expected, rtol=1e-13, atol=1e-15)


def test_quantile_band_holds_95_percent_of_each_order_statistic():
    rng = np.random.default_rng(SEED)
    sample = np.sort(rng.normal(size=(4000, 20)), axis=1)
    table = pd.DataFrame(dict.fromkeys(("TIME", "DV", "PRED", "IPRED"), np.arange(1.0, 21.0)))
    table = table.assign(CWRES=sample[0], IWRES=sample[0], CENS=0)
    axes = weighted_residuals(table, is_virtual=False).figure.axes[3]
    band = next(c for c in axes.collections if type(c).__name__ == "FillBetweenPolyCollection")
    corners = band.get_paths()[0].vertices
    at = np.unique(corners[:, 0])
    low, high = (np.array([f(corners[corners[:, 0] == x, 1]) for x in at]) for f in (min, max))
    inside = ((sample >= low) & (sample <= high)).mean(axis=0)
    # a share of 4000: standard error 0.0034; 4.5 of them for 20 shares
    assert np.all(np.abs(inside - 0.95) < 4.5 * 0.0034)


def test_individual_fits_hold_every_subject_and_row_once(predictions):
    pages = individual_fits(predictions, time="h", concentration="mg/L", is_virtual=False)
    assert [len(page.figure.axes) for page in pages] == [20, 3]
    pd.testing.assert_frame_equal(pd.concat([page.data for page in pages]), predictions)
    titles = [axes.get_title("left") for page in pages for axes in page.figure.axes]
    assert titles[:2] == ["S0 · child", "S1 · infant"]
    for page in pages:
        for axes, (_, rows) in zip(
            page.figure.axes, page.data.groupby("ID", sort=False), strict=True
        ):
            seen = np.concatenate([line.get_xydata() for line in axes.lines[2:]])
            assert sorted(map(tuple, seen)) == sorted(zip(rows["TIME"], rows["DV"], strict=True))


def test_a_line_is_broken_where_time_goes_back(predictions):
    one = predictions.iloc[:8].assign(ID="a")
    axes = individual_fits(one, is_virtual=False)[0].figure.axes[0]
    lines = [line.get_xdata() for line in axes.lines if line.get_linestyle() != "None"]
    assert len(lines) == 4
    assert all(np.all(np.diff(x) > 0) for x in lines)


def test_the_mark_of_the_highest_observation_has_room(predictions):
    names = ["DV", "IPRED", "PRED"]
    predictions[names] = 10.0 + predictions[names] / predictions[names].max()
    for page in individual_fits(predictions, is_virtual=False):
        for axes, (_, rows) in zip(
            page.figure.axes, page.data.groupby("ID", sort=False), strict=True
        ):
            highest = rows[names].to_numpy().max()
            assert axes.get_ylim()[0] == 0.0
            assert axes.get_ylim()[1] > 1.05 * highest


def test_a_subject_without_prediction_is_drawn_without_warning(predictions):
    predictions.loc[:3, "IPRED"] = np.nan
    assert len(individual_fits(predictions, is_virtual=False)[0].figure.axes) == 20


@pytest.mark.parametrize(("times", "shown"), [([2.0], "2"), ([0.0], "0"), ([5.25, 5.25], "5.25")])
def test_a_single_time_stands_alone_on_its_axis(predictions, times, shown):
    rows = predictions.head(len(times)).assign(ID="a", TIME=times)
    axes = individual_fits(rows, is_virtual=False)[0].figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == [shown]
    low, high = axes.get_xlim()
    assert low < times[0] < high
    assert times[0] == pytest.approx(0.5 * (low + high))


def test_effects_are_drawn_with_their_shrinkage(individuals):
    omega, shrinkage = {"CL": 0.09, "V": 0.04}, {"CL": 0.31, "V": None}
    plot = effect_distribution(individuals, omega, shrinkage, is_virtual=False)
    titles = [axes.get_title("left") for axes in plot.figure.axes]
    correlation = np.corrcoef(individuals["ETA_CL"], individuals["ETA_V"])[0, 1]
    assert titles == ["shrinkage 31 %", "shrinkage unknown", f"correlation {correlation:+.2f}"]
    density = plot.figure.axes[0].lines[-1].get_xydata()
    np.testing.assert_allclose(density[:, 1], stats.norm.pdf(density[:, 0], 0.0, 0.3), rtol=1e-12)


def test_a_covariate_of_few_values_has_boxes_and_one_of_many_a_trend(individuals):
    plot = effect_against_covariates(individuals, "CL", ["WT", "SEX"], 0.1, is_virtual=False)
    weight, sex = plot.figure.axes
    assert weight.get_title("left").startswith("correlation")
    assert [t.get_text() for t in sex.get_xticklabels()] == ["0\nn 15", "1\nn 15"]
    assert all(len(_points(axes)) == 30 for axes in plot.figure.axes)


def test_search_path_does_not_compare_likelihoods():
    trace = pd.DataFrame(
        {
            "start": 0,
            "evaluation": [1, 2, 3],
            "likelihood": ["focei", "laplace", "laplace"],
            "objective": [5.0, 12.0, 10.0],
            "gradient_norm": [9.0, 1.0, 1e-6],
        }
    )
    above = search_path(trace, is_virtual=False).data["ABOVE"]
    assert np.isnan(above[0])
    assert above.tolist()[1:] == [2.0, 0.0]


@pytest.mark.parametrize("name", ["$x^2$", "a$b", "_hidden", "<b>&", "新生児"])
def test_names_from_data_are_written_as_they_are(predictions, name, recwarn):
    table = predictions.replace({"GROUP": {"child": name}, "ID": {"S0": name}})
    page = individual_fits(table, is_virtual=False)[0].figure
    page.canvas.draw()
    assert page.axes[0].get_title("left") == f"{name} · {name}"
    figure = weighted_residuals(table, is_virtual=False).figure
    figure.canvas.draw()
    assert name in [text.get_text() for text in figure.legends[0].get_texts()]
    assert all("missing from font" in str(w.message) for w in recwarn)


def test_virtual_subjects_are_said_to_be_so(predictions, individuals):
    plots = [
        observed_against_predicted(predictions, is_virtual=True),
        weighted_residuals(predictions, is_virtual=True),
        *individual_fits(predictions, is_virtual=True),
        effect_distribution(individuals, {"CL": 0.1}, {"CL": 0.1}, is_virtual=True),
        effect_against_covariates(individuals, "CL", ["WT"], 0.1, is_virtual=True),
    ]
    for plot in plots:
        assert any("simulated, not observed" in text.get_text() for text in plot.figure.texts)


# -- trend --------------------------------------------------------------------------------------


def _twin(x, y, point, span):
    """Local line by numpy's polynomial fit, whose weights are roots of ours."""
    distance = np.abs(x - point)
    reach = np.sort(distance)[int(np.ceil(span * x.size)) - 1]
    weight = np.where(distance < reach, (1.0 - (distance / reach) ** 3) ** 3, 0.0)
    near = weight > 0.0
    line = np.polynomial.Polynomial.fit(x[near], y[near], 1, w=np.sqrt(weight[near]))
    return line(point)


@pytest.mark.parametrize("span", [0.4, 0.75, 1.0])
def test_trend_against_a_polynomial_fit(span):
    rng = np.random.default_rng(SEED)
    x, y = rng.uniform(0.0, 9.0, 60), rng.normal(size=60)
    at = np.linspace(x.min(), x.max(), 13)
    expected = [_twin(x, y, point, span) for point in at]
    # measured worst error 2.2e-15 of numbers about 1, times 100
    np.testing.assert_allclose(local_trend(x, y, at, span), expected, rtol=0.0, atol=2e-13)


def test_trend_passes_over_missing_points_and_says_nothing_of_few():
    x = np.array([0.0, np.nan, *range(1, 20)])
    assert local_trend(x, 3.0 * x, np.array([4.0]))[0] == pytest.approx(12.0, rel=1e-12)
    assert np.isnan(local_trend(x[:20], x[:20], np.array([1.0]))).all()
    assert np.isnan(local_trend(np.ones(30), np.arange(30.0), np.array([1.0]))).all()


def test_trend_over_repeated_points_is_their_mean():
    x = np.repeat([1.0, 2.0, 3.0], 10)
    y = np.arange(30.0)
    assert local_trend(x, y, np.array([2.0]), span=0.3)[0] == pytest.approx(14.5, rel=1e-12)


def test_between_two_values_the_trend_is_the_mean_of_the_nearer():
    """All points within reach are equally far, so that no weight tells them apart."""
    x, y = np.repeat([0.0, 1.0], [15, 5]), np.arange(20.0)
    assert local_trend(x, y, np.array([0.3]))[0] == pytest.approx(7.0, rel=1e-12)
    assert local_trend(x, np.ones(20), np.array([0.5]))[0] == 1.0


def test_the_colour_of_the_trend_is_called_by_its_name():
    hue, _, brightness = rgb_to_hsv(*(int(TREND[k : k + 2], 16) / 255.0 for k in (1, 3, 5)))
    assert 20.0 < 360.0 * hue < 40.0
    assert brightness < 0.9
    assert TREND_NAME == "dark orange"
