"""Draws of the random effects from their conditional laws, given the data and the population.

An independence sampler (Tierney 1994, 10.1214/aos/1176325750): every proposal comes from a
t distribution about the mode, which has heavier tails than the conditional law, and all of them
are evaluated at once by the compiled likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from pkmodel.kernels.mode import FOUND
from pkmodel.problem import Evaluation, Problem

Vector = NDArray[np.float64]

DEGREES_OF_FREEDOM = 5.0
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
    terms = evaluation.terms
    subjects, effects = terms.eta.shape
    rng = np.random.default_rng(seed)
    factor = problem.packing.unpack(x).factor
    centre = solve_triangular(factor, terms.eta.T, lower=True).T
    whitened = _whitened(terms.covariance, factor)
    whitened[terms.status != FOUND] = np.eye(effects)
    spread = np.linalg.cholesky(whitened)
    if problem.options.method == "fo":
        steps = rng.normal(size=(subjects, count, effects))
        u = centre[:, None] + np.einsum("iab,ikb->ika", spread, steps)
        return Draws(_effects(u, factor, terms.status), np.ones(subjects))
    total = count + WARM_UP
    normal = rng.normal(size=(subjects, total, effects))
    chi2 = rng.chisquare(DEGREES_OF_FREEDOM, size=(subjects, total))
    uniform = rng.uniform(size=(subjects, total))
    scaled = normal * np.sqrt(DEGREES_OF_FREEDOM / chi2)[:, :, None]
    scaled[:, 0] = 0.0
    u = np.ascontiguousarray(centre[:, None] + np.einsum("iab,ikb->ika", spread, scaled))
    proposal = (
        -0.5
        * (DEGREES_OF_FREEDOM + effects)
        * np.log1p(np.sum(scaled**2, axis=2) / DEGREES_OF_FREEDOM)
    )
    weight = -problem.joint(x, u) - proposal
    kept = _walk(weight, np.log(uniform))
    drawn = np.take_along_axis(u, kept[:, :, None], axis=1)[:, WARM_UP:]
    acceptance = np.mean(np.diff(kept, axis=1) != 0, axis=1)
    return Draws(_effects(drawn, factor, terms.status), acceptance)


def _whitened(covariance: Vector, factor: Vector) -> Vector:
    """Covariances of u, eta = L u."""
    half = np.linalg.solve(factor, covariance)
    full = np.linalg.solve(factor, half.transpose(0, 2, 1))
    return np.asarray(0.5 * (full + full.transpose(0, 2, 1)))


def _effects(u: Vector, factor: Vector, status: NDArray[np.int8]) -> Vector:
    eta = np.einsum("ab,ikb->kia", factor, u)
    eta[:, status != FOUND] = np.nan
    return np.asarray(eta)


def _walk(weight: Vector, log_uniform: Vector) -> NDArray[np.int64]:
    """Return the proposal at which each subject's chain stands; it begins at the mode."""
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
