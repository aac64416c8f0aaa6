"""Clearance against size and age: the typical curve and its interval, and published curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import pkmodel as pk
import plot_cases
from pkmodel.errors import DataError, ModelError
from pkmodel.plots.clearance import (
    AGAINST,
    PUBLISHED,
    SUBJECT,
    TYPICAL,
    PublishedCurve,
    clearance_plot,
)
from pkmodel.plots.style import VIRTUAL
from pkmodel.plots.typical import typical_parameter
from pkmodel.published import published_model

CLEMENTS = PublishedCurve.of(published_model("clements_2020"))


@pytest.fixture(scope="module")
def fit(define):
    return pk.fit(define("plots-clearance", plot_cases.TEXT), plot_cases.cohort(20))


@pytest.fixture(scope="module")
def people():
    age = np.linspace(0.0, 17.0, 15)
    return pd.DataFrame({"AGE": age, "BSA": 0.25 + 0.09 * age})


@pytest.fixture(scope="module")
def typical(fit, people):
    return typical_parameter(fit, "CL", people)


def draw(subjects, **how):
    return clearance_plot(subjects, plot_cases.UNITS, **{"is_virtual": False, **how})


# -- the typical curve ----------------------------------------------------------------------


def test_typical_values_are_the_formula(fit, typical):
    cl, b = (fit.summary().loc[f"theta {name}", "estimate"] for name in ("cl", "b"))
    expected = cl * (typical["BSA"] / 0.6) ** b
    assert typical["CL"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-13)


def test_the_interval_is_that_of_a_linear_log_clearance(fit, typical):
    """log CL = log cl + b log(BSA / 0.6); log cl and b are what the search moves, as they are."""
    names = list(fit.problem.packing.names)
    k, m = names.index("theta cl"), names.index("theta b")
    covariance = fit.covariance.packed
    size = np.log(typical["BSA"].to_numpy() / 0.6)
    variance = covariance[k, k] + 2.0 * size * covariance[k, m] + size**2 * covariance[m, m]
    width = norm.ppf(0.95) * np.sqrt(variance)
    for end, sign in (("CL_LOWER", -1.0), ("CL_UPPER", 1.0)):
        expected = typical["CL"].to_numpy() * np.exp(sign * width)
        assert typical[end].to_numpy() == pytest.approx(expected, rel=1e-12)


def test_the_interval_is_that_of_draws_of_the_parameters(fit, people):
    """4000 draws: an end of the interval is within 4 of its own standard errors, 4 % of it."""
    rng = np.random.default_rng(5)
    draws = rng.multivariate_normal(fit.estimate.x, fit.covariance.packed, 4000)
    natural = np.array([fit.problem.packing.natural(x) for x in draws])
    names = list(fit.problem.packing.names)
    cl, b = natural[:, names.index("theta cl")], natural[:, names.index("theta b")]
    at = people.iloc[[0, 7, 14]]
    values = cl[:, None] * (at["BSA"].to_numpy() / 0.6) ** b[:, None]
    found = typical_parameter(fit, "CL", at, level=0.95)
    for end, share in (("CL_LOWER", 0.025), ("CL_UPPER", 0.975)):
        width = np.abs(np.log(np.quantile(values, share, axis=0) / found["CL"].to_numpy()))
        expected = np.abs(np.log(found[end] / found["CL"])).to_numpy()
        # the standard error of a quantile at 2.5 % of n draws: 2.67 sd / sqrt(n), of 1.96 sd
        assert width == pytest.approx(expected, rel=4.0 * 2.67 / 1.96 / np.sqrt(4000))
    assert found["LEVEL"].eq(0.95).all()


def test_without_standard_errors_there_is_no_interval(define, people):
    fit = pk.evaluate(define("plots-no-errors", plot_cases.TEXT), plot_cases.cohort(20))
    found = typical_parameter(fit, "CL", people)
    assert found[["CL_LOWER", "CL_UPPER"]].isna().all(axis=None)
    plot = draw(fit.exposure, typical=found)
    assert any("No interval of the typical" in text for text in plot_cases.texts(plot.figure))
    assert "its 90 % interval" not in plot_cases.texts(plot.figure)


def test_a_theta_that_does_not_move_the_value_takes_no_part(define):
    """At BSA 0.6 the exponent has no slope; with cl fixed the typical value is then exact."""
    text = plot_cases.TEXT.replace(
        "cl = { init = 0.4, lower = 0 }", "cl = { init = 0.4, lower = 0, fixed = true }"
    )
    fit = pk.fit(define("plots-fixed", text), plot_cases.cohort(20))
    found = typical_parameter(fit, "CL", pd.DataFrame({"BSA": [0.6, 1.2]}))
    assert found.loc[0, ["CL", "CL_LOWER", "CL_UPPER"]].tolist() == pytest.approx([0.4] * 3)
    assert found.loc[1, "CL_LOWER"] < found.loc[1, "CL"] < found.loc[1, "CL_UPPER"]


@pytest.mark.parametrize("distribution", ["normal", "logitnormal"])
def test_the_interval_is_formed_on_the_transformed_scale(define, distribution):
    text = plot_cases.TEXT.replace("CL = 0.09", "CL = 0.004").replace(
        "V = 0.04", f'V = 0.04\ndistribution = {{ CL = "{distribution}" }}'
    )
    text = text.replace('"cl * (BSA / 0.6)**b"', '"cl"').replace("b = { init = 0.7 }", "")
    fit = pk.fit(define(f"plots-{distribution}", text), plot_cases.cohort(20))
    found = typical_parameter(fit, "CL", pd.DataFrame({"BSA": [1.0]})).loc[0]
    cl = found["CL"]
    se_of_log = np.sqrt(fit.covariance.packed[0, 0])
    width = norm.ppf(0.95) * cl * se_of_log
    if distribution == "normal":
        expected = [cl - width, cl + width]
    else:
        logit, stretched = np.log(cl / (1.0 - cl)), width / (cl * (1.0 - cl))
        expected = [1.0 / (1.0 + np.exp(-logit - sign * stretched)) for sign in (-1.0, 1.0)]
    assert [found["CL_LOWER"], found["CL_UPPER"]] == pytest.approx(expected, rel=1e-12)


def test_people_need_every_covariate(fit, people):
    with pytest.raises(DataError, match="the table of people has no column BSA"):
        typical_parameter(fit, "CL", people[["AGE"]])
    with pytest.raises(DataError, match="rows without BSA, which the formula of CL uses"):
        typical_parameter(fit, "CL", people.assign(BSA=np.nan))
    with pytest.raises(ModelError, match="one_compartment has no parameter 'cl'; did you mean"):
        typical_parameter(fit, "cl", people)
    with pytest.raises(ModelError, match="the level 90"):
        typical_parameter(fit, "CL", people, level=90.0)


# -- the figure -----------------------------------------------------------------------------


def test_all_rows_come_back(fit, typical):
    data = draw(fit.exposure, typical=typical, published=[CLEMENTS], is_virtual=True).data
    own = data[data["KIND"] == SUBJECT]
    assert own["ID"].tolist() == fit.exposure["ID"].tolist()
    for name in ("AGE", "BSA", "CL", "CL_BSA"):
        assert own[name].to_numpy() == pytest.approx(fit.exposure[name].to_numpy(), rel=1e-13)
    curve = data[data["KIND"] == TYPICAL]
    for end in ("", "_LOWER", "_UPPER"):
        assert curve[f"CL{end}"].tolist() == typical[f"CL{end}"].tolist()
        expected = (typical[f"CL{end}"] / typical["BSA"]).tolist()
        assert curve[f"CL_BSA{end}"].tolist() == pytest.approx(expected)
    assert own["VIRTUAL"].all()
    assert not data.loc[data["KIND"] == PUBLISHED, "VIRTUAL"].any()


def test_the_published_curve_is_the_published_model_and_marked_beyond_its_data(fit, typical):
    """2.545 and 2.036 L/h/m2 at 0.25 and 0.45 m2, worked out from the published numbers."""
    plot = draw(fit.exposure, typical=typical, published=[CLEMENTS])
    rows = plot.data[plot.data["KIND"] == PUBLISHED].astype({"BSA": float, "CL_BSA": float})
    rows = rows.sort_values("BSA")
    for bsa, expected in ((0.25, 2.545), (0.45, 2.036)):
        found = np.exp(np.interp(np.log(bsa), np.log(rows["BSA"]), np.log(rows["CL_BSA"])))
        assert found == pytest.approx(expected, abs=6e-4)
    assert (rows["EXTRAPOLATED"] == (rows["BSA"] < 0.37)).all()
    assert rows["EXTRAPOLATED"].nunique() == 2
    written = plot_cases.texts(plot.figure)
    assert {"published model, Clements 2020", "the same, beyond its data"} <= set(written)


def test_the_band_and_points_are_drawn_in_every_panel(fit, typical):
    plot = draw(fit.exposure, typical=typical)
    assert len(plot.figure.axes) == 4
    for axes, metric in zip(plot.figure.axes, ("CL", "CL", "CL_BSA", "CL_BSA"), strict=True):
        assert len(axes.collections) == 1
        points = [line for line in axes.lines if line.get_linestyle() == "None"]
        drawn = np.sort(np.concatenate([np.asarray(line.get_ydata(), float) for line in points]))
        assert drawn == pytest.approx(np.sort(fit.exposure[metric].to_numpy()))


def test_axes_hold_units(fit, typical):
    figure = draw(fit.exposure, typical=typical).figure
    first, second, third, fourth = figure.axes
    assert first.get_ylabel() == "clearance (L/h)"
    assert third.get_ylabel() == "clearance per m² (L/h/m²)"
    assert third.get_xlabel() == "body surface area (m²)"
    assert fourth.get_xlabel() == "age (years)"
    assert first.get_yscale() == second.get_yscale() == "log"


@pytest.mark.parametrize("is_virtual", [True, False])
def test_virtual_data_say_so(fit, is_virtual):
    figure = draw(fit.exposure, is_virtual=is_virtual).figure
    assert (VIRTUAL in "\n".join(plot_cases.texts(figure))) is is_virtual


def test_subjects_without_clearance_are_counted(fit):
    changed = fit.exposure.copy()
    changed.loc[2, "CL"] = np.nan
    plot = draw(changed)
    note = "Without clearance or size: 1 of 20 subjects (3)."
    assert any(note in text for text in plot_cases.texts(plot.figure))
    assert (plot.data["KIND"] == SUBJECT).sum() == 20


def test_what_is_refused(fit, typical):
    with pytest.raises(ModelError, match="gives clearance in L/day, the data have L/h; convert"):
        draw(
            fit.exposure,
            typical=typical,
            published=[PublishedCurve("a model", CLEMENTS.clearance, "L/day")],
        )
    with pytest.raises(ModelError, match="drawn against age only where `typical` gives"):
        draw(fit.exposure, published=[CLEMENTS])
    with pytest.raises(ModelError, match="against 'age'; did you mean `AGE`"):
        draw(fit.exposure, against=["age"])
    with pytest.raises(ModelError, match="name what clearance is to be drawn against"):
        draw(fit.exposure, against=[])
    with pytest.raises(DataError, match="the table of the typical curve has no column AGE"):
        draw(fit.exposure, typical=typical.drop(columns="AGE"))
    with pytest.raises(DataError, match="the table of subjects has no column BSA"):
        draw(fit.exposure.drop(columns="BSA"), against=list(AGAINST))
    with pytest.raises(DataError, match="the table of the typical curve is empty"):
        draw(fit.exposure, typical=typical.head(0))
