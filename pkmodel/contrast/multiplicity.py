"""Several groups against one reference: what has to be corrected, and what has not.

That *all* groups are equivalent is an intersection-union claim: it is made where each of them is,
each at the full level, and its error rate is no larger than that of one (Berger and Hsu 1996,
10.1214/ss/1032280304). No correction is needed for it. To pick out *single* groups as equivalent
after looking at all of them, use Holm's adjusted p-values (Holm 1979, Scand J Statist 6:65, JSTOR
4615733), or Bonferroni's simultaneous intervals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import ModelError
from pkmodel.suggestion import quoted, suggest

Vector = NDArray[np.float64]

MULTIPLICITY = ("none", "bonferroni")


def given_multiplicity(name: str) -> str:
    """Check the name of a correction.

    Raises
    ------
    ModelError
        The name is not known.
    """
    if name not in MULTIPLICITY:
        raise ModelError(f"no multiplicity {quoted(name)}; {suggest(str(name), MULTIPLICITY)}")
    return name


def interval_level(level: float, comparisons: int, multiplicity: str) -> float:
    """Return the level of each interval so that all together have `level`.

    Parameters
    ----------
    level : float
    comparisons : int
        Groups beside the reference.
    multiplicity : str
        ``"none"`` leaves the level; ``"bonferroni"`` shares the error among the comparisons.

    Examples
    --------
    >>> round(interval_level(0.90, 2, "bonferroni"), 12)
    0.95
    """
    if multiplicity == "none":
        return level
    return 1.0 - (1.0 - level) / max(comparisons, 1)


def holm(p_values: Sequence[float]) -> Vector:
    """Adjust p-values by Holm's step-down method.

    Parameters
    ----------
    p_values : sequence of float
        NaN where not known; these count as comparisons that were wanted.

    Returns
    -------
    array
        Adjusted, in the order given; NaN stays.

    Examples
    --------
    >>> holm([0.03, 0.01, 0.2]).tolist()
    [0.06, 0.03, 0.2]
    """
    p = np.asarray(p_values, dtype=float)
    known = np.where(np.isnan(p), 1.0, p)
    order = np.argsort(known, kind="stable")
    stepped = np.minimum(1.0, known[order] * np.arange(p.size, 0, -1))
    out = np.empty_like(known)
    out[order] = np.maximum.accumulate(stepped)
    return np.where(np.isnan(p), np.nan, out)
