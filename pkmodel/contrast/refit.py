"""Fits of a problem with thetas held at values: believed where they settle, an error elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import FitError
from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.curvature import hessian
from pkmodel.estimate.maximum_likelihood import Estimate, maximise, polish, resume
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

GAIN_LEFT = 1e-3
"""A fit is believed where no more than this of the objective is left to gain."""

NEWTON_STEPS = 4
"""Most steps with the true Hessian where a search did not end by itself."""

MODES_APART = 1e-2
"""Nor where modes searched from zero change the objective by more than this."""


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


def whole_fit(problem: Problem, start: Vector | None = None) -> Estimate:
    """Search the optimum with all first steps.

    Parameters
    ----------
    problem : Problem
    start : array (size,), optional
        Packed; the initial values if absent.

    Returns
    -------
    Estimate

    Raises
    ------
    FitError
        It did not settle.
    """
    estimate = _finished(problem, maximise(problem, start=start))
    reason = complaint(problem, estimate)
    if reason or estimate is None:
        raise FitError(reason)
    return estimate


def refit(problem: Problem, held: Mapping[str, float], x: Vector, eta: Vector) -> Estimate:
    """Search the optimum with thetas held, from a neighbouring one; from afar where that fails.

    Parameters
    ----------
    problem : Problem
    held : mapping of str to float
        Thetas and their values.
    x : array (size - number held,)
        Packed parameters without those held.
    eta : array (subjects, effects)

    Returns
    -------
    Estimate
        Packed without those held.

    Raises
    ------
    FitError
        It did not settle.
    """
    there = problem.holding(held)
    estimate = _finished(there, resume(there, x, eta))
    if estimate is not None and not complaint(there, estimate):
        return estimate
    try:
        return whole_fit(there)
    except FitError as error:
        where = ", ".join(f"{name} = {value:.4g}" for name, value in held.items())
        raise FitError(f"at {where} {error}") from error


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
