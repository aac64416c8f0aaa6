"""A posterior as a DataTree, its file, its prior, and its scores of subjects left out."""

from __future__ import annotations

from dataclasses import replace

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray
from scipy import stats

import pkmodel as pk
from pkmodel.bayes.flat_priors import improper_priors
from pkmodel.bayes.posterior import Posterior
from pkmodel.draws.drawing import draw_about, posterior_sample
from pkmodel.draws.pointwise import predictive_draws
from pkmodel.draws.prior_draws import draw_prior
from pkmodel.draws.sample import Sample
from pkmodel.problem import Problem
from pkmodel.status import Status

SAMPLED = ("posterior", "log_likelihood", "sample_stats", "posterior_predictive")
ALL = (*SAMPLED, "prior", "prior_predictive")


@pytest.fixture(scope="module")
def fit():
    """Draw two short chains; what they say is not the matter here."""
    given = pk.read_definition("phenobarbital")
    options = pk.Options(method="nuts", chains=2, tune=100, draws=50)
    return pk.fit(replace(given, options=options))


@pytest.fixture(scope="module")
def tree(fit):
    return fit.to_datatree()


def test_all_draws_stand_in_the_tree(fit, tree):
    assert set(ALL) <= set(tree.children)
    assert tree["posterior"].attrs["kind"] == "posterior"
    natural = fit.problem.packing.natural(fit.posterior.x[1, 7])
    np.testing.assert_array_equal(tree["posterior"]["population"][1, 7], natural)
    np.testing.assert_array_equal(tree["posterior"]["eta"], fit.posterior.eta)
    assert tree["sample_stats"]["diverging"].shape == (2, 50)
    assert dict(fit.to_datatree(draws=10)["posterior"]["eta"].sizes)["draw"] == 10
    assert "posterior" not in fit.to_datatree(draws=0).children


def test_fewer_draws_are_evenly_spaced(fit):
    few = posterior_sample(fit.posterior, 3)
    np.testing.assert_array_equal(few.x, fit.posterior.x[:, [0, 24, 49]])


@pytest.fixture(scope="module")
def folder(fit, tmp_path_factory):
    return fit.save(tmp_path_factory.mktemp("saved") / "run")


@pytest.fixture(scope="module")
def back(folder):
    return az.from_netcdf(folder / "fit.nc")


def test_the_file_holds_all_that_the_tree_does(tree, back):
    assert set(back.children) == {*ALL, "estimates", "modes", "predictions", "observed_data"}
    for group in ALL:
        xarray.testing.assert_equal(back[group].dataset, tree[group].dataset)
        assert back[group].attrs["kind"] == ("prior" if group.startswith("prior") else "posterior")
    assert set(back["log_likelihood"].data_vars) == {"subject"}
    assert back["log_likelihood"]["observation"].dims == ("chain", "draw", "obs")
    coordinates = {name: set(back[name].coords) for name in ALL}
    assert {"chain", "draw", "id", "effect", "parameter"} == coordinates["prior"]
    assert {"obs", "ID", "TIME", "CENS"} < coordinates["prior_predictive"]
    assert "simulated" in back["posterior_predictive"].attrs["simulated"]


@pytest.mark.filterwarnings("ignore:Estimated shape parameter:UserWarning")
def test_arviz_works_on_the_file(fit, tree, back):
    for level, count in (("subject", 59), ("observation", 155)):
        scored = az.loo(back, var_name=level)
        assert scored.elpd == pytest.approx(az.loo(tree, var_name=level).elpd)
        assert scored.n_data_points == count
    assert az.loo(back).elpd == az.loo(back, var_name="subject").elpd
    table = az.summary(back, var_names=["population"], ci_prob=0.95, round_to="none")
    assert len(table) == 6
    drawn = fit.posterior.x[:, :, 0]
    row = table.loc["population[theta cl]"]
    assert row["mean"] == pytest.approx(np.exp(drawn).mean())
    ends = np.quantile(np.exp(drawn), [0.025, 0.975])
    np.testing.assert_allclose(row[["eti95_lb", "eti95_ub"]].to_numpy(float), ends, rtol=0.02)
    for plot in (az.plot_trace, az.plot_forest, az.plot_rank, az.plot_prior_posterior):
        plot(back, var_names=["population"])
    az.plot_trace(back, var_names=["eta"], coords={"id": ["1", "7"]})
    az.plot_ppc_dist(back)
    plt.close("all")


def test_a_large_file_has_evenly_spaced_draws_by_their_numbers(fit, tree, tmp_path, monkeypatch):
    monkeypatch.setattr("pkmodel.draws.groups.FEWEST_DRAWS", 5)
    monkeypatch.setattr("pkmodel.result.MOST_SAVED", 2 * 155 * 10)
    small = az.from_netcdf(fit.save(tmp_path / "run") / "fit.nc")
    assert small["posterior"].sizes["draw"] == 50
    assert small["prior"].sizes["draw"] == 500
    assert small["prior_predictive"].sizes["draw"] == 20
    given = small["log_likelihood"]["observation"]
    assert given["draw"].values.tolist() == [0, 5, 10, 16, 21, 27, 32, 38, 43, 49]
    xarray.testing.assert_equal(
        given, tree["log_likelihood"]["observation"].sel(draw=given["draw"])
    )
    assert small["posterior_predictive"].sizes["draw"] == 10


