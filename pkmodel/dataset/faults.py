"""Faults of rows, collected with their subject, line and column before any is raised."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset.raw_table import LISTED, SHOWN, listed
from pkmodel.errors import Problem

TOLERABLE = {
    "no_dose": "subjects with observations and no dose; their prediction is 0 throughout",
    "no_observations": "subjects without observations",
    "duplicate_observations": "the same observation twice",
    "zero_dose": "doses with AMT = 0",
    "implausible_size": "a weight, height or body surface that hardly anybody of that age has",
    "limit": "LIMIT of censored rows, which is not used: DV is taken as the upper limit only",
}


@dataclass
class Faults:
    """Collects faults; of one kind, only the first are listed and the others counted.

    Attributes
    ----------
    ids : ndarray of str or int64
        Labels of the subjects.
    subject : ndarray of int64
        Index into `ids` of each row; -1 where the row has no label.
    line : ndarray of int64
    columns : mapping of str to ndarray
        Values that messages may show, by name.
    allow : collection of str
        Keys of `TOLERABLE` that become a warning.
    """

    ids: NDArray[np.int64] | NDArray[np.str_]
    subject: NDArray[np.int64]
    line: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float64]]
    allow: Collection[str] = ()
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def rows(
        self,
        mask: NDArray[np.bool_],
        column: str,
        message: str,
        *,
        tolerable: str = "",
        details: Mapping[int, str] | None = None,
    ) -> None:
        """Note a fault on each row of a mask.

        Parameters
        ----------
        mask : ndarray of bool
        column : str
        message : str
            May name columns in braces, and ``{detail}``.
        tolerable : str
            Key of `TOLERABLE`.
        details : mapping of int to str
            Text for ``{detail}``, by row.
        """
        at = np.flatnonzero(mask)
        if not at.size:
            return
        if tolerable in self.allow:
            where = f"{column}, {listed(self.line[at])}"
            self.warnings.append(f"allowed: {TOLERABLE[tolerable]} ({where})")
            return
        if tolerable:
            message += f'; or say allow = ["{tolerable}"]'
        for row in at[:SHOWN]:
            values = {
                name: f"{c[row]:.12g}"
                for name, c in self.columns.items()
                if f"{{{name}}}" in message
            }
            detail = details[int(row)] if details else ""
            self.problems.append(
                Problem(message.format(**values, detail=detail), self._place(int(row), column))
            )
        if at.size > SHOWN:
            last = at[SHOWN:]
            self.problems.append(
                Problem(
                    f"and {last.size} more row{'s' if last.size > 1 else ''} with this fault",
                    f"lines {self.line[last[0]]} to {self.line[last[-1]]}, column {column}",
                )
            )

    def subjects(
        self, labels: NDArray[np.int64] | NDArray[np.str_], message: str, tolerable: str
    ) -> None:
        """Note a fault of whole subjects."""
        if not labels.size:
            return
        shown = ", ".join(str(label) for label in labels[:LISTED])
        if labels.size > LISTED:
            shown += f" and {labels.size - LISTED} more"
        if tolerable in self.allow:
            self.warnings.append(f"allowed: {TOLERABLE[tolerable]} (ID {shown})")
            return
        place = f"subject{'s' if labels.size > 1 else ''} {shown}"
        self.problems.append(Problem(f'{message}; or say allow = ["{tolerable}"]', place))

    def where(self, row: int) -> str:
        """Name a row by its subject and line."""
        index = self.subject[row]
        subject = f"subject {self.ids[index]}, " if index >= 0 else ""
        return f"{subject}line {self.line[row]}"

    def _place(self, row: int, column: str) -> str:
        return f"{self.where(row)}, column {column}"
