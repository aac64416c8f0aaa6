"""Chains of random effects: where they stand, where their proposals come from, how they go on.

Everything is kept in eta and carried along when the typical parameters move, so that each
subject's own parameters stay where they are: those are the missing data of SAEM.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.kernels.metropolis import Averages, Moves, Proposal, Source
from pkmodel.kernels.mode import FOUND
from pkmodel.problem import LOOSE, Evaluation, Problem

Vector = NDArray[np.float64]

CURVATURE = "laplace"
"""The likelihood whose modes and exact curvatures the proposals have."""

TARGET_TOGETHER, TARGET_SINGLE = 0.3, 0.4
"""Wanted acceptance of random walks (Roberts, Gelman and Gilks 1997, 10.1214/aoap/1034625254)."""

OPTIMAL_STEP = 2.4
"""Their step for a normal law, over the root of the number of effects that move."""


@dataclass(frozen=True)
class Chains:
    """Chains of every subject.

    Attributes
    ----------
    eta : array (subjects, chains, effects)
        Where they stand.
    centre : array (subjects, effects)
        The modes about which proposals are made.
    spread : array (subjects, effects, effects)
        Lower triangle whose product with its transpose is the effects' covariance about them.
    scale : array (subjects, 1 + effects)
        Of the random walks.
    at : array (size,)
        Packed parameters of these modes.
    laplace : Evaluation
        Of the likelihood that has these modes, there.
    key : array (2,)
        Words of the seed and the start.
    subject : array (subjects,)
        One word for each, by its ID.
    iteration : int
    """

    eta: Vector
    centre: Vector
    spread: Vector
    scale: Vector
    at: Vector
    laplace: Evaluation
    key: NDArray[np.uint64]
    subject: NDArray[np.uint64]
    iteration: int


def subject_words(problem: Problem) -> NDArray[np.uint64]:
    """Return a word for each subject that its ID alone decides."""
    digests = (hashlib.blake2b(str(v).encode(), digest_size=8) for v in problem.dataset.ids)
    return np.array([int.from_bytes(d.digest(), "little") for d in digests], dtype=np.uint64)


def start_chains(problem: Problem, x: Vector, count: int, start: int) -> Chains | None:
    """Put chains at the modes; None where the likelihood is not defined.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
    count : int
        Chains of each subject.
    start : int
        Number of the start, for its own random numbers.
    """
    found = problem.with_method(CURVATURE).evaluate(x, tolerance=LOOSE)
    if not np.isfinite(found.objective):
        return None
    subjects, n = found.terms.eta.shape
    scale = np.full((subjects, 1 + n), OPTIMAL_STEP)
    scale[:, 0] /= np.sqrt(n)
    centre, spread = _proposals(problem, x, found)
    return Chains(
        eta=np.repeat(centre[:, None], count, axis=1),
        centre=centre,
        spread=spread,
        scale=scale,
        at=x,
        laplace=found,
        key=np.array([problem.options.seed, start], dtype=np.uint64),
        subject=subject_words(problem),
        iteration=0,
    )


def renew(problem: Problem, x: Vector, chains: Chains, near: Vector) -> Chains:
    """Search the modes at `x` anew for the proposals, from effects (subjects, effects)."""
    found = problem.with_method(CURVATURE).evaluate(x, near, tolerance=LOOSE)
    centre, spread = _proposals(problem, x, found)
    return replace(chains, centre=centre, spread=spread, at=x, laplace=found)


def _proposals(problem: Problem, x: Vector, found: Evaluation) -> tuple[Vector, Vector]:
    """Modes and spreads; where there is no mode, the spread of the population."""
    terms = found.terms
    factor = problem.packing.unpack(x).factor
    whiten = np.linalg.inv(factor)
    whitened = whiten @ terms.covariance @ whiten.T
    is_known = (terms.status == FOUND) & np.all(np.isfinite(whitened), axis=(1, 2))
    whitened[~is_known] = np.eye(len(factor))
    spread = factor @ np.linalg.cholesky(0.5 * (whitened + whitened.transpose(0, 2, 1)))
    return np.where(np.isfinite(terms.eta), terms.eta, 0.0), spread


def advance(
    problem: Problem, x: Vector, chains: Chains, moves: Moves, rate: float
) -> tuple[Chains, Averages]:
    """Let all chains walk for one iteration at `x`.

    Parameters
    ----------
    moves : Moves
    rate : float
        By how much the scales of the random walks follow what was accepted.
    """
    lower = problem.packing.unpack(x).factor
    whiten = np.linalg.inv(lower)
    proposal = Proposal(
        np.ascontiguousarray(chains.centre @ whiten.T),
        np.ascontiguousarray(whiten @ chains.spread),
        chains.scale,
    )
    source = Source(chains.key, chains.subject, chains.iteration)
    u, averages = problem.walk(
        x, np.ascontiguousarray(chains.eta @ whiten.T), proposal, source, moves
    )
    scale = chains.scale
    if rate > 0.0:
        n = lower.shape[0]
        counts = np.array([moves.together, *[moves.single] * n])
        share = np.mean(averages.accepted[:, :, 1:], axis=1) / np.maximum(counts, 1)
        target = np.array([TARGET_TOGETHER, *[TARGET_SINGLE] * n])
        scale = np.where(counts > 0, scale * np.exp(rate * (share - target)), scale)
    moved = replace(chains, eta=u @ lower.T, scale=scale, iteration=chains.iteration + 1)
    return moved, averages


def acceptance(averages: Averages, moves: Moves) -> Vector:
    """Mean acceptance of independent moves, of walks together and of single ones; NaN if none."""
    found = np.mean(averages.accepted, axis=(0, 1))
    sums = np.array([found[0], found[1], np.mean(found[2:])])
    return np.where(np.array(moves) > 0, sums / np.maximum(moves, 1), np.nan)


def shifted(chains: Chains, shift: Vector) -> Chains:
    """Shift the effects of each subject, and their modes, by an array (subjects, effects)."""
    return replace(chains, eta=chains.eta + shift[:, None], centre=chains.centre + shift)


def mean_typical(problem: Problem, x: Vector) -> Vector:
    """Typical parameters of each subject, transformed; the mean over rows where they change."""
    mu, _ = problem.typical(problem.packing.unpack(x).theta)
    return problem.mean_by_subject(mu) if problem.varies else mu


def carriers(problem: Problem) -> Vector:
    """Tell which effects shift with each structural parameter: an array (parameters, effects).

    The effect between subjects; those of all occasions where a parameter has no other.
    """
    names = problem.structure.parameters
    between = {e.parameter for e in problem.effects if e.occasion == 0}
    out = np.zeros((len(names), len(problem.effects)))
    for k, effect in enumerate(problem.effects):
        if effect.occasion == 0 or effect.parameter not in between:
            out[names.index(effect.parameter), k] = 1.0
    return out
