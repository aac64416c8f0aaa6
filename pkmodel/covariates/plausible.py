"""Whether age, weight, height and body surface belong to one and the same person.

Wide limits about rough medians by age: they let through every patient, premature and obese ones
too, and catch grams for kilograms, months for years and slipped digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

OLDEST = 120.0
"""Years."""

_AGE = np.array([0.0, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 18.0])
_WEIGHT = np.array([3.3, 6.0, 7.7, 9.8, 12.3, 18.4, 32.0, 56.0, 64.0])
_HEIGHT = np.array([50.0, 61.0, 67.0, 75.5, 87.0, 109.0, 138.0, 167.0, 172.0])


@dataclass(frozen=True)
class Limits:
    """Least and largest plausible value at each age."""

    low: Vector
    high: Vector

    def are_broken_by(self, values: Vector) -> NDArray[np.bool_]:
        """Tell which values lie outside; a missing one does not."""
        return np.asarray((values < self.low) | (values > self.high))


def _median(age: Vector, medians: Vector) -> Vector:
    return np.asarray(np.exp(np.interp(age, _AGE, np.log(medians))))


def weight_limits(age: Vector) -> Limits:
    """Return limits of body weight (kg) at an age (years): a quarter to four times the median.

    From 15 years up to 350 kg; in the first half year from 0.3 kg, for premature infants.
    """
    median = _median(age, _WEIGHT)
    low = np.where(age < 0.5, 0.3, median / 4.0)
    return Limits(low, np.where(age >= 15.0, 350.0, 4.0 * median))


def height_limits(age: Vector) -> Limits:
    """Return limits of height or length (cm) at an age (years): 0.45 to 1.35 times the median."""
    median = _median(age, _HEIGHT)
    return Limits(np.where(age < 0.5, 20.0, 0.45 * median), 1.35 * median)


def body_surface_limits(age: Vector) -> Limits:
    """Return limits of body surface area (m2) at an age (years), from those of weight and height.

    A square root of weight and height is what all formulas come near to; they stay within a fifth.
    """
    weight, height = weight_limits(age), height_limits(age)
    low = np.sqrt(weight.low * height.low / 3600.0) / 1.2
    return Limits(low, 1.2 * np.sqrt(weight.high * height.high / 3600.0))
