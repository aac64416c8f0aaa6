"""First steps from starts of any order of magnitude: the EM algorithm by the exact gradient.

By Fisher's identity the gradient of the marginal likelihood is the mean of that of the complete
one, so that an M-step follows from the gradient alone (Lange 1995,
10.1111/j.2517-6161.1995.tb02037.x): Omega moves by -Omega G Omega / copies, thetas by least
squares through the typical parameters, a residual variance by the factor that sets its own
gradient to zero. Random effects start wide and shrink slowly, so that they find every subject
before the thetas have settled. Where not even wide effects reach the data (a clearance ten times
too large and a volume ten times too small leave no drug at all), the thetas are first moved by the
logarithms of the data.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.pooled import pooled_start, typical_misfit
from pkmodel.packing import pack_factor
from pkmodel.problem import Evaluation, Problem

Vector = NDArray[np.float64]
Evaluate = Callable[[Vector], Evaluation]

MOST_EVALUATIONS = 40
LEAST_SHARE = 0.2
"""A step that does not lower the objective is halved, but not below this share."""

WIDE = 1.0
"""Least standard deviation of the effects at the start, on their transformed scale."""

SLOWEST, FASTEST = 0.4, 100.0
"""Least and largest factor by which a step changes a variance."""

FARTHEST = 2.0
"""Largest change of a typical parameter in a step, on its transformed scale."""

LARGEST_EXPONENT_STEP = 0.3

OUT_OF_REACH = float(np.log(4.0))
"""A start is far where half of the typical predictions are off by more, in logarithms."""


def approach(
    evaluate: Evaluate, problem: Problem, x: Vector, first: Evaluation, budget: int
) -> tuple[Vector, Evaluation]:
    """Move from `x` to the neighbourhood of an optimum.

    Parameters
    ----------
    evaluate : callable
        Evaluation of `problem` at a packed vector.
    problem : Problem
    x : array (size,)
        Packed start.
    first : Evaluation
        At `x`, where the objective is finite.
    budget : int
        Most evaluations.

    Returns
    -------
    x : array (size,)
        The last point that lowered the objective.
    point : Evaluation
        There.
    """
    little = max(1.0, 0.01 * problem.dataset.n_observations)
    point = first
    step, share = em_step(problem, x, point) - x, 1.0
    for _ in range(min(MOST_EVALUATIONS, budget)):
        target = x + share * step
        trial = evaluate(target)
        if not trial.objective < point.objective:
            share *= 0.5
            if share < LEAST_SHARE:
                break
            continue
        gain = point.objective - trial.objective
        x, point = target, trial
        if gain < little:
            break
        step, share = em_step(problem, x, point) - x, 1.0
    return x, point


def come_near(problem: Problem, x: Vector) -> Vector:
    """Return `x`, or where the data are out of its reach, a start from their logarithms.

    Parameters
    ----------
    problem : Problem
    x : array (size,)

    Returns
    -------
    array (size,)
    """
    return x if typical_misfit(problem, x) <= OUT_OF_REACH else pooled_start(problem, x)


def em_step(problem: Problem, x: Vector, point: Evaluation) -> Vector:
    """One step of the EM algorithm, as far as `point`'s gradient tells it."""
    moved = x.copy()
    moved[problem.packing.theta_part] += _theta_step(problem, x, point)
    for number, part in enumerate(problem.packing.block_parts):
        moved[part] = pack_factor(_omega_factor(problem, x, point, number))
    moved[problem.packing.sigma_part] += _sigma_step(problem, point)
    return moved


