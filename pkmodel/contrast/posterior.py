"""Ratios between groups by draws from a posterior: of subjects, and inside the model.

Of subjects: each draw has a value of every subject. Given these, the mean logarithm of the
population that a group stands for is Student's t about their mean, under a flat prior of mean and
logarithm of the SD; it is drawn once for each draw. So the interval holds both what the data leave
open of each subject and that subjects are a sample, as Welch's does, and with rich data it is
nearly that one. Like all values of single subjects these are drawn towards what the model has in
common for all groups.

Inside the model: each draw has typical values of every subject, by the formulas and the covariates.
Where something that is estimated tells two groups apart, the ratio of their geometric means has a
posterior of its own, which no shrinkage touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.bayes.posterior import Posterior
from pkmodel.contrast.comparison import Comparison
from pkmodel.contrast.individual import shrinkage_warnings
from pkmodel.contrast.left_out import left_out
from pkmodel.contrast.question import adjustment_of
from pkmodel.contrast.record import Contrast
from pkmodel.contrast.verdict import verdicts
from pkmodel.draws.drawing import few_enough
from pkmodel.exposure.drawn import DrawnExposure, exposure_at_draws
from pkmodel.exposure.metric import METRICS
from pkmodel.problem import Problem
from pkmodel.subjects import Subjects

Vector = NDArray[np.float64]
Bools = NDArray[np.bool_]

OF_SUBJECTS, INSIDE = "posterior", "posterior_model"

TOLD = 1e-9
"""A ratio whose logarithm varies by less than this over the draws is no estimate."""


@dataclass(frozen=True)
class PosteriorRatios:
    """Contrasts by draws.

    Attributes
    ----------
    contrasts : tuple of Contrast
        Of kinds ``"posterior"`` and ``"posterior_model"``.
    untold : mapping of str to tuple of str
        By metric the groups that nothing estimated tells from the reference.
    """

    contrasts: tuple[Contrast, ...]
    untold: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Case:
    """The draws, what is compared, and what has to be said of every row."""

    drawn: DrawnExposure
    table: pd.DataFrame
    comparison: Comparison
    shrinkage: Mapping[str, float]
    doubt: str
    rng: np.random.Generator


def posterior_contrasts(
    problem: Problem,
    posterior: Posterior,
    table: pd.DataFrame,
    subjects: Subjects,
    comparison: Comparison,
    shrinkage: Mapping[str, float],
    metrics: Iterable[str] = METRICS,
    *,
    doubt: str = "",
) -> PosteriorRatios:
    """Compare groups by draws from a posterior.

    Parameters
    ----------
    problem : Problem
    posterior : Posterior
    table : DataFrame
        Model-based exposure, a row per subject: ID and metrics.
    subjects : Subjects
    comparison : Comparison
    shrinkage : mapping of str to float
        From `group_shrinkage`.
    metrics : iterable of str
        Those that the table has are compared.
    doubt : str
        Why the draws are not to be used; then no ratio is known, and each row says why.

    Returns
    -------
    PosteriorRatios

    References
    ----------
    Box and Tiao (1973) Bayesian Inference in Statistical Analysis, 10.1002/9781118033197
    (difference of two normal means with unequal variances).
    """
    drawn = exposure_at_draws(problem, few_enough(posterior, problem.n_subjects), subjects)
    rng = np.random.default_rng([problem.options.seed, 4])
    case = _Case(drawn, table, comparison, shrinkage, doubt, rng)
    rows: list[Contrast] = []
    untold: dict[str, tuple[str, ...]] = {}
    for metric in metrics:
        if metric in table:
            rows += _of_subjects(case, metric)
            inside, names = _inside(case, metric)
            rows += inside
            untold[metric] = names
    return PosteriorRatios(tuple(rows), untold)


def _of_subjects(case: _Case, metric: str) -> list[Contrast]:
    """Compare the populations that subjects are a sample of."""
    logs = case.drawn.log_metric(metric, case.drawn.individual)
    known = np.all(np.isfinite(logs), axis=0)
    means, chances = zip(*(_population(case, logs, known, k) for k in _groups(case)), strict=True)
    reference = case.comparison.reference
    warnings = (
        *_left_out(case, metric, known),
        *shrinkage_warnings(metric, case.shrinkage, "draws of the subjects"),
    )
    return [
        _row(
            case,
            (metric, OF_SUBJECTS),
            k,
            (means[k] - means[reference], chances[k] - chances[reference]),
            known,
            warnings,
        )
        for k in case.comparison.others
    ]


def _groups(case: _Case) -> range:
    return range(len(case.comparison.names))


def _population(case: _Case, logs: Vector, known: Bools, group: int) -> tuple[Vector, Vector]:
    """Return the mean logarithm of a group's subjects at each draw, and a draw of its population's.

    The latter is NaN of fewer than two subjects.
    """
    own = logs[:, known & (case.comparison.code == group)]
    count = own.shape[1]
    nothing = np.full(len(logs), np.nan)
    if count < 2:
        return (own[:, 0] if count else nothing), nothing
    mean = own.mean(axis=1)
    error = own.std(axis=1, ddof=1) / np.sqrt(count)
    return mean, mean + error * case.rng.standard_t(count - 1, len(logs))


def _inside(case: _Case, metric: str) -> tuple[list[Contrast], tuple[str, ...]]:
    """Compare typical values; name the groups that nothing estimated tells from the reference."""
    logs = case.drawn.log_metric(metric, case.drawn.typical)
    known = np.all(np.isfinite(logs), axis=0)
    code, reference = case.comparison.code, case.comparison.reference
    told: dict[int, Vector] = {}
    untold = []
    for k in case.comparison.others:
        if not (np.any(known & (code == k)) and np.any(known & (code == reference))):
            continue
        difference = logs[:, known & (code == k)].mean(axis=1)
        difference = difference - logs[:, known & (code == reference)].mean(axis=1)
        if np.std(difference) < TOLD:
            untold.append(case.comparison.names[k])
        else:
            told[k] = difference
    warnings = (*_left_out(case, metric, known), *_pooled(case, untold))
    rows = [
        _row(case, (metric, INSIDE), k, (difference, difference), known, warnings)
        for k, difference in told.items()
    ]
    return rows, tuple(untold)


def _pooled(case: _Case, untold: Sequence[str]) -> tuple[str, ...]:
    """Say which groups a model takes as one with the reference."""
    if not untold:
        return ()
    reference = case.comparison.names[case.comparison.reference]
    return (
        f"nothing that the model estimates tells {' and '.join(untold)} from {reference}: the "
        "ratio inside it is to all of them together",
    )


def _left_out(case: _Case, metric: str, known: Bools) -> tuple[str, ...]:
    is_grouped = case.comparison.code >= 0
    return (
        *left_out(case.table, is_grouped & ~known, "no value at some draw", metric),
        *left_out(case.table, ~is_grouped, "in no group", metric),
    )


def _row(
    case: _Case,
    what: tuple[str, str],
    group: int,
    draws: tuple[Vector, Vector],
    known: Bools,
    warnings: tuple[str, ...],
) -> Contrast:
    """Make a row: the ratio from the first draws, interval and probability from the second."""
    (metric, kind), comparison = what, case.comparison
    centre, spread = draws
    if case.doubt:
        centre = spread = np.full_like(centre, np.nan)
        warnings = (*warnings, f"no ratio of {metric}: {case.doubt}")
    elif not np.isfinite(spread).all():
        warnings = (*warnings, f"no interval and no verdict: fewer than 2 subjects with {metric}")
    tail = 0.5 * (1.0 - comparison.level)
    lower, upper = np.exp(np.quantile(spread, [tail, 1.0 - tail]))
    low, high = np.log(comparison.margin.pair)
    inside = np.where(np.isfinite(spread), (spread >= low) & (spread <= high), np.nan)
    count = np.bincount(
        comparison.code[known & (comparison.code >= 0)], minlength=len(_groups(case))
    )
    return Contrast(
        metric=metric,
        group=comparison.names[group],
        reference=comparison.names[comparison.reference],
        kind=kind,
        adjustment=adjustment_of(metric, case.table),
        ratio=float(np.exp(np.mean(centre))),
        lower=float(lower),
        upper=float(upper),
        level=comparison.level,
        margin=comparison.margin.pair,
        verdict=str(verdicts(lower, upper, comparison.margin)),
        p_value=float("nan"),
        p_holm=float("nan"),
        interval=f"equal tails of {centre.size} posterior draws" if np.isfinite(lower) else "",
        n=int(count[group]),
        n_reference=int(count[comparison.reference]),
        probability=float(np.mean(inside)),
        warnings=warnings,
    )
