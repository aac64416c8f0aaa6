"""What an estimation by draws tells of its way and of its Monte Carlo error."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Phase(StrEnum):
    """Of stochastic approximation EM."""

    EXPLORATION = "exploration"
    SMOOTHING = "smoothing"
    AVERAGING = "averaging"


@dataclass(frozen=True)
class Record:
    """Packed parameters after one iteration."""

    start: int
    iteration: int
    phase: Phase
    x: Vector


@dataclass(frozen=True)
class Averaged:
    """The outcome of the averaging phase, packed.

    Attributes
    ----------
    error : array (size,)
        Monte Carlo standard error of the estimates; NaN for parameters held at a boundary, and
        where averaging was not reached.
    standard_error : array (size,)
        By `information`; 0 for parameters at a boundary, which were held.
    r_hat : array (size,)
        Of the split chains.
    information : array (size, size)
        Louis' information; half the Hessian of the objective.
    is_settled : bool
        The errors are small and the chains agree.
    """

    error: Vector
    standard_error: Vector
    r_hat: Vector
    information: Vector = field(repr=False)
    is_settled: bool


def unknown(size: int) -> Averaged:
    """Return what is known without an averaging phase."""
    nothing = np.full(size, np.nan)
    return Averaged(nothing, nothing, nothing, np.full((size, size), np.nan), False)


@dataclass(frozen=True)
class Sampling:
    """How the draws of an estimation went.

    Attributes
    ----------
    chains : int
        Of each subject.
    iterations : int
        Of the start that the estimates are from.
    acceptance : array (3,)
        Mean share of accepted proposals: independent ones, walks of all effects together, walks
        of one after the other.
    averaged : Averaged
    records : list of Record
        All iterations of all starts.
    """

    chains: int
    iterations: int
    acceptance: Vector
    averaged: Averaged
    records: list[Record] = field(repr=False)


def monte_carlo_error(series: Vector, batch: int) -> Vector:
    """Estimate the standard error of the mean of series (iterations, chains, ...) by batches.

    Examples
    --------
    >>> import numpy as np
    >>> draws = np.random.default_rng(1).normal(size=(4000, 4, 1))
    >>> bool(abs(monte_carlo_error(draws, 20)[0] * np.sqrt(16000) - 1.0) < 0.1)
    True
    """
    count = len(series) // batch
    if count * series.shape[1] < 2:
        return np.full(series.shape[2:], np.nan)
    kept = series[len(series) - count * batch :]
    means = np.mean(kept.reshape(count, batch, *series.shape[1:]), axis=1)
    flat = means.reshape(count * series.shape[1], -1)
    return np.asarray(np.std(flat, axis=0, ddof=1) / np.sqrt(len(flat)))


def mean_where_known(rows: list[Vector]) -> Vector:
    """Average rows (3,), column by column, over what is not NaN; NaN where nothing is known.

    Examples
    --------
    >>> import numpy as np
    >>> mean_where_known([np.array([0.5, np.nan, np.nan]), np.array([0.7, 0.2, np.nan])])
    array([0.6, 0.2, nan])
    """
    table = np.array(rows).reshape(-1, 3)
    is_known = np.isfinite(table)
    count = np.sum(is_known, axis=0)
    total = np.sum(np.where(is_known, table, 0.0), axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def split_r_hat(series: Vector) -> Vector:
    """Compare halves of chains: potential scale reduction of series (iterations, chains, size).

    Gelman and Rubin 1992, 10.1214/ss/1177011136.

    Examples
    --------
    >>> import numpy as np
    >>> draws = np.random.default_rng(1).normal(size=(1000, 4, 1))
    >>> float(np.round(split_r_hat(draws), 2)[0])
    1.0
    >>> float(np.round(split_r_hat(draws + np.arange(4)[:, None]), 1)[0])
    1.6
    """
    half = len(series) // 2
    if half < 2:
        return np.full(series.shape[2:], np.nan)
    halves = np.concatenate([series[:half], series[len(series) - half :]], axis=1)
    within = np.mean(np.var(halves, axis=0, ddof=1), axis=0)
    between = np.var(np.mean(halves, axis=0), axis=0, ddof=1)
    total = (half - 1.0) / half * within + between
    return np.asarray(np.sqrt(np.maximum(total, 1e-300) / np.maximum(within, 1e-300)))
