"""The page about a run of full Bayes: its draws, priors and sampler, and nothing of a maximum."""

from __future__ import annotations

import json
from dataclasses import replace

import arviz as az
import numpy as np
import pytest

import pkmodel as pk
from pkmodel.errors import PkmodelError
from pkmodel.number import fixed, number
from pkmodel.report import write_report
from report_page import Page


@pytest.fixture(scope="module")
def fit():
    given = pk.read_definition("theophylline")
    fixed_v = tuple(replace(t, fixed=t.name == "v") for t in given.model.theta)
    priors = pk.Priors(theta={"cl": pk.Prior("lognormal", (2.5, 0.5))}, lkj=3.0)
    omega = (
        pk.OmegaBlock(("CL", "KA"), ((0.3, 0.05), (0.05, 0.6))),
        pk.OmegaBlock(("V",), ((0.1,),)),
    )
    model = replace(given.model, theta=fixed_v, omega=omega, priors=priors)
    options = pk.Options(method="nuts", chains=2, tune=100, draws=60, target="joint")
    return pk.fit(replace(given, model=model, options=options))


@pytest.fixture(scope="module")
def folder(fit, tmp_path_factory):
    folder = fit.save(tmp_path_factory.mktemp("posterior") / "run")
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_every_parameter_has_its_mean_median_interval_and_mixing(fit, folder, page):
    tree = az.from_netcdf(folder / "fit.nc")
    with az.rc_context({"stats.ci_prob": 0.95}):
        table = az.summary(tree, var_names=["population"], round_to="none")
    drawn = fit.population_draws
    assert list(drawn.columns[2:]) == list(fit.problem.packing.names)
    for label in fit.problem.packing.names:
        kind, name = label.split(" ", 1)
        values = drawn[label].to_numpy()
        row = next(
            row
            for row in page.row(name.replace(",", ", "))
            if row[1] == number(values.mean()) and row[2] == number(float(np.median(values)))
        )
        assert row[3] == number(values.std(ddof=1)), kind
        low, high = np.quantile(values, [0.025, 0.975])
        assert row[4] == f"{number(low)} to {number(high)}"
        known = table.loc[f"population[{label}]"]
        assert row[5] == fixed(max(float(known["r_hat"]), 1.0), 3)
        for shown, size in ((row[6], known["ess_bulk"]), (row[7], known["ess_tail"])):
            is_cap = size == pytest.approx(120.0 * np.log10(120.0))
            assert shown == ("too few to tell" if is_cap else fixed(float(size), 0))


def test_a_fixed_parameter_has_its_value_alone(fit, page):
    (row,) = page.row("v", number(30.0))
    assert row[2:8] == [""] * 6
    assert row[8] == "fixed"


def test_priors_and_sampler_are_on_the_page(fit, page):
    rows = [*page.row("theta cl"), *page.row("sd of omega KA"), *page.row("correlations")]
    assert [row[1:] for row in rows if row[-1] in ("declared", "default")] == [
        ["lognormal(median 2.5, log sd 0.5)", "declared"],
        ["half-normal(scale 1)", "default"],
        ["LKJ(3)", "declared"],
    ]
    (divergences,) = page.row("divergences", f"{fit.posterior.divergences} of 120")
    assert divergences
    (target,) = page.row("target")
    assert target[1] == "the joint density of parameters and effects"
    (draws,) = page.row("draws of each chain")
    assert draws[1] == "60, after 100 that adapted the sampler"
    centring = {row[0]: row[1] for row in page.rows if row[0].endswith("centred effects")}
    named = ", ".join(centring.values()).split(", ")
    assert sorted(named) == sorted(f"ETA_{e.parameter}" for e in fit.problem.effects)
    assert "theta cl" in "".join(page.drawings)
    (both,) = [drawing for drawing in page.drawings if "line: prior" in drawing]
    assert "lognormal(median 2.5, log sd 0.5)" in both
    assert "sd of omega KA" in both
    traces = next(d for d in page.drawings if "Draws from the posterior in their" in d)
    assert "chain 1" in traces
    assert "chain 2" in traces
    assert "chain 0" not in traces
    assert any("Ranks of the posterior draws" in drawing for drawing in page.drawings)
    assert any("Draws from the posterior in their order" in drawing for drawing in page.drawings)


def test_nothing_of_a_maximum_is_on_the_page(page):
    for text in ("RSE", "norm of the gradient", "condition number", "sandwich"):
        assert text not in page.text
    assert not page.row("sampler")
    assert not page.row("starts")
    assert not page.row("standard errors")
    assert not page.row("AIC")
    assert not any("not done" in row for row in page.rows)
    assert "Objective and criteria" not in page.text
    assert "Correlation of the draws" in page.text
    assert "a posterior is no maximum" in page.text
    assert "intervals rest on the standard errors" not in page.text


def test_pareto_k_stands_where_there_are_weights(fit, folder, tmp_path):
    posterior = replace(fit.posterior, target="marginal", centred=(), pareto_k=0.83)
    changed = replace(fit, posterior=posterior)
    write_report(changed.save(tmp_path / "run"))
    page = Page((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    assert page.row("Pareto k of the weights", "0.83")
    assert page.row("weights", "FAIL")
    assert not page.row("centred effects")


def test_a_damaged_posterior_is_refused(fit, tmp_path):
    path = fit.save(tmp_path / "run") / "fit.json"
    document = json.loads(path.read_text())
    del document["posterior"]["priors"]
    path.write_text(json.dumps(document))
    with pytest.raises(PkmodelError, match=r"posterior.priors: field required"):
        write_report(tmp_path / "run")


def test_without_fit_nc_the_page_says_what_it_lacks(fit, tmp_path):
    folder = fit.save(tmp_path / "run")
    (folder / "fit.nc").unlink()
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    assert "Correlations of the draws, traces and ranks: the folder holds no fit.nc." in page.text
