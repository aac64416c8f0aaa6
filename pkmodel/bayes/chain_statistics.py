"""R-hat, effective sizes and Pareto-smoothed weights, as ArviZ computes them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Vector = NDArray[np.float64]

TAILS = (0.05, 0.95)
"""Quantiles of the tails (Vehtari et al. 2021, 10.1214/20-BA1221); ArviZ's where its
``stats.ci_prob`` is 0.95, else it takes others."""

ENOUGH = 400
"""Of so many draws on an effective number at its cap is believed: fewer are too few to tell it."""

FEWEST = 25
"""Weights to whose tail a Pareto law can be fitted."""


@cache
def _arviz() -> Any:
    """Load ArviZ's functions of arrays when they are first needed, for they load slowly."""
    return import_module("arviz_stats.base").array_stats


def r_hat(drawn: Vector) -> float:
    """Rank-normalised, folded split R-hat of draws (chains, draws)."""
    return float(_arviz().rhat(drawn))


def bulk_size(drawn: Vector) -> float:
    """Effective draws (chains, draws) of the bulk; NaN where draws are too few to tell."""
    return _told(drawn, _arviz().ess(drawn, method="bulk"))


def tail_size(drawn: Vector) -> float:
    """Effective draws (chains, draws) of the quantiles `TAILS`, the fewer of the two.

    NaN where draws are too few to tell.
    """
    return _told(drawn, _arviz().ess(drawn, method="tail", prob=TAILS))


def _told(drawn: Vector, size: float) -> float:
    """Return an effective size unless it is the cap of the estimator and draws are few.

    No estimate is above n log10(n) of the n draws in the halves of all chains; of few draws that
    look independent by chance it is nothing else.
    """
    chains, draws = drawn.shape
    n = 2 * chains * (draws // 2)
    is_capped = n > 0 and size >= (1.0 - 1e-9) * n * np.log10(n)
    return float("nan") if is_capped and n < ENOUGH else float(size)


def mean_size(drawn: Vector) -> float:
    """Effective draws (chains, draws) of the mean."""
    return float(_arviz().ess(drawn, method="mean"))


def smooth(log_weights: Vector) -> tuple[Vector, float]:
    """Pareto-smooth weights; return them normalised, and the shape of their tail.

    The shape is NaN, and nothing is smoothed, where the weights are too few to have a tail. ArviZ
    takes log likelihoods, of which log weights are the negative.
    """
    log_ratios = log_weights.ravel() - np.max(log_weights)
    smoothed, pareto_k = log_ratios, float("nan")
    if log_ratios.size >= FEWEST:
        smoothed, pareto_k = _arviz().psislw(-log_ratios)
    weights = np.exp(smoothed - logsumexp(smoothed))
    return np.asarray(weights.reshape(log_weights.shape)), float(pareto_k)
