"""Which coordinates of the random effects a sampler walks in, and their shape at the anchor."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.anchor import Anchor
from pkmodel.kernels.hierarchy import Coordinates
from pkmodel.kernels.mode import FOUND
from pkmodel.kernels.terms import Terms
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

INFORMED = 0.5
"""An effect whose conditional variance is, on average over subjects, less than this share of its
variance is known: its data say more about it than the population does."""

CERTAIN, CLEAR = 0.3, 0.15
"""Largest deviation of the logarithm of an effect's standard deviation that counts as known, and
that leaves the posterior nearly normal: some 20 subjects or more of rich data."""


def shifts(problem: Problem, mu: Vector) -> Vector:
    """Typical parameters that the centred effects are measured from; array (subjects, effects).

    Of a subject whose covariates change in time those of its first row; effects between
    occasions are measured from zero.
    """
    first = mu[problem.start[:-1]] if problem.varies else mu
    out = np.zeros((problem.n_subjects, len(problem.effects)))
    for a, effect in enumerate(problem.effects):
        if effect.occasion == 0:
            out[:, a] = first[:, problem.structure.parameters.index(effect.parameter)]
    return out


def informed_shares(problem: Problem, anchor: Anchor) -> Vector:
    """Mean conditional variance of each effect over its variance."""
    omega = problem.packing.unpack(anchor.x).omega
    terms = anchor.evaluation.terms
    found = terms.status == FOUND
    conditional = np.einsum("iaa->ia", terms.covariance[found])
    return np.asarray(np.mean(conditional, axis=0) / np.diag(omega))


def known_effects(problem: Problem, anchor: Anchor, largest: float = CERTAIN) -> NDArray[np.bool_]:
    """Tell of which effects the data tell, and of their variance too.

    Of the others the variance is the neck of a funnel where their coordinates are centred: a walk
    would not come near to a small one.

    Parameters
    ----------
    problem : Problem
    anchor : Anchor
    largest : float
        Deviation of the logarithm of an effect's standard deviation that counts as known.
    """
    deviations = np.sqrt(np.diag(anchor.spread @ anchor.spread.T))
    deviation = dict(zip(problem.packing.names, deviations, strict=True))
    labels = [f"{'occasion' if e.occasion else 'omega'} {e.parameter}" for e in problem.effects]
    is_certain = np.array([deviation.get(label, 0.0) < largest for label in labels])
    return is_certain & (informed_shares(problem, anchor) < INFORMED)


def is_nearly_normal(problem: Problem, anchor: Anchor) -> bool:
    """Tell whether the data tell of all effects, and of their variances so much."""
    return bool(np.all(known_effects(problem, anchor, CLEAR)))


def choose_coordinates(problem: Problem, anchor: Anchor) -> Coordinates:
    """Choose centred coordinates for the known effects, and shape all at the anchor."""
    return make_coordinates(problem, anchor, known_effects(problem, anchor))


def make_coordinates(problem: Problem, anchor: Anchor, centred: NDArray[np.bool_]) -> Coordinates:
    """Shape coordinates at the anchor: modes and conditional spread, and how they follow.

    A spread follows the residual coefficients alone, and not where it is not known on both sides.
    """
    terms = anchor.evaluation.terms
    factor = problem.packing.unpack(anchor.x).factor
    everything = range(anchor.x.size)

    def place(x: Vector, terms: Terms) -> Vector:
        return _coordinates(problem, x, terms.eta, centred)

    def log_width(x: Vector, terms: Terms) -> Vector:
        return _log_widths(problem, x, terms, centred)

    exact = problem.with_method("laplace").evaluate(anchor.x, terms.eta).terms
    covariance = np.where(
        (exact.status == FOUND)[:, None, None], exact.covariance, factor @ factor.T
    )
    mixing = _mixing(factor, centred)
    spread = np.linalg.cholesky(mixing @ covariance @ mixing.T)
    n = len(centred)
    return Coordinates(
        centred=centred,
        place=np.ascontiguousarray(place(anchor.x, terms).T),
        slope=_followed(anchor, everything, place),
        growth=np.nan_to_num(_followed(anchor, everything[problem.packing.sigma_part], log_width)),
        spread=np.ascontiguousarray(spread.transpose(1, 2, 0)),
        skew=np.zeros((n, n, n, problem.n_subjects)),
    )


def _followed(
    anchor: Anchor, parts: Iterable[int], value: Callable[[Vector, Terms], Vector]
) -> Vector:
    """Slopes in some packed parameters of what modes at them give; array (n, parts, subjects)."""
    steps = anchor.step * np.eye(anchor.x.size)
    slopes = [
        (value(anchor.x + steps[k], anchor.above[k]) - value(anchor.x - steps[k], anchor.below[k]))
        / (2.0 * anchor.step)
        for k in parts
    ]
    shape = (len(slopes), *anchor.evaluation.terms.eta.shape)
    return np.ascontiguousarray(np.reshape(slopes, shape).transpose(2, 0, 1))


def _log_widths(problem: Problem, x: Vector, terms: Terms, centred: NDArray[np.bool_]) -> Vector:
    """Logarithms of the widths of coordinates about their modes, NaN where one was not found."""
    mixing = _mixing(problem.packing.unpack(x).factor, centred)
    is_found = (terms.status == FOUND)[:, None, None]
    covariance = np.where(is_found, terms.covariance, np.nan)
    return np.asarray(0.5 * np.log(np.einsum("ab,ibc,ac->ia", mixing, covariance, mixing)))


def _mixing(factor: Vector, centred: NDArray[np.bool_]) -> Vector:
    """Coordinates, but for their shifts, in terms of eta; array (n, n)."""
    return np.where(centred[:, None], np.eye(len(centred)), np.linalg.inv(factor))


def _coordinates(problem: Problem, x: Vector, eta: Vector, centred: NDArray[np.bool_]) -> Vector:
    """Coordinates at given effects."""
    values = problem.packing.unpack(x)
    u = np.linalg.solve(values.factor, eta.T).T
    mu, _ = problem.typical(values.theta)
    return np.where(centred, eta + shifts(problem, mu), u)


def effects_at(
    problem: Problem, x: Vector, coordinates: Vector, centred: NDArray[np.bool_]
) -> Vector:
    """Random effects eta at given coordinates; array (subjects, effects)."""
    values = problem.packing.unpack(x)
    shift = shifts(problem, problem.typical(values.theta)[0])
    u = np.empty_like(coordinates)
    for a, row in enumerate(values.factor):
        if centred[a]:
            u[:, a] = (coordinates[:, a] - shift[:, a] - u[:, :a] @ row[:a]) / row[a]
        else:
            u[:, a] = coordinates[:, a]
    return np.asarray(u @ values.factor.T)
