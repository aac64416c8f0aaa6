"""Shrinkage on the scale of standard deviations, NONMEM's SHRINKSD.

1 - SD(eta) / omega over subjects, and 1 - SD(IWRES) over observations, with the standard deviation
about the mean and n - 1 in its denominator (Savic and Karlsson 2009, 10.1208/s12248-009-9133-0).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def eta_shrinkage(eta: Vector, omega: Vector) -> Vector:
    """Shrinkage of each random effect, as a fraction."""
    if eta.shape[0] < 2:
        return np.full(eta.shape[1], np.nan)
    return np.asarray(1.0 - np.std(eta, axis=0, ddof=1) / np.sqrt(np.diag(omega)))


def epsilon_shrinkage(weighted: Vector) -> float:
    """Shrinkage of the residuals, as a fraction."""
    known = weighted[np.isfinite(weighted)]
    return float(1.0 - np.std(known, ddof=1)) if known.size > 1 else float("nan")
