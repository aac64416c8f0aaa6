"""Ratios between groups of the values of single subjects: from the model, or without one.

Estimates of single subjects by a model are shrunk towards the typical value that all groups share,
and their ratio towards 1 with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.contrast.comparison import Comparison
from pkmodel.contrast.left_out import NAMED, left_out
from pkmodel.contrast.question import adjustment_of
from pkmodel.contrast.ratio import log_moments
from pkmodel.contrast.record import Contrast
from pkmodel.contrast.share import share_in_band
from pkmodel.contrast.welch import welch_contrast, with_holm
from pkmodel.errors import DataError
from pkmodel.exposure.metric import METRICS

MOST_SHRINKAGE = 0.25
"""Shrinkage above which the ratio of individual estimates proves nothing.

Savic and Karlsson 2009, 10.1208/s12248-009-9133-0, put the limit at 20 to 30 percent.
"""

SOME_SHRINKAGE = 0.10
"""Shrinkage from which it is said how far the ratio is drawn towards 1."""


def individual_contrasts(
    table: pd.DataFrame,
    comparison: Comparison,
    shrinkage: Mapping[str, float],
    metrics: Iterable[str] = METRICS,
    *,
    doubt: str = "",
) -> list[Contrast]:
    """Compare the model's estimates of single subjects.

    Parameters
    ----------
    table : DataFrame
        Model-based exposure, a row per subject in the order of `comparison.code`: ID and metrics,
        NaN where no mode was found.
    comparison : Comparison
    shrinkage : mapping of str to float
        From `group_shrinkage`: of each parameter's effect between subjects, a fraction; a parameter
        without an effect is not in it.
    metrics : iterable of str
        Those that the table has are compared.
    doubt : str
        Why the estimates are not to be used; then no ratio is known, and each row says why.

    Returns
    -------
    list of Contrast
        Of kind ``"individual"``.

    Raises
    ------
    DataError
        A value is not above 0.
    """
    rows = [
        row.with_warning(*shrinkage_warnings(metric, shrinkage))
        for metric in metrics
        if metric in table
        for row in _compared(table, comparison, metric, "individual", "no mode found or no value")
    ]
    return [row.withheld(doubt) for row in rows] if doubt else rows


def noncompartmental_contrasts(
    table: pd.DataFrame, comparison: Comparison, metrics: Iterable[str] = METRICS
) -> list[Contrast]:
    """Compare the values of single subjects that no model made.

    Parameters
    ----------
    table : DataFrame
        A row per subject in the order of `comparison.code`: ID and metrics, NaN where unknown.
    comparison : Comparison
    metrics : iterable of str
        Those that the table has are compared.

    Returns
    -------
    list of Contrast
        Of kind ``"noncompartmental"``.

    Raises
    ------
    DataError
        A value is not above 0.
    """
    return [
        row
        for metric in metrics
        if metric in table
        for row in _compared(table, comparison, metric, "noncompartmental", "no value")
    ]


def _compared(
    table: pd.DataFrame, comparison: Comparison, metric: str, kind: str, why: str
) -> list[Contrast]:
    """Compare the values of one metric; `why` says what a missing one means."""
    values = table[metric].to_numpy(dtype=float)
    _check_positive(table, values, metric)
    is_grouped, is_known = comparison.code >= 0, np.isfinite(values)
    warnings = (
        *left_out(table, is_grouped & ~is_known, why, metric),
        *left_out(table, ~is_grouped, "in no group", metric),
    )
    samples = [values[is_known & (comparison.code == k)] for k in range(len(comparison.names))]
    moments = [log_moments(np.log(sample)) for sample in samples]
    reference = comparison.reference
    return with_holm(
        [
            welch_contrast(
                comparison,
                k,
                (moments[k], moments[reference]),
                metric=metric,
                kind=kind,
                adjustment=adjustment_of(metric, table),
                share=share_in_band(samples[k], samples[reference]),
                warnings=warnings,
            )
            for k in comparison.others
        ]
    )


def _check_positive(table: pd.DataFrame, values: NDArray[np.float64], metric: str) -> None:
    bad = table["ID"].to_numpy()[values <= 0.0]
    if bad.size:
        raise DataError(
            f"{metric} must be above 0 to have a geometric mean; that of {bad.size} subjects is "
            f"not: {', '.join(str(label) for label in bad[:NAMED])}"
        )


def shrinkage_warnings(
    metric: str, shrinkage: Mapping[str, float], what: str = "individual estimates"
) -> tuple[str, ...]:
    """Warn where the values behind a metric say little of the subjects themselves.

    Parameters
    ----------
    metric : str
    shrinkage : mapping of str to float
        As of `individual_contrasts`.
    what : str
        The values, in words.
    """
    spec = METRICS[metric]
    behind = [p for p, power in (("CL", spec.cl), ("V", spec.v)) if power]
    out = []
    for parameter in behind:
        share = shrinkage.get(parameter)
        if share is None:
            out.append(
                f"{parameter} has no random effect: its values are those of the formula, and their "
                "ratio is one of covariates and proves nothing; use kind model"
            )
        elif share > MOST_SHRINKAGE:
            out.append(
                f"eta shrinkage of {parameter} is {100 * share:.0f} %: ratios of {what} are shrunk "
                "towards equality and prove nothing; use kind model"
            )
        elif share > SOME_SHRINKAGE:
            drawn = 100 * (1 - (1 - share) ** 2)
            out.append(
                f"eta shrinkage of {parameter} is {100 * share:.0f} %: the logarithm of a ratio of "
                f"{what} is drawn towards 0 by about {drawn:.0f} %; see kind model"
            )
    return tuple(out)
