"""The margin of equivalence that a user declares: how large a ratio still counts as comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pkmodel.errors import ModelError
from pkmodel.suggestion import quoted

DEFAULT_MARGIN = (0.8, 1.25)
"""Where none is declared."""


@dataclass(frozen=True)
class Margin:
    """The lowest and the highest ratio to the reference that count as equivalent.

    There is no limit that holds for children in general: 0.80 to 1.25 is that of bioequivalence;
    0.70 to 1.43 and 0.50 to 2.00 are in use as well.
    """

    low: float
    high: float

    @property
    def pair(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high


def given_margin(margin: Margin | Sequence[float]) -> Margin:
    """Check a margin.

    Parameters
    ----------
    margin : Margin or (low, high)

    Returns
    -------
    Margin

    Raises
    ------
    ModelError
        Not 0 < low < 1 < high.

    Examples
    --------
    >>> given_margin((0.8, 1.25)).pair
    (0.8, 1.25)
    """
    pair = margin.pair if isinstance(margin, Margin) else margin
    try:
        low, high = (float(end) for end in pair)
    except (TypeError, ValueError):
        low = high = float("nan")
    if not 0.0 < low < 1.0 < high < np.inf:
        raise ModelError(
            f"the margin {quoted(pair)} is no range of ratios about 1; give the lowest and the "
            "highest ratio that count as equivalent, as (0.8, 1.25)"
        )
    return Margin(low, high)


def given_level(level: float) -> float:
    """Check a level of confidence.

    Raises
    ------
    ModelError
        Not between 0 and 1.
    """
    if not (isinstance(level, float) and 0.0 < level < 1.0):
        raise ModelError(
            f"the level {quoted(level)} is no share between 0 and 1; the usual interval of an "
            "equivalence question has level 0.90, for two one-sided tests at 0.05"
        )
    return level
