"""Columns as numbers, with what could not be read as numbers kept beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset.cells import hint, labels, numbers
from pkmodel.dataset.faults import Faults
from pkmodel.dataset.header import STANDARD
from pkmodel.dataset.raw_table import RawTable
from pkmodel.suggestion import quoted

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EXAMPLES_SHOWN = 3


@dataclass
class Table:
    """A table of numbers.

    Attributes
    ----------
    ids : ndarray of int64 or str
        Labels of the subjects.
    subject : ndarray of int64
        Index into `ids` of each row, -1 where ID is missing.
    line : ndarray of int64
    columns : dict of str to ndarray
        NaN where missing or unreadable.
    bad : dict of str to dict
        Text of unreadable cells, by column and row.
    text : dict of str to str
        Columns that hold text, with some of it.
    unreadable : ndarray of bool
        Rows with a standard column whose value cannot be trusted, so that its absence is no fault
        of its own.
    """

    ids: NDArray[np.int64] | NDArray[np.str_]
    subject: NDArray[np.int64]
    line: NDArray[np.int64]
    columns: dict[str, Floats]
    bad: dict[str, dict[int, str]] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)
    unreadable: Bools = field(init=False)

    def __post_init__(self) -> None:
        self.unreadable = np.zeros(self.line.size, dtype=bool)

    def has(self, name: str) -> bool:
        """Whether the file has a column."""
        return name in self.columns

    def get(self, name: str, default: float) -> Floats:
        """Return a column, with a value where it is missing."""
        if name not in self.columns:
            return np.full(self.line.size, default)
        values = self.columns[name]
        return np.where(np.isnan(values), default, values)

    def is_missing(self, name: str) -> Bools:
        """Return where a column has no value."""
        if name not in self.columns:
            return np.ones(self.line.size, dtype=bool)
        return np.isnan(self.columns[name])

    def discard(self, mask: Bools, name: str) -> None:
        """Forget values that are faults, so that nothing else is concluded from them."""
        self.columns[name] = np.where(mask, np.nan, self.columns[name])
        if name in STANDARD:
            self.unreadable |= mask


def read_table(raw: RawTable, names: Sequence[str | None]) -> Table:
    """Turn cells into numbers; columns that are mostly text are set aside.

    Parameters
    ----------
    raw : RawTable
    names : sequence of str or None
        Names as the package knows them; None leaves a column out.

    Returns
    -------
    Table
    """
    from_text = raw.source.startswith("DataFrame") is False
    columns: dict[str, Floats] = {}
    bad: dict[str, dict[int, str]] = {}
    text: dict[str, str] = {}
    for name, cells in zip(names, raw.cells, strict=True):
        if not name or name == "ID" or name in columns:
            continue
        values, wrong = numbers(cells, from_text=from_text)
        if (
            name not in STANDARD
            and 2 * len(wrong) >= np.count_nonzero(~np.isnan(values)) + len(wrong) > 0
        ):
            seen = list(dict.fromkeys(wrong.values()))[:EXAMPLES_SHOWN]
            text[name] = ", ".join(quoted(cell) for cell in seen)
            continue
        columns[name] = values
        if wrong:
            bad[name] = wrong
    ids, subject = labels(raw.cells[names.index("ID")])
    return Table(ids, subject, raw.line, columns, bad, text)


def keep_rows(table: Table, keep: Bools) -> Table:
    """Return the table with some rows only."""
    to = np.cumsum(keep) - 1
    used, subject = np.unique(table.subject[keep], return_inverse=True)
    first = used[used >= 0]
    return Table(
        ids=table.ids[first],
        subject=subject.astype(np.int64) - int(used.size - first.size),
        line=table.line[keep],
        columns={name: values[keep] for name, values in table.columns.items()},
        bad={
            name: {int(to[row]): text for row, text in cells.items() if keep[row]}
            for name, cells in table.bad.items()
        },
        text=table.text,
    )


def report_bad_cells(table: Table, faults: Faults) -> None:
    """Name every cell that holds text where a number was expected."""
    for name, cells in table.bad.items():
        mask = np.zeros(table.line.size, dtype=bool)
        mask[list(cells)] = True
        if name in STANDARD:
            table.unreadable |= mask
        details = {row: f"{quoted(text)}{hint(text)}" for row, text in cells.items()}
        faults.rows(mask, name, "expected a number, found {detail}", details=details)
