"""Effects given draws from the approximate marginal posterior, and what corrects these draws.

At each draw of the population parameters every subject gets proposals of its effects about its
mode. The mean of their importance weights is an unbiased estimate of its exact likelihood, so that
draws weighted by the product of these means over the approximate likelihood are draws from the
exact posterior, whatever the number of proposals (importance sampling squared, Tran, Scharth,
Pitt and Kohn 2016, 10.48550/arXiv.1309.3339); one of the proposals, drawn in proportion to its
weight, is the effect. The weights of the draws are Pareto-smoothed (Vehtari, Simpson, Gelman, Yao
and Gabry 2024, https://jmlr.org/papers/v25/19-556.html).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from pkmodel.bayes.marginal import MarginalTarget
from pkmodel.bayes.sampler import Chains
from pkmodel.diagnostics.proposal import Proposal
from pkmodel.problem import Evaluation, Problem

Vector = NDArray[np.float64]

PROPOSALS = 16
"""Of the effects of each subject at each draw, half of them opposite to the others."""

WIDER = 1.1
"""Standard deviation of the proposals in that of Laplace's normal law."""

HEAVY = 0.1
"""Share of the t law, which bounds the weights, in the mixture that is proposed from."""


@dataclass(frozen=True)
class Corrected:
    """Draws from the exact posterior.

    Attributes
    ----------
    x : array (chains, draws, size)
    eta : array (chains, draws, subjects, effects)
    weights : array (chains, draws)
        Of the approximate draws.
    pareto_k : float
    kept : array (chains, draws)
        Which of the approximate draws each draw is.
    """

    x: Vector
    eta: Vector
    weights: Vector
    pareto_k: float
    kept: NDArray[np.int64]


def propose(
    problem: Problem, x: Vector, there: Evaluation, rng: np.random.Generator
) -> tuple[float, Vector]:
    """Propose effects at packed parameters, weigh them, and keep one of each subject.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
    there : Evaluation
        By Laplace.
    rng : numpy Generator

    Returns
    -------
    log_weight : float
        Of the estimated exact likelihood over that by Laplace.
    eta : array (subjects, effects)
    """
    law = Proposal.about_modes(problem, x, there)
    half = law.normal_steps(rng, PROPOSALS // 2)
    heavy = rng.uniform(size=half.shape[:2]) < HEAVY
    half = np.where(heavy[:, :, None], law.steps(rng, PROPOSALS // 2), WIDER * half)
    steps = np.concatenate([half, -half], axis=1)
    u = law.whitened_effects(steps)
    log_spread = np.sum(np.log(np.einsum("iaa->ia", law.spread)), axis=1)
    weight = -problem.joint(x, u) - _log_density(steps) + log_spread[:, None]
    n = u.shape[2]
    exact = logsumexp(weight, axis=1) - np.log(PROPOSALS) - 0.5 * n * np.log(2.0 * np.pi)
    kept = np.argmax(weight + rng.gumbel(size=weight.shape), axis=1)
    eta = law.effects(u[np.arange(len(u)), kept][:, None])[0]
    return float(np.sum(exact + 0.5 * there.terms.objective)), eta


def _log_density(steps: Vector) -> Vector:
    """Log density of the mixture that steps are drawn from."""
    from scipy.special import gammaln

    from pkmodel.diagnostics.proposal import DEGREES_OF_FREEDOM as degrees

    n = steps.shape[2]
    square = np.sum(steps**2, axis=2)
    normal = -0.5 * square / WIDER**2 - n * np.log(WIDER) - 0.5 * n * np.log(2.0 * np.pi)
    constant = gammaln(0.5 * (degrees + n)) - gammaln(0.5 * degrees)
    constant -= 0.5 * n * np.log(degrees * np.pi)
    heavy = constant - 0.5 * (degrees + n) * np.log1p(square / degrees)
    return np.asarray(np.logaddexp(np.log1p(-HEAVY) + normal, np.log(HEAVY) + heavy))


def correct(target: MarginalTarget, chains: Chains, seed: int) -> Corrected:
    """Weigh the draws of the marginal target, draw them again, and draw effects with them.

    Parameters
    ----------
    target : MarginalTarget
    chains : Chains
    seed : int

    Returns
    -------
    Corrected
        Every chain is drawn again by itself and in its order, so that what repeated draws cost
        shows in its autocorrelation, and so in R-hat and effective sizes.
    """
    x = target.packed(chains.vectors)
    shape = x.shape[:2]
    log_weights = np.empty(shape)
    eta = np.empty((*shape, *target.coordinates.place.shape))
    for chain in range(shape[0]):
        rng = np.random.default_rng([seed, chain])
        for draw in range(shape[1]):
            at = chain, draw
            there = target.evaluate(x[at])
            log_weights[at], eta[at] = propose(target.problem, x[at], there, rng)
    weights, pareto_k = smooth(log_weights)
    rng = np.random.default_rng([seed, shape[0]])
    kept = np.array([_systematic(row, rng) for row in weights])
    rows = np.arange(shape[0])[:, None]
    return Corrected(x[rows, kept], eta[rows, kept], weights, pareto_k, kept)


def smooth(log_weights: Vector) -> tuple[Vector, float]:
    """Pareto-smooth weights; return them normalised, and the shape of their tail."""
    from arviz_stats.base import array_stats

    smoothed, pareto_k = array_stats.psislw(log_weights.ravel() - np.max(log_weights))
    weights = np.exp(smoothed - logsumexp(smoothed))
    return weights.reshape(log_weights.shape), float(pareto_k)


def _systematic(weights: Vector, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw as many indices as there are weights, in order, each as often as its weight says."""
    ends = np.cumsum(weights) / np.sum(weights)
    marks = (np.arange(weights.size) + rng.uniform()) / weights.size
    return np.minimum(np.searchsorted(ends, marks), weights.size - 1)
