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

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from pkmodel.bayes.chain_statistics import smooth
from pkmodel.bayes.marginal import MarginalTarget
from pkmodel.bayes.sampler import Chains, most_draws
from pkmodel.diagnostics.proposal import DEGREES_OF_FREEDOM, Proposal
from pkmodel.problem import Evaluation, Problem

Vector = NDArray[np.float64]

NOISE = 0.2
"""Variance of the log weight of a draw that the estimates of the exact likelihood may add."""

FEWEST, MOST = 8, 2000
"""Proposals of the effects of each subject at each draw."""

PILOT = 200
"""Proposals of each subject by which their number is chosen."""

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
    chains : list of int
        Which of the chains they are of: all, or after an interrupt those that had come so far.
    """

    x: Vector
    eta: Vector
    weights: Vector
    pareto_k: float
    kept: NDArray[np.int64]
    chains: list[int]


def propose(
    problem: Problem, x: Vector, there: Evaluation, count: int, rng: np.random.Generator
) -> tuple[float, Vector]:
    """Propose effects at packed parameters, weigh them, and keep one of each subject.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
    there : Evaluation
        By Laplace.
    count : int
        Proposals of each subject, half of them opposite to the others.
    rng : numpy Generator

    Returns
    -------
    log_weight : float
        Of the estimated exact likelihood over that by Laplace.
    eta : array (subjects, effects)
    """
    law = Proposal.about_modes(problem, x, there)
    u, weight = _weighted(problem, law, x, count, rng)
    exact = logsumexp(weight, axis=1) - np.log(count)
    kept = np.argmax(weight + rng.gumbel(size=weight.shape), axis=1)
    eta = law.effects(u[np.arange(len(u)), kept][:, None])[0]
    return float(np.sum(exact + 0.5 * there.terms.objective)), eta


def _weighted(
    problem: Problem, law: Proposal, x: Vector, count: int, rng: np.random.Generator
) -> tuple[Vector, Vector]:
    """Propose u of each subject in opposite pairs, with their log importance weights."""
    half = law.normal_steps(rng, count // 2)
    heavy = rng.uniform(size=half.shape[:2]) < HEAVY
    half = np.where(heavy[:, :, None], law.steps(rng, count // 2), half)
    steps = np.concatenate([half, -half], axis=1)
    u = law.whitened_effects(steps)
    log_spread = np.sum(np.log(np.einsum("iaa->ia", law.spread)), axis=1)
    constant = log_spread - 0.5 * u.shape[2] * np.log(2.0 * np.pi)
    return u, -problem.joint(x, u) - _log_density(steps) + constant[:, None]


def proposals_needed(target: MarginalTarget, rng: np.random.Generator) -> int:
    """Choose how many proposals keep the noise of a draw's weight small, at the anchor."""
    x = target.anchor.x
    law = Proposal.about_modes(target.problem, x, target.evaluate(x))
    _, weight = _weighted(target.problem, law, x, PILOT, rng)
    weight = np.exp(weight - np.max(weight, axis=1, keepdims=True))
    pairs = weight.reshape(len(weight), 2, -1).mean(axis=1)
    relative = np.var(pairs, axis=1) / np.mean(pairs, axis=1) ** 2
    pairs_needed = int(np.ceil(np.sum(relative) / NOISE))
    return 2 * min(max(pairs_needed, FEWEST // 2), MOST // 2)


def _log_density(steps: Vector) -> Vector:
    """Log density of the mixture that steps are drawn from."""
    n, degrees = steps.shape[2], DEGREES_OF_FREEDOM
    square = np.sum(steps**2, axis=2)
    normal = -0.5 * square - 0.5 * n * np.log(2.0 * np.pi)
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
        shows in its autocorrelation, and so in R-hat and effective sizes. After an interrupt from
        the keyboard as many as `most_draws` keeps.

    Raises
    ------
    KeyboardInterrupt
        Before any chain had draws that are worth keeping.
    """
    x = target.packed(chains.vectors)
    shape = x.shape[:2]
    log_weights = np.empty(shape)
    eta = np.empty((*shape, *target.coordinates.place.T.shape))
    count = proposals_needed(target, np.random.default_rng([seed, shape[0] + 1]))
    done = [0] * shape[0]
    with suppress(KeyboardInterrupt):
        for chain in range(shape[0]):
            rng = np.random.default_rng([seed, chain])
            for draw in range(shape[1]):
                at = chain, draw
                there = target.evaluate(x[at])
                log_weights[at], eta[at] = propose(target.problem, x[at], there, count, rng)
                done[chain] += 1
    whole, length = most_draws(done, shape[1])
    weights, pareto_k = smooth(log_weights[whole, :length])
    rng = np.random.default_rng([seed, shape[0]])
    kept = np.array([_systematic(row, rng) for row in weights])
    rows = np.array(whole)[:, None]
    return Corrected(x[rows, kept], eta[rows, kept], weights, pareto_k, kept, whole)


def _systematic(weights: Vector, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw as many indices as there are weights, in order, each as often as its weight says."""
    ends = np.cumsum(weights) / np.sum(weights)
    marks = (np.arange(weights.size) + rng.uniform()) / weights.size
    return np.minimum(np.searchsorted(ends, marks), weights.size - 1)
