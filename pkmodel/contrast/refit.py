"""Fits of a problem with thetas held at values: believed where they settle, an error elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import FitError
from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.curvature import hessian
from pkmodel.estimate.maximum_likelihood import (
    Estimate,
    Progress,
    maximise,
    polish,
    resume,
    uninterrupted,
)
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

GAIN_LEFT = 1e-3
"""A fit is believed where no more than this of the objective is left to gain."""

NEWTON_STEPS = 4
"""Most steps with the true Hessian where a search did not end by itself."""

MODES_APART = 1e-2
"""Nor where modes searched from zero change the objective by more than this."""

MOST_EVALUATIONS = 300
"""Of a search with thetas held, which begins beside an optimum or at the initial values."""


def complaint(problem: Problem, estimate: Estimate | None) -> str:
    """Say why an estimate is not to be used; empty where it is an optimum."""
    if estimate is None or not np.isfinite(estimate.final.objective):
        return "the likelihood is not defined"
    if problem.failed(estimate.final.terms).size:
        return "the modes of some subjects were not found"
    if estimate.ending != Ending.CONVERGED and not estimate.decrease < GAIN_LEFT:
        return "the search did not converge"
    if abs(estimate.cold_gap) > MODES_APART:
        return "some subjects have several modes"
    return ""


def whole_fit(
    problem: Problem, start: Vector | None = None, progress: Progress | None = None
) -> Estimate:
    """Search the optimum with all first steps.

    Parameters
    ----------
    problem : Problem
    start : array (size,), optional
        Packed; the initial values if absent.
    progress : callable, optional
        As for `maximise`.

    Returns
    -------
    Estimate

    Raises
    ------
    FitError
        It did not settle.
    """
    return _settled(problem, lambda: uninterrupted(maximise(problem, progress, start=start)))


def refit(
    problem: Problem, held: Mapping[str, float], x: Vector, eta: Vector, *, also_afar: bool = True
) -> Estimate:
    """Search the optimum with thetas held, from a neighbouring one; from afar where that fails.

    Each search ends after `MOST_EVALUATIONS`.

    Parameters
    ----------
    problem : Problem
    held : mapping of str to float
        Thetas and their values.
    x : array (size - number held,)
        Packed parameters without those held.
    eta : array (subjects, effects)
    also_afar : bool
        Else the neighbouring optimum is the only start.

    Returns
    -------
    Estimate
        Packed without those held.

    Raises
    ------
    FitError
        It did not settle.
    """
    there = _with_limit(problem.holding(held))
    searches = [lambda: resume(there, x, eta)]
    if also_afar:
        searches.append(lambda: uninterrupted(maximise(there)))
    for search in searches:
        try:
            return _settled(there, search)
        except FitError as error:
            reason = str(error)
    where = ", ".join(f"{name} = {value:.4g}" for name, value in held.items())
    raise FitError(f"at {where} {reason}")


def _with_limit(problem: Problem) -> Problem:
    """Return the same problem with no more evaluations in a search than a refit may take."""
    other = copy(problem)
    most = min(MOST_EVALUATIONS, problem.options.max_evaluations)
    other.options = replace(problem.options, max_evaluations=most)
    return other


def _settled(problem: Problem, search: Callable[[], Estimate | None]) -> Estimate:
    """Return what a search finds; an error where that is not to be used."""
    try:
        estimate = _finished(problem, search())
    except np.linalg.LinAlgError as error:
        raise FitError("the search met a singular matrix") from error
    reason = complaint(problem, estimate)
    if reason or estimate is None:
        raise FitError(reason)
    return estimate


def _finished(problem: Problem, estimate: Estimate | None) -> Estimate | None:
    """Search on from the modes that a search from zero finds, and by true Newton steps."""
    if estimate is not None and abs(estimate.cold_gap) > MODES_APART:
        estimate = resume(problem, estimate.x, estimate.final.terms.eta)
    for _ in range(NEWTON_STEPS):
        if estimate is None or estimate.ending == Ending.CONVERGED:
            break
        second = hessian(problem, estimate.x, estimate.final)
        if not np.all(np.isfinite(second)):
            break
        before = estimate.final.objective
        estimate = polish(problem, estimate, second)
        if before - estimate.final.objective < GAIN_LEFT:
            break
    return estimate
