"""Draws from the priors of a model: parameters, random effects, and through them observations."""

from __future__ import annotations

import numpy as np

from pkmodel.bayes.flat_priors import improper_priors
from pkmodel.bayes.prior import PackedPrior
from pkmodel.draws.sample import PRIOR, Sample
from pkmodel.problem import Problem

PRIOR_DRAWS = 500


def draw_prior(problem: Problem, seed: int) -> Sample | None:
    """Draw population parameters from their priors, and random effects given them.

    Parameters
    ----------
    problem : Problem
    seed : int

    Returns
    -------
    Sample or None
        One chain of 500 draws; None where a prior is flat without bounds, see `improper_priors`.
    """
    if improper_priors(problem.model):
        return None
    rng = np.random.default_rng([seed, 2])
    prior = PackedPrior(problem.packing)
    x = np.array([prior.draw(rng) for _ in range(PRIOR_DRAWS)])
    z = rng.normal(size=(PRIOR_DRAWS, problem.n_subjects, len(problem.effects)))
    factors = np.array([problem.packing.unpack(row).factor for row in x])
    eta = np.einsum("kab,kib->kia", factors, z)
    return Sample(PRIOR, x[None], eta[None])
