"""Metropolis walks over the random effects of each subject, and averages along them.

Moves of three kinds, in this order: independent ones from a t distribution about the mode with
its exact curvature (Karimi, Lavielle and Moulines 2020, 10.1016/j.csda.2019.07.001), then random
walks of all effects together, then of one after the other along the axes of the same curvature.
Every proposal counts in the averages by its probability to be accepted, and where the walk stands
by the rest (Frenkel 2004, 10.1073/pnas.0407950101), which averages over the acceptance.

Random numbers are functions of seed, subject, chain, iteration and move, and of nothing else.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.events import Steps
from pkmodel.kernels.joint import joint_slopes
from pkmodel.kernels.likelihood import Individual, Population, Rows
from pkmodel.kernels.philox import normals, philox, uniform
from pkmodel.kernels.predict import predict_range
from pkmodel.kernels.small_matrix import apply, forward
from pkmodel.kernels.subject import Psi, Work, make_work
from pkmodel.kernels.types import Vector

INDEPENDENT, TOGETHER, SINGLE = 0, 1, 2
DEGREES_OF_FREEDOM = 6.0
"""Of the t distribution: even, so that its chi-square is a product of uniform numbers."""


class Proposal(NamedTuple):
    """Where a subject's moves come from.

    Attributes
    ----------
    centre : array (subjects, n)
        In u, with the effects eta = L u.
    spread : array (subjects, n, n)
        Lower triangle whose product with its transpose is the covariance of u.
    scale : array (subjects, 1 + n)
        Of the steps of the random walks: of all effects together, then of each axis.
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    scale: NDArray[np.float64]


class Source(NamedTuple):
    """Where random numbers come from: two words, one for each subject, and the iteration."""

    key: NDArray[np.uint64]
    subject: NDArray[np.uint64]
    iteration: int


class Moves(NamedTuple):
    """How many moves of each kind an iteration takes; `single` counts rounds over the axes."""

    independent: int
    together: int
    single: int


class Averages(NamedTuple):
    """Averages over the moves of one iteration, of each subject and chain.

    Attributes
    ----------
    u : array (subjects, chains, n)
    square : array (subjects, chains, n, n)
        Of u u'.
    by_direction : array (subjects, chains, m)
        Slope of the rows' half of -2 log likelihood in each direction, the effects first.
    by_factor : array (subjects, chains, n, n)
        Of the slope in the effects times u'.
    by_sigma : array (subjects, chains, 3)
    accepted : array (subjects, chains, 2 + n)
        Sums over the moves of the probability of acceptance: of independent moves, of walks
        together, of each axis.
    """

    u: NDArray[np.float64]
    square: NDArray[np.float64]
    by_direction: NDArray[np.float64]
    by_factor: NDArray[np.float64]
    by_sigma: NDArray[np.float64]
    accepted: NDArray[np.float64]


class Point(NamedTuple):
    """Effects, and the slopes of the rows there."""

    u: NDArray[np.float64]
    by_direction: NDArray[np.float64]
    by_sigma: NDArray[np.float64]


@kernel
def _log_t(u: Vector, centre: Vector, spread: Vector, n: int, z: Vector) -> float:
    """Log density of the independent proposal, without its constant."""
    for a in range(n):
        z[a] = u[a] - centre[a]
    forward(spread, n, z, z)
    total = 0.0
    for a in range(n):
        total += z[a] * z[a]
    return -0.5 * (DEGREES_OF_FREEDOM + n) * math.log1p(total / DEGREES_OF_FREEDOM)


@kernel
def _add(weight: float, point: Point, averages: Averages, i: int, chain: int) -> None:
    """Let a point count in the averages."""
    u, by_direction, by_sigma = point
    n, m = u.size, by_direction.size
    first, square = averages.u[i, chain], averages.square[i, chain]
    directions, factor = averages.by_direction[i, chain], averages.by_factor[i, chain]
    sigma = averages.by_sigma[i, chain]
    for a in range(n):
        first[a] += weight * u[a]
        for b in range(n):
            square[a, b] += weight * u[a] * u[b]
            factor[a, b] += weight * by_direction[a] * u[b]
    for z in range(m):
        directions[z] += weight * by_direction[z]
    for k in range(3):
        sigma[k] += weight * by_sigma[k]


