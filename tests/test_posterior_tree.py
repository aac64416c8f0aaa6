"""A posterior as a DataTree, its file, its prior, and its scores of subjects left out."""

from __future__ import annotations

from dataclasses import replace

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

import pkmodel as pk
from pkmodel.bayes.posterior import Posterior
from pkmodel.draws.drawing import draw_about, posterior_sample
from pkmodel.draws.prior_draws import draw_prior
from pkmodel.problem import Problem
from pkmodel.status import Status

SAMPLED = ("posterior", "log_likelihood", "sample_stats")
ALL = (*SAMPLED, "posterior_predictive", "prior", "prior_predictive")


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


def test_the_file_holds_what_only_sampling_gives(fit, tree, tmp_path):
    path = fit.save(tmp_path / "run") / "fit.nc"
    with xarray.open_datatree(path, engine="h5netcdf") as back:
        assert set(back.children) == {*SAMPLED, "estimates", "modes", "predictions"} | {
            "observed_data"
        }
        xarray.testing.assert_equal(back["posterior"].dataset, tree["posterior"].dataset)
        assert list(back["log_likelihood"].data_vars) == ["subject"]
    assert path.stat().st_size < 1e6


@pytest.mark.filterwarnings("ignore:Estimated shape parameter:UserWarning")
def test_arviz_works_on_the_file(fit, tree, tmp_path):
    back = az.from_netcdf(fit.save(tmp_path / "run") / "fit.nc")
    assert az.loo(back).elpd == pytest.approx(az.loo(tree, var_name="subject").elpd)
    table = az.summary(back, var_names=["population"])
    assert len(table) == 6
    for plot in (az.plot_trace, az.plot_forest):
        plot(tree, var_names=["population"])
    az.plot_prior_posterior(tree, var_names=["population"])
    az.plot_ppc_dist(tree)
    plt.close("all")


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
    assert draw_prior(Problem(flat, fit.problem.dataset, fit.options), 1) is None


# -- subjects left out --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known():
    """A fit whose posterior is the asymptotic law of its estimator: 4 x 250 independent draws."""
    best = pk.fit("phenobarbital", method="agq")
    sample = draw_about(best.problem, best.estimate, best.covariance, 250, 1)
    stats = {"diverging": np.zeros((4, 250), dtype=bool)}
    posterior = Posterior(sample.x, sample.eta, stats)
    return best, replace(best, posterior=posterior, status=Status.SAMPLED)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter:UserWarning")
def test_a_posterior_is_scored_as_arviz_does(known):
    best, fit = known
    found = pk.compare({"posterior": fit, "maximum": best})
    scored = az.loo(fit.to_datatree(), var_name="subject", pointwise=True, reff=1.0)
    mine = found.subjects[found.subjects["fit"] == "posterior"]
    np.testing.assert_allclose(mine["elpd"], scored.elpd_i, atol=0.02)
    row = found.table.loc["posterior"]
    assert np.all(np.isnan(row[["aic", "bic", "mixed_bic", "above_minimum"]].astype(float)))
    assert row["pareto_k"] == pytest.approx(float(scored.pareto_k.max()), abs=0.1)
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
