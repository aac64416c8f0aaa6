"""What was read before anything is understood: names, cells, and the line each row came from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import Problem

if TYPE_CHECKING:
    import pandas as pd

MISSING = ("", ".", "NA")
LISTED = 20
SHOWN = 4
"""Lines of a report that one kind of fault may take, before the rest is counted."""


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


def without_blank_rows(raw: RawTable) -> tuple[RawTable, list[Problem]]:
    """Take out rows of which every cell is missing, each a fault."""
    blank = np.ones(raw.line.size, dtype=bool)
    for cells in raw.cells:
        blank &= _is_missing(cells)
        if not blank.any():
            return raw, []
    lines = raw.line[blank]
    problems = [Problem("is empty; delete it", f"line {line}") for line in lines[:SHOWN]]
    if lines.size > SHOWN:
        place = f"lines {lines[SHOWN]} to {lines[-1]}"
        problems.append(Problem(f"and {lines.size - SHOWN} more empty lines; delete them", place))
    kept = [cells[~blank].reset_index(drop=True) for cells in raw.cells]
    return replace(raw, cells=kept, line=raw.line[~blank]), problems


def _is_missing(cells: pd.Series) -> NDArray[np.bool_]:
    missing = cells.isna().to_numpy(dtype=bool)
    if cells.dtype.kind in "biuf" or missing.all():
        return np.asarray(missing)
    text = cells.astype(str).str.strip().isin(MISSING).to_numpy(dtype=bool)
    return np.asarray(missing | text)
