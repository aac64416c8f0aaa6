"""Families of prior distributions: log density with its slope, and draws."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, lgamma, log, pi

import numpy as np

from pkmodel.models.prior import Prior

ValueAndSlope = tuple[float, float]

_LOG_2PI = log(2.0 * pi)


def _normal(value: float, mean: float, sd: float) -> ValueAndSlope:
    z = (value - mean) / sd
    return -0.5 * (z * z + _LOG_2PI) - log(sd), -z / sd


def _lognormal(value: float, median: float, deviation: float) -> ValueAndSlope:
    if value <= 0.0:
        return -inf, 0.0
    z = log(value / median) / deviation
    density = -0.5 * (z * z + _LOG_2PI) - log(deviation * value)
    return density, -(1.0 + z / deviation) / value


def _student_t(value: float, df: float, location: float, scale: float) -> ValueAndSlope:
    z = (value - location) / scale
    constant = lgamma(0.5 * (df + 1.0)) - lgamma(0.5 * df) - 0.5 * log(df * pi) - log(scale)
    density = constant - 0.5 * (df + 1.0) * float(np.log1p(z * z / df))
    return density, -(df + 1.0) * z / (df + z * z) / scale


def _half(density: ValueAndSlope) -> ValueAndSlope:
    return density[0] + log(2.0), density[1]


_DENSITY: dict[str, Callable[..., ValueAndSlope]] = {
    "normal": _normal,
    "lognormal": _lognormal,
    "student_t": _student_t,
    "half_normal": lambda value, scale: _half(_normal(value, 0.0, scale)),
    "half_t": lambda value, df, scale: _half(_student_t(value, df, 0.0, scale)),
    "flat": lambda value: (0.0, 0.0),
}


def density(prior: Prior, value: float) -> ValueAndSlope:
    """Return the log density of a prior and its slope, on the parameter's own scale.

    Normalised as if the parameter had no bounds, but those of its family; ``"flat"`` is zero.

    Examples
    --------
    >>> density(Prior("normal", (1.0, 2.0)), 3.0)
    (-2.112085713764618, -0.5)
    """
    return _DENSITY[prior.family](value, *prior.numbers)


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
