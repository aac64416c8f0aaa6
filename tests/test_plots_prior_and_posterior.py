"""The figure of priors and posteriors: what is drawn, over which range, and what it says."""

from __future__ import annotations

from math import inf

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import plot_cases
from pkmodel.bayes.correlation_prior import CorrelationPrior
from pkmodel.bayes.family import density
from pkmodel.bayes.prior_curves import prior_curves
from pkmodel.bayes.told_priors import BoundedPrior
from pkmodel.errors import DataError
from pkmodel.models.prior import Prior
from pkmodel.plots import prior_and_posterior
from pkmodel.plots.style import VIRTUAL

PRIORS = {
    "theta a$b$": BoundedPrior(Prior("normal", (1.0, 0.1)), 0.9, inf),
    "theta far": BoundedPrior(Prior("lognormal", (20.0, 0.2))),
    "theta flat": BoundedPrior(Prior("flat")),
    "sd of omega CL": BoundedPrior(Prior("half_normal", (5.0,))),
    "sigma additive": BoundedPrior(Prior("student_t", (4.0, 1.0, 2.0)), 0.0, 3.0),
    "correlation of omega CL,V": CorrelationPrior(2.0, 3),
}


@pytest.fixture
def draws() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(1.0 + 0.1 * rng.normal(size=(300, 6)))
    table.columns = [
        "theta a$b$",
        "theta far",
        "theta flat",
        "omega CL",
        "omega V",
        "sigma additive",
    ]
    correlation = np.tanh(rng.normal(size=300))
    covariance = correlation * np.sqrt(table["omega CL"] * table["omega V"])
    return table.assign(chain=1, correlation=correlation, **{"omega CL,V": covariance})


LAWS = [
    (Prior("normal", (1.0, 2.0)), stats.norm(1.0, 2.0), 2.0, inf),
    (Prior("lognormal", (2.0, 0.7)), stats.lognorm(0.7, scale=2.0), 0.5, 3.0),
    (Prior("student_t", (4.0, 1.0, 2.0)), stats.t(4.0, 1.0, 2.0), -inf, 0.5),
    (Prior("half_normal", (0.6,)), stats.halfnorm(scale=0.6), 0.0, inf),
    (Prior("half_t", (3.0, 0.6)), stats.t(3.0, scale=0.6), 0.0, 2.0),
    (Prior("flat"), stats.uniform(1.0, 2.0), 1.0, 3.0),
]


@pytest.mark.parametrize(("prior", "law", "lower", "upper"), LAWS)
def test_a_density_is_that_of_scipy_between_the_bounds_and_zero_beyond(prior, law, lower, upper):
    at = np.linspace(-1.0, 4.0, 51)
    inside = law.cdf(upper) - law.cdf(lower)
    wanted = np.where((at < lower) | (at > upper), 0.0, law.pdf(at) / inside)
    np.testing.assert_allclose(density(prior, at, lower, upper), wanted, rtol=1e-10)


def test_a_flat_prior_without_bounds_has_no_density():
    assert np.all(np.isnan(density(Prior("flat"), np.array([1.0]), 0.0)))


def test_curves_cover_the_draws_and_the_prior_where_it_is_near_or_far_off(draws):
    curves = prior_curves(PRIORS, draws).groupby("parameter")["value"].agg(["min", "max"])
    assert curves.loc["theta a$b$", "min"] == 0.9
    assert curves.loc["theta far", "min"] == pytest.approx(draws["theta far"].min())
    high = stats.lognorm(0.2, scale=20.0).ppf(0.975)
    assert curves.loc["theta far", "max"] == pytest.approx(high)
    deviation = np.sqrt(draws["omega CL"])
    assert deviation.max() < curves.loc["sd of omega CL", "max"] < 2.0
    assert 0.0 <= curves.loc["sd of omega CL", "min"] < deviation.min()
    assert 0.0 < curves.loc["sigma additive", "min"] < draws["sigma additive"].min()
    assert draws["sigma additive"].max() < curves.loc["sigma additive", "max"] < 3.0


@pytest.mark.parametrize(("shape", "size"), [(2.0, 2), (0.8, 3), (1.0, 2), (50.0, 4)])
def test_the_law_of_a_correlation_is_the_beta_law_that_lkj_gives_it(shape, size):
    power = shape - 1.0 + 0.5 * size
    law, prior = stats.beta(power, power, loc=-1.0, scale=2.0), CorrelationPrior(shape, size)
    at = np.linspace(-0.99, 0.99, 41)
    np.testing.assert_allclose(prior.density(at), law.pdf(at), rtol=1e-10)
    np.testing.assert_allclose(prior.middle(0.999), law.ppf([0.0005, 0.9995]), rtol=1e-10)
    np.testing.assert_array_equal(prior.density(np.array([-1.01, 1.01])), 0.0)


def test_posteriors_of_correlations_are_drawn_beside_their_prior(draws):
    curves = prior_curves(PRIORS, draws)
    axes = prior_and_posterior(draws, curves, is_virtual=False).figure.axes[-1]
    assert axes.get_title("left") == "correlation of omega CL,V"
    bars = axes.patches
    assert bars[0].get_x() == pytest.approx(draws["correlation"].min())
    assert bars[-1].get_x() + bars[-1].get_width() == pytest.approx(draws["correlation"].max())
    (line,) = axes.get_lines()
    np.testing.assert_allclose(
        line.get_ydata(), stats.beta(2.5, 2.5, -1.0, 2.0).pdf(line.get_xdata()), rtol=1e-10
    )


@pytest.mark.parametrize("is_virtual", [True, False])
def test_every_prior_has_its_panel_with_the_draws_on_its_scale(draws, is_virtual):
    curves = prior_curves(PRIORS, draws)
    figure = plot_cases.drawn(prior_and_posterior(draws, curves, is_virtual=is_virtual).figure)
    assert [axes.get_title("left") for axes in figure.axes] == list(PRIORS)
    deviation = np.sqrt(draws["omega CL"])
    bars = figure.axes[3].patches
    assert bars[0].get_x() == pytest.approx(deviation.min())
    assert bars[-1].get_x() + bars[-1].get_width() == pytest.approx(deviation.max())
    (line,) = figure.axes[0].get_lines()
    own = curves[curves["parameter"] == "theta a$b$"]
    np.testing.assert_array_equal(line.get_ydata(), own["density"])
    texts = "\n".join(plot_cases.texts(figure))
    assert "lognormal(median 20, log sd 0.2)" in texts
    assert "normal(mean 1, sd 0.1) above 0.9" in texts
    assert (VIRTUAL in texts) is is_virtual
    assert plot_cases.cut_texts(figure) == []
    assert plot_cases.overlapping_texts(figure) == []


def test_draws_without_a_parameter_are_refused(draws):
    curves = prior_curves(PRIORS, draws)
    with pytest.raises(DataError, match="the table of draws has no column sd of omega CL"):
        prior_and_posterior(draws.drop(columns="omega CL"), curves, is_virtual=False)
