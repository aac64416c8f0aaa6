"""The M-step of SAEM: population parameters from averages over random effects.

With each subject's own parameters psi = mu(theta) + eta as the missing data: thetas by generalised
least squares of psi on mu(theta) through its exact Jacobian; blocks of Omega as the second moments
of what is left, in closed form; the residual coefficients by the factor that sets their own score
to zero, which is the closed form where there is one of them and no row is censored. Thetas that
psi does not tell of (of a parameter without effects, or where a covariate changes within the
subject) take a step of Fisher scoring on the rows, with no artificial effects.
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

LARGEST_EXPONENT_STEP = 0.3


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
    problem: Problem, x: Vector, averages: Averages, row_information: Vector, least: float
) -> Vector:
    """Return the packed parameters after one M-step from `x`.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Where the averages were made.
    averages : Averages
    row_information : array (subjects, m, m)
        As of `Problem.row_information`, about the modes.
    least : float
        Smallest factor by which a variance changes: simulated annealing.

    Returns
    -------
    array (size,)
    """
    found = moments(averages)
    moved = x.copy()
    step, shift = _theta_step(problem, x, found, row_information)
    moved[problem.packing.theta_part] += step
    lower = problem.packing.unpack(x).factor
    left = np.linalg.solve(lower, (shift @ step).T).T
    for number, part in enumerate(problem.packing.block_parts):
        moved[part] = pack_factor(_block_factor(problem, lower, found, left, number, least))
    moved[problem.packing.sigma_part] += _sigma_step(problem, x, found, least)
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
    scale = 1.0 / np.sqrt(np.maximum(np.diag(information), 1e-300))
    solved = np.linalg.lstsq(information * np.outer(scale, scale), scale * score)[0]
    step = -scale * solved
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


def _sigma_step(problem: Problem, x: Vector, found: Moments, least: float) -> Vector:
    """Step of the logarithms of the residual coefficients."""
    packing = problem.packing
    slots = [SIGMA_SLOT[problem.model.residual.sigmas[i].name] for i in packing.sigma]
    by_subject = found.by_sigma[:, slots] * np.exp(x[packing.sigma_part])
    score = np.sum(by_subject, axis=0)
    share = np.clip(1.0 - score / problem.n_quantified, least, LARGEST_FACTOR)
    step = 0.5 * np.log(share)
    for k, i in enumerate(packing.sigma):
        if problem.model.residual.sigmas[i].name == "exponent":
            newton = -score[k] / max(float(np.sum(by_subject[:, k] ** 2)), 1e-300)
            step[k] = np.clip(newton, -LARGEST_EXPONENT_STEP, LARGEST_EXPONENT_STEP)
    return np.asarray(step)
