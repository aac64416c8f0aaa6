"""A model with a ratio for each group, fitted; with ratios on the other parameter if possible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.contrast.comparison import Comparison
from pkmodel.contrast.group_model import GroupModel, group_model
from pkmodel.contrast.profile import BetterFound, Profile
from pkmodel.contrast.progress import Say, search_line, silent, within_part
from pkmodel.contrast.question import Question
from pkmodel.contrast.refit import whole_fit
from pkmodel.contrast.threshold import ChiSquareThreshold, StudentThreshold, Threshold
from pkmodel.errors import FitError
from pkmodel.estimate.covariance import covariance
from pkmodel.estimate.maximum_likelihood import Estimate, resume
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

DETERMINED = 1.0
"""Largest standard error of the logarithm of a ratio that counts as told by the data."""


@dataclass(frozen=True)
class GroupEffects:
    """A fitted group model.

    Attributes
    ----------
    model : GroupModel
    estimate : Estimate
    threshold : Threshold
    profiles : mapping of int to Profile
        Of the ratio of each group beside the reference that has subjects.
    others : str
        What the model says of the other parameter.
    warnings : tuple of str
    say : callable
        Told how far refits have come.
    """

    model: GroupModel
    estimate: Estimate
    threshold: Threshold
    profiles: Mapping[int, Profile]
    others: str
    warnings: tuple[str, ...]
    say: Say

    def started_anew(self, better: BetterFound) -> GroupEffects:
        """Return the same after another free search, from a better point."""
        problem = self.model.problem
        again = resume(problem, better.x, better.eta, search_line(self.say)) or self.estimate
        return _effects(self.model, again, self.threshold, self.others, self.warnings, self.say)


def fit_groups(
    base: Problem,
    estimate: Estimate,
    question: Question,
    comparison: Comparison,
    kept: NDArray[np.bool_],
    threshold: str,
    say: Say = silent,
) -> GroupEffects:
    """Fit the group model of a question.

    The other parameter gets a ratio for each group as well, so that no difference in it can pass
    for one in the target. Where the data do not tell these, its own formula stands for all groups;
    not so for a half-life, which CL is a part of.

    Parameters
    ----------
    base : Problem
        The user's model and data.
    estimate : Estimate
        Of it.
    question : Question
    comparison : Comparison
    kept : array (n_subjects,) of bool
    threshold : str
        One of `THRESHOLDS`.
    say : callable
        Told how far the search has come, and later each refit.

    Returns
    -------
    GroupEffects

    Raises
    ------
    FitError
        The fit did not settle, or there are no more subjects than coefficients.
    """

    def edited(*, free_other: bool) -> GroupModel:
        return group_model(base, estimate, question, comparison, kept, free_other=free_other)

    own = f"{question.other} = {base.model.parameters[question.other]}"
    model = edited(free_other=True)
    progress = search_line(say)
    if not model.other_ratios:
        found = whole_fit(model.problem, model.start, progress)
        return _effects(model, found, _threshold(model, threshold), own, (), say)
    try:
        found = whole_fit(model.problem, model.start, progress)
        reason = "" if question.with_clearance else _not_determined(model, found)
    except FitError as error:
        if question.with_clearance:
            raise
        reason = f"with a ratio of {question.other} for each group {error}"
    if not reason:
        others = f"{own}, times a ratio for each group"
        return _effects(model, found, _threshold(model, threshold), others, (), say)
    warning = (
        f"{own} for all groups, without a ratio for each: {reason}; a difference in "
        f"{question.other} would pass for one in {question.target}"
    )
    model = edited(free_other=False)
    found = whole_fit(model.problem, model.start, progress)
    return _effects(model, found, _threshold(model, threshold), own, (warning,), say)


def _effects(
    model: GroupModel,
    estimate: Estimate,
    threshold: Threshold,
    others: str,
    warnings: tuple[str, ...],
    say: Say,
) -> GroupEffects:
    profiles = {}
    for number, (k, theta) in enumerate(model.ratios.items(), 1):
        part = f"{theta} ({number} of {len(model.ratios)})"
        told = within_part(say, part)
        profiles[k] = Profile(model.problem, estimate, theta, threshold, told)
    return GroupEffects(model, estimate, threshold, profiles, others, warnings, say)


def _not_determined(model: GroupModel, estimate: Estimate) -> str:
    """Say how badly the other parameter's ratios are known; empty where well enough."""
    result = covariance(model.problem, estimate.x, estimate.final, "r")
    names = model.problem.packing.names
    places = [names.index(f"theta {theta}") for theta in model.other_ratios]
    with np.errstate(invalid="ignore"):
        errors = np.sqrt(np.diag(result.packed)[places])
    if not np.all(np.isfinite(errors)):
        return "the likelihood is flat in these"
    largest = float(np.max(errors))
    if largest <= DETERMINED:
        return ""
    return f"the standard error of the logarithm of one would be {largest:.2f}"


def _threshold(model: GroupModel, name: str) -> Threshold:
    if name == "chi-square":
        return ChiSquareThreshold()
    subjects = model.problem.n_subjects
    if subjects <= model.coefficients:
        raise FitError(f"{subjects} subjects are too few for {model.coefficients} coefficients")
    return StudentThreshold(subjects, subjects - model.coefficients)
