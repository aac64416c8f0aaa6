"""Families of prior distributions: numbers for the kernel of the density, quantiles, draws."""

from __future__ import annotations

from math import inf, isfinite, lgamma, log, nan, pi

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp, stdtr, stdtrit

from pkmodel.kernels.prior import FLAT, LOGNORMAL, NORMAL, STUDENT_T, log_density
from pkmodel.models.prior import Prior

Vector = NDArray[np.float64]

_LOG_2PI = log(2.0 * pi)


def encode(prior: Prior) -> tuple[int, tuple[float, float, float], float]:
    """Say a prior for the kernel: family, location, scale and degrees, and its constant.

    Normalised as if the parameter had no bounds, but those of its family; ``"flat"`` is zero.
    """
    numbers = prior.numbers
    if prior.family == "flat":
        return FLAT, (0.0, 1.0, 1.0), 0.0
    if prior.family in ("normal", "half_normal"):
        location, scale = (0.0, *numbers)[-2:]
        constant = -0.5 * _LOG_2PI - log(scale)
        return NORMAL, (location, scale, 1.0), constant + _half(prior)
    if prior.family == "lognormal":
        return LOGNORMAL, (log(numbers[0]), numbers[1], 1.0), -0.5 * _LOG_2PI - log(numbers[1])
    degrees, location, scale = numbers if len(numbers) == 3 else (numbers[0], 0.0, numbers[1])
    constant = lgamma(0.5 * (degrees + 1.0)) - lgamma(0.5 * degrees)
    constant -= 0.5 * log(degrees * pi) + log(scale)
    return STUDENT_T, (location, scale, degrees), constant + _half(prior)


def _half(prior: Prior) -> float:
    """Logarithm of what a law on the positive half gains."""
    return log(2.0) if prior.family.startswith("half") else 0.0


def middle(
    prior: Prior, mass: float, lower: float = -inf, upper: float = inf
) -> tuple[float, float]:
    """Find between what so much of the mass of a prior lies, cut off at the bounds.

    Tails are equal, but where a bound cuts the law off beyond its median, as on the positive half,
    all that is left out lies at the other end. Of a flat prior everything between the bounds
    counts.

    Examples
    --------
    >>> middle(Prior("half_normal", (1.0,)), 0.95)
    (0.0, 1.959963984540054)
    """
    if prior.family == "flat":
        return lower, upper
    low, high = _standard_bounds(prior, lower, upper)
    outside = 1.0 - mass
    below = 0.0 if low >= 0.0 else outside if high <= 0.0 else 0.5 * outside
    return (
        quantile(prior, below, lower, upper),
        quantile(prior, below + mass, lower, upper),
    )


def quantile(prior: Prior, share: float, lower: float = -inf, upper: float = inf) -> float:
    """Find the value below which a share of a prior lies, cut off at the bounds.

    By logarithms of probabilities in the lower tail of the symmetric laws that the families are
    made of, so that bounds far out in a tail are no limit, but where less than the least number
    (1e-308) of a Student's t lies beyond: there all of it is at the bound. A flat prior needs two.
    """
    if prior.family == "flat":
        return lower + share * (upper - lower)
    family, (location, scale, degrees), _ = encode(prior)
    low, high = _standard_bounds(prior, lower, upper)
    is_turned = low > 0.0
    if is_turned:
        low, high, share = -high, -low, 1.0 - share
    with np.errstate(divide="ignore", over="ignore"):
        below = _log_below(prior, low, high)
        level = np.logaddexp.reduce(np.log([1.0 - share, share]) + below)
        z = stdtrit(degrees, np.exp(level)) if family == STUDENT_T else ndtri_exp(level)
        z = np.clip(z, low, high)
        value = location + scale * (-z if is_turned else z)
        value = np.exp(value) if family == LOGNORMAL else value
        return float(np.clip(value, lower, upper))


def density(prior: Prior, values: Vector, lower: float = -inf, upper: float = inf) -> Vector:
    """Return the density of a prior at values, cut off at the bounds.

    NaN of a flat prior without two bounds, which has none.
    """
    family, numbers, constant = encode(prior)
    low, high = _standard_bounds(prior, lower, upper)
    if prior.family == "flat":
        inside = np.full(values.size, 1.0 / (upper - lower) if isfinite(upper - lower) else nan)
    else:
        share = _log_inside(prior, low, high)
        told = [log_density(family, np.array(numbers), float(v))[0] for v in values]
        inside = np.exp(np.array(told) + constant - _half(prior) - share)
    is_positive = family == LOGNORMAL or prior.family.startswith("half")
    is_out = (values < (max(lower, 0.0) if is_positive else lower)) | (values > upper)
    return np.where(is_out, 0.0, inside)


def share_inside(prior: Prior, lower: float = -inf, upper: float = inf) -> float:
    """Return how much of a prior lies between bounds; 1 of a flat one, which begins there.

    Examples
    --------
    >>> share_inside(Prior("normal", (0.0, 1.0)), lower=0.0)
    0.5
    """
    if prior.family == "flat":
        return 1.0
    low, high = _standard_bounds(prior, lower, upper)
    return float(np.exp(_log_inside(prior, low, high) + _half(prior)))


def _log_below(prior: Prior, low: float, high: float) -> Vector:
    """Logarithms of what of the symmetric law lies below its bounds."""
    family, (_, _, degrees), _ = encode(prior)
    ends = np.array([low, high])
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(stdtr(degrees, ends)) if family == STUDENT_T else log_ndtr(ends))


def _log_inside(prior: Prior, low: float, high: float) -> float:
    """Logarithm of what of the symmetric law lies between its bounds."""
    below = _log_below(prior, *((-high, -low) if low > 0.0 else (low, high)))
    return float(below[1] + np.log1p(-np.exp(below[0] - below[1])))


def _standard_bounds(prior: Prior, lower: float, upper: float) -> tuple[float, float]:
    """Return the bounds, and that of a positive law, in the scale of the symmetric law."""
    family, (location, scale, _), _ = encode(prior)
    if family == LOGNORMAL or prior.family.startswith("half"):
        lower = max(lower, 0.0)
    ends = np.array([lower, upper])
    if family == LOGNORMAL:
        with np.errstate(divide="ignore"):
            ends = np.log(ends)
    low, high = (ends - location) / scale
    return float(low), float(high)


def draw(prior: Prior, rng: np.random.Generator, lower: float = -inf, upper: float = inf) -> float:
    """Draw from a prior between bounds.

    Raises
    ------
    ValueError
        A flat prior without bounds is no distribution.
    """
    if prior.family == "flat" and not (np.isfinite(lower) and np.isfinite(upper)):
        raise ValueError("a flat prior without bounds cannot be drawn from")
    return quantile(prior, rng.uniform(), lower, upper)
