"""Exposure by group as papers print it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.exposure.metric import METRICS
from pkmodel.grouping import Groups

Vector = NDArray[np.float64]

COLUMNS = (
    "group",
    "metric",
    "kind",
    "n",
    "n_missing",
    "mean",
    "sd",
    "median",
    "min",
    "max",
    "geometric_mean",
    "geometric_cv",
    "p05",
    "p95",
)


def describe(values: Vector) -> dict[str, float | int | None]:
    """Summarise one sample of positive values; NaN are counted as missing.

    Parameters
    ----------
    values : array (n,)

    Returns
    -------
    dict
        n, n_missing, mean, sd (n - 1), median, min, max, geometric_mean, geometric_cv
        (100 sqrt(exp(s^2) - 1) with s the SD of the logarithms, percent), p05, p95 (linear
        interpolation). None where n is too small.

    Examples
    --------
    >>> row = describe(np.array([1.0, 2.0, 4.0]))
    >>> row["n"], row["median"], round(row["geometric_mean"], 3)
    (3, 2.0, 2.0)
    """
    known = values[np.isfinite(values)]
    row: dict[str, float | int | None] = dict.fromkeys(COLUMNS[3:])
    row |= {"n": int(known.size), "n_missing": int(values.size - known.size)}
    if known.size:
        logs = np.log(known)
        low, middle, high = np.quantile(known, [0.05, 0.5, 0.95])
        row |= {
            "mean": float(known.mean()),
            "median": float(middle),
            "min": float(known.min()),
            "max": float(known.max()),
            "geometric_mean": float(np.exp(logs.mean())),
            "p05": float(low),
            "p95": float(high),
        }
    if known.size > 1:
        row["sd"] = float(known.std(ddof=1))
        row["geometric_cv"] = float(100.0 * np.sqrt(np.expm1(logs.var(ddof=1))))
    return row


def group_summary(
    table: pd.DataFrame, groups: Groups, kind: str, metrics: Iterable[str] = METRICS
) -> pd.DataFrame:
    """Summarise each metric in each group.

    Parameters
    ----------
    table : DataFrame
        A row per subject, in the order of `groups.code`.
    groups : Groups
    kind : str
        How the values were found: ``"individual"`` or ``"noncompartmental"``.
    metrics : iterable of str
        Those that the table has are used.

    Returns
    -------
    DataFrame
        With `COLUMNS`; groups in order of age, a group without subjects with n = 0.
    """
    rows = [
        {"group": name, "metric": metric, "kind": kind}
        | describe(table[metric].to_numpy(dtype=float)[groups.code == k])
        for metric in metrics
        if metric in table
        for k, name in enumerate(groups.names)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
