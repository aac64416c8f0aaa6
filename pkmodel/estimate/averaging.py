"""The averaging phase of SAEM: Newton steps by Louis' information, and their mean.

An M-step of EM is a step by the complete information; where the data tell little of the effects
it is short, and its noise long remembered. By the observed information every iteration's score
makes a whole step, x - I^-1 score, to about the same place (Gu and Kong 1998,
10.1073/pnas.95.13.7270). Steps of 1/k then lead to the mean of all these ends, and their scatter
is its Monte Carlo error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.boundary import at_boundary
from pkmodel.estimate.conditional_score import Transport, information, make_transport, scores
from pkmodel.estimate.saem_run import Run
from pkmodel.estimate.sampling import Averaged, Phase, monte_carlo_error, split_r_hat
from pkmodel.kernels.metropolis import Moves

Vector = NDArray[np.float64]

AVERAGING = Moves(independent=4, together=1, single=0)

MOST_INDEPENDENT = 64
"""Where the errors are not small yet, independent moves double up to so many an iteration."""

BATCH, BURN_IN = 20, 4
"""Iterations at one point for a Newton step, and those before that do not count."""

DRAWS, LEAST_DRAWS = 2400, 4
"""Draws of all subjects that Louis' information is averaged over, and the least of each."""

NEWTON_STEPS, LONGEST_STEP = 20, 1.0

NEAR = 0.25
"""Averaging begins where a Newton step is at most so many standard errors, and packed units."""

PRECISION = 0.015
"""Wanted Monte Carlo error, in standard errors."""

LARGEST_R_HAT = 1.05

LEAST_AVERAGED = 40
"""Iterations before the first test of these."""

LEAST_CURVATURE = 0.05
"""Of the information in the scale of its diagonal, in any direction."""


def average(run: Run) -> None:
    """Go on by Newton steps until they are short, then average them; `run.averaged` tells how.

    Parameters
    ----------
    run : Run
        Near an optimum.
    """
    for _ in range(NEWTON_STEPS):
        if run.is_over:
            return
        transport, matrix, score = _batch(run)
        inverse = _inverse(run, matrix)
        step = -inverse @ score
        deviation = np.sqrt(np.diag(inverse))
        step *= min(1.0, LONGEST_STEP / np.max(np.abs(step), initial=1e-300))
        run.move(run.x + step, Phase.AVERAGING)
        if np.all(np.abs(step) <= NEAR * np.minimum(deviation, 1.0)):
            run.averaged = _mean_of_steps(run, transport, matrix, inverse)
            return


def _batch(run: Run) -> tuple[Transport, Vector, Vector]:
    """Draw at one point: the transport there, the information and the score."""
    run.renew(from_chains=True)
    transport = make_transport(run.problem, run.x, run.chains)
    total = np.zeros_like(run.x)
    kept = []
    for number in range(BURN_IN + BATCH):
        averages = run.walk(AVERAGING)
        run.stay(Phase.AVERAGING)
        if number < BURN_IN:
            continue
        total += np.sum(np.mean(scores(run.problem, run.x, averages, transport), axis=1), axis=0)
        kept.append(run.chains.eta)
    eta = np.concatenate(kept, axis=1)
    wanted = int(np.clip(DRAWS // run.problem.n_subjects, 4, eta.shape[1]))
    eta = eta[:, np.linspace(0, eta.shape[1] - 1, wanted).astype(int)]
    u = np.linalg.solve(transport.factor, eta.reshape(-1, eta.shape[2]).T).T.reshape(eta.shape)
    return transport, information(run.problem, run.x, u, transport), total / BATCH


def _inverse(run: Run, matrix: Vector) -> Vector:
    """Inverse of the information, positive; zero for parameters at a boundary."""
    names = run.problem.packing.names
    held = at_boundary(run.problem, run.x)
    inside = [k for k, name in enumerate(names) if name not in held]
    kept = matrix[np.ix_(inside, inside)]
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(kept)), 1e-8))
    values, vectors = np.linalg.eigh(kept * np.outer(scale, scale))
    part = (vectors / np.maximum(np.abs(values), LEAST_CURVATURE)) @ vectors.T
    out = np.zeros_like(matrix)
    out[np.ix_(inside, inside)] = part * np.outer(scale, scale)
    return out


def _mean_of_steps(run: Run, transport: Transport, matrix: Vector, inverse: Vector) -> Averaged:
    """Average the ends of the Newton steps from each iteration, and go to their mean."""
    deviation = np.sqrt(np.diag(inverse))
    inside = deviation > 0.0
    ends: list[Vector] = []
    moves = AVERAGING
    while True:
        by_subject = scores(run.problem, run.x, run.walk(moves), transport)
        steps = -np.sum(by_subject, axis=0) @ inverse
        ends.append(run.x + np.clip(steps, -LONGEST_STEP, LONGEST_STEP))
        run.move(np.mean(ends, axis=(0, 1)), Phase.AVERAGING)
        is_due = len(ends) >= LEAST_AVERAGED and len(ends) % BATCH == 0
        if not is_due and not run.is_over:
            continue
        series = np.array(ends)
        error = np.where(inside, monte_carlo_error(series, BATCH // 2), np.nan)
        r_hat = np.where(inside, split_r_hat(series), np.nan)
        is_precise = np.all(error[inside] <= PRECISION * deviation[inside])
        is_alike = np.all(r_hat[inside] <= LARGEST_R_HAT)
        is_settled = bool(is_due and is_precise and is_alike)
        if is_settled or run.is_over:
            return Averaged(error, deviation, r_hat, matrix, is_settled)
        moves = moves._replace(independent=min(2 * moves.independent, MOST_INDEPENDENT))
