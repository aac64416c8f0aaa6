"""The posterior density of the population parameters alone, effects integrated out by Laplace."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.anchor import Anchor
from pkmodel.bayes.coordinates import choose_coordinates, effects_at
from pkmodel.bayes.prior import PackedPrior
from pkmodel.kernels.hierarchy import Coordinates
from pkmodel.problem import LOOSE, Evaluation, Problem

Vector = NDArray[np.float64]


class MarginalTarget:
    """Log density of the whitened population parameters.

    Modes are searched from where they would be if they followed the parameters linearly from the
    anchor, so that the density at a point does not depend on the way to it.

    Parameters
    ----------
    problem : Problem
    prior : PackedPrior
    anchor : Anchor
    """

    def __init__(self, problem: Problem, prior: PackedPrior, anchor: Anchor) -> None:
        self.problem = problem.with_method("laplace")
        self.prior = prior
        self.anchor = anchor
        self.coordinates: Coordinates = choose_coordinates(problem, anchor)
        self.dimension = anchor.x.size

    def __call__(self, vector: Vector) -> tuple[float, Vector]:
        """Return the log density and its gradient; -inf where the model is not defined."""
        x = self.packed(vector)
        density, slope = self.prior(x)
        if not np.isfinite(density):
            return -np.inf, np.zeros(vector.size)
        there = self.evaluate(x)
        gradient = self.anchor.spread.T @ (slope - 0.5 * there.gradient)
        if not np.isfinite(there.objective) or not np.all(np.isfinite(gradient)):
            return -np.inf, np.zeros(vector.size)
        return density - 0.5 * there.objective, gradient

    def packed(self, vector: Vector) -> Vector:
        """Packed parameters at a vector, or vectors, of the sampler."""
        return np.asarray(self.anchor.x + vector @ self.anchor.spread.T)

    def evaluate(self, x: Vector) -> Evaluation:
        """Evaluate the likelihood by Laplace at packed parameters."""
        place, slope = self.coordinates.place, self.coordinates.slope
        near = place + np.einsum("aki,k->ai", slope, x - self.anchor.x)
        modes = effects_at(self.problem, x, near.T, self.coordinates.centred)
        if not np.all(np.isfinite(modes)):
            modes = self.anchor.evaluation.terms.eta
        return self.problem.evaluate(x, modes, tolerance=LOOSE)
