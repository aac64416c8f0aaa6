"""Where the posterior of the population parameters is highest, and its shape there.

The marginal likelihood by FOCE-I, whose curvature in the effects is never negative, times the
prior, on the packed vector: a sampler that works in coordinates of this shape has next to nothing
left to adapt. What is approximate here costs the sampler time, and changes nothing of its law.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.prior import PackedPrior
from pkmodel.estimate.bfgs import Ending, Point, minimise
from pkmodel.estimate.boundary import at_boundary
from pkmodel.estimate.maximum_likelihood import (
    Estimate,
    Progress,
    maximise,
    uninterrupted,
    with_moderate_variances,
)
from pkmodel.kernels.terms import Terms
from pkmodel.problem import LOOSE, TIGHT, Evaluation, Problem

Vector = NDArray[np.float64]

STEP = 1e-3
TOLERANCE = 1e-4
"""The search ends where the penalised objective promises to fall by less."""

LEAST_CURVATURE = 1e-2
"""Of the log posterior in a packed direction; flatter ones are taken as this wide, 10."""


@dataclass(frozen=True)
class Anchor:
    """The highest point of the marginal posterior by FOCE-I, and the shape about it.

    Attributes
    ----------
    x : array (size,)
    spread : array (size, size)
        Lower triangular; times its transpose the covariance of the packed parameters.
    evaluation : Evaluation
        At `x`.
    above, below : sequence of Terms
        At `x` moved by `step` in each packed parameter, to both sides.
    step : float
    alone : array (size,)
        Where the likelihood alone, without the prior, is largest.
    rise : float
        Objective at `x` less that at `alone`: what the priors cost the likelihood.
    evaluations : int
        Of the likelihood, on the way.
    is_mode : bool
        Whether the search reached the highest point.
    """

    x: Vector
    spread: Vector
    evaluation: Evaluation
    above: Sequence[Terms]
    below: Sequence[Terms]
    step: float
    alone: Vector
    rise: float
    evaluations: int
    is_mode: bool


def find_anchor(
    problem: Problem, prior: PackedPrior, progress: Progress | None = None
) -> Anchor | None:
    """Search the highest point of the posterior, from the maximum of the likelihood.

    Returns
    -------
    Anchor or None
        None where the likelihood is not defined at any start.
    """
    near = problem.with_method("focei")
    first = uninterrupted(maximise(near, progress))
    if first is None:
        return None
    x = with_moderate_variances(near, first.x, at_boundary(near, first.x))
    count = first.evaluations
    modes = first.final.terms.eta

    def penalised(x: Vector) -> Point:
        nonlocal count, modes
        count += 1
        evaluation = near.evaluate(x, modes, tolerance=LOOSE)
        density, slope = prior(x)
        outer = 0.5 * np.einsum("ni,nj->ij", evaluation.by_subject, evaluation.by_subject)
        if np.isfinite(evaluation.objective):
            modes = evaluation.terms.eta
        return Point(
            x.copy(),
            evaluation.objective - 2.0 * density,
            evaluation.gradient - 2.0 * slope,
            outer + np.eye(x.size),
        )

    start = penalised(x)
    if not np.isfinite(start.value):
        return None
    limit = problem.options.max_evaluations
    found = minimise(
        penalised, start, tolerance=TOLERANCE, evaluations=lambda: count, limit=count + limit
    )
    is_mode = found.ending is Ending.CONVERGED
    return _shape(near, prior, found.point.x, first, count, is_mode)


def _shape(
    problem: Problem, prior: PackedPrior, x: Vector, first: Estimate, count: int, is_mode: bool
) -> Anchor:
    """Differentiate gradient and modes about `x`."""
    final = problem.evaluate(x, tolerance=TIGHT)
    second = np.empty((x.size, x.size))
    sides: tuple[list[Terms], list[Terms]] = ([], [])
    for k in range(x.size):
        slopes = []
        for side, sign in zip(sides, (1.0, -1.0), strict=True):
            moved = x.copy()
            moved[k] += sign * STEP
            evaluation = problem.evaluate(moved, final.terms.eta, tolerance=TIGHT)
            side.append(evaluation.terms)
            slopes.append(0.5 * evaluation.gradient - prior(moved)[1])
        second[k] = (slopes[0] - slopes[1]) / (2.0 * STEP)
    return Anchor(
        x=x,
        spread=_spread(0.5 * (second + second.T)),
        evaluation=final,
        above=sides[0],
        below=sides[1],
        step=STEP,
        alone=first.x,
        rise=final.objective - first.final.objective,
        evaluations=count + 2 * x.size + 1,
        is_mode=is_mode,
    )


def _spread(second: Vector) -> Vector:
    """Factor the inverse of the curvature of -log posterior, kept from being flat or falling."""
    values, vectors = np.linalg.eigh(np.nan_to_num(second))
    values = np.maximum(np.abs(values), LEAST_CURVATURE)
    return np.linalg.cholesky((vectors / values) @ vectors.T)