def _theta_step(problem: Problem, x: Vector, point: Evaluation) -> Vector:
    """Least squares of the effects through mu(theta); by own curvature where no effect helps."""
    packing = problem.packing
    part = packing.theta_part
    if not packing.theta:
        return np.zeros(0)
    values = packing.unpack(x)
    _, jacobian = problem.typical(values.theta)
    by_theta = jacobian[:, :, packing.theta] * packing.theta_slopes(x)
    precision = _precision_by_parameter(problem, values.omega)
    weight = problem.n_subjects / len(by_theta)
    metric = 2.0 * weight * np.einsum("npt,pq,nqs->ts", by_theta, precision, by_theta)
    scores = point.by_subject[:, part]
    own = 0.5 * np.einsum("ni,nj->ij", scores, scores)
    alone = np.diag(metric) < 1e-8 * np.diag(own)
    metric[alone] = own[alone]
    metric[:, alone] = own[:, alone]
    step = -np.linalg.lstsq(metric, point.gradient[part])[0]
    longest = float(np.max(np.abs(np.einsum("npt,t->np", by_theta, step))))
    return np.asarray(step * min(1.0, FARTHEST / max(longest, 1e-300)))


def _precision_by_parameter(problem: Problem, omega: Vector) -> Vector:
    """Inverse of Omega of the effects between subjects, by structural parameter.

    Effects between occasions stand in where a parameter has no other.
    """
    names = problem.structure.parameters
    between = {e.parameter for e in problem.effects if e.occasion == 0}
    carries = np.zeros((len(names), len(problem.effects)))
    for k, effect in enumerate(problem.effects):
        if effect.occasion == 0 or (effect.occasion == 1 and effect.parameter not in between):
            carries[names.index(effect.parameter), k] = 1.0
    return np.asarray(carries @ np.linalg.pinv(omega) @ carries.T)


def _omega_factor(problem: Problem, x: Vector, point: Evaluation, number: int) -> Vector:
    """Cholesky factor of a block after its M-step, no variance changed by more than allowed.

    By QR of a square root of the block, which no rounding makes indefinite.
    """
    places = problem.packing.copies(number)
    lower = problem.packing.unpack(x).factor[np.ix_(places[0], places[0])]
    slopes = sum(np.sum(point.terms.by_factor[:, p[:, None], p], axis=0) for p in places)
    half = np.tril(lower.T @ slopes) / (2.0 * problem.n_subjects * len(places))
    whitened = half + half.T - np.diag(np.diag(half))
    factors, vectors = np.linalg.eigh(np.eye(len(lower)) - whitened)
    clipped = np.clip(factors, SLOWEST, FASTEST)
    upper = np.linalg.qr((lower @ (vectors * np.sqrt(clipped))).T, mode="r")
    return np.asarray(upper.T * np.sign(np.diag(upper)))


def _sigma_step(problem: Problem, point: Evaluation) -> Vector:
    """Logarithm of the factor that takes each coefficient to where its own gradient is zero."""
    packing = problem.packing
    gradient = point.gradient[packing.sigma_part]
    share = np.clip(1.0 - gradient / (2.0 * problem.n_quantified), 0.05, 1e4)
    step = 0.5 * np.log(share)
    for k, i in enumerate(packing.sigma):
        if problem.model.residual.sigmas[i].name == "exponent":
            curvature = 0.5 * np.sum(point.by_subject[:, packing.sigma_part][:, k] ** 2)
            newton = -gradient[k] / max(curvature, 1e-300)
            step[k] = np.clip(newton, -LARGEST_EXPONENT_STEP, LARGEST_EXPONENT_STEP)
    return np.asarray(step)


def widen(problem: Problem, x: Vector, least: float = WIDE) -> Vector:
    """Return `x` with every free effect's own standard deviation at least `least`.

    A normal parameter's is taken relative to the size of its typical value.
    """
    typical, _ = problem.typical(problem.packing.unpack(x).theta)
    size = dict(zip(problem.structure.parameters, np.median(np.abs(typical), axis=0), strict=True))
    moved = x.copy()
    for block, part in zip(problem.packing.blocks, problem.packing.block_parts, strict=True):
        last = part.start - 1
        for i, parameter in enumerate(block.parameters):
            last += i + 1
            is_normal = problem.model.distribution.get(parameter) == "normal"
            scale = max(size[parameter], 1e-6) if is_normal else 1.0
            moved[last] = max(moved[last], np.log(least * scale))
    return moved
