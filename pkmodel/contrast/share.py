"""Exposure matching: the share of a group inside the central 90 % of the reference group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

BAND = (0.05, 0.95)


@dataclass(frozen=True)
class Share:
    """How many of a group lie inside the reference's band.

    Attributes
    ----------
    inside, n : int
    share, lower, upper : float
        With the exact interval of a binomial probability; NaN in an empty group.
    level : float
        Of that interval.
    band : (float, float)
        The 5th and 95th percentiles of the reference group, taken as known.
    """

    inside: int
    n: int
    share: float
    lower: float
    upper: float
    level: float
    band: tuple[float, float]


def binomial_interval(count: int, n: int, level: float) -> tuple[float, float]:
    """Return the exact interval of a probability (Clopper and Pearson).

    Parameters
    ----------
    count, n : int
        Successes and trials.
    level : float

    Returns
    -------
    (float, float)
        NaN where n is 0.

    References
    ----------
    Clopper and Pearson 1934, 10.1093/biomet/26.4.404.

    Examples
    --------
    >>> [round(end, 3) for end in binomial_interval(25, 30, 0.95)]
    [0.653, 0.944]
    """
    if n == 0:
        return float("nan"), float("nan")
    tail = 0.5 * (1.0 - level)
    low = betaincinv(count, n - count + 1, tail) if count > 0 else 0.0
    high = betaincinv(count + 1, n - count, 1.0 - tail) if count < n else 1.0
    return float(low), float(high)


def share_in_band(values: ArrayLike, reference: ArrayLike, level: float = 0.90) -> Share | None:
    """Count the values inside the reference group's 5th to 95th percentiles.

    Parameters
    ----------
    values, reference : array_like
        One value per subject, without missing ones.
    level : float
        Of the exact interval of the share. It tells how sure the share is for this band; that the
        band is itself an estimate is not in it.

    Returns
    -------
    Share or None
        None where the reference group has fewer than two values.

    Examples
    --------
    >>> found = share_in_band([2.0, 5.0, 30.0], range(21))
    >>> found.inside, found.n, found.band
    (2, 3, (1.0, 19.0))
    """
    own, other = np.asarray(values, dtype=float), np.asarray(reference, dtype=float)
    if other.size < 2:
        return None
    low, high = (float(q) for q in np.quantile(other, BAND))
    inside = int(np.sum((own >= low) & (own <= high)))
    share = inside / own.size if own.size else float("nan")
    lower, upper = binomial_interval(inside, own.size, level)
    return Share(inside, int(own.size), share, lower, upper, level, (low, high))
