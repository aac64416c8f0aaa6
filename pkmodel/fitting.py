"""Fit or evaluate a model: from a definition, or from a model and data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pkmodel.dataset import Dataset, read_dataset
from pkmodel.definition import Definition, check_model
from pkmodel.diagnostics.individuals import individual_parameters
from pkmodel.errors import FitError, ModelError, within
from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.boundary import at_boundary
from pkmodel.estimate.covariance import Covariance, covariance
from pkmodel.estimate.maximum_likelihood import (
    Estimate,
    decrease_inside,
    maximise,
    polish,
)
from pkmodel.models.model import Model, Options
from pkmodel.problem import TIGHT, Problem, is_cold
from pkmodel.result import Fit
from pkmodel.status import Status

Progress = Callable[[str], None]

_WANTED = {True: "sandwich", False: "none"}

COMPILING = "compiling kernels: once per machine, up to a minute"

GAIN_LEFT = 1e-3
"""A fit counts as converged where the true Hessian promises less than this of the objective."""


def fit(
    model: Definition | Model,
    data: Dataset | pd.DataFrame | None = None,
    *,
    method: str | None = None,
    seed: int | None = None,
    starts: int | None = None,
    covariance: bool | str | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Fit:
    """Fit a population model.

    Parameters
    ----------
    model : Definition or Model
    data : Dataset or DataFrame, optional
        Needed with a `Model`; replaces the data of a `Definition`.
    method, seed, starts : optional
        Replace those of the definition.
    covariance : bool or str, optional
        False leaves the standard errors out; else ``"sandwich"``, ``"r"`` or ``"s"``.
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
    options = _options(model, method, seed, starts, covariance)
    say = progress or (lambda text: None)
    with within(_source(model)):
        title, problem, seconds = _prepare(model, data, options, threads)
        if problem.packing.size == 0:
            raise FitError(
                "every theta, omega and sigma is fixed: nothing to fit; evaluate instead"
            )
        _check_typical(problem)
    if is_cold():
        say(COMPILING)
    problem.load()
    seconds["read"] -= problem.loading
    seconds["compile"] = time.perf_counter() - begin - seconds["read"]
    mark = time.perf_counter()
    estimate = maximise(problem, lambda n, value: say(f"evaluation {n}: objective {value:.3f}"))
    if estimate is None:
        with within(_source(model)):
            raise _undefined(problem)
    seconds["optimise"] = time.perf_counter() - mark
    mark = time.perf_counter()
    uncertainty = None
    if options.covariance != "none" and np.isfinite(estimate.final.objective):
        say("standard errors")
        try:
            estimate, uncertainty = _uncertainty(problem, estimate, options.covariance)
        except KeyboardInterrupt:
            estimate = replace(estimate, ending="interrupted")
    seconds["covariance"] = time.perf_counter() - mark
    seconds["total"] = time.perf_counter() - begin
    status = _status(problem, estimate, uncertainty)
    warnings = _warnings(problem, estimate, uncertainty)
    return Fit(title, problem, estimate, uncertainty, status, warnings, seconds)


