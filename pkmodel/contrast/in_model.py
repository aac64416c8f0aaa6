"""Ratios between groups estimated inside the model, so that shrinkage cannot fake equality.

Ratios of individual estimates are drawn towards each other where each subject's own data say
little. A ratio that is itself a parameter of the model is not: its interval, by profile
likelihood, widens instead.

Between subjects the model has one variance for all groups. Where groups spread differently and
differ in size, prefer Welch's interval of individual values, if these are rich in samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.contrast.comparison import Comparison
from pkmodel.contrast.effect import Effect, read_effect, test_of_all
from pkmodel.contrast.group_effects import GroupEffects, fit_groups
from pkmodel.contrast.left_out import left_out
from pkmodel.contrast.profile import BetterFound
from pkmodel.contrast.progress import Say, silent, within_part
from pkmodel.contrast.question import Question, questions
from pkmodel.contrast.record import Contrast, LikelihoodRatioTest
from pkmodel.contrast.verdict import verdicts
from pkmodel.contrast.welch import with_holm
from pkmodel.errors import FitError, ModelError
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.exposure.metric import METRICS
from pkmodel.problem import Problem
from pkmodel.subjects import Subjects

MOST_STARTS = 4
"""Times that a free fit is made, where a refit finds a better point than it."""

UNKNOWN = Effect(float("nan"), float("nan"), float("nan"), float("nan"), None, ())


@dataclass(frozen=True)
class _Case:
    """The user's fit, what is compared, how deviances are read, and why the fit is of no use."""

    problem: Problem
    estimate: Estimate
    table: pd.DataFrame
    comparison: Comparison
    threshold: str
    doubt: str
    say: Say


def in_model_contrasts(
    problem: Problem,
    estimate: Estimate,
    table: pd.DataFrame,
    subjects: Subjects,
    comparison: Comparison,
    threshold: str = "t",
    metrics: Iterable[str] = METRICS,
    *,
    doubt: str = "",
    say: Say = silent,
) -> list[Contrast]:
    """Estimate the ratios of metrics inside the model.

    Parameters
    ----------
    problem : Problem
        The user's model and data.
    estimate : Estimate
        Of it.
    table : DataFrame
        Model-based exposure, a row per subject in the order of the data: ID, CL, V and metrics.
    subjects : Subjects
        Their sizes at each record.
    comparison : Comparison
    threshold : str
        ``"t"``: exact where every subject tells its own parameter; ``"chi-square"``.
    metrics : iterable of str
        Those that the table has are asked for.
    doubt : str
        Why the estimate is not to be used. Then nothing is fitted, for every group model starts
        from it: no ratio is known, and each row says why.
    say : callable
        Told in a line how far it has come: which model of how many, which group.

    Returns
    -------
    list of Contrast
        Of kind ``"model"``, a row per metric, adjustment and group beside the reference.
    """
    case = _Case(problem, estimate, table, comparison, threshold, doubt, say)
    asked = questions(problem, estimate.x, table, subjects, metrics)
    models = _by_model(asked)
    answers: dict[int, list[Contrast]] = {}
    for number, same in enumerate(models, 1):
        names = ", ".join(dict.fromkeys(asked[k].metric for k in same))
        part = f"ratio {number} of {len(models)} ({names})"
        told = replace(case, say=within_part(say, part))
        answers |= dict(zip(same, _answers(told, [asked[k] for k in same]), strict=True))
    return [row for number in range(len(asked)) for row in answers[number]]


def _by_model(asked: Sequence[Question]) -> list[list[int]]:
    """Put together the questions that one group model answers."""
    models: list[list[int]] = []
    for number, question in enumerate(asked):
        same = next((m for m in models if question.asks_the_same(asked[m[0]])), None)
        if same is None:
            models.append([number])
        else:
            same.append(number)
    return models


def _answers(case: _Case, asked: Sequence[Question]) -> list[list[Contrast]]:
    """Answer questions that one group model answers."""
    question, comparison = asked[0], case.comparison
    has_mode = np.isfinite(case.table["CL"].to_numpy(float))
    kept = (comparison.code >= 0) & has_mode
    if question.size is not None:
        first = case.problem.start[:-1]
        kept &= np.logical_and.reduceat(np.isfinite(question.size), first)
    counts = np.bincount(comparison.code[kept], minlength=len(comparison.names))
    effects, reason = _fitted(case, question, kept, counts)
    for _ in range(MOST_STARTS):
        try:
            together = test_of_all(effects) if effects is not None else (None, "")
            return [_rows(case, q, kept, counts, effects, together, reason) for q in asked]
        except BetterFound as better:
            assert effects is not None
            effects = effects.started_anew(better)
    reason = f"the free fit was not the best one in {MOST_STARTS} attempts"
    return [_rows(case, q, kept, counts, None, (None, ""), reason) for q in asked]


