"""How well a posterior without a subject predicts it, by smoothed importance weights."""

from __future__ import annotations

import numpy as np

from pkmodel.diagnostics.individuals import individual_parameters
from pkmodel.draws.by_subject import subject_log_likelihoods
from pkmodel.draws.drawing import few_enough
from pkmodel.draws.sample import Sample
from pkmodel.model_comparison.judgement import Judgement
from pkmodel.model_comparison.score import LeftOut
from pkmodel.problem import Problem

RELIABLE = 0.7
"""Largest shape of the weights' tail with which a score can be relied on."""


def score_posterior(judgement: Judgement) -> LeftOut:
    """Score every subject by the posterior that the others would give.

    Parameters
    ----------
    judgement : Judgement
        Of a fit with a posterior.

    Returns
    -------
    LeftOut
        That of ``az.loo`` of the fit's tree; of very many draws evenly spaced ones are taken.

    References
    ----------
    Vehtari, Gelman and Gabry (2017) Statistics and Computing 27, 1413-1432,
    10.1007/s11222-016-9696-4.
    """
    from arviz_stats.base import array_stats

    fit = judgement.fit
    assert fit.posterior is not None
    sample = few_enough(fit.posterior, judgement.judge.n_subjects)
    modes = judgement.evaluation.terms.eta
    found = subject_log_likelihoods(fit.problem, judgement.x, modes, sample)
    score, pareto_k, _ = array_stats.loo(
        found, chain_axis=0, draw_axis=1, r_eff=_relative_efficiency(fit.problem, sample)
    )
    return LeftOut(np.asarray(score), np.asarray(pareto_k))


def _relative_efficiency(problem: Problem, sample: Sample) -> float:
    """Mean effective share of the draws over all that is drawn, by which ``az.loo`` smooths too."""
    from arviz_stats.base import array_stats

    if sample.shape[0] == 1:
        return 1.0
    drawn = [problem.packing.natural(sample.x), sample.eta]
    drawn += individual_parameters(problem, sample.x, sample.eta).values()
    sizes = [array_stats.ess(v, chain_axis=0, draw_axis=1, method="mean").ravel() for v in drawn]
    return float(np.mean(np.concatenate(sizes))) / (sample.shape[0] * sample.shape[1])
