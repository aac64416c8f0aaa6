"""Draws of the parameters on the scales, and by the names, that their priors have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

DEVIATIONS = {"omega": "sd of omega", "occasion": "sd of occasion"}
"""Priors of effects are of their standard deviations, draws of their variances."""


def correlation_name(covariance: str) -> str:
    """Name the correlation of a covariance, as its prior is named.

    Examples
    --------
    >>> correlation_name("omega CL,V")
    'correlation of omega CL,V'
    """
    return f"correlation of {covariance}"


def on_prior_scale(draws: pd.DataFrame) -> pd.DataFrame:
    """Take the parameters that priors are of from draws, a column each.

    Parameters
    ----------
    draws : DataFrame
        As `Fit.population_draws`; columns that no prior is of are left out.

    Returns
    -------
    DataFrame
        Standard deviations and correlations instead of variances and covariances.

    Examples
    --------
    >>> on_prior_scale(pd.DataFrame({"chain": [1], "omega CL": [0.25], "sigma additive": [0.2]}))
       sd of omega CL  sigma additive
    0             0.5             0.2
    """
    out: dict[str, pd.Series[Any]] = {}
    for label in draws:
        kind, _, name = str(label).partition(" ")
        ends = [f"{kind} {end}" for end in name.split(",")]
        if kind in DEVIATIONS and len(ends) == 2 and set(ends) <= set(draws):
            spread = np.sqrt(draws[ends[0]] * draws[ends[1]])
            out[correlation_name(str(label))] = draws[label] / spread
        elif kind in DEVIATIONS and len(ends) == 1:
            out[f"{DEVIATIONS[kind]} {name}"] = np.sqrt(draws[label])
        elif kind in ("theta", "sigma"):
            out[str(label)] = draws[label]
    return pd.DataFrame(out)
