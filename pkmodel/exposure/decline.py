"""Half-life from the decline after the end of an infusion, by regression of log concentrations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

LEAST_SAMPLES = 2
RECOMMENDED_SAMPLES = 3


@dataclass(frozen=True)
class Decline:
    """A log-linear regression.

    Attributes
    ----------
    rate_constant : float
        Minus the slope, per unit of time; NaN where concentrations do not fall, or the samples
        are of fewer than two times.
    r2 : float
        Share of the variance of log concentrations that the line explains; NaN likewise.
    n : int
        Samples.
    span : float
        Time from the first to the last of them.
    """

    rate_constant: float
    r2: float
    n: int
    span: float

    @property
    def half_life(self) -> float:
        """In the unit of the times."""
        return float(np.log(2.0) / self.rate_constant)


def fit_decline(time: Vector, concentration: Vector) -> Decline:
    """Regress log concentrations on time, all with one weight.

    Parameters
    ----------
    time : array (n,)
    concentration : array (n,)
        Above 0.

    Returns
    -------
    Decline

    Examples
    --------
    >>> round(fit_decline(np.array([0.0, 2.0, 4.0]), np.array([80.0, 40.0, 20.0])).half_life, 12)
    2.0
    """
    span = float(np.ptp(time)) if time.size else 0.0
    if span == 0.0:
        return Decline(np.nan, np.nan, time.size, span)
    log = np.log(concentration)
    since, above = time - time.mean(), log - log.mean()
    slope = np.sum(since * above) / np.sum(since**2)
    if not slope < 0.0:
        return Decline(np.nan, np.nan, time.size, span)
    r2 = np.sum(since * above) ** 2 / (np.sum(since**2) * np.sum(above**2))
    return Decline(float(-slope), float(r2), time.size, span)
