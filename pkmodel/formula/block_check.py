"""Whether the covariates put into blocks are in the units that the blocks are written in.

A postmenstrual age in years where weeks belong makes a maturation of next to nothing, and a fit
hides that in its thetas: so the values are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pkmodel.formula.binding import bind
from pkmodel.formula.blocks import Argument
from pkmodel.formula.reading import Formula, formula_of
from pkmodel.formula.rules import Values
from pkmodel.formula.syntax import BlockUse


@dataclass(frozen=True)
class ArgumentRange:
    """The values of an argument of a block in the data.

    Attributes
    ----------
    argument : Argument
    low, high : float
        Least and largest value that is known.
    """

    argument: Argument
    low: float
    high: float

    @property
    def text(self) -> str:
        """The range as text."""
        return f"{self.low:.4g}" if self.low == self.high else f"{self.low:.4g} to {self.high:.4g}"

    @property
    def is_plausible(self) -> bool:
        """Tell whether all values lie where those of people do."""
        low, high = self.argument.plausible or (-np.inf, np.inf)
        return low <= self.low and self.high <= high


def argument_ranges(
    use: BlockUse, covariates: Mapping[str, Values], n: int
) -> tuple[ArgumentRange, ...]:
    """Find the values of the arguments of a block.

    Parameters
    ----------
    use : BlockUse
    covariates : mapping of str to array (n,)
    n : int
        Rows.

    Returns
    -------
    tuple of ArgumentRange
        Of the arguments that no theta touches and that have a value.

    Examples
    --------
    >>> from pkmodel.formula.reading import parse_formula
    >>> (use,) = parse_formula("cl * maturation_renal(PMA * 52.18)", "CL").blocks
    >>> (found,) = argument_ranges(use, {"PMA": np.array([0.75, 10.0])}, 2)
    >>> found.text, found.is_plausible
    ('39.13 to 521.8', True)
    """
    ranges = []
    for argument in use.block.arguments:
        formula = formula_of(use.arguments[argument.name], use.text)
        if formula.names <= covariates.keys():
            values = bind(formula, (), covariates, n).value(np.zeros(0))
            known = values[np.isfinite(values)]
            if known.size:
                ranges.append(ArgumentRange(argument, float(known.min()), float(known.max())))
    return tuple(ranges)


def implausible_arguments(formula: Formula, covariates: Mapping[str, Values], n: int) -> list[str]:
    """Say which arguments of the blocks of a formula have values that people do not have.

    Parameters
    ----------
    formula : Formula
    covariates : mapping of str to array (n,)
    n : int
        Rows.

    Returns
    -------
    list of str
        A message for each.
    """
    return [
        f"{use.text} of {formula.place}: {found.argument.name} is {found.text}; expected "
        f"{found.argument.meaning}, {_span(found.argument)}: is the unit right?"
        for use in formula.blocks
        for found in argument_ranges(use, covariates, n)
        if not found.is_plausible
    ]


def _span(argument: Argument) -> str:
    low, high = argument.plausible or (-np.inf, np.inf)
    return f"{low:g} to {high:g}"
