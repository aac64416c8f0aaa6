"""The score of the marginal likelihood as a mean over draws of effects, with little noise.

By Fisher's identity it is the mean of the complete score; the mean of l_z'(a + B z) - tr B is zero
for any a and B (Stein 1972), with l half of -2 log joint density and z the whitened effects. Both
together are the complete score of effects that move with the parameters, by a + B z, and where
these follow the conditional law there is hardly any noise left (Mira, Solgi and Imparato 2013,
10.1007/s11222-012-9344-6). They are found from the slopes at a few points about each mode; what
they are cannot bias the score. The information is Louis' (1982, 10.1111/j.2517-6161.1982.tb01203.x):
the mean of the complete information less the variance of the complete score, for the same moving
effects, of which the second is what little is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.chains import Chains
from pkmodel.kernels.metropolis import Averages
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

REACH = 1.5
"""Distance of the points from the mode, in standard deviations."""

STEP = 1e-3
"""Of the central differences of the score in the packed parameters."""


@dataclass(frozen=True)
class Transport:
    """How the effects of each subject move with the packed parameters.

    Attributes
    ----------
    factor : array (effects, effects)
        L, Omega = L L'.
    centre : array (subjects, effects)
        In u, with eta = L u.
    spread : array (subjects, effects, effects)
        u = centre + spread z.
    shift : array (subjects, effects, size)
        a: how z moves.
    turn : array (subjects, effects, effects, size)
        B: how it moves with z itself.
    """

    factor: Vector
    centre: Vector
    spread: Vector
    shift: Vector
    turn: Vector


def _points(n: int) -> Vector:
    """Centre, both sides of each axis, and both ends of the diagonals: an array (points, n)."""
    axes = np.eye(n)
    diagonals = [axes[a] + axes[b] for a in range(n) for b in range(a)]
    sides = np.array([*axes, *diagonals])
    return REACH * np.concatenate([np.zeros((1, n)), sides, -sides])


def _fit_surface(points: Vector, values: Vector) -> tuple[Vector, Vector]:
    """Fit linear and quadratic terms, b'z + z'Qz / 2, to values (subjects, points, ...)."""
    n = points.shape[1]
    rows, columns = np.tril_indices(n)
    products = points[:, rows] * points[:, columns] * np.where(rows == columns, 0.5, 1.0)
    design = np.column_stack([np.ones(len(points)), points, products])
    found = np.einsum("kp,ipq->ikq", np.linalg.pinv(design), values)
    quadratic = np.empty((len(values), n, n, values.shape[2]))
    quadratic[:, rows, columns] = found[:, 1 + n :]
    quadratic[:, columns, rows] = found[:, 1 + n :]
    return found[:, 1 : 1 + n], quadratic


def make_transport(problem: Problem, x: Vector, chains: Chains) -> Transport:
    """Find the transport at `x` about the modes of the chains' proposals."""
    factor = problem.packing.unpack(x).factor
    centre = np.linalg.solve(factor, chains.centre.T).T
    spread = np.linalg.solve(factor, chains.spread)
    n = len(factor)
    points = _points(n)
    u = np.ascontiguousarray(centre[:, None] + np.einsum("iab,pb->ipa", spread, points))
    _, slope = problem.joint_slopes(x, u)
    slope[:, :, :n] = slope[:, :, :n] @ spread
    linear, quadratic = _fit_surface(points, slope)
    shift = -linear[:, :, n:]
    turn = -0.5 * (quadratic[..., n:] + np.einsum("iabc,icp->iabp", quadratic[..., :n], shift))
    known = np.all(np.isfinite(shift), axis=(1, 2)) & np.all(np.isfinite(turn), axis=(1, 2, 3))
    shift[~known] = 0.0
    turn[~known] = 0.0
    return Transport(factor, centre, spread, shift, turn)


def scores(problem: Problem, x: Vector, averages: Averages, transport: Transport) -> Vector:
    """Score of each subject and chain, of half of -2 log likelihood.

    Returns
    -------
    array (subjects, chains, size)
    """
    n = len(transport.factor)
    factor = problem.packing.unpack(x).factor
    by_u = averages.by_direction[:, :, :n] @ factor + averages.u
    product = np.einsum("ba,ikbc->ikac", factor, averages.by_factor) + averages.square
    product -= np.einsum("ika,ic->ikac", by_u, transport.centre)
    by_z = np.einsum("iba,ikb->ika", transport.spread, by_u)
    inverse = np.linalg.inv(transport.spread)
    whitened = np.einsum("iba,ikbc,idc->ikad", transport.spread, product, inverse)
    score = problem.packed_slopes(x, averages)
    score += np.einsum("ika,iap->ikp", by_z, transport.shift)
    score += np.einsum("ikab,iabp->ikp", whitened, transport.turn)
    score -= np.einsum("iaap->ip", transport.turn)[:, None]
    return score


def information(problem: Problem, x: Vector, u: Vector, transport: Transport) -> Vector:
    """Observed information by Louis' formula, at draws of the effects.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Where the transport was made.
    u : array (subjects, draws, effects)
        At least two draws of each subject.
    transport : Transport

    Returns
    -------
    array (size, size)
        Half of the Hessian of the objective, as far as the draws tell.
    """
    z = np.einsum("iab,ikb->ika", np.linalg.inv(transport.spread), u - transport.centre[:, None])
    velocity = transport.shift[:, None] + np.einsum("iabp,ikb->ikap", transport.turn, z)
    velocity = np.einsum("iab,ikbp->ikap", transport.spread, velocity)
    trace = np.einsum("iaap->ip", transport.turn)

    def score(at: Vector, effects: Vector) -> Vector:
        n = effects.shape[2]
        _, slope = problem.joint_slopes(at, np.ascontiguousarray(effects))
        moved = slope[:, :, n:] + np.einsum("ika,ikap->ikp", slope[:, :, :n], velocity)
        return np.asarray(moved - trace[:, None])

    draws = u.shape[1]
    here = score(x, u)
    centred = here - np.mean(here, axis=1, keepdims=True)
    out = np.einsum("iabp,ibaq->pq", transport.turn, transport.turn)
    out -= np.einsum("ikp,ikq->pq", centred, centred) / (draws - 1.0)
    for p in range(x.size):
        step = np.zeros_like(x)
        step[p] = STEP
        ahead = score(x + step, u + STEP * velocity[..., p])
        behind = score(x - step, u - STEP * velocity[..., p])
        out[p] += np.sum(ahead - behind, axis=(0, 1)) / (2.0 * STEP * draws)
    return 0.5 * (out + out.T)
