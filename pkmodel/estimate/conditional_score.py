"""The score of the marginal likelihood as a mean over draws of effects, with little noise.

By Fisher's identity it is the mean of the complete score; the mean of l_z'(a + B z) - tr B is zero
for any a and B (Stein 1972), with l half of -2 log joint density and z the whitened effects. Both
together are the complete score of effects that move with the parameters, by a + B z, and where
these follow the conditional law there is hardly any noise left (Mira, Solgi and Imparato 2013,
10.1007/s11222-012-9344-6). They are found by regression at a few points about each mode; what they
are cannot bias the score. The information is Louis' (1982, 10.1111/j.2517-6161.1982.tb01203.x):
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

POINTS = 4
"""Pairs of points for each control of the second order."""

RIDGE = 1e-9

DRAWS_PER_CONTROL = 3
"""Least draws for each control of the information."""

STEP = 1e-5
"""Of the differences of the score in the packed parameters: their error is as small as the step."""


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
    """Draw standard normal points (points, n) in opposite pairs, the same for every subject."""
    rng = np.random.default_rng(n)
    half = rng.normal(size=(POINTS * n * (n + 1) // 2, n))
    return np.concatenate([half, -half])


def make_transport(problem: Problem, x: Vector, chains: Chains) -> Transport:
    """Find the transport at `x` about the modes of the chains' proposals.

    That which leaves the complete score the least variance over the points: a regression for each
    subject.
    """
    factor = problem.packing.unpack(x).factor
    centre = np.linalg.solve(factor, chains.centre.T).T
    spread = np.linalg.solve(factor, chains.spread)
    n = len(factor)
    z = _points(n)
    u = np.ascontiguousarray(centre[:, None] + np.einsum("iab,kb->ika", spread, z))
    _, slope = problem.joint_slopes(x, u)
    is_defined = np.all(np.isfinite(slope), axis=2, keepdims=True)
    slope = np.where(is_defined, slope, 0.0)
    controls = _controls(slope[:, :, :n] @ spread, np.broadcast_to(z, u.shape))
    found = -_regress(controls, slope[:, :, n:], is_defined.astype(float))
    turn = found[:, n:].reshape(len(found), n, n, -1)
    return Transport(factor, centre, spread, found[:, :n], turn)


def _regress(controls: Vector, values: Vector, weight: Vector) -> Vector:
    """Slopes of values (subjects, points, ...) on controls, about their means.

    Controls are scaled, so that a ridge can keep a singular regression from harm.
    """
    count = np.maximum(np.sum(weight, axis=1, keepdims=True), 1.0)
    centred = weight * (controls - np.sum(weight * controls, axis=1, keepdims=True) / count)
    size = np.sqrt(np.maximum(np.sum(centred**2, axis=1, keepdims=True), 1e-300))
    scaled = centred / size
    normal = scaled.transpose(0, 2, 1) @ scaled + RIDGE * np.eye(controls.shape[2])
    return np.asarray(
        np.linalg.solve(normal, scaled.transpose(0, 2, 1) @ values) / size.transpose(0, 2, 1)
    )


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
    n, draws = u.shape[2], u.shape[1]

    def slopes(at: Vector, effects: Vector) -> tuple[Vector, Vector]:
        """Slopes in u, and the complete score of the moving effects."""
        _, slope = problem.joint_slopes(at, np.ascontiguousarray(effects))
        moved = slope[:, :, n:] + np.einsum("ika,ikap->ikp", slope[:, :, :n], velocity)
        return slope[:, :, :n], moved - trace[:, None]

    by_u, here = slopes(x, u)
    controls = _controls(by_u @ transport.spread, z)
    centred = here - np.mean(here, axis=1, keepdims=True)
    out = np.einsum("iabp,ibaq->pq", transport.turn, transport.turn)
    for p in range(x.size):
        step = np.zeros_like(x)
        step[p] = STEP
        _, ahead = slopes(x + step, u + STEP * velocity[..., p])
        variance = centred[:, :, p, None] * centred * (draws / (draws - 1.0))
        parts = (ahead - here) / STEP - variance
        out[p] += np.sum(_controlled_mean(parts, controls), axis=0)
    return np.asarray(0.5 * (out + out.T))


def _controls(by_z: Vector, z: Vector) -> Vector:
    """Return functions of draws whose mean is zero: l_z, and l_z z' - 1, for each draw."""
    products = by_z[:, :, :, None] * z[:, :, None, :] - np.eye(z.shape[2])
    return np.concatenate([by_z, products.reshape(*by_z.shape[:2], -1)], axis=2)


def _controlled_mean(values: Vector, controls: Vector) -> Vector:
    """Mean over draws, freed of what the controls explain, where there are draws enough."""
    mean = np.mean(values, axis=1)
    if values.shape[1] < DRAWS_PER_CONTROL * controls.shape[2]:
        return np.asarray(mean)
    slopes = _regress(controls, values, np.ones((*values.shape[:2], 1)))
    return np.asarray(mean - np.einsum("ic,icp->ip", np.mean(controls, axis=1), slopes))