def _fitted(
    case: _Case, question: Question, kept: NDArray[np.bool_], counts: NDArray[np.int64]
) -> tuple[GroupEffects | None, str]:
    """Fit the group model of a question, or say why there is none."""
    comparison = case.comparison
    if case.doubt:
        return None, case.doubt
    if not counts[comparison.reference] or not any(counts[k] for k in comparison.others):
        return None, "no subjects to compare"
    try:
        found = fit_groups(
            case.problem, case.estimate, question, comparison, kept, case.threshold, case.say
        )
    except (FitError, ModelError) as error:
        return None, str(error)
    return found, ""


def _rows(
    case: _Case,
    question: Question,
    kept: NDArray[np.bool_],
    counts: NDArray[np.int64],
    effects: GroupEffects | None,
    together: tuple[LikelihoodRatioTest | None, str],
    reason: str,
) -> list[Contrast]:
    """Make the rows of one question; without effects they say why there are none."""
    comparison = case.comparison
    warnings = _general_warnings(case, question, kept)
    if reason:
        warnings += (f"no ratio of {question.metric} inside the model: {reason}",)
    low, high = np.log(comparison.margin.pair)
    margin = (float(low), float(high))
    rows = []
    for k in comparison.others:
        effect, more = UNKNOWN, effects.warnings if effects is not None else ()
        if effects is not None and counts[k]:
            effect = read_effect(effects, k, question.sign, margin, comparison.level)
            more += (*_alone(comparison, counts, k), *effect.warnings)
        elif not counts[k]:
            more += (f"no subject of {comparison.names[k]} has a value of {question.metric}",)
        rows.append(_row(question, comparison, effects, k, counts, effect, (*warnings, *more)))
    if effects is None:
        return rows
    test, failure = together
    return [
        replace(
            row,
            likelihood_ratio_all=test,
            warnings=(*row.warnings, *((failure,) if failure else ())),
        )
        for row in with_holm(rows)
    ]


def _row(
    question: Question,
    comparison: Comparison,
    effects: GroupEffects | None,
    group: int,
    counts: NDArray[np.int64],
    effect: Effect,
    warnings: tuple[str, ...],
) -> Contrast:
    ratio, lower, upper = np.exp([effect.estimate, effect.lower, effect.upper])
    is_known = np.isfinite(lower) or np.isfinite(upper)
    return Contrast(
        metric=question.metric,
        group=comparison.names[group],
        reference=comparison.names[comparison.reference],
        kind="model",
        adjustment=question.adjustment,
        ratio=float(ratio),
        lower=float(lower),
        upper=float(upper),
        level=comparison.level,
        margin=comparison.margin.pair,
        verdict=str(verdicts(lower, upper, comparison.margin)),
        p_value=effect.p_value,
        p_holm=float("nan"),
        interval=f"profile likelihood, {effects.threshold.text}" if effects and is_known else "",
        n=int(counts[group]),
        n_reference=int(counts[comparison.reference]),
        likelihood_ratio=effect.likelihood_ratio,
        others=effects.others if effects else "",
        warnings=warnings,
    )


def _alone(comparison: Comparison, counts: NDArray[np.int64], group: int) -> list[str]:
    """Say where a group's own spread cannot be known."""
    return [
        f"{comparison.names[k]} has 1 subject: the interval rests on the spread of other groups"
        for k in (group, comparison.reference)
        if counts[k] == 1
    ]


def _general_warnings(case: _Case, question: Question, kept: NDArray[np.bool_]) -> tuple[str, ...]:
    """Say who is left out, and where the ratio is not one of geometric means."""
    has_mode = np.isfinite(case.table["CL"].to_numpy(float))
    is_grouped = case.comparison.code >= 0
    metric, model = question.metric, case.problem.model
    warnings: tuple[str, ...] = (
        *left_out(case.table, is_grouped & ~has_mode, "no mode found", metric),
        *left_out(case.table, is_grouped & has_mode & ~kept, "no value", metric),
        *left_out(case.table, ~is_grouped, "in no group", metric),
    )
    concerned = ("CL", "V") if question.with_clearance else (question.target,)
    for parameter in concerned:
        distribution = model.distribution.get(parameter, "lognormal")
        if distribution != "lognormal":
            warnings += (
                f"{parameter} is {distribution} between subjects: the ratio is one of typical "
                "values, not of geometric means",
            )
    carried = {p for block in model.omega for p in block.parameters}
    if carried.isdisjoint(concerned):
        warnings += (
            f"{question.target} has no random effect: the interval does not allow for differences "
            "between subjects",
        )
    return warnings
