"""Draws of the random effects from their conditional laws, given the data and the population.

An independence sampler (Tierney 1994, 10.1214/aos/1176325750): every proposal comes from a
t distribution about the mode, which has heavier tails than the conditional law, and all of them
are evaluated at once by the compiled likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.diagnostics.proposal import Proposal, walk
from pkmodel.problem import Evaluation, Problem

Vector = NDArray[np.float64]

WARM_UP = 50


@dataclass(frozen=True)
class Draws:
    """Draws from the conditional laws.

    Attributes
    ----------
    eta : array (draws, subjects, effects)
        NaN for a subject whose mode was not found.
    acceptance : array (subjects,)
        Share of the proposals that were accepted.
    """

    eta: Vector
    acceptance: Vector


def conditional_draws(
    problem: Problem, x: Vector, evaluation: Evaluation, count: int, seed: int
) -> Draws:
    """Draw random effects of every subject from their conditional laws.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Packed parameters.
    evaluation : Evaluation
        There, with the modes and their conditional covariance.
    count : int
        Draws of each subject.
    seed : int

    Returns
    -------
    Draws
        By FO those of the linearised model, whose conditional laws are normal.
    """
    law = Proposal.about_modes(problem, x, evaluation)
    rng = np.random.default_rng(seed)
    if problem.options.method == "fo":
        u = law.whitened_effects(law.normal_steps(rng, count))
        return Draws(law.effects(u), np.ones(len(u)))
    steps = law.steps(rng, count + WARM_UP)
    uniform = rng.uniform(size=steps.shape[:2])
    steps[:, 0] = 0.0
    u = law.whitened_effects(steps)
    kept = walk(law.log_weight(problem, x, u, steps), np.log(uniform))
    drawn = np.take_along_axis(u, kept[:, :, None], axis=1)[:, WARM_UP:]
    acceptance = np.mean(np.diff(kept, axis=1) != 0, axis=1)
    return Draws(law.effects(drawn), acceptance)
