"""Scores of subjects left out, and their sums over subjects with a standard error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class LeftOut:
    """Scores of the subjects left out.

    Attributes
    ----------
    score : array (subjects,)
        Log predictive density of each subject by a fit to the others; NaN where there is none.
    pareto_k : array (subjects,)
        Of a posterior: shape of the tail of the importance weights, to be relied on below 0.7;
        else NaN.
    """

    score: Vector
    pareto_k: Vector

    @property
    def total(self) -> float:
        """Expected log predictive density of subjects like these."""
        return float(np.sum(self.score))

    @property
    def error(self) -> float:
        """Standard error of the total."""
        return spread_of_sum(self.score)


def spread_of_sum(values: Vector) -> float:
    """Return the standard error of a sum over independent subjects.

    Examples
    --------
    >>> round(spread_of_sum(np.array([1.0, 2.0, 3.0, 4.0])), 4)
    2.582
    """
    return float(np.sqrt(values.size) * np.std(values, ddof=1)) if values.size > 1 else np.nan
