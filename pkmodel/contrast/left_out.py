"""Which subjects are not in a comparison, and why: counted and named, never silent."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NAMED = 10


def left_out(
    table: pd.DataFrame, missing: NDArray[np.bool_], why: str, metric: str
) -> tuple[str, ...]:
    """Name the subjects without a value.

    Parameters
    ----------
    table : DataFrame
        With ID.
    missing : array (n,) of bool
    why : str
    metric : str

    Returns
    -------
    tuple of str
        One warning, or none.
    """
    labels = [str(label) for label in table["ID"].to_numpy()[missing]]
    if not labels:
        return ()
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    plural = "s" if len(labels) > 1 else ""
    named = f"{', '.join(labels[:NAMED])}{more}"
    return (f"{len(labels)} subject{plural} left out of {metric}, {why}: {named}",)
