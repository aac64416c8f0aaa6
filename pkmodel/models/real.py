"""What counts as a number in a model: not text, not true or false, not NaN."""

from __future__ import annotations

from math import isfinite, isnan
from numbers import Real
from typing import TypeGuard


def is_real(value: object) -> TypeGuard[float]:
    """Tell whether a value is a real number, infinite included."""
    return isinstance(value, Real) and not isinstance(value, bool) and not isnan(value)


def is_finite(value: object) -> bool:
    """Tell whether a value is a finite real number."""
    return is_real(value) and isfinite(value)
