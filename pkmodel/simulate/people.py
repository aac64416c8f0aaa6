"""Virtual people: age, sex, weight, height and body surface, as they go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.covariates.body_surface import body_surface_area
from pkmodel.simulate.growth import (
    CORRELATION,
    HEIGHT,
    WEIGHT,
    height_spread,
    median,
    weight_spread,
)

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

AGES_PER_YEAR = 10_000
"""Ages are drawn from a grid of so many a year, so that a file can hold them exactly."""


@dataclass(frozen=True, eq=False)
class People:
    """Virtual people; arrays (n,).

    Attributes
    ----------
    age : array
        Years.
    sex : array of int64
        1 male, 0 female.
    weight : array
        kg, to 10 g.
    height : array
        cm, to 1 mm.
    bsa : array
        m2, of these weights and heights, to 1 cm2.
    """

    age: Vector
    sex: Ints
    weight: Vector
    height: Vector
    bsa: Vector

    def covariates(self) -> dict[str, Vector]:
        """Columns of a data table."""
        return {
            "AGE": self.age,
            "SEX": self.sex.astype(float),
            "WT": self.weight,
            "HT": self.height,
            "BSA": self.bsa,
        }


def draw_people(
    rng: np.random.Generator, n: int, low: float, high: float, formula: str = "mosteller"
) -> People:
    """Draw virtual people.

    Ages are uniform, both sexes equally likely. Weight and height at an age and sex are log-normal
    about their medians and correlated; see `pkmodel.simulate.growth`.

    Parameters
    ----------
    rng : numpy Generator
    n : int
    low, high : float
        Range of age in years, `high` not included, up to 18.
    formula : str
        Of body surface area, as for `pkmodel.covariates.body_surface.body_surface_area`.

    Returns
    -------
    People

    Examples
    --------
    >>> people = draw_people(np.random.default_rng(1), 1000, 0.0, 1.0)
    >>> 0.3 < float(np.median(people.bsa)) < 0.4
    True
    """
    ticks = np.ceil(np.array([low, high]) * AGES_PER_YEAR).astype(int)
    age = rng.integers(ticks[0], ticks[1], n) / AGES_PER_YEAR
    sex = rng.integers(0, 2, n)
    first, second = rng.standard_normal((2, n))
    other = CORRELATION * first + np.sqrt(1.0 - CORRELATION**2) * second
    height = np.round(median(HEIGHT, age, sex) * np.exp(height_spread(age) * first), 1)
    weight = np.round(median(WEIGHT, age, sex) * np.exp(weight_spread(age) * other), 2)
    bsa = np.round(body_surface_area(weight, height, formula), 4)
    return People(age, sex, weight, height, bsa)
