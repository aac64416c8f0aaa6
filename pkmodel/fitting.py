"""Fit or evaluate a model: from a definition, or from a model and data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel._jit import compile_clock
from pkmodel.bayes.diagnosis import posterior_status, posterior_warnings
from pkmodel.bayes.far_priors import excluded_priors, far_priors
from pkmodel.bayes.few_draws import few_draws
from pkmodel.bayes.flat_priors import improper_prior_warning
from pkmodel.bayes.inference import infer
from pkmodel.dataset import Dataset
from pkmodel.definition import (
    FULL_BAYES,
    Definition,
    check_model,
    given_data,
    given_model,
    given_options,
    given_threads,
)
from pkmodel.diagnostics.etabar import (
    BAYES_CAUSES,
    CAUSES,
    EXACT_CAUSES,
    biased_effects,
    eta_bars,
)
from pkmodel.diagnostics.individuals import individual_parameters
from pkmodel.diagnostics.parameters import parameters
from pkmodel.diagnostics.plausibility import implausible_estimates
from pkmodel.diagnostics.too_few_data import scarce_data, unfittable
from pkmodel.errors import FitError, ModelError, within
from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.boundary import at_boundary
from pkmodel.estimate.covariance import Covariance, covariance
from pkmodel.estimate.exact import settled
from pkmodel.estimate.maximum_likelihood import (
    Estimate,
    decrease_inside,
    polish,
)
from pkmodel.estimate.methods import ESTIMATORS
from pkmodel.formula import parse_formula
from pkmodel.formula.block_check import implausible_arguments
from pkmodel.models.model import Model, Options
from pkmodel.nodes import LEAST_SHARE
from pkmodel.number import count
from pkmodel.prediction import is_cold
from pkmodel.problem import EXACT, TIGHT, Problem
from pkmodel.result import Fit
from pkmodel.status import Status
from pkmodel.subjects import Subjects, declared_subjects

Progress = Callable[[str], None]

COMPILING = "compiling kernels: once per machine, up to some minutes where it is busy"

GAIN_LEFT = 1e-3
"""A fit counts as converged where the true Hessian promises less than this of the objective."""

NOTED_GAIN, SAMPLED_GAIN_LEFT = 0.05, 0.25
"""Where estimates come from draws, and keep their Monte Carlo error: a gain from which it is said,
and the most with which a fit counts as converged, half a standard error of a parameter."""


def fit(
    model: Definition | Model | str | Path,
    data: Dataset | pd.DataFrame | None = None,
    *,
    method: str | None = None,
    seed: int | None = None,
    starts: int | None = None,
    covariance: bool | str | None = None,
    chains: int | None = None,
    draws: int | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Fit:
    """Fit a population model.

    Parameters
    ----------
    model : Definition, Model, str or Path
        A name is that of a definition, as for `read_definition`.
    data : Dataset or DataFrame, optional
        Needed with a `Model`; replaces the file of a `Definition`. A DataFrame is read with the
        units, columns, condition, limit, tolerances and covariate rule of its [data]. A Dataset
        has been read already and is used as it is, whatever [data] says of these, but its units
        must be those declared.
    method, seed, starts : optional
        Replace those of the definition.
    covariance : bool or str, optional
        False leaves the standard errors out; else ``"sandwich"``, ``"r"`` or ``"s"``.
    chains, draws : int, optional
        Replace those of the definition: chains of full Bayes, or of each subject by SAEM; draws of
        each chain of full Bayes, or of each subject by importance sampling. Refused with a method
        that has none.
    threads : int
        Threads that share the subjects; the result is the same to the bit for any number.
    progress : callable, optional
        Told in a line what is being done.

    Returns
    -------
    Fit

    Raises
    ------
    DataError, ModelError, FitError
        Where the input is at fault, or the model is not defined at its initial values.

    Examples
    --------
    >>> import pkmodel as pk
    >>> result = pk.fit(pk.read_definition("phenobarbital"))
    >>> round(result.objective, 2)
    586.28
    """
    begin = time.perf_counter()
    model = given_model(model)
    with within(_source(model)):
        options = given_options(
            model,
            method=method,
            seed=seed,
            starts=starts,
            covariance=covariance,
            chains=chains,
            draws=draws,
        )
    with within(_source(model)):
        title, problem, subjects, seconds = _prepare(model, data, options, threads)
        if problem.packing.size == 0:
            raise FitError(
                "every theta, omega and sigma is fixed: nothing to fit; evaluate instead"
            )
        faults = unfittable(problem)
        if faults:
            raise FitError(faults)
        _check_priors(problem)
        _check_typical(problem)
    if is_cold() and progress is not None:
        progress(COMPILING)
    problem.load()
    seconds["read"] -= problem.loading
    seconds["compile"] = time.perf_counter() - begin - seconds["read"]
    seconds.update(optimise=0.0, covariance=0.0)
    say = _named(progress, f"{title or problem.model.structure} by {options.method}")
    if options.method == FULL_BAYES:
        with within(_source(model)):
            return _full_bayes(title, problem, subjects, seconds, begin, say)
    unit = "iteration" if options.method == "saem" else "evaluation"
    with _timed(seconds, "optimise"):
        estimate = ESTIMATORS[options.method](problem, _progress_line(options.starts, say, unit))
        if estimate is None:
            with within(_source(model)):
                raise _undefined(problem)
        problem, estimate = settled(problem, estimate)
    uncertainty = None
    is_cut = estimate.ending == Ending.INTERRUPTED
    has_errors = options.covariance != "none" and not is_cut
    if has_errors and np.isfinite(estimate.final.objective):
        say("standard errors")
        try:
            with _timed(seconds, "covariance"):
                estimate, uncertainty = _uncertainty(problem, estimate, options.covariance)
        except KeyboardInterrupt:
            is_cut = True
    seconds["total"] = time.perf_counter() - begin
    status = Status.INTERRUPTED if is_cut else _status(problem, estimate, uncertainty)
    warnings = _warnings(problem, estimate, uncertainty)
    return Fit(title, problem, subjects, estimate, uncertainty, status, warnings, seconds)


def _full_bayes(
    title: str,
    problem: Problem,
    subjects: Subjects,
    seconds: dict[str, float],
    begin: float,
    say: Progress,
) -> Fit:
    """Sample the posterior, and judge the draws."""
    with _timed(seconds, "optimise"):
        found = infer(problem, _progress_line(problem.options.starts, say), _sampler_line(say))
        if found is None:
            raise _undefined(problem)
        problem, estimate = settled(problem, found.estimate)
    seconds["total"] = time.perf_counter() - begin
    judged = posterior_status(found.posterior, found.diagnosis)
    status = Status.INTERRUPTED if found.posterior.cut else judged
    warnings = _warnings(problem, estimate, None)
    warnings = (
        *warnings,
        *posterior_warnings(found.posterior, found.diagnosis),
        *found.posterior.contradicted.values(),
    )
    return Fit(
        title,
        problem,
        subjects,
        estimate,
        found.covariance,
        status,
        warnings,
        seconds,
        found.posterior,
    )


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    """Count the seconds of a phase, and those of compiling in it to the phase `compile`."""
    begin = time.perf_counter()
    with compile_clock() as clock:
        try:
            yield
        finally:
            seconds["compile"] += clock.seconds
            seconds[phase] = time.perf_counter() - begin - clock.seconds


def _named(progress: Progress | None, fit: str) -> Progress:
    """Return what tells of which fit it tells, for several may follow each other."""

    def say(text: str) -> None:
        if progress is not None:
            progress(f"{fit}: {text}")

    return say


def _sampler_line(say: Progress) -> Callable[[int, int, int], None]:
    """Return what tells in a line how far the sampler has come."""

    def tell(done: int, total: int, divergences: int) -> None:
        after = count(divergences, "divergence")
        say(f"draw {done} of {total}, tuning included: {after} after tuning")

    return tell


def _progress_line(
    starts: int, say: Progress, unit: str = "evaluation"
) -> Callable[[int, int, float], None]:
    """Return what tells in a line how far the search has come."""

    def tell(start: int, count: int, value: float) -> None:
        which = f"start {start + 1} of {starts}, " if starts > 1 else ""
        say(f"{which}{unit} {count}: objective {value:.3f}")

    return tell


def evaluate(
    model: Definition | Model | str | Path,
    data: Dataset | pd.DataFrame | None = None,
    *,
    method: str | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Fit:
    """Evaluate the objective, the modes and the predictions at the initial values.

    Parameters
    ----------
    model, data, method, threads, progress
        As for `fit`.

    Returns
    -------
    Fit
        With status ``"evaluated"``.
    """
    begin = time.perf_counter()
    model = given_model(model)
    with within(_source(model)):
        options = given_options(model, method=method, starts=1, covariance=False)
    with within(_source(model)):
        title, problem, subjects, seconds = _prepare(model, data, options, threads)
        _check_typical(problem)
    if is_cold() and progress is not None:
        progress(COMPILING)
    problem.load()
    seconds["read"] -= problem.loading
    seconds["compile"] = time.perf_counter() - begin - seconds["read"]
    x = problem.packing.initial()
    final = problem.evaluate(x, tolerance=TIGHT)
    if not np.isfinite(final.objective):
        with within(_source(model)):
            raise _undefined(problem)
    estimate = Estimate(x, final, "evaluated", float("nan"), 0.0, 1, (), [])
    problem, estimate = settled(problem, estimate)
    seconds.update(optimise=0.0, covariance=0.0, total=time.perf_counter() - begin)
    warnings = _warnings(problem, estimate, None)
    return Fit(title, problem, subjects, estimate, None, Status.EVALUATED, warnings, seconds)


def _source(model: Definition | Model) -> str:
    """File of a definition; empty for what comes from Python."""
    return str(model.path or "") if isinstance(model, Definition) else ""


def _prepare(
    model: Definition | Model,
    data: Dataset | pd.DataFrame | None,
    options: Options,
    threads: int,
) -> tuple[str, Problem, Subjects, dict[str, float]]:
    begin = time.perf_counter()
    threads = given_threads(threads)
    title, population = (model.title, model.model) if isinstance(model, Definition) else ("", model)
    check_model(population)
    groups = model.groups if isinstance(model, Definition) else None
    dataset, subjects = declared_subjects(given_data(model, data), groups)
    problem = Problem(population, dataset, options, threads=threads)
    return title, problem, subjects, {"read": time.perf_counter() - begin}


def _check_priors(problem: Problem) -> None:
    """Refuse priors of which nothing can be drawn."""
    faults = excluded_priors(problem.model) if problem.options.method == FULL_BAYES else []
    if faults:
        raise ModelError(faults)


def _check_typical(problem: Problem) -> None:
    """Refuse initial values at which a formula has no valid value, saying where."""
    theta = problem.packing.unpack(problem.packing.initial()).theta
    mu, _ = problem.typical(theta)
    values = problem.typical_values(theta)
    for p, name in enumerate(problem.structure.parameters):
        bad = np.flatnonzero(~np.isfinite(mu[:, p]))
        if bad.size:
            raise FitError(_invalid(problem, name, bad, float(values[bad[0], p])))


_RANGE = {"lognormal": "> 0", "logitnormal": "between 0 and 1", "normal": "finite"}


def _invalid(problem: Problem, name: str, bad: NDArray[np.int64], value: float) -> str:
    """Say which covariates and thetas make a typical value invalid, at its first place."""
    data, formula = problem.dataset, problem.model.parameters[name]
    rows = bad if problem.varies else problem.start[bad]
    row = int(rows[0])
    names = parse_formula(formula, name).names
    cause = [f"{c} = {data.covariates[c][row]:.6g}" for c in problem.covariates if c in names]
    cause += [f"{t.name} = {t.init:.6g}" for t in problem.model.theta if t.name in names]
    subjects = np.unique(data.subject[rows]).size
    others = f" (and {subjects - 1} more subject{'s' if subjects > 2 else ''})"
    wanted = _RANGE[problem.model.distribution.get(name, "lognormal")]
    return (
        f"{', '.join(cause)} in line {data.row[row]} of {data.source}, subject "
        f"{data.ids[data.subject[row]]}, makes {name} = {formula} = {value:.6g}"
        f"{others if subjects > 1 else ''}; {name} must be {wanted}: check the covariates and "
        "the initial values in [theta]"
    )


def _undefined(problem: Problem) -> FitError:
    """Say for which subjects the likelihood is not defined at the initial values."""
    first = problem.evaluate(problem.packing.initial())
    failed = problem.dataset.ids[~np.isfinite(first.terms.objective)]
    listed = ", ".join(str(v) for v in failed[:10])
    return FitError(
        f"the likelihood of {failed.size} subjects is not defined at the initial values "
        f"(subjects {listed}{' ...' if failed.size > 10 else ''} of {problem.dataset.source}): "
        "check [theta], [omega] and [residual] against the units of the data"
    )


def _uncertainty(problem: Problem, estimate: Estimate, wanted: str) -> tuple[Estimate, Covariance]:
    """Compute standard errors, after Newton steps as far as they lower the objective.

    Estimates from draws stay what they are; what a Newton step would gain is said.
    """
    for _ in range(3):
        result = covariance(problem, estimate.x, estimate.final, wanted)
        if result.boundary or estimate.sampling is not None:
            left = decrease_inside(problem, estimate, result.hessian, set(result.boundary))
            return replace(estimate, decrease=left), result
        polished = polish(problem, estimate, result.hessian)
        moved = np.max(np.abs(polished.x - estimate.x), initial=0.0)
        estimate = polished
        if moved < 1e-5:
            break
    return estimate, result


def _status(problem: Problem, estimate: Estimate, uncertainty: Covariance | None) -> Status:
    if problem.failed(estimate.final.terms).size:
        return Status.MODES_FAILED
    if estimate.ending != Ending.CONVERGED and not estimate.decrease < GAIN_LEFT:
        return Status.NOT_CONVERGED
    is_known = uncertainty is not None and uncertainty.source != "none"
    if estimate.sampling is not None and is_known and estimate.decrease > SAMPLED_GAIN_LEFT:
        return Status.NOT_CONVERGED
    if estimate.sampling is None and abs(estimate.cold_gap) > 0.01:
        return Status.NOT_CONVERGED
    if uncertainty is not None:
        names = problem.packing.names
        inside = [k for k, name in enumerate(names) if name not in uncertainty.boundary]
        second = uncertainty.hessian[np.ix_(inside, inside)]
        scale = np.sqrt(np.maximum(np.abs(np.diag(second)), 1e-12))
        if np.any(np.linalg.eigvalsh(second / np.outer(scale, scale)) < -1e-4):
            return Status.SADDLE
        if uncertainty.flat:
            return Status.UNDETERMINED
    return Status.CONVERGED


def _flip_flop(problem: Problem, estimate: Estimate) -> list[str]:
    """Warn where most subjects absorb more slowly than they eliminate."""
    values = individual_parameters(problem, estimate.x, estimate.final.terms.eta)
    if "KA" not in values:
        return []
    count = int(np.sum(values["KA"] < values["CL"] / values["V"]))
    if 2 * count <= problem.n_subjects:
        return []
    return [
        f"flip-flop: KA is below CL / V in {count} of {problem.n_subjects} subjects; after oral "
        "doses alone KA and CL / V can be exchanged, with another V: judge by intravenous data or "
        "physiology, and if KA should be the larger, start or bound it above CL / V"
    ]


BOUNDARY = ": no standard error is given for it"


def _warnings(
    problem: Problem, estimate: Estimate, uncertainty: Covariance | None
) -> tuple[str, ...]:
    out = list(problem.dataset.warnings)
    is_bayes = problem.options.method == FULL_BAYES
    if is_bayes:
        out += few_draws(problem.options)
    out += _prior_warnings(problem)
    out += scarce_data(problem)
    data = problem.dataset
    if data.n_censored:
        how = "as probabilities (M3)" if problem.options.censoring == "m3" else "left out (M1)"
        out.append(f"{data.n_censored} of {data.n_observations} observations are censored: {how}")
    for name, text in problem.model.parameters.items():
        formula = parse_formula(text, f"[model.parameters] {name}")
        out += implausible_arguments(formula, data.covariates, data.subject.size)
    failed = problem.failed(estimate.final.terms)
    if failed.size:
        listed = ", ".join(str(v) for v in data.ids[failed][:10])
        more = f" and {failed.size - 10} more" if failed.size > 10 else ""
        out.append(f"no mode was found for {failed.size} subjects: {listed}{more}")
    most = int(np.max(np.diff(problem.steps.first)))
    if most == 1 and problem.effects and problem.packing.sigma:
        out.append(
            "no subject has more than one observation: residual error and variances between "
            "subjects cannot be told apart; fix one of them"
        )
    if abs(estimate.cold_gap) > 1e-4 and not failed.size:
        out.append(
            f"with modes searched from zero the objective differs by {estimate.cold_gap:+.4g} from "
            "the search's: some subjects have several modes"
        )
    out += _integration(problem, estimate)
    if estimate.sampling is not None and NOTED_GAIN < estimate.decrease < np.inf:
        out.append(
            f"by the exact likelihood the objective could fall by {estimate.decrease:.2g}: the "
            "draws and the integral differ, as where the effects of a subject have several modes"
        )
    for name in at_boundary(problem, estimate.x):
        out.append(f"{name} is at a boundary{'' if is_bayes else BOUNDARY}")
    out += _flip_flop(problem, estimate)
    if len(estimate.starts) > 1 and estimate.agree < len(estimate.starts):
        out.append(f"only {estimate.agree} of {len(estimate.starts)} starts reached this objective")
    if uncertainty is not None:
        for direction in uncertainty.flat:
            out.append(f"the data do not determine the direction {direction}")
        out += _errors_from_elsewhere(problem, uncertainty)
    if estimate.ending != "evaluated":
        found = parameters(problem, estimate.x, uncertainty)
        out += implausible_estimates(problem, estimate.x, found)
        out += biased_effects(eta_bars(problem, estimate.x, estimate.final), _causes(problem))
    return tuple(out)


def _causes(problem: Problem) -> str:
    """Say what may put the mean of an effect off: no approximation where there is none."""
    if problem.options.method == FULL_BAYES:
        return BAYES_CAUSES
    return EXACT_CAUSES if problem.likelihood in EXACT else CAUSES


def _prior_warnings(problem: Problem) -> list[str]:
    """Warn of priors that may be wrong; where the method uses none, that there are some."""
    method = problem.options.method
    if method == FULL_BAYES:
        return [*far_priors(problem.model), *improper_prior_warning(problem.model)]
    if problem.model.priors is None:
        return []
    return [f"the priors that are declared are not used: {method} has none"]


FINER_NODES = "a higher fit.order, or method = 'imp', tells more"
MORE_DRAWS = "more draws tell more, see fit.draws"
DRAWN = "it is told at one point of the posterior, and the draws do not rest on it"


def _integration(problem: Problem, estimate: Estimate) -> list[str]:
    """Warn where nodes or draws are too few for the integral over the effects."""
    orders = estimate.orders
    remedy = DRAWN if problem.options.method == FULL_BAYES else ""
    out = []
    if orders is not None and not orders.is_settled:
        change = f"{orders.error:.2g}" if np.isfinite(orders.error) else "an unknown amount"
        out.append(
            f"quadrature of {orders} has not settled: with more nodes the objective changes by up "
            f"to {change}; {remedy or FINER_NODES}"
        )
    few = np.flatnonzero(estimate.final.terms.share < LEAST_SHARE)
    if problem.likelihood == "imp" and few.size:
        ids = problem.dataset.ids[few]
        listed = ", ".join(str(v) for v in ids[:10]) + (" ..." if few.size > 10 else "")
        out.append(
            f"the draws of {few.size} subjects are worth less than {LEAST_SHARE:.0%} of their "
            f"number ({listed}): their part of the objective is not to be trusted; "
            f"{remedy or MORE_DRAWS}"
        )
    return out


def _errors_from_elsewhere(problem: Problem, uncertainty: Covariance) -> list[str]:
    """Say where standard errors come from, if not from where they were asked from."""
    wanted, source = problem.options.covariance, uncertainty.source
    if wanted != source and source == "r":
        return [
            f"S is singular, as one gradient per subject ({problem.n_subjects}) does not span "
            f"{problem.packing.size} parameters: standard errors are from R"
        ]
    if source == "none":
        return ["no standard errors: the second derivatives of the objective are not defined here"]
    if wanted != source:
        return ["R is not positive definite: standard errors are from S"]
    if uncertainty.flat:
        return ["R is not positive definite: parameters in these directions have no standard error"]
    return []
