"""Draws of the population parameters as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def draws_table(natural: NDArray[np.float64], names: Sequence[str]) -> pd.DataFrame:
    """Tabulate draws, a row each.

    Parameters
    ----------
    natural : array (chains, draws, parameters)
        On the parameters' own scale.
    names : sequence of str

    Returns
    -------
    DataFrame
        chain and draw, counted from 1, and a column for each parameter.

    Examples
    --------
    >>> draws_table(np.array([[[1.0], [2.0]]]), ["theta cl"]).to_numpy().tolist()
    [[1.0, 1.0, 1.0], [1.0, 2.0, 2.0]]
    """
    chains, draws, size = natural.shape
    place = {
        "chain": np.repeat(np.arange(1, chains + 1), draws),
        "draw": np.tile(np.arange(1, draws + 1), chains),
    }
    values = natural.reshape(-1, size)
    return pd.DataFrame(place).join(pd.DataFrame(values, columns=list(names)))
