"""The law that proposes random effects: a t distribution about each subject's mode.

Its tails are heavier than those of the conditional law, so that no region of that law is missed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.kernels.mode import FOUND
from pkmodel.problem import Evaluation, Problem

Vector = NDArray[np.float64]

DEGREES_OF_FREEDOM = 5.0


@dataclass(frozen=True)
class Proposal:
    """A law of each subject's effects, u = centre + spread step, eta = L u, Omega = L L'.

    Attributes
    ----------
    centre : array (subjects, effects)
    spread : array (subjects, effects, effects)
    factor : array (effects, effects)
        L.
    found : array (subjects,)
        Whether the mode was found.
    """

    centre: Vector
    spread: Vector
    factor: Vector
    found: NDArray[np.bool_]

    @classmethod
    def about_modes(cls, problem: Problem, x: Vector, evaluation: Evaluation) -> Proposal:
        """Centre at the modes of an evaluation at `x`, as wide as their conditional covariance."""
        terms = evaluation.terms
        factor = problem.packing.unpack(x).factor
        centre = _whitened_modes(terms.eta, factor)
        whitened = _whitened(terms.covariance, factor)
        found = np.asarray(terms.status == FOUND)
        whitened[~found] = np.eye(terms.eta.shape[1])
        return cls(centre, np.linalg.cholesky(whitened), factor, found)

    def normal_steps(self, rng: np.random.Generator, count: int) -> Vector:
        """Draw steps of the normal law; array (subjects, count, effects)."""
        subjects, effects = self.centre.shape
        return rng.normal(size=(subjects, count, effects))

    def steps(self, rng: np.random.Generator, count: int) -> Vector:
        """Draw steps of the t law; array (subjects, count, effects)."""
        normal = self.normal_steps(rng, count)
        chi2 = rng.chisquare(DEGREES_OF_FREEDOM, size=normal.shape[:2])
        return np.asarray(normal * np.sqrt(DEGREES_OF_FREEDOM / chi2)[:, :, None])

    def whitened_effects(self, steps: Vector) -> Vector:
        """Return u at steps (subjects, count, effects)."""
        moved = np.einsum("iab,ikb->ika", self.spread, steps)
        return np.ascontiguousarray(self.centre[:, None] + moved)

    def effects(self, u: Vector) -> Vector:
        """Return eta (count, subjects, effects) at `u`; NaN where no mode was found."""
        eta = np.einsum("ab,ikb->kia", self.factor, u)
        eta[:, ~self.found] = np.nan
        return np.asarray(eta)

    def log_weight(self, problem: Problem, x: Vector, u: Vector, steps: Vector) -> Vector:
        """Log joint density over the t density, up to a constant; array (subjects, count)."""
        degrees = DEGREES_OF_FREEDOM
        effects = steps.shape[2]
        proposed = -0.5 * (degrees + effects) * np.log1p(np.sum(steps**2, axis=2) / degrees)
        return np.asarray(-problem.joint(x, u) - proposed)


def _whitened_modes(eta: Vector, factor: Vector) -> Vector:
    """Solve eta = L u of each subject by forward substitution."""
    u = np.empty_like(eta)
    for k, row in enumerate(factor):
        u[:, k] = (eta[:, k] - u[:, :k] @ row[:k]) / row[k]
    return u


def _whitened(covariance: Vector, factor: Vector) -> Vector:
    """Covariances of u, eta = L u."""
    half = np.linalg.solve(factor, covariance)
    full = np.linalg.solve(factor, half.transpose(0, 2, 1))
    return np.asarray(0.5 * (full + full.transpose(0, 2, 1)))


def walk(weight: Vector, log_uniform: Vector) -> NDArray[np.int64]:
    """Return the proposal at which each subject's chain stands; it begins at the first.

    Parameters
    ----------
    weight, log_uniform : array (subjects, count)

    Returns
    -------
    array (subjects, count)
    """
    subjects, total = weight.shape
    here = np.zeros(subjects, dtype=np.int64)
    held = weight[:, 0].copy()
    kept = np.zeros((subjects, total), dtype=np.int64)
    for k in range(1, total):
        moves = log_uniform[:, k] < weight[:, k] - held
        here[moves] = k
        held[moves] = weight[moves, k]
        kept[:, k] = here
    return kept
