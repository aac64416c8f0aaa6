"""A row for the ratio of two samples, or of two published summaries, by Welch's interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pkmodel.contrast.comparison import Comparison
from pkmodel.contrast.multiplicity import holm
from pkmodel.contrast.ratio import LogMoments, compare
from pkmodel.contrast.record import Contrast
from pkmodel.contrast.share import Share
from pkmodel.contrast.verdict import verdicts


def welch_contrast(
    comparison: Comparison,
    group: int,
    moments: tuple[LogMoments, LogMoments],
    *,
    metric: str,
    kind: str,
    adjustment: str,
    share: Share | None = None,
    warnings: tuple[str, ...] = (),
) -> Contrast:
    """Compare a group with the reference.

    Parameters
    ----------
    comparison : Comparison
    group : int
    moments : (LogMoments, LogMoments)
        Of the group and of the reference, one sample each.
    metric, kind, adjustment : str
    share : Share, optional
    warnings : tuple of str

    Returns
    -------
    Contrast
        Without an adjusted p-value.
    """
    own, other = moments
    names = (comparison.names[group], comparison.names[comparison.reference])
    found = compare(own, other, comparison.margin, comparison.level)
    is_known = bool(np.isfinite(found.lower))
    if not is_known:
        warnings += _why_none(metric, names, (int(own.n), int(other.n)))
    return Contrast(
        metric=metric,
        group=names[0],
        reference=names[1],
        kind=kind,
        adjustment=adjustment,
        ratio=float(found.ratio),
        lower=float(found.lower),
        upper=float(found.upper),
        level=comparison.level,
        margin=comparison.margin.pair,
        verdict=str(verdicts(found.lower, found.upper, comparison.margin)),
        p_value=float(found.p_value),
        p_holm=float("nan"),
        interval=f"Welch, t with {float(found.freedom):.3g} degrees of freedom" if is_known else "",
        n=int(own.n),
        n_reference=int(other.n),
        share=share,
        warnings=warnings,
    )


def with_holm(rows: Sequence[Contrast]) -> list[Contrast]:
    """Return the rows of all groups of one question with their adjusted p-values."""
    adjusted = holm([row.p_value for row in rows])
    return [replace(row, p_holm=float(p)) for row, p in zip(rows, adjusted, strict=True)]


def _why_none(metric: str, names: tuple[str, str], sizes: tuple[int, int]) -> tuple[str, ...]:
    """Say why there is no interval."""
    few = [
        f"{name} has {size or 'no'} value{'s' if size == 0 else ''} of {metric}"
        for name, size in zip(names, sizes, strict=True)
        if size < 2
    ]
    reason = " and ".join(few) or f"the values of {metric} have no spread"
    return (f"no interval and no verdict: {reason}",)
