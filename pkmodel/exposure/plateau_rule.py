"""The rule by which samples count as drawn at steady state."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from pkmodel.errors import ModelError, Problem
from pkmodel.suggestion import quoted, suggest
from pkmodel.units import Units, convert_time

BELOW_LIMIT = {
    "omit": "left out",
    "half": "taken as half the limit",
    "limit": "taken as the limit",
}
"""What can be done with a plateau sample below the limit of quantification."""

RESOLUTION = 1 / 600
"""Of the settling time: times closer than this are one. With settling in 10 h this is a minute;
it moves a concentration that settles within five half-lives by 0.6 % at most."""


@dataclass(frozen=True)
class PlateauRule:
    """Which samples are drawn on the plateau of a constant-rate infusion.

    A sample counts from `settle` after the start or the last change of the infusion rate and after
    the last bolus, up to and including the moment of the next change, interruption or stop. At
    that moment the concentration is still that of the rate before, whichever of the two records
    stands first in the file; a bolus or a reset at the same time counts from its place in the file.

    Times closer than a 600th of `settle` (`RESOLUTION`), and than a hundredth of the infusion
    beside them, are one: so short a pause, or overlap of bags, is no change of rate, unless it
    gives much more than the infusion would, and a sample as near to the stop is drawn at it.

    Clinical studies commonly take samples from 10 h, often from 24 h after the start or change.
    At five half-lives 97 % of steady state is reached.

    Parameters
    ----------
    settle : float
        Time after the start or change of the rate, and after a bolus, before samples count.
    unit : str
        Of `settle`; ``""`` for the data's own unit of time.
    least_samples : int
        Fewer plateau samples in a period give no steady-state concentration.
    below_limit : str
        What plateau samples below the limit of quantification count for: ``"omit"``, ``"half"``
        of the limit, or ``"limit"``. Left out they make Css too high, taken as the limit as well.

    Raises
    ------
    ModelError
        A value is impossible.
    """

    settle: float = 10.0
    unit: str = "h"
    least_samples: int = 1
    below_limit: str = "omit"

    def __post_init__(self) -> None:
        problems = []
        if not (isinstance(self.settle, int | float) and isfinite(self.settle) and self.settle > 0):
            problems.append(
                Problem(f"{quoted(self.settle)} is no time; give a number above 0", "settle")
            )
        if not (isinstance(self.least_samples, int) and self.least_samples >= 1):
            message = f"{quoted(self.least_samples)} is no number of samples; give 1 or more"
            problems.append(Problem(message, "least_samples"))
        if self.below_limit not in BELOW_LIMIT:
            known = suggest(str(self.below_limit), BELOW_LIMIT)
            problems.append(Problem(f"no rule {quoted(self.below_limit)}; {known}", "below_limit"))
        if problems:
            raise ModelError(problems, "rule for plateau samples")

    def settling_time(self, units: Units) -> float:
        """Return `settle` in the data's unit of time.

        Parameters
        ----------
        units : Units

        Returns
        -------
        float

        Raises
        ------
        ModelError
            The data declare no units and `settle` has one, or its unit is none of time.

        Examples
        --------
        >>> from pkmodel.units import read_units
        >>> units = read_units({"time": "min", "amount": "ug", "concentration": "ng/mL"})
        >>> PlateauRule().settling_time(units)
        600.0
        """
        if not self.unit:
            return self.settle
        if not units.is_declared:
            raise ModelError(
                f"the data declare no units, so that {self.settle:g} {self.unit} cannot be told "
                'in their unit of time; declare units, or give settle in that unit with unit = ""',
                "rule for plateau samples",
            )
        return convert_time(self.settle, self.unit, units.time)

    def resolution(self, units: Units) -> float:
        """Return how close times count as one, in the data's unit of time; see `RESOLUTION`."""
        return RESOLUTION * self.settling_time(units)

    def __str__(self) -> str:
        unit = self.unit or "units of the data's time"
        least = f"; at least {self.least_samples} per period" if self.least_samples > 1 else ""
        return (
            f"samples from {self.settle:g} {unit} after the start or change of the infusion rate "
            "and after a bolus, up to and including the moment of its next change or stop; samples "
            f"below the limit of quantification {BELOW_LIMIT[self.below_limit]}{least}"
        )


DEFAULT_RULE = PlateauRule()
