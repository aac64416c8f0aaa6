"""Arithmetic on values that carry their exact slopes in the thetas below them.

A slope is kept only for a theta that a value depends on, and a value that depends on no covariate
stays a scalar with scalar slopes. At a kink (min, max, abs, where) the slope is that of the branch
taken, so that an undefined branch not taken leaves no trace. Not for second derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from math import log as _log

import numpy as np
import numpy.typing as npt

type Values = npt.NDArray[np.float64]
type Condition = npt.NDArray[np.bool_]
type Slopes = Mapping[int, Values]

ONE: Values = np.float64(1.0)  # type: ignore[assignment]
_NO_SLOPES: Slopes = {}


class Dual:
    """A value, one per row or one for all, and its derivative by theta index."""

    def __init__(self, value: Values, slopes: Slopes = _NO_SLOPES) -> None:
        self.value = value
        self.slopes = slopes

    @cached_property
    def logarithm(self) -> Values:
        """Logarithm of the value, 0 where the value is 0; kept, for a constant base."""
        return np.log(np.where(self.value == 0, 1.0, self.value))


def _scaled(slopes: Slopes, factor: Values) -> Slopes:
    return {k: factor if slope is ONE else slope * factor for k, slope in slopes.items()}


def _summed(first: Slopes, second: Slopes) -> Slopes:
    if not (first and second):
        return first or second
    total = dict(first)
    for k, slope in second.items():
        total[k] = total[k] + slope if k in total else slope
    return total


def _chosen(condition: Condition, yes: Slopes, no: Slopes) -> Slopes:
    return {k: np.where(condition, yes.get(k, 0.0), no.get(k, 0.0)) for k in {*yes, *no}}


def _add(a: Dual, b: Dual) -> Dual:
    return Dual(a.value + b.value, _summed(a.slopes, b.slopes))


def _subtract(a: Dual, b: Dual) -> Dual:
    return Dual(a.value - b.value, _summed(a.slopes, _scaled(b.slopes, -ONE)))


def _multiply(a: Dual, b: Dual) -> Dual:
    slopes = _summed(_scaled(a.slopes, b.value), _scaled(b.slopes, a.value))
    return Dual(a.value * b.value, slopes)


def _divide(a: Dual, b: Dual) -> Dual:
    value = a.value / b.value
    slopes = _scaled(a.slopes, ONE / b.value) if a.slopes else a.slopes
    if b.slopes:
        slopes = _summed(slopes, _scaled(b.slopes, -value / b.value))
    return Dual(value, slopes)


def _power(a: Dual, b: Dual) -> Dual:
    value = a.value**b.value
    slopes: Slopes = _NO_SLOPES
    if a.slopes:
        by_base = b.value * a.value ** (b.value - 1.0)
        slopes = _scaled(a.slopes, np.where(b.value == 0, 0.0, by_base))
    if b.slopes:
        slopes = _summed(slopes, _scaled(b.slopes, value * a.logarithm))
    return Dual(value, slopes)


def _negative(a: Dual) -> Dual:
    return Dual(-a.value, _scaled(a.slopes, -ONE))


def _exp(a: Dual) -> Dual:
    value = np.exp(a.value)
    return Dual(value, _scaled(a.slopes, value))


def _log_natural(a: Dual) -> Dual:
    return Dual(np.log(a.value), _scaled(a.slopes, ONE / a.value) if a.slopes else a.slopes)


def _log10(a: Dual) -> Dual:
    slopes = _scaled(a.slopes, ONE / (a.value * _log(10.0))) if a.slopes else a.slopes
    return Dual(np.log10(a.value), slopes)


def _sqrt(a: Dual) -> Dual:
    value = np.sqrt(a.value)
    return Dual(value, _scaled(a.slopes, 0.5 / value) if a.slopes else a.slopes)


def _abs(a: Dual) -> Dual:
    sign = np.where(a.value < 0, -1.0, 1.0) if a.slopes else ONE
    return Dual(np.abs(a.value), _scaled(a.slopes, sign))


def _min(a: Dual, b: Dual) -> Dual:
    slopes = _chosen(a.value <= b.value, a.slopes, b.slopes)
    return Dual(np.minimum(a.value, b.value), slopes)


def _max(a: Dual, b: Dual) -> Dual:
    slopes = _chosen(a.value >= b.value, a.slopes, b.slopes)
    return Dual(np.maximum(a.value, b.value), slopes)


def _where(condition: Dual, yes: Dual, no: Dual) -> Dual:
    taken = condition.value.astype(np.bool_)
    value = np.where(taken, yes.value, no.value)
    return Dual(value, _chosen(taken, yes.slopes, no.slopes))


def _flat(compute: Callable[..., Values]) -> Callable[..., Dual]:
    """Make a rule whose result is a condition, which has no slope."""

    def rule(*arguments: Dual) -> Dual:
        return Dual(compute(*[argument.value for argument in arguments]))

    return rule


CONDITIONS: Mapping[str, Callable[..., Dual]] = {
    "<": _flat(np.less),
    "<=": _flat(np.less_equal),
    ">": _flat(np.greater),
    ">=": _flat(np.greater_equal),
    "==": _flat(np.equal),
    "!=": _flat(np.not_equal),
    "and": _flat(np.logical_and),
    "or": _flat(np.logical_or),
    "not": _flat(np.logical_not),
}

RULES: Mapping[str, Callable[..., Dual]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "**": _power,
    "negative": _negative,
    "exp": _exp,
    "log": _log_natural,
    "log10": _log10,
    "sqrt": _sqrt,
    "abs": _abs,
    "min": _min,
    "max": _max,
    "where": _where,
    **CONDITIONS,
}
