"""The M-step of SAEM: population parameters from averages over random effects.

With each subject's own parameters psi = mu(theta) + eta as the missing data: thetas by generalised
least squares of psi on mu(theta) through its exact Jacobian; blocks of Omega as the second moments
of what is left, in closed form; a single residual standard deviation in closed form too, as far as
no row is censored. Thetas that psi does not tell of (of a parameter without effects, or where a
covariate changes within the subject) take a step of Fisher scoring on the rows, with no artificial
effects, and several residual coefficients one that raises their likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.chains import carriers
from pkmodel.kernels.metropolis import Averages
from pkmodel.packing import SIGMA_SLOT, pack_factor
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

FARTHEST = 2.0
"""Largest change of a typical parameter in a step, on its transformed scale."""

LARGEST_FACTOR = 100.0
"""Of a variance, in a step."""

LARGEST_STEP = 0.3
"""Of the logarithm of an exponent."""

RowInformation = tuple[Vector, Vector]
"""As of `Problem.row_information`."""


@dataclass(frozen=True)
class Moments:
    """Averages of each subject, over its chains; fields as of `Averages`."""

    u: Vector
    square: Vector
    by_direction: Vector
    by_sigma: Vector


def moments(averages: Averages) -> Moments:
    """Average over the chains."""
    return Moments(
        *(
            np.mean(part, axis=1)
            for part in (averages.u, averages.square, averages.by_direction, averages.by_sigma)
        )
    )


def m_step(
    problem: Problem, x: Vector, averages: Averages, rows: RowInformation, least: float
) -> Vector:
    """Return the packed parameters after one M-step from `x`.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Where the averages were made.
    averages : Averages
    rows : tuple of arrays
        As of `Problem.row_information`, about the modes.
    least : float
        Smallest factor by which a variance changes: simulated annealing.

    Returns
    -------
    array (size,)
    """
    found = moments(averages)
    moved = x.copy()
    step, shift = _theta_step(problem, x, found, rows[0])
    moved[problem.packing.theta_part] += step
    lower = problem.packing.unpack(x).factor
    left = np.linalg.solve(lower, (shift @ step).T).T
    for number, part in enumerate(problem.packing.block_parts):
        moved[part] = pack_factor(_block_factor(problem, lower, found, left, number, least))
    moved[problem.packing.sigma_part] += _sigma_step(problem, x, found, rows[1], least)
    return moved


def _theta_step(
    problem: Problem, x: Vector, found: Moments, row_information: Vector
) -> tuple[Vector, Vector]:
    """Step of the packed thetas, and how they shift each subject's effects."""
    lower = problem.packing.unpack(x).factor
    typical, direction = problem.directions_by_theta(x)
    shift = np.einsum("pk,ipt->ikt", carriers(problem), typical)
    if not problem.packing.theta:
        return np.zeros(0), shift
    n = lower.shape[0]
    rest = direction.copy()
    rest[:, :n] -= shift
    whitened = np.linalg.solve(lower, shift.transpose(1, 0, 2).reshape(n, -1))
    whitened = whitened.reshape(n, len(shift), -1)
    score = np.einsum("izt,iz->t", rest, found.by_direction)
    score -= np.einsum("kit,ik->t", whitened, found.u)
    information = np.einsum("kit,kis->ts", whitened, whitened)
    information += np.einsum("izt,izw,iws->ts", rest, row_information, rest)
    step = _solve(information, -score)
    longest = float(np.max(np.abs(np.einsum("ipt,t->ip", typical, step)), initial=0.0))
    return step * min(1.0, FARTHEST / max(longest, 1e-300)), shift


def _block_factor(
    problem: Problem, lower: Vector, found: Moments, left: Vector, number: int, least: float
) -> Vector:
    """Cholesky factor of a block: second moments about the moved typical parameters.

    By QR of a square root of the block, which no rounding makes indefinite.
    """
    places = problem.packing.copies(number)
    second = np.zeros((len(places[0]), len(places[0])))
    for place in places:
        cross = found.u[:, place].T @ left[:, place]
        second += np.sum(found.square[:, place[:, None], place], axis=0)
        second += left[:, place].T @ left[:, place] - cross - cross.T
    second /= problem.n_subjects * len(places)
    values, vectors = np.linalg.eigh(second)
    root = vectors * np.sqrt(np.clip(values, least, LARGEST_FACTOR))
    own = lower[np.ix_(places[0], places[0])]
    upper = np.linalg.qr((own @ root).T, mode="r")
    return np.asarray(upper.T * np.sign(np.diag(upper)))


def _sigma_step(problem: Problem, x: Vector, found: Moments, rows: Vector, least: float) -> Vector:
    """Step of the logarithms of the residual coefficients.

    Of several the variance of each goes by the square root of the ratio of what its rows have to
    what they should (Zhou, Hu, Zhou and Lange 2019, 10.1080/10618600.2018.1529601), which stays
    bounded where a coefficient vanishes; an exponent by Fisher scoring.
    """
    packing = problem.packing
    names = [problem.model.residual.sigmas[i].name for i in packing.sigma]
    slots = [SIGMA_SLOT[name] for name in names]
    value = np.exp(x[packing.sigma_part])
    score = np.sum(found.by_sigma, axis=0)[slots] * value
    relative, information = np.sum(rows, axis=0)[:, slots] * [value, value**2]
    if len(problem.model.residual.sigmas) == 1:
        relative, power = np.array([float(problem.n_quantified)]), 0.5
    else:
        power = 0.25
    share = 1.0 - score / np.maximum(relative, 1e-300)
    step = power * np.log(np.clip(share, least, LARGEST_FACTOR))
    scoring = np.clip(-score / np.maximum(information, 1e-300), -LARGEST_STEP, LARGEST_STEP)
    return np.asarray(np.where(np.array(names) == "exponent", scoring, step))


def _solve(information: Vector, score: Vector) -> Vector:
    """Solve in the scale of the diagonal, as far as the matrix has an inverse."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(information), 1e-300))
    return np.asarray(
        scale * np.linalg.lstsq(information * np.outer(scale, scale), scale * score)[0]
    )
