"""Whether the middle of a posterior sits at a boundary, and how many of its draws do."""

from __future__ import annotations

import numpy as np

from pkmodel.bayes.posterior import Posterior
from pkmodel.estimate.boundary import at_boundary
from pkmodel.number import percent
from pkmodel.problem import Problem

MOST_JUDGED = 400
"""Draws that are looked at, evenly over all of them."""


def boundary_warnings(problem: Problem, posterior: Posterior) -> list[str]:
    """Name the parameters that are at a boundary in the middle of the draws.

    Parameters
    ----------
    problem : Problem
    posterior : Posterior

    Returns
    -------
    list of str
        Nothing of a parameter that is at a boundary in the middle, the mean on the unconstrained
        scale, but in none of the draws.
    """
    drawn = posterior.x.reshape(-1, posterior.x.shape[2])
    middle = at_boundary(problem, np.mean(drawn, axis=0))
    if not middle:
        return []
    judged = drawn[:: -(-len(drawn) // MOST_JUDGED)]
    found = [at_boundary(problem, x) for x in judged]
    shares = {name: float(np.mean([name in names for names in found])) for name in middle}
    return [
        f"{name} is at a boundary in {percent(share, 1)} of the draws, and at their middle on the "
        "unconstrained scale, at which predictions are made"
        for name, share in shares.items()
        if share > 0.0
    ]
