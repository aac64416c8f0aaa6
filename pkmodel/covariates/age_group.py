"""Age groups as data: half-open ranges of age, exact at their ends in any unit of age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pkmodel.errors import ModelError
from pkmodel.suggestion import quoted, suggest

Vector = NDArray[np.float64]

DAYS: Mapping[str, float] = {"day": 1.0, "week": 7.0, "month": 30.4375, "year": 365.25}
"""Days in each unit of age."""

NO_GROUP = -1
_DECIMALS = 6


@dataclass(frozen=True)
class AgeGroup:
    """A half-open range of age: from `low` up to, but without, `high`, in days."""

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Scheme:
    """Named age groups in order of age, and where they come from."""

    groups: tuple[AgeGroup, ...]
    source: str


def scheme_of_cuts(cuts: Mapping[str, tuple[float, float]], unit: str) -> Scheme:
    """Make a scheme of a user's own cut-points.

    Parameters
    ----------
    cuts : mapping of str to (float, float)
        Half-open ranges by name, in `unit`.
    unit : str
        A key of `DAYS`.

    Returns
    -------
    Scheme
        Groups in order of age.
    """
    groups = [
        AgeGroup(name, low * DAYS[unit], high * DAYS[unit]) for name, (low, high) in cuts.items()
    ]
    return Scheme(
        tuple(sorted(groups, key=lambda group: group.low)), "cut-points of the definition"
    )


_YEAR, _MONTH = DAYS["year"], DAYS["month"]

SCHEMES: Mapping[str, Scheme] = {
    "ich_e11": Scheme(
        (
            AgeGroup("newborn", 0.0, 28.0),
            AgeGroup("infant and toddler", 28.0, 24.0 * _MONTH),
            AgeGroup("child", 2.0 * _YEAR, 12.0 * _YEAR),
            AgeGroup("adolescent", 12.0 * _YEAR, 18.0 * _YEAR),
        ),
        "ICH E11: newborns 0-27 days, infants and toddlers 28 days-23 months, children 2-11 years, "
        "adolescents 12-17 years",
    ),
    "blinatumomab_trials": Scheme(
        (
            AgeGroup("under 2 years", 0.0, 2.0 * _YEAR),
            AgeGroup("2 to 6 years", 2.0 * _YEAR, 7.0 * _YEAR),
            AgeGroup("7 to 17 years", 7.0 * _YEAR, 18.0 * _YEAR),
        ),
        "age groups of the paediatric blinatumomab trials: under 2, 2-6 and 7-17 years",
    ),
}


def age_in_days(age: ArrayLike, unit: str) -> Vector:
    """Convert ages to days, rounded to a tenth of a second.

    Parameters
    ----------
    age : array_like
    unit : str
        ``"day"``, ``"week"``, ``"month"`` (30.4375 days) or ``"year"`` (365.25 days).

    Returns
    -------
    ndarray
        The rounding makes 28 / 365.25 years the same age as 28 days.

    Raises
    ------
    ModelError
        The unit is not known.
    """
    if unit not in DAYS:
        raise ModelError(f"no unit of age {quoted(unit)}; {suggest(str(unit), DAYS)}")
    return np.asarray(np.round(np.asarray(age, dtype=float) * DAYS[unit], _DECIMALS))


def assign_groups(days: Vector, scheme: Scheme) -> NDArray[np.int64]:
    """Find the group of each age.

    Parameters
    ----------
    days : array (n,)
        Ages in days, from `age_in_days`.
    scheme : Scheme

    Returns
    -------
    array (n,) of int64
        Index of the group; `NO_GROUP` for an age outside all of them.

    Examples
    --------
    >>> assign_groups(age_in_days([0.5, 2.0, 40.0], "year"), SCHEMES["ich_e11"]).tolist()
    [1, 2, -1]
    """
    out = np.full(days.size, NO_GROUP, dtype=np.int64)
    for k, group in enumerate(scheme.groups):
        out[(days >= np.round(group.low, _DECIMALS)) & (days < np.round(group.high, _DECIMALS))] = k
    return out
