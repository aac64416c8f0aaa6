"""Fit or evaluate a model: from a definition, or from a model and data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pkmodel._jit import compile_clock
from pkmodel.bayes.boundary_draws import boundary_warnings
from pkmodel.bayes.diagnosis import posterior_status, posterior_warnings
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
    idle_warnings,
)
from pkmodel.diagnostics.too_few_data import unfittable
from pkmodel.errors import FitError, within
from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.covariance import Covariance, covariance
from pkmodel.estimate.exact import settled
from pkmodel.estimate.maximum_likelihood import (
    Estimate,
    decrease_inside,
    polish,
)
from pkmodel.estimate.methods import ESTIMATORS
from pkmodel.fit_warnings import fit_warnings
from pkmodel.initial_checks import check_priors, check_typical, undefined
from pkmodel.models.model import Model, Options
from pkmodel.number import count
from pkmodel.prediction import is_cold
from pkmodel.problem import TIGHT, Problem
from pkmodel.result import Fit
from pkmodel.status import Status
from pkmodel.subjects import Subjects, declared_subjects

Progress = Callable[[str], None]

COMPILING = "compiling kernels: once per machine, up to some minutes where it is busy"

GAIN_LEFT = 1e-3
"""A fit counts as converged where the true Hessian promises less than this of the objective."""

SAMPLED_GAIN_LEFT = 0.25
"""The same where estimates come from draws, and keep their Monte Carlo error: half a standard error
of a parameter."""


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
    model = given_model(model, method)
    options = given_options(
        model,
        method=method,
        seed=seed,
        starts=starts,
        covariance=covariance,
        chains=chains,
        draws=draws,
    )
    idle = idle_warnings(model, method)
    with within(_source(model)):
        title, problem, subjects, seconds = _prepare(model, data, options, threads)
        _check_fittable(problem)
    if is_cold() and progress is not None:
        progress(COMPILING)
    problem.load()
    seconds["read"] -= problem.loading
    seconds["compile"] = time.perf_counter() - begin - seconds["read"]
    seconds.update(optimise=0.0, covariance=0.0)
    say = _named(progress, f"{title or problem.model.structure} by {options.method}")
    if options.method == FULL_BAYES:
        with within(_source(model)):
            found = _full_bayes(title, problem, subjects, seconds, begin, say)
            return replace(found, warnings=(*idle, *found.warnings))
    unit = "iteration" if options.method == "saem" else "evaluation"
    with _timed(seconds, "optimise"):
        estimate = ESTIMATORS[options.method](problem, _progress_line(options.starts, say, unit))
        if estimate is None:
            with within(_source(model)):
                raise undefined(problem)
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
    warnings = (*idle, *fit_warnings(problem, estimate, uncertainty))
    return Fit(title, problem, subjects, estimate, uncertainty, status, warnings, seconds)


def fit_problem(model: Definition, method: str | None) -> Problem:
    """Return what a fit of a definition would solve, or refuse what that fit would refuse.

    Parameters
    ----------
    model : Definition
    method : str or None
        As for `fit`.

    Raises
    ------
    DataError, ModelError, FitError
        As by `fit`, before it begins.
    """
    options = given_options(model, method=method)
    with within(_source(model)):
        _, problem, _, _ = _prepare(model, None, options, threads=1)
        _check_fittable(problem)
    return problem


def _check_fittable(problem: Problem) -> None:
    """Refuse what no fit can come of."""
    if problem.packing.size == 0:
        raise FitError("every theta, omega and sigma is fixed: nothing to fit; evaluate instead")
    faults = unfittable(problem)
    if faults:
        raise FitError(faults)
    check_priors(problem)
    check_typical(problem)


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
            raise undefined(problem)
        problem, estimate = settled(problem, found.estimate)
    seconds["total"] = time.perf_counter() - begin
    judged = posterior_status(found.posterior, found.diagnosis)
    status = Status.INTERRUPTED if found.posterior.cut else judged
    warnings = fit_warnings(problem, estimate, None)
    warnings = (
        *warnings,
        *boundary_warnings(problem, found.posterior),
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
    model = given_model(model, method)
    options = given_options(model, method=method, starts=1, covariance=False)
    with within(_source(model)):
        title, problem, subjects, seconds = _prepare(model, data, options, threads)
        check_typical(problem)
    if is_cold() and progress is not None:
        progress(COMPILING)
    problem.load()
    seconds["read"] -= problem.loading
    seconds["compile"] = time.perf_counter() - begin - seconds["read"]
    x = problem.packing.initial()
    final = problem.evaluate(x, tolerance=TIGHT)
    if not np.isfinite(final.objective):
        with within(_source(model)):
            raise undefined(problem)
    estimate = Estimate(x, final, "evaluated", float("nan"), 0.0, 1, (), [])
    problem, estimate = settled(problem, estimate)
    seconds.update(optimise=0.0, covariance=0.0, total=time.perf_counter() - begin)
    warnings = (*idle_warnings(model, method), *fit_warnings(problem, estimate, None))
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
