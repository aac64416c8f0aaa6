"""Draws of the population parameters from the asymptotic normal law of their estimator.

The law stands on the packed scale, where the estimates were searched and their covariance formed,
so that every draw is a valid set of parameters. It is no posterior: there is no prior.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.covariance import Covariance
from pkmodel.problem import Problem

Vector = NDArray[np.float64]


def held_parameters(problem: Problem, covariance: Covariance | None) -> tuple[str, ...]:
    """Name the free parameters without a variance: all, where there is no covariance."""
    names = problem.packing.names
    if covariance is None:
        return names
    known = np.isfinite(np.diag(covariance.packed))
    return tuple(name for name, is_known in zip(names, known, strict=True) if not is_known)


def population_draws(
    x: Vector, covariance: Covariance, count: int, rng: np.random.Generator
) -> Vector:
    """Draw packed population parameters.

    Parameters
    ----------
    x : array (size,)
        The estimates, packed.
    covariance : Covariance
    count : int
    rng : numpy Generator

    Returns
    -------
    array (count, size)
        Parameters without a variance stay at their estimates.
    """
    known = np.flatnonzero(np.isfinite(np.diag(covariance.packed)))
    values, vectors = np.linalg.eigh(covariance.packed[np.ix_(known, known)])
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    out = np.tile(x, (count, 1))
    out[:, known] += rng.normal(size=(count, known.size)) @ root.T
    return out