# -- the prior ----------------------------------------------------------------------------------


def test_effects_of_the_prior_have_its_variances(fit):
    """29500 effects of each parameter in units of their own draw's deviation: mean 0, SD 1."""
    sample = draw_prior(fit.problem, 1)
    omega = np.array([fit.problem.packing.unpack(x).omega for x in sample.x[0]])
    z = sample.eta[0] / np.sqrt(np.einsum("kaa->ka", omega))[:, None]
    count = z[..., 0].size
    assert np.max(np.abs(z.mean(axis=(0, 1)))) < 5.0 / np.sqrt(count)
    assert np.max(np.abs(z.std(axis=(0, 1)) - 1.0)) < 5.0 / np.sqrt(2 * count)


def test_the_prior_is_wider_than_the_posterior(tree):
    ratio = tree["prior"]["population"].std(("chain", "draw")) / tree["posterior"][
        "population"
    ].std(("chain", "draw"))
    assert float(ratio.min()) > 2.0
    assert "simulated" in tree["prior_predictive"].attrs["simulated"]


def test_a_flat_prior_has_no_draws(fit):
    flat = replace(fit.model, priors=pk.Priors(theta={"cl": pk.Prior("flat")}))
    problem = Problem(flat, fit.problem.dataset, fit.options)
    assert draw_prior(problem, 1) is None
    tree = replace(fit, problem=problem).to_datatree(draws=5)
    assert "prior" not in tree.children
    note = tree["posterior"].attrs["prior"]
    assert note == "not drawn: flat without bounds is that of theta cl"


def test_flat_priors_between_bounds_are_drawn_from(fit):
    bounded = tuple(replace(t, upper=3.0) if t.name == "v" else t for t in fit.model.theta)
    model = replace(fit.model, theta=bounded, priors=pk.Priors(theta={"v": pk.Prior("flat")}))
    problem = Problem(model, fit.problem.dataset, fit.options)
    assert improper_priors(problem.model) == []
    k = problem.packing.names.index("theta v")
    sample = draw_prior(problem, 1)
    drawn = [problem.packing.natural(x)[k] for x in sample.x[0]]
    assert stats.kstest(drawn, stats.uniform(0.0, 3.0).cdf).pvalue > 0.01
    omega = replace(fit.model, priors=pk.Priors(omega={"V": pk.Prior("flat")}))
    assert improper_priors(omega) == ["sd of omega V"]


def test_a_concentration_of_zero_under_a_wide_prior_is_simulated_as_zero(fit):
    """Of log DV the prediction is then minus infinity, and the error as wide as anywhere."""
    residual = pk.Residual((pk.Sigma("lognormal", 0.2),))
    problem = Problem(replace(fit.model, residual=residual), fit.problem.dataset, fit.options)
    x = problem.packing.initial()
    x[0] = 9.0
    eta = np.zeros((1, 1, 59, 2))
    drawn = predictive_draws(problem, Sample("prior", x[None, None], eta), np.random.default_rng(1))
    assert np.all(np.isfinite(drawn))
    assert np.min(drawn) == 0.0


# -- subjects left out --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known():
    """A fit whose posterior is the asymptotic law of its estimator: 4 x 300 independent draws."""
    best = pk.fit("phenobarbital", method="agq")
    sample = draw_about(best.problem, best.estimate, best.covariance, 300, 1)
    flags = {"diverging": np.zeros((4, 300), dtype=bool)}
    posterior = Posterior(sample.x, sample.eta, flags)
    return best, replace(best, posterior=posterior, status=Status.SAMPLED)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter:UserWarning")
def test_a_posterior_is_scored_as_arviz_does(known):
    best, fit = known
    found = pk.compare({"posterior": fit, "maximum": best})
    scored = az.loo(fit.to_datatree(), pointwise=True)
    mine = found.subjects[found.subjects["fit"] == "posterior"]
    np.testing.assert_allclose(mine["elpd"], scored.elpd_i, atol=1e-5)
    row = found.table.loc["posterior"]
    assert np.all(np.isnan(row[["aic", "bic", "mixed_bic", "above_minimum"]].astype(float)))
    assert row["elpd"] == pytest.approx(scored.elpd, abs=1e-5)
    assert row["pareto_k"] == pytest.approx(float(scored.pareto_k.max()), abs=1e-4)
    assert found.tests["note"].tolist() == ["no test: a posterior has no maximum"]
    assert any("no criteria and no test, but elpd" in text for text in found.warnings)
    assert row["elpd"] == pytest.approx(found.table.loc["maximum", "elpd"], abs=3.0)


def test_doubtful_weights_are_named(known):
    best, fit = known
    x = fit.posterior.x.copy()
    far = best.estimate.x + 6.0 * (x - best.estimate.x)
    wide = replace(fit, posterior=replace(fit.posterior, x=np.where(np.isfinite(far), far, x)))
    found = pk.compare({"wide": wide, "maximum": best})
    assert found.table.loc["wide", "pareto_k"] > 0.7
    assert any("its weights are doubtful (Pareto k" in text for text in found.warnings)


def test_draws_that_are_not_to_be_used_have_no_score(known):
    best, fit = known
    found = pk.compare({"bad": replace(fit, status=Status.NOT_MIXED), "maximum": best})
    assert np.isnan(found.table.loc["bad", "elpd"])
    assert any(text.startswith("bad: chains disagree") for text in found.warnings)
