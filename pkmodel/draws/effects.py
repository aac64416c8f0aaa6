"""Random effects drawn from their conditional laws along a sequence of population parameters.

The chain of each subject goes on from one set of population parameters to the next: its place is
carried over relative to the mode, then moved by independent proposals (see `Proposal`), enough of
them that next to nothing is left of where it came from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.diagnostics.conditional import WARM_UP
from pkmodel.diagnostics.proposal import Proposal, walk
from pkmodel.problem import Evaluation, Problem, has_interaction

Vector = NDArray[np.float64]

MOVES = 6
"""Proposals at each set of population parameters."""


def mode_problem(problem: Problem) -> Problem:
    """Return the problem under the cheapest method that has the same modes.

    All methods with interaction share the joint density of data and effects, and so its modes.
    """
    if problem.options.method == "fo":
        return problem
    return problem.with_method("focei" if has_interaction(problem.options) else "foce")


def draw_effects(
    problem: Problem,
    x: Vector,
    evaluation: Evaluation,
    place: Vector | None,
    rng: np.random.Generator,
) -> tuple[Vector, Vector]:
    """Draw the effects of every subject once.

    Parameters
    ----------
    problem : Problem
        From `mode_problem`.
    x : array (size,)
        Packed population parameters.
    evaluation : Evaluation
        There.
    place : array (subjects, 1, effects) or None
        Where the chains stand relative to the modes of the last parameters; None to begin.
    rng : numpy Generator

    Returns
    -------
    eta : array (subjects, effects)
        NaN where no mode was found.
    place : array (subjects, 1, effects)
        For the next parameters.
    """
    law = Proposal.about_modes(problem, x, evaluation)
    if problem.options.method == "fo":
        place = law.normal_steps(rng, 1)
        return law.effects(law.whitened_effects(place))[0], place
    if place is None:
        steps = law.steps(rng, WARM_UP)
        steps[:, 0] = 0.0
    else:
        steps = np.concatenate([place, law.steps(rng, MOVES)], axis=1)
    u = law.whitened_effects(steps)
    uniform = rng.uniform(size=steps.shape[:2])
    kept = walk(law.log_weight(problem, x, u, steps), np.log(uniform))[:, -1:, None]
    eta = law.effects(np.take_along_axis(u, kept, axis=1))[0]
    return eta, np.take_along_axis(steps, kept, axis=1)
