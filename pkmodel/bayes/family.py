"""Families of prior distributions: their numbers for the kernel of the density, and draws."""

from __future__ import annotations

from math import exp, inf, lgamma, log, pi

import numpy as np
from scipy.special import ndtri, stdtrit

from pkmodel.kernels.prior import FLAT, LOGNORMAL, NORMAL, STUDENT_T
from pkmodel.models.prior import Prior

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


def middle(prior: Prior, mass: float) -> tuple[float, float]:
    """Find between what so much of the mass of a prior lies, as if its parameter had no bounds.

    Tails are equal; what a law on the positive half leaves out is its upper one. Of a flat prior
    everything counts.
    """
    family, (location, scale, degrees), _ = encode(prior)
    if family == FLAT:
        return -inf, inf
    quantile = 0.5 + 0.5 * mass
    reach = scale * float(stdtrit(degrees, quantile) if family == STUDENT_T else ndtri(quantile))
    low, high = location - reach, location + reach
    if family == LOGNORMAL:
        with np.errstate(over="ignore"):
            return float(np.exp(low)), float(np.exp(high))
    return (0.0 if prior.family.startswith("half") else low), high


def draw(prior: Prior, rng: np.random.Generator, lower: float = -inf, upper: float = inf) -> float:
    """Draw from a prior between bounds.

    Raises
    ------
    ValueError
        A flat prior without bounds is no distribution.
    """
    if prior.family == "flat":
        if not np.isfinite(lower) or not np.isfinite(upper):
            raise ValueError("a flat prior without bounds cannot be drawn from")
        return float(rng.uniform(lower, upper))
    while True:
        value = _draw(prior, rng)
        if lower < value < upper:
            return value


def _draw(prior: Prior, rng: np.random.Generator) -> float:
    numbers = prior.numbers
    if prior.family == "normal":
        return float(rng.normal(numbers[0], numbers[1]))
    if prior.family == "lognormal":
        return float(numbers[0] * exp(numbers[1] * rng.normal()))
    if prior.family == "student_t":
        return float(numbers[1] + numbers[2] * rng.standard_t(numbers[0]))
    if prior.family == "half_normal":
        return float(abs(rng.normal(0.0, numbers[0])))
    return float(abs(numbers[1] * rng.standard_t(numbers[0])))