def evaluate(
    model: Definition | Model,
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
    options = _options(model, method, None, 1, False)
    with within(_source(model)):
        title, problem, seconds = _prepare(model, data, options, threads)
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
    seconds.update(optimise=0.0, covariance=0.0, total=time.perf_counter() - begin)
    warnings = _warnings(problem, estimate, None)
    return Fit(title, problem, estimate, None, Status.EVALUATED, warnings, seconds)


def _source(model: Definition | Model) -> str:
    """File of a definition; empty for what comes from Python."""
    return str(model.path or "") if isinstance(model, Definition) else ""


def _options(
    model: Definition | Model,
    method: str | None,
    seed: int | None,
    starts: int | None,
    wanted: bool | str | None,
) -> Options:
    options = model.options if isinstance(model, Definition) else Options()
    changes: dict[str, Any] = {}
    if method is not None:
        changes["method"] = method
    if seed is not None:
        changes["seed"] = seed
    if starts is not None:
        changes["starts"] = starts
    if wanted is not None:
        changes["covariance"] = wanted if isinstance(wanted, str) else _WANTED[wanted]
    options = replace(options, **changes)
    known = ("fo", "foce", "focei", "laplace")
    if options.method not in known:
        raise ModelError(f"method {options.method!r} is not available; known: {', '.join(known)}")
    if options.interaction is not None and options.method != "laplace":
        options = replace(options, interaction=None)
    return options


def _prepare(
    model: Definition | Model,
    data: Dataset | pd.DataFrame | None,
    options: Options,
    threads: int,
) -> tuple[str, Problem, dict[str, float]]:
    begin = time.perf_counter()
    if threads < 1:
        raise FitError(f"threads must be at least 1, not {threads}")
    if isinstance(model, Definition):
        title, population = model.title, model.model
        if data is None and model.data is not None:
            data = model.data.read(population.structure)
    else:
        title, population = "", model
    check_model(population)
    if data is None:
        raise FitError(
            "no data: name the file under [data] of the definition, or pass a Dataset or a "
            "DataFrame as the second argument"
        )
    if isinstance(data, pd.DataFrame):
        data = read_dataset(data, structure=population.structure)
    problem = Problem(population, data, options, threads=threads)
    return title, problem, {"read": time.perf_counter() - begin}


def _check_typical(problem: Problem) -> None:
    """Refuse initial values at which a formula has no valid value, saying where."""
    mu, _ = problem.typical(problem.packing.unpack(problem.packing.initial()).theta)
    for p, name in enumerate(problem.structure.parameters):
        bad = np.flatnonzero(~np.isfinite(mu[:, p]))
        if bad.size:
            row = bad[0] if problem.varies else problem.start[bad[0]]
            subject = problem.dataset.ids[problem.dataset.subject[row]]
            raise FitError(
                f"at the initial values the formula of {name} ({problem.model.parameters[name]}) "
                f"gives no valid value for subject {subject} (line {problem.dataset.row[row]} of "
                f"{problem.dataset.source}) and {bad.size - 1} others; a "
                f"{problem.model.distribution.get(name, 'lognormal')} parameter must be in its "
                "range: check [theta] and the covariates"
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
    """Compute standard errors, after Newton steps as far as they lower the objective."""
    for _ in range(3):
        result = covariance(problem, estimate.x, estimate.final, wanted)
        if estimate.ending == "interrupted":
            break
        if result.boundary:
            left = decrease_inside(problem, estimate, result.hessian, set(result.boundary))
            return replace(estimate, decrease=left), result
        polished = polish(problem, estimate, result.hessian)
        moved = np.max(np.abs(polished.x - estimate.x), initial=0.0)
        estimate = polished
        if moved < 1e-5:
            break
    return estimate, result


def _status(problem: Problem, estimate: Estimate, uncertainty: Covariance | None) -> Status:
    if estimate.ending == "interrupted":
        return Status.INTERRUPTED
    if problem.failed(estimate.final.terms).size:
        return Status.MODES_FAILED
    if estimate.ending != Ending.CONVERGED and not estimate.decrease < GAIN_LEFT:
        return Status.NOT_CONVERGED
    if abs(estimate.cold_gap) > 0.01:
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


def _warnings(
    problem: Problem, estimate: Estimate, uncertainty: Covariance | None
) -> tuple[str, ...]:
    out = list(problem.dataset.warnings)
    data = problem.dataset
    if data.n_censored:
        how = "as probabilities (M3)" if problem.options.censoring == "m3" else "left out (M1)"
        out.append(f"{data.n_censored} of {data.n_observations} observations are censored: {how}")
    failed = problem.failed(estimate.final.terms)
    if failed.size:
        listed = ", ".join(str(v) for v in data.ids[failed][:10])
        out.append(f"no mode was found for {failed.size} subjects: {listed}")
    if abs(estimate.cold_gap) > 1e-4:
        out.append(
            f"with modes searched from zero the objective differs by {estimate.cold_gap:+.4g} from "
            "the search's: some subjects have several modes"
        )
    for name in at_boundary(problem, estimate.x):
        out.append(f"{name} is at a boundary: no standard error is given for it")
    out += _flip_flop(problem, estimate)
    if len(estimate.starts) > 1 and estimate.agree < len(estimate.starts):
        out.append(f"only {estimate.agree} of {len(estimate.starts)} starts reached this objective")
    if uncertainty is not None:
        for direction in uncertainty.flat:
            out.append(f"the data do not determine the direction {direction}")
        if uncertainty.source != problem.options.covariance:
            out.append(
                f"R is not positive definite: standard errors are from {uncertainty.source.upper()}"
            )
    return tuple(out)