@kernel
def _propose(
    kind: int,
    axis: int,
    chi2: float,
    proposal: Proposal,
    i: int,
    here: Point,
    xi: Vector,
    u: Vector,
) -> None:
    """Write the proposal of a move, given standard normal numbers."""
    centre, spread, scale = proposal.centre[i], proposal.spread[i], proposal.scale[i]
    n = u.size
    if kind == SINGLE:
        for a in range(n):
            u[a] = here.u[a] + scale[1 + axis] * xi[0] * spread[a, axis]
        return
    apply(spread, n, xi, u)
    if kind == INDEPENDENT:
        size = np.sqrt(DEGREES_OF_FREEDOM / chi2)
        for a in range(n):
            u[a] = centre[a] + size * u[a]
    else:
        for a in range(n):
            u[a] = here.u[a] + scale[0] * u[a]


@kernel
def _walk_chain(
    individual: Individual,
    proposal: Proposal,
    source: Source,
    moves: Moves,
    chain: int,
    here: Point,
    there: Point,
    xi: Vector,
    eta: Vector,
    work: Work,
    averages: Averages,
) -> None:
    """Take the moves of one chain from `here`, which is overwritten by where it ends."""
    i, n = individual.number, individual.psi.effects
    centre, spread = proposal.centre[i], proposal.spread[i]
    accepted = averages.accepted[i, chain]
    value = joint_slopes(individual, here.u, eta, work, here.by_direction, here.by_sigma)
    total = moves.independent + moves.together + n * moves.single
    iteration, number = np.uint64(source.iteration), np.uint64(chain)
    name = source.subject[i]
    weight = 1.0 / total
    block = 0
    for move in range(total):
        kind, axis = INDEPENDENT, 0
        if move >= moves.independent + moves.together:
            kind = SINGLE
            axis = (move - moves.independent - moves.together) % n
        elif move >= moves.independent:
            kind = TOGETHER
        words = philox(source.key, np.uint64(block), iteration, number, name)
        chi2 = -2.0 * np.log(uniform(words[1]) * uniform(words[2]) * uniform(words[3]))
        block = normals(source.key, block + 1, iteration, number, name, xi)
        _propose(kind, axis, chi2, proposal, i, here, xi, there.u)
        other = joint_slopes(individual, there.u, eta, work, there.by_direction, there.by_sigma)
        log_ratio = value - other
        if kind == INDEPENDENT:
            log_ratio += _log_t(here.u, centre, spread, n, xi)
            log_ratio -= _log_t(there.u, centre, spread, n, xi)
        probability = 0.0
        if np.isfinite(other):
            probability = np.exp(min(log_ratio, 0.0)) if np.isfinite(value) else 1.0
            _add(weight * probability, there, averages, i, chain)
        if np.isfinite(value):
            _add(weight * (1.0 - probability), here, averages, i, chain)
        accepted[kind + axis] += probability
        if uniform(words[0]) < probability:
            value = other
            for a in range(n):
                here.u[a] = there.u[a]
            for z in range(here.by_direction.size):
                here.by_direction[z] = there.by_direction[z]
            for k in range(3):
                here.by_sigma[k] = there.by_sigma[k]


@allocating_kernel
def _walk(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    proposal: Proposal,
    source: Source,
    moves: Moves,
    low: int,
    high: int,
    u: Vector,
    averages: Averages,
) -> None:
    n, m = psi.effects, psi.direction.shape[2]
    work = make_work(steps, psi, low, high)
    there = Point(np.zeros(n), np.zeros(m), np.zeros(3))
    by_direction, by_sigma = np.zeros(m), np.zeros(3)
    xi, eta, nothing = np.zeros(n), np.zeros(n), np.zeros(0)
    for i in range(low, high):
        individual = Individual(predict, steps, psi, rows, population, nothing, i)
        for chain in range(u.shape[1]):
            here = Point(u[i, chain], by_direction, by_sigma)
            _walk_chain(
                individual, proposal, source, moves, chain, here, there, xi, eta, work, averages
            )


def walk(
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    proposal: Proposal,
    source: Source,
    moves: Moves,
    low: int,
    high: int,
    u: Vector,
    averages: Averages,
) -> None:
    """Walk with the chains of the subjects low ... high - 1 for one iteration.

    Parameters
    ----------
    u : array (subjects, chains, n)
        Where the chains stand; overwritten by where they end.
    averages : Averages
        Zeros; written.
    """
    address = predict_range.address
    _walk(
        address,
        steps,
        psi,
        rows,
        population,
        proposal,
        source,
        moves,
        low,
        high,
        u,
        averages,
    )
