"""Whether age, weight, height and body surface belong to one and the same person.

Wide limits by age: they let through the smallest newborns that survived, the heaviest children and
adults and the tallest man that were ever weighed and measured, and catch grams for kilograms,
metres for centimetres, months for years and slipped digits. No limit tells pounds from kilograms:
patients differ by more than that factor. The very few people smaller than the low limits are for
the user to let through, see `pkmodel.dataset.faults.TOLERABLE`.

References
----------
Survivors of less than 400 g at birth, from 260 g: Bell EF, Zumbach DK. Pediatrics 2011;127:58-61,
10.1542/peds.2010-1855. The tallest man by age, 163 cm at 5 and 272 cm at 22 years, and the heaviest
person, 635 kg: Guinness World Records.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

OLDEST = 120.0
"""Years."""

_AGE = np.array([0.0, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 18.0])
_LEAST_WEIGHT = np.array([0.2, 0.4, 1.0, 2.4, 3.0, 4.6, 8.0, 13.5, 13.5])
_MOST_WEIGHT = np.array([14.0, 24.0, 31.0, 40.0, 50.0, 100.0, 200.0, 400.0, 650.0])
_LEAST_HEIGHT = np.array([20.0, 22.0, 26.0, 34.0, 39.0, 49.0, 62.0, 75.0, 77.0])
_MOST_HEIGHT = np.array([76.0, 84.0, 92.0, 105.0, 125.0, 170.0, 205.0, 245.0, 275.0])


@dataclass(frozen=True)
class Limits:
    """Least and largest plausible value at each age."""

    low: Vector
    high: Vector

    def are_broken_by(self, values: Vector) -> NDArray[np.bool_]:
        """Tell which values lie outside; a missing one does not."""
        return np.asarray((values < self.low) | (values > self.high))


def _between(age: Vector, known: Vector) -> Vector:
    """Interpolate the logarithms; from 18 years on nothing changes."""
    return np.asarray(np.exp(np.interp(age, _AGE, np.log(known))))


def weight_limits(age: Vector) -> Limits:
    """Return limits of body weight (kg) at an age (years)."""
    return Limits(_between(age, _LEAST_WEIGHT), _between(age, _MOST_WEIGHT))


def height_limits(age: Vector) -> Limits:
    """Return limits of height or length (cm) at an age (years)."""
    return Limits(_between(age, _LEAST_HEIGHT), _between(age, _MOST_HEIGHT))


def body_surface_limits(age: Vector) -> Limits:
    """Return limits of body surface area (m2) at an age (years), from those of weight and height.

    A square root of weight and height is what all formulas come near to; they stay within a fifth.
    """
    weight, height = weight_limits(age), height_limits(age)
    low = np.sqrt(weight.low * height.low / 3600.0) / 1.2
    return Limits(low, 1.2 * np.sqrt(weight.high * height.high / 3600.0))
