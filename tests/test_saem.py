"""SAEM against the maximum of the exact likelihood, and what it says of itself."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from grid_likelihood import grid_score
from pkmodel.models.model import OmegaBlock, Options, Residual, Sigma, Theta
from pkmodel.plots import parameter_path
from pkmodel.plots.parameter_title import parameter_title
from pkmodel.problem import Problem
from pkmodel.summary import checks
from saem_cases import CASES, OCCASIONS, RICH, censor, infusions

QUICK = ("no effect on V", "no effect on V, M3", "M3", "lognormal error", "covariate in time")


def _fit(model, data, **options):
    return pk.fit(model, data, method="saem", **options)


def _grouped(names):
    return [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in names]


@pytest.fixture(scope="module")
def fitted():
    """Fit one rich case once, with standard errors."""
    return _fit(CASES["covariate"].model, CASES["covariate"].data())


# -- estimates ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _grouped(CASES))
def test_estimates_are_those_of_maximum_likelihood(name):
    """A Newton step by a grid's score is within 0.05 standard errors, and gains 1e-2 at most.

    Measured over all cases and two seeds: 0.013 standard errors, 2.5e-4.
    """
    fit = _fit(CASES[name].model, CASES[name].data(), covariance=False)
    assert fit.converged
    averaged = fit.estimate.sampling.averaged
    _, gradient = grid_score(fit.problem, fit.estimate.x)
    step = -np.linalg.solve(averaged.information, 0.5 * gradient)
    assert np.all(np.abs(step) < 0.05 * averaged.standard_error)
    assert -0.5 * gradient @ step < 1e-2


def test_occasions_as_by_quadrature():
    """Three effects: quadrature of order 9 manages them; within 0.05 standard errors."""
    data = OCCASIONS.data()
    fit = _fit(OCCASIONS.model, data, covariance=False)
    exact = pk.fit(OCCASIONS.model, data, method="agq", covariance=False)
    error = fit.estimate.sampling.averaged.standard_error
    assert fit.converged
    assert np.all(np.abs(fit.estimate.x - exact.estimate.x) < 0.05 * error)
    assert fit.objective - exact.objective < 1e-2


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_poor_starts_end_at_the_same_place(fitted, factor):
    """Within 0.06 standard errors: three times the Monte Carlo error that is allowed."""
    cl, v, b = RICH.theta
    far = replace(
        RICH,
        theta=(replace(cl, init=4.0 * factor), replace(v, init=70.0 / factor), b),
        residual=Residual((Sigma("proportional", 1.0),)),
    )
    fit = _fit(far, CASES["covariate"].data(), covariance=False)
    error = fitted.estimate.sampling.averaged.standard_error
    assert fit.converged
    assert np.all(np.abs(fit.estimate.x - fitted.estimate.x) < 0.06 * error)


def test_effects_with_two_modes_are_explored():
    """Residual errors that fall faster than f leave two subjects a false mode, where a search from
    zero ends, with objectives 150 too high; neither chains nor modes stay there.
    """
    fit = _fit(CASES["exponent"].model, CASES["exponent"].data(), covariance=False)
    zero = np.zeros_like(fit.estimate.final.terms.eta)
    assert fit.problem.evaluate(fit.estimate.x, zero).objective - fit.objective > 100.0
    objective, _ = grid_score(fit.problem, fit.estimate.x)
    assert fit.objective == pytest.approx(objective, abs=0.01)


def test_a_variance_that_vanishes_is_said_to_be_at_its_boundary():
    model = replace(RICH, omega=(OmegaBlock(("CL",), ((0.3,),)), OmegaBlock(("V",), ((0.3,),))))
    data = infusions(60, np.array([1.0, 12.0]), spread_v=0.0, seed=4)
    fit = _fit(model, data)
    assert fit.converged
    assert fit.covariance.boundary == ("omega V",)
    assert fit.summary().loc["omega V", "estimate"] < 1e-5
    exact = pk.fit(model, data, method="agq", covariance=False)
    assert fit.objective - exact.objective < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["infusion", "phenobarbital"])
def test_twenty_seeds_scatter_by_less_than_a_twentieth_of_the_standard_errors(name):
    """And the objective is within 1e-2 of that of maximum likelihood by quadrature of order 15."""
    if name == "infusion":
        model, data = RICH, infusions(120, np.linspace(0.5, 36.0, 18))
    else:
        model, data = pk.read_definition("phenobarbital"), None
    fits = [_fit(model, data, seed=seed, covariance=False) for seed in range(1, 21)]
    assert all(fit.converged for fit in fits)
    error = fits[0].estimate.sampling.averaged.standard_error
    spread = np.std([fit.estimate.x for fit in fits], axis=0, ddof=1)
    print(name, "spread in standard errors", np.round(spread / error, 4))
    assert np.all(spread < 0.05 * error)
    mean = np.mean([fit.estimate.x for fit in fits], axis=0)
    _, gradient = grid_score(fits[0].problem, mean)
    step = -np.linalg.solve(fits[0].estimate.sampling.averaged.information, 0.5 * gradient)
    assert np.all(np.abs(step) < 0.02 * error)
    for fit in fits:
        _, slope = grid_score(fit.problem, fit.estimate.x)
        information = fit.estimate.sampling.averaged.information
        assert 0.25 * slope @ np.linalg.solve(information, slope) < 1e-2


# -- standard errors ----------------------------------------------------------------------------


def test_standard_errors_of_louis_and_of_the_exact_likelihood_agree(fitted):
    """To 5 %, on data of 40 subjects with six observations; worst measured: 2 %."""
    exact = np.sqrt(np.diag(np.linalg.inv(0.5 * fitted.covariance.hessian)))
    ratio = fitted.estimate.sampling.averaged.standard_error / exact
    np.testing.assert_allclose(ratio, 1.0, rtol=0, atol=0.05)


# -- the same numbers ---------------------------------------------------------------------------


def test_threads_do_not_change_a_bit(fitted):
    case = CASES["covariate"]
    other = _fit(case.model, case.data(), threads=3, covariance=False)
    np.testing.assert_array_equal(other.estimate.x, fitted.estimate.x)
    assert other.iterations.equals(fitted.iterations)


def test_the_order_of_subjects_changes_only_sums(fitted):
    """Rounding of sums in another order: 1e-6 standard errors, far below the Monte Carlo error."""
    case = CASES["covariate"]
    data = case.data()
    names = np.random.default_rng(3).permutation(data["ID"].unique())
    shuffled = pd.concat([data[data["ID"] == name] for name in names], ignore_index=True)
    other = _fit(case.model, shuffled, covariance=False)
    error = fitted.estimate.sampling.averaged.standard_error
    assert np.all(np.abs(other.estimate.x - fitted.estimate.x) < 1e-6 * error)


def test_seeds_change_numbers_within_the_monte_carlo_error(fitted):
    case = CASES["covariate"]
    other = _fit(case.model, case.data(), seed=2, covariance=False)
    error = np.hypot(
        fitted.estimate.sampling.averaged.error, other.estimate.sampling.averaged.error
    )
    apart = np.abs(other.estimate.x - fitted.estimate.x)
    assert np.all(apart > 0.0)
    assert np.all(apart < 5.0 * error)


# -- how it ends --------------------------------------------------------------------------------


def test_too_few_iterations_are_not_convergence():
    case = CASES["no effect on V"]
    data = case.data()
    problem = pk.evaluate(case.model, data, method="saem").problem
    limited = Problem(case.model, problem.dataset, Options(method="saem", max_evaluations=30))
    from pkmodel.estimate.saem import saem

    estimate = saem(limited)
    assert estimate.ending == "exhausted"
    assert estimate.sampling.iterations == 30
    assert np.all(np.isnan(estimate.sampling.averaged.error))


def test_a_limit_in_averaging_is_not_convergence():
    """One iteration less than it took: no test of the draws is due there."""
    case = CASES["no effect on V"]
    data = case.data()
    dataset = pk.evaluate(case.model, data, method="saem").problem.dataset
    from pkmodel.estimate.saem import saem

    whole = saem(Problem(case.model, dataset, Options(method="saem")))
    assert whole.ending == "converged"
    limit = whole.sampling.iterations - 1
    estimate = saem(Problem(case.model, dataset, Options(method="saem", max_evaluations=limit)))
    assert estimate.ending == "exhausted"
    assert not estimate.sampling.averaged.is_settled


@pytest.mark.parametrize("after", [1, 8])
def test_an_interrupt_gives_the_last_point(after):
    case = CASES["covariate"]
    told = []

    def interrupt(text):
        told.append(text)
        if len([t for t in told if "iteration" in t]) > after:
            raise KeyboardInterrupt

    fit = _fit(case.model, case.data(), progress=interrupt, covariance=False)
    assert str(fit.status) == "interrupted"
    assert np.isfinite(fit.objective)
    assert len(fit.iterations) == fit.estimate.sampling.iterations


def test_small_data_have_more_chains(fitted):
    assert fitted.estimate.sampling.chains == 3
    case = CASES["no effect on V"]
    dataset = pk.evaluate(case.model, infusions(7), method="saem").problem.dataset
    from pkmodel.estimate.saem import saem

    few = saem(Problem(case.model, dataset, Options(method="saem", max_evaluations=3)))
    own = saem(Problem(case.model, dataset, Options(method="saem", max_evaluations=3, chains=4)))
    assert few.sampling.chains == 15
    assert own.sampling.chains == 4


def test_starts_are_compared_by_the_exact_likelihood():
    case = CASES["no effect on V"]
    fit = _fit(case.model, case.data(), starts=3, covariance=False)
    assert len(fit.estimate.starts) == 3
    assert fit.estimate.agree == 3
    assert set(fit.iterations["start"]) == {0, 1, 2}


# -- what is said -------------------------------------------------------------------------------


def test_iterations_are_told_by_phase(fitted):
    table = fitted.iterations
    assert list(dict.fromkeys(table["phase"])) == ["exploration", "smoothing", "averaging"]
    assert list(table["iteration"]) == list(range(1, len(table) + 1))
    names = list(fitted.problem.packing.names)
    last = table[names].iloc[-1].to_numpy()
    np.testing.assert_array_equal(last, fitted.problem.packing.natural(fitted.estimate.x))
    assert pk.fit(RICH, infusions(8), method="focei", covariance=False).iterations is None


def test_document_and_summary_tell_of_the_draws(fitted):
    sampling = json.loads(json.dumps(fitted.to_dict()))["sampling"]
    assert sampling["chains"] == 3
    assert sampling["is_settled"] is True
    assert 0.6 < sampling["acceptance"]["independent"] < 1.0
    assert max(sampling["monte_carlo_error"].values()) <= 0.02
    assert max(sampling["r_hat"].values()) <= 1.05
    check = next(c for c in checks(fitted.to_dict()) if c.name == "draws")
    assert check.mark == "ok"
    assert "3 chains" in check.finding
    assert "R-hat" in check.finding


def test_files_hold_the_iterations(fitted, tmp_path):
    folder = fitted.save(tmp_path / "run")
    table = pd.read_csv(folder / "iterations.csv")
    assert len(table) == len(fitted.iterations)
    again = fitted.save(tmp_path / "run")
    assert again == folder


def test_every_parameter_has_its_panel_and_every_phase_its_line(fitted):
    plot = parameter_path(fitted.iterations, is_virtual=True)
    titles = [axes.get_title("left") for axes in plot.figure.axes]
    assert titles == [parameter_title(name) for name in fitted.problem.packing.names]
    for axes in plot.figure.axes:
        assert [line.get_linestyle() for line in axes.lines] == [":", "--", "-"]
    assert [t.get_text() for t in plot.figure.legends[0].get_texts()] == [
        "exploration",
        "smoothing",
        "averaging",
    ]
    assert any("simulated, not observed" in text.get_text() for text in plot.figure.texts)


def test_gains_by_the_exact_likelihood_are_noted():
    """One observation a subject with long-tailed laws: quadrature of low order is off."""
    model = replace(
        RICH,
        parameters={"CL": "cl", "V": "v"},
        theta=(Theta("cl", 2.0, lower=0.0), Theta("v", 70.0, fixed=True)),
        omega=(OmegaBlock(("CL",), ((0.3,),)),),
        residual=Residual((Sigma("proportional", 0.15, fixed=True),)),
    )
    fit = _fit(model, infusions(150, np.array([12.0]), spread_v=0.0))
    _, gradient = grid_score(fit.problem, fit.estimate.x)
    information = fit.estimate.sampling.averaged.information
    assert 0.25 * gradient @ np.linalg.solve(information, gradient) < 1e-2
    noted = any("by the exact likelihood" in text for text in fit.warnings)
    assert noted == (fit.estimate.decrease > 0.05)


def test_censored_rows_need_no_imputation():
    """All but two observations of each subject censored: still the maximum of the likelihood."""
    model = replace(RICH, omega=(OmegaBlock(("CL",), ((0.3,),)),))
    fit = _fit(model, censor(infusions(40, spread_v=0.0), 0.6), covariance=False)
    averaged = fit.estimate.sampling.averaged
    _, gradient = grid_score(fit.problem, fit.estimate.x)
    step = -np.linalg.solve(averaged.information, 0.5 * gradient)
    assert np.all(np.abs(step) < 0.05 * averaged.standard_error)
