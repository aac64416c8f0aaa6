"""Densities of priors about the draws from the posterior, to be drawn beside them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.bayes.family import density, middle
from pkmodel.bayes.prior_scale import on_prior_scale
from pkmodel.bayes.told_priors import BoundedPrior

Vector = NDArray[np.float64]

POINTS = 300
WIDE = 6.0
"""A prior whose middle 95 % are so many times as wide as the draws is not shown whole."""


def prior_curves(priors: Mapping[str, BoundedPrior], draws: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the density of each prior where the draws are, and where it is itself.

    Parameters
    ----------
    priors : mapping of str to BoundedPrior
    draws : DataFrame
        As `Fit.population_draws`.

    Returns
    -------
    DataFrame
        parameter, prior (in words), value, density; NaN where a prior is flat without bounds.
    """
    drawn = on_prior_scale(draws)
    parts = []
    for name, bounded in priors.items():
        at = _shown(bounded, drawn[name].to_numpy(float))
        heights = density(bounded.prior, at, *bounded.bounds)
        parts.append(
            pd.DataFrame(
                {"parameter": name, "prior": str(bounded), "value": at, "density": heights}
            )
        )
    return pd.concat(parts, ignore_index=True)


def _shown(bounded: BoundedPrior, drawn: Vector) -> Vector:
    """Choose where to draw a prior: whole, or about the draws where it is far wider."""
    low, high = float(drawn.min()), float(drawn.max())
    width = high - low
    first, last = middle(bounded.prior, 0.95, *bounded.bounds)
    is_apart = not first <= float(np.median(drawn)) <= last
    if is_apart or last - first <= WIDE * width:
        low, high = min(low, first), max(high, last)
    else:
        low, high = low - width, high + width
    if bounded.prior.family.startswith("half") or bounded.prior.family == "lognormal":
        low = max(low, 0.0)
    return np.linspace(max(low, bounded.lower), min(high, bounded.upper), POINTS)
