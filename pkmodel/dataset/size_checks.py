"""Whether the weights, heights and body surfaces of the rows are those of people of their age."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pkmodel.covariates.plausible import body_surface_limits, height_limits, weight_limits
from pkmodel.dataset.faults import Faults

Vector = NDArray[np.float64]

KNOWN = {
    "weight": (weight_limits, "kg"),
    "height": (height_limits, "cm"),
    "bsa": (body_surface_limits, "m2"),
}
"""Limits of each kind of size, and its unit."""


def check_sizes(
    sizes: Mapping[str, tuple[str, Vector]], age: Vector, counted: NDArray[np.bool_], faults: Faults
) -> None:
    """Note each implausible size once, however many records of the subject repeat it.

    Parameters
    ----------
    sizes : mapping of str to (str, array (n_rows,))
        Kind of `KNOWN`, column and values; other kinds are left alone.
    age : array (n_rows,)
        Years.
    counted : array (n_rows,) of bool
        Rows with an age to judge by.
    faults : Faults
    """
    for kind, (name, values) in sizes.items():
        if kind not in KNOWN:
            continue
        limits_at, unit = KNOWN[kind]
        limits = limits_at(age)
        wrong = limits.are_broken_by(values) & counted
        repeated = np.zeros_like(wrong)
        repeated[1:] = (values[1:] == values[:-1]) & (faults.subject[1:] == faults.subject[:-1])
        wrong &= ~repeated
        details = {
            int(row): f"{values[row]:g} {unit} at an age of {age[row]:.3g} years, where "
            f"{limits.low[row]:.2g} to {limits.high[row]:.3g} {unit} are plausible"
            for row in np.flatnonzero(wrong)
        }
        faults.rows(
            wrong,
            name,
            "{detail}: check the value and its unit, the age, and the unit of age under [groups]",
            tolerable="implausible_size",
            details=details,
        )
