"""Whether ranks are uniform: chi-square, and the largest deviation of their distribution function.

The second is that of Säilynoja, Bürkner and Vehtari 2022, 10.1007/s11222-022-10090-6: at each of
many points the count of ranks below is binomial; the smallest of the two-sided probabilities over
the points has a law of its own under uniform ranks, which is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import binom, chi2

BINS = 20
POINTS = 100
SIMULATIONS = 20_000


@dataclass(frozen=True)
class Uniformity:
    """P values of the two tests."""

    chi_square: float
    distribution: float


def assess(ranks: np.ndarray, n_ranks: int) -> Uniformity:
    """Test ranks 0 ... `n_ranks` - 1 for being uniform; BINS and POINTS divide `n_ranks`."""
    counts = np.bincount(ranks * BINS // n_ranks, minlength=BINS)
    wanted = ranks.size / BINS
    statistic = float(np.sum((counts - wanted) ** 2) / wanted)
    observed = smallest_probability(below(ranks[None], n_ranks), ranks.size)[0]
    null = null_probabilities(ranks.size)
    return Uniformity(
        chi_square=float(chi2.sf(statistic, BINS - 1)),
        distribution=float((1 + np.sum(null <= observed * (1.0 + 1e-9))) / (1 + null.size)),
    )


def points() -> np.ndarray:
    """Where the distribution function is compared."""
    return np.arange(1, POINTS) / POINTS


def below(ranks: np.ndarray, n_ranks: int) -> np.ndarray:
    """Count the ranks below each point; an array (sets, ranks) gives (sets, points)."""
    place = ranks * POINTS // n_ranks
    counts = np.apply_along_axis(np.bincount, 1, place, minlength=POINTS)
    return np.cumsum(counts, axis=1)[:, :-1]


def smallest_probability(counts: np.ndarray, size: int) -> np.ndarray:
    """Smallest two-sided binomial probability over the points, of each set of counts."""
    lower, upper = _tails(size)
    at = np.arange(POINTS - 1)
    return np.min(2.0 * np.minimum(lower[at, counts], upper[at, counts]), axis=1)


@cache
def _tails(size: int) -> tuple[np.ndarray, np.ndarray]:
    """P(count <= c) and P(count >= c) at each point, for every c."""
    every = np.arange(size + 1)
    z = points()[:, None]
    return binom.cdf(every, size, z), binom.sf(every - 1, size, z)


@cache
def null_probabilities(size: int) -> np.ndarray:
    """Simulate the smallest probability of `size` uniform ranks."""
    rng = np.random.default_rng(1)
    ranks = rng.integers(0, POINTS, (SIMULATIONS, size))
    return smallest_probability(below(ranks, POINTS), size)


def envelope(size: int, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Shares of ranks below each point that uniform ranks keep to throughout, at this level."""
    pointwise = float(np.quantile(null_probabilities(size), 1.0 - level))
    z = points()
    low = binom.ppf(0.5 * pointwise, size, z)
    high = binom.isf(0.5 * pointwise, size, z)
    return low / size, high / size
