"""Densities of priors about the draws from the posterior, to be drawn beside them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.bayes.prior_scale import on_prior_scale
from pkmodel.bayes.told_priors import MarginalPrior

Vector = NDArray[np.float64]

POINTS = 300
WIDE = 6.0
"""A prior whose middle 95 % are so many times as wide as the draws is not shown whole."""


def prior_curves(priors: Mapping[str, MarginalPrior], draws: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the density of each prior where the draws are, and where it is itself.

    Parameters
    ----------
    priors : mapping of str to MarginalPrior
    draws : DataFrame
        As `Fit.population_draws`.

    Returns
    -------
    DataFrame
        parameter, prior (in words), value, density; NaN where a prior is flat without bounds.
    """
    drawn = on_prior_scale(draws)
    parts = []
    for name, prior in priors.items():
        at = _shown(prior, drawn[name].to_numpy(float))
        told = {"parameter": name, "prior": str(prior), "value": at, "density": prior.density(at)}
        parts.append(pd.DataFrame(told))
    return pd.concat(parts, ignore_index=True)


def _shown(prior: MarginalPrior, drawn: Vector) -> Vector:
    """Choose where to draw a prior: whole, or about the draws where it is far wider."""
    low, high = float(drawn.min()), float(drawn.max())
    width = high - low
    first, last = prior.middle(0.95)
    is_apart = not first <= float(np.median(drawn)) <= last
    if is_apart or last - first <= WIDE * width:
        low, high = min(low, first), max(high, last)
    else:
        low, high = low - width, high + width
    lowest, highest = prior.support
    return np.linspace(max(low, lowest), min(high, highest), POINTS)
