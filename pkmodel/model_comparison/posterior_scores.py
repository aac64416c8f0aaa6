"""How well a posterior without a subject predicts it, by smoothed importance weights."""

from __future__ import annotations

import numpy as np

from pkmodel.draws.by_subject import subject_log_likelihoods
from pkmodel.draws.drawing import posterior_sample
from pkmodel.model_comparison.judgement import Judgement
from pkmodel.model_comparison.score import LeftOut

DRAWS = 250
"""Draws of each chain that are weighted, evenly spaced."""

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

    References
    ----------
    Vehtari, Gelman and Gabry (2017) Statistics and Computing 27, 1413-1432,
    10.1007/s11222-016-9696-4.
    """
    from arviz_stats.base import array_stats

    fit = judgement.fit
    assert fit.posterior is not None
    sample = posterior_sample(fit.posterior, DRAWS)
    modes = judgement.evaluation.terms.eta
    found = subject_log_likelihoods(fit.problem, judgement.x, modes, sample)
    sizes = [array_stats.ess(sample.x[:, :, k], method="mean") for k in range(judgement.size)]
    relative = min(1.0, float(np.min(sizes)) / found[:, :, 0].size)
    score, pareto_k, _ = array_stats.loo(found, chain_axis=0, draw_axis=1, r_eff=relative)
    return LeftOut(np.asarray(score), np.asarray(pareto_k))
