"""Put fits of the same data before one likelihood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from pkmodel.errors import ModelError
from pkmodel.model_comparison.judgement import Judgement, judged
from pkmodel.model_comparison.left_out_subjects import leave_out_each
from pkmodel.model_comparison.posterior_scores import RELIABLE, score_posterior
from pkmodel.model_comparison.record import ModelComparison, tests_table
from pkmodel.model_comparison.same_data import check_same_data
from pkmodel.model_comparison.score import LeftOut, spread_of_sum
from pkmodel.model_comparison.testing import likelihood_ratios
from pkmodel.result import Fit
from pkmodel.suggestion import quoted


def compare(fits: Sequence[Fit] | Mapping[str, Fit], *, nested: bool = False) -> ModelComparison:
    """Compare fits of the same data, of any models and methods, on one likelihood.

    The estimates of every fit are judged by the exact likelihood, whatever likelihood its method
    approximates: information criteria, likelihood-ratio tests where one model is nested in
    another, and predictions of subjects left out.

    Parameters
    ----------
    fits : sequence of Fit, or mapping of str to Fit
        At least two; a mapping gives their names, else these are titles and methods.
    nested : bool
        Say that of two models the one with fewer parameters is nested in the other, where that
        cannot be shown from their definitions; no parameter is taken to be at its bound then.

    Returns
    -------
    ModelComparison
        ``table``, ``tests`` and ``subjects`` are DataFrames; it prints as text.

    Raises
    ------
    ModelError
        There are fewer than two fits, or they did not use the same data.

    Notes
    -----
    Criteria are those at the estimates that each method found, which minimise its own objective;
    the column ``above_minimum`` says what that costs. Fits that did not converge have no criteria,
    no test and no predictions.

    Examples
    --------
    >>> import pkmodel as pk
    >>> first = pk.fit("phenobarbital")
    >>> found = pk.compare({"FO": pk.fit("phenobarbital", method="fo"), "FOCE-I": first})
    >>> found.table["difference"].round(1).to_dict()
    {'FO': 2.2, 'FOCE-I': 0.0}
    """
    named = _named(fits)
    check_same_data({name: fit.problem for name, fit in named.items()})
    judgements = {name: judged(fit) for name, fit in named.items()}
    scores = {name: _scored(judgement) for name, judgement in judgements.items()}
    first = next(iter(judgements.values()))
    return ModelComparison(
        table=_table(judgements, scores),
        tests=tests_table(likelihood_ratios(judgements, nested=nested)),
        subjects=_subjects(judgements, scores),
        likelihoods={name: str(j.likelihood) for name, j in judgements.items()},
        n_subjects=first.judge.n_subjects,
        n_observations=first.judge.n_counted,
        data=first.judge.dataset.source,
        is_virtual=any(fit.subjects.is_virtual for fit in named.values()),
        warnings=_warnings(judgements, scores),
    )


def _named(fits: Sequence[Fit] | Mapping[str, Fit]) -> dict[str, Fit]:
    """Give every fit a name of its own."""
    if isinstance(fits, str) or not isinstance(fits, Iterable):
        raise ModelError(
            f"compare takes a list of fits, such as [pkmodel.fit(...), pkmodel.fit(...)], not "
            f"{quoted(fits)}"
        )
    listed = list(fits.values()) if isinstance(fits, Mapping) else list(fits)
    strangers = [type(fit).__name__ for fit in listed if not isinstance(fit, Fit)]
    if strangers:
        raise ModelError(f"compare takes fits (pkmodel.fit), not {', '.join(strangers)}")
    check_several(len(listed))
    names = list(fits) if isinstance(fits, Mapping) else _names(listed)
    return dict(zip(names, listed, strict=True))


def check_several(fits: int) -> None:
    """Refuse to compare fewer than two fits.

    Raises
    ------
    ModelError
        There is one, or none.
    """
    if fits < 2:
        raise ModelError(f"compare takes at least two fits, not {fits}")


def _names(fits: Sequence[Fit]) -> list[str]:
    """Name fits by title, by title and method, or by their number besides."""
    titles = [fit.title or fit.structure for fit in fits]
    with_methods = [f"{title} ({fit.method})" for title, fit in zip(titles, fits, strict=True)]
    for names in (titles, with_methods):
        if len(set(names)) == len(names):
            return names
    counts = Counter(with_methods)
    return [
        f"{number}. {name}" if counts[name] > 1 else name
        for number, name in enumerate(with_methods, 1)
    ]


def _scored(judgement: Judgement) -> LeftOut:
    """Score the subjects left out; no score where the fit is not to be used."""
    if judgement.is_maximum:
        return leave_out_each(judgement)
    if judgement.fit.posterior is not None and judgement.fit.converged:
        return score_posterior(judgement)
    missing = np.full(judgement.judge.n_subjects, np.nan)
    return LeftOut(missing, missing)


def _table(judgements: Mapping[str, Judgement], scores: Mapping[str, LeftOut]) -> pd.DataFrame:
    best = min(judgements.values(), key=lambda j: j.objective)
    foremost = max(scores.values(), key=lambda s: s.total if np.isfinite(s.total) else -np.inf)
    rows = {
        name: _row(judgement, best) | _score(scores[name], foremost)
        for name, judgement in judgements.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _row(judgement: Judgement, best: Judgement) -> dict[str, object]:
    fit = judgement.fit
    is_best = judgement is best
    has_criteria = judgement.is_maximum
    return {
        "method": fit.method,
        "status": str(fit.status),
        "parameters": judgement.size,
        "objective": fit.objective,
        "exact": judgement.objective,
        "error": judgement.error,
        "above_minimum": judgement.above_minimum if has_criteria else np.nan,
        "difference": judgement.objective - best.objective,
        "difference_error": 0.0 if is_best else float(np.hypot(judgement.error, best.error)),
        "aic": judgement.aic if has_criteria else np.nan,
        "bic": judgement.bic if has_criteria else np.nan,
        "mixed_bic": judgement.mixed_bic if has_criteria else np.nan,
    }


def _score(score: LeftOut, foremost: LeftOut) -> dict[str, object]:
    difference = score.score - foremost.score
    known = score.pareto_k[np.isfinite(score.pareto_k)]
    return {
        "elpd": score.total,
        "elpd_se": score.error,
        "elpd_difference": float(np.sum(difference)),
        "elpd_difference_se": spread_of_sum(difference),
        "pareto_k": float(known.max()) if known.size else np.nan,
    }


def _subjects(judgements: Mapping[str, Judgement], scores: Mapping[str, LeftOut]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "ID": judgement.judge.dataset.ids,
                    "fit": name,
                    "exact": judgement.by_subject,
                    "elpd": scores[name].score,
                    "pareto_k": scores[name].pareto_k,
                }
            )
            for name, judgement in judgements.items()
        ],
        ignore_index=True,
    )


FAR = 0.5
"""An exact objective this far above its minimum is remarked on."""


def _warnings(
    judgements: Mapping[str, Judgement], scores: Mapping[str, LeftOut]
) -> tuple[str, ...]:
    out = []
    for name, judgement in judgements.items():
        exact = judgement.likelihood
        if not exact.is_settled:
            out.append(f"{name}: {exact} has not settled, so its exact objective is not to be used")
        k = scores[name].pareto_k
        doubtful = judgement.judge.dataset.ids[k > RELIABLE]
        if doubtful.size:
            out.append(
                f"{name}: without subject {', '.join(str(v) for v in doubtful[:5])} the posterior "
                f"is so different that its weights are doubtful (Pareto k to {np.max(k):.2f})"
            )
        if judgement.fit.posterior is not None and judgement.fit.converged:
            out.append(f"{name}: a posterior has no maximum: no criteria and no test, but elpd")
            continue
        if not judgement.is_maximum:
            fit = judgement.fit
            out.append(f"{name}: {fit.status}; no criteria, no test, no elpd. {fit.advice}")
            continue
        if judgement.above_minimum > FAR:
            out.append(
                f"{name}: the exact objective would fall by {judgement.above_minimum:.2f} if it "
                f"were minimised; the estimates are {judgement.fit.method}'s"
            )
        lost = judgement.judge.dataset.ids[np.isnan(scores[name].score)]
        if lost.size:
            out.append(
                f"{name}: without subject {', '.join(str(v) for v in lost[:5])} the others do not "
                "determine the parameters; no elpd"
            )
    return tuple(out)
