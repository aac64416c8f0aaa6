"""The ratio of two geometric means with Welch's interval and two one-sided tests.

On the logarithms, where the ratio is a difference of means; the variances of the two groups may
differ. For one comparison or for many simulated trials at once, from values or from published
means and standard deviations.

References
----------
Schuirmann 1987, 10.1007/BF01068419 (two one-sided tests); Welch 1947, 10.1093/biomet/34.1-2.28
(unequal variances).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from pkmodel.contrast.margin import Margin

Vector = NDArray[np.float64]


SMALLEST_ERROR = 1e-9
"""A standard error of a difference of logarithms below this is rounding: there is no spread."""


@dataclass(frozen=True)
class LogMoments:
    """Size, mean and variance of samples on the logarithmic scale, one entry per sample.

    The variance is NaN where a sample has fewer than two values.
    """

    n: NDArray[np.int64]
    mean: Vector
    variance: Vector


@dataclass(frozen=True)
class RatioInterval:
    """Ratios of geometric means; arrays with one entry per comparison.

    Attributes
    ----------
    ratio : array
    lower, upper : array
        NaN where there are too few values, or values without spread, to know an interval.
    p_value : array
        Of the two one-sided tests: the smallest error rate at which the groups are equivalent.
    freedom : array
        Welch's degrees of freedom.
    """

    ratio: Vector
    lower: Vector
    upper: Vector
    p_value: Vector
    freedom: Vector


def log_moments(log_values: ArrayLike) -> LogMoments:
    """Summarise samples that lie along the last axis.

    Parameters
    ----------
    log_values : array_like (..., n)
        Natural logarithms.

    Returns
    -------
    LogMoments
        Entries (...).
    """
    values = np.asarray(log_values, dtype=float)
    n = values.shape[-1]
    shape = values.shape[:-1]
    mean = values.mean(axis=-1) if n else np.full(shape, np.nan)
    variance = values.var(axis=-1, ddof=1) if n > 1 else np.full(shape, np.nan)
    return LogMoments(np.full(shape, n), np.asarray(mean), np.asarray(variance))


def published_moments(n: ArrayLike, mean: ArrayLike, sd: ArrayLike) -> LogMoments:
    """Return the logarithmic moments of log-normal samples of which mean and SD are published.

    With CV = SD / mean the variance on the logarithmic scale is ln(1 + CV^2) and the geometric
    mean is mean / sqrt(1 + CV^2).

    Parameters
    ----------
    n, mean, sd : array_like
        Numbers of subjects, arithmetic means and standard deviations.

    Returns
    -------
    LogMoments
        Its variance is NaN where n < 2.

    Examples
    --------
    Steady-state concentration of 30 infants, 706 +- 194 pg/mL:

    >>> infants = published_moments(30, 706.0, 194.0)
    >>> round(float(np.exp(infants.mean))), round(float(np.sqrt(infants.variance)), 3)
    (681, 0.27)
    """
    count = np.asarray(n, dtype=np.int64)
    centre = np.asarray(mean, dtype=float)
    with np.errstate(invalid="ignore"):
        variance = np.log1p((np.asarray(sd, dtype=float) / centre) ** 2)
    variance = np.where(count > 1, variance, 0.0)
    log_mean = np.log(centre) - 0.5 * variance
    return LogMoments(count, log_mean, np.where(count > 1, variance, np.nan))


def compare(
    group: LogMoments, reference: LogMoments, margin: Margin, level: float = 0.90
) -> RatioInterval:
    """Compare samples with reference samples.

    Parameters
    ----------
    group, reference : LogMoments
        Of shapes that broadcast.
    margin : Margin
    level : float
        Of the interval; the groups are equivalent at (1 - level) / 2 where it lies inside the
        margin.

    Returns
    -------
    RatioInterval
    """
    difference = np.asarray(group.mean - reference.mean, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = group.variance / group.n
        other = reference.variance / reference.n
        error = np.sqrt(own + other)
        error = np.where(error > SMALLEST_ERROR, error, np.nan)
        freedom = (own + other) ** 2 / (own**2 / (group.n - 1) + other**2 / (reference.n - 1))
    width = stdtrit(freedom, 0.5 + 0.5 * level) * error
    below = stdtr(freedom, (np.log(margin.low) - difference) / error)
    above = stdtr(freedom, (difference - np.log(margin.high)) / error)
    return RatioInterval(
        ratio=np.exp(difference),
        lower=np.exp(difference - width),
        upper=np.exp(difference + width),
        p_value=np.maximum(below, above),
        freedom=freedom,
    )


def ratio_interval(
    log_values: ArrayLike, log_reference: ArrayLike, margin: Margin, level: float = 0.90
) -> RatioInterval:
    """Compare samples along the last axis with reference samples along the last axis.

    Parameters
    ----------
    log_values : array_like (..., n)
        Natural logarithms of a group's values: one sample, or many simulated trials.
    log_reference : array_like (..., n_reference)
    margin : Margin
    level : float

    Returns
    -------
    RatioInterval
        Entries (...).

    Examples
    --------
    >>> trials = np.log([[620.0, 700.0, 810.0], [400.0, 420.0, 450.0]])
    >>> found = ratio_interval(trials, np.log([600.0, 640.0, 750.0]), Margin(0.8, 1.25))
    >>> found.ratio.round(2).tolist(), found.lower.round(2).tolist()
    ([1.07, 0.64], [0.86, 0.54])
    """
    return compare(log_moments(log_values), log_moments(log_reference), margin, level)
