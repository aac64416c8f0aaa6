"""Draws of the parameters on the scales, and by the names, that their priors have."""

from __future__ import annotations

import numpy as np
import pandas as pd

DEVIATIONS = {"omega": "sd of omega", "occasion": "sd of occasion"}
"""Priors of effects are of their standard deviations, draws of their variances."""


def on_prior_scale(draws: pd.DataFrame) -> pd.DataFrame:
    """Take the parameters that priors are of from draws, a column each.

    Parameters
    ----------
    draws : DataFrame
        As `Fit.population_draws`; columns that no prior is of are left out, covariances too.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> on_prior_scale(pd.DataFrame({"chain": [1], "omega CL": [0.25], "sigma additive": [0.2]}))
       sd of omega CL  sigma additive
    0             0.5             0.2
    """
    out = {}
    for label in draws:
        kind, _, name = str(label).partition(" ")
        if kind in DEVIATIONS and "," not in name:
            out[f"{DEVIATIONS[kind]} {name}"] = np.sqrt(draws[label])
        elif kind in ("theta", "sigma"):
            out[str(label)] = draws[label]
    return pd.DataFrame(out)
