"""Doses of continuous infusions by weight, as labels give them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.plots.style import in_print
from pkmodel.units import Units, read_dose_rate

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class DoseBand:
    """The dose of a range of weights.

    Attributes
    ----------
    low, high : float
        kg; from `low` up to, but without, `high`.
    dose : float
    unit : str
        Of the dose: an amount per time, or per m2 or kg and time.
    cap : float
        The largest dose, in `unit` without its ``/m2`` or ``/kg``.
    """

    low: float
    high: float
    dose: float
    unit: str
    cap: float = np.inf

    @property
    def title(self) -> str:
        """The dose and for whom it is, in words."""
        flat = re.sub(r"/\s*(m2|kg)\s*/", "/", self.unit)
        cap = f", at most {self.cap:g} {flat}" if np.isfinite(self.cap) else ""
        return in_print(
            f"{self.dose:g} {self.unit}{cap} ({range_text(self.low, self.high, ' kg')})"
        )

    def rate(self, people: pd.DataFrame, units: Units) -> Vector:
        """Compute the rate of infusion of persons with WT (kg) and BSA (m2), in units of the data.

        Returns
        -------
        array (n,)
            Amount per time.
        """
        order = read_dose_rate(self.unit, units)
        size = {"m2": "BSA", "kg": "WT"}.get(order.per)
        measure = np.ones(len(people)) if size is None else people[size].to_numpy(dtype=float)
        return np.asarray(order.factor * np.minimum(self.dose * measure, self.cap))


BLINATUMOMAB_LABEL = (
    DoseBand(0.0, 45.0, 15.0, "ug/m2/day", 28.0),
    DoseBand(45.0, np.inf, 28.0, "ug/day"),
)
"""The full dose of the label: 28 ug/day from 45 kg, below it 15 ug/m2/day up to 28 ug/day."""


def range_text(low: float, high: float, unit: str = "") -> str:
    """Write a half-open range of weights.

    Examples
    --------
    >>> range_text(0, 5), range_text(5, 10), range_text(60, float("inf"), " kg")
    ('under 5', '5 to under 10', '60 kg and over')
    """
    if low <= 0.0:
        return f"under {high:g}{unit}" if np.isfinite(high) else "all weights"
    return f"{low:g}{unit} and over" if np.isinf(high) else f"{low:g} to under {high:g}{unit}"
