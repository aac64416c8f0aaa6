"""What an interval of a ratio says about a margin: three answers, and no fourth."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pkmodel.contrast.margin import Margin


class Verdict(StrEnum):
    """Equivalent, not equivalent, or not known."""

    EQUIVALENT = "equivalent"
    NOT_EQUIVALENT = "not equivalent"
    INCONCLUSIVE = "inconclusive"


def verdicts(lower: ArrayLike, upper: ArrayLike, margin: Margin) -> NDArray[np.str_]:
    """Judge intervals of ratios, whatever made them.

    Parameters
    ----------
    lower, upper : array_like
        Ends of the intervals; NaN where an end is not known.
    margin : Margin

    Returns
    -------
    array of str
        ``"equivalent"`` where the interval lies inside the margin, its ends included;
        ``"not equivalent"`` where it lies wholly outside, for which one known end may suffice; else
        ``"inconclusive"``.

    Examples
    --------
    >>> unknown = float("nan")
    >>> verdicts([0.85, 0.7, 1.3, unknown], [1.2, 1.1, 1.6, 0.5], Margin(0.8, 1.25)).tolist()
    ['equivalent', 'inconclusive', 'not equivalent', 'not equivalent']
    """
    low, high = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    is_inside = (low >= margin.low) & (high <= margin.high)
    is_outside = (low > margin.high) | (high < margin.low)
    chosen = np.where(is_outside, str(Verdict.NOT_EQUIVALENT), str(Verdict.INCONCLUSIVE))
    return np.where(is_inside, str(Verdict.EQUIVALENT), chosen)
