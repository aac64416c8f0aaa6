"""What was read before anything is understood: names, cells, and the line each row came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import Problem

if TYPE_CHECKING:
    import pandas as pd

MISSING = ("", ".", "NA")
LISTED = 20


@dataclass
class RawTable:
    """A table as it was written.

    Attributes
    ----------
    source : str
        File name, or ``"DataFrame"``.
    sha256 : str
    names : list of str
        Column names, blanks around them removed.
    cells : list of pandas.Series
        One per column.
    line : ndarray of int64
        Line of each row, header = 1.
    problems : list of Problem
        Lines that could not be taken apart; they are not among the rows.
    """

    source: str
    sha256: str
    names: list[str]
    cells: list[pd.Series]
    line: NDArray[np.int64]
    problems: list[Problem] = field(default_factory=list)


def listed(lines: NDArray[np.int64]) -> str:
    """Name some lines, cut to a readable length."""
    shown = ", ".join(str(line) for line in lines[:LISTED])
    more = f" and {len(lines) - LISTED} more" if len(lines) > LISTED else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}"
