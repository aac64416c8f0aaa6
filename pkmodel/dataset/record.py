"""The checked data table that everything else stands on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset.raw_table import listed
from pkmodel.errors import DataError, Problem
from pkmodel.suggestion import suggest
from pkmodel.units import Units

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A checked data table; arrays are read-only, one entry per row, in the order of the file.

    Attributes
    ----------
    source : str
        File name as given, or ``"DataFrame"`` and how its lines are counted.
    sha256 : str
        Of the bytes of the file; of a DataFrame, of the names and values of its columns.
    ids : ndarray of int64 or str, shape [n_subjects]
        Labels of the subjects, in order of appearance; integers where all are.
    subject : ndarray of int64, shape [n_rows]
        Index into `ids`, not decreasing.
    row : ndarray of int64
        Line in the file, header = 1; of a DataFrame, position of the row + 2.
    time, amt, ii : ndarray of float64
    rate : ndarray of float64
        AMT / DUR where the duration was given; 0 for a bolus.
    dv : ndarray of float64
        NaN where the row is no observation.
    limit : ndarray of float64
        Lower limit of an interval-censored observation; NaN where there is none.
    evid, mdv, addl, ss, cens : ndarray of int64
    cmt : ndarray of int64
        0 where the file does not say it.
    occ : ndarray of int64
        1 where the file has no occasions.
    covariates : mapping of str to ndarray of float64
        All other columns of numbers; NaN where missing.
    units : Units
    covariate_rule : str
        ``"nocb"``: the values of a row hold over the interval that ends at it; ``"locf"``: over the
        interval that begins at it.
    excluded : mapping of str to int
        Rows left out on request, by request.
    warnings : tuple of str
        What was noticed and is no fault.
    text : mapping of str to str
        Columns that hold text, with some of it; they cannot be covariates.
    allow : tuple of str
        Faults that are tolerated.
    """

    source: str
    sha256: str
    ids: Ints | NDArray[np.str_]
    subject: Ints
    row: Ints
    time: Floats
    amt: Floats
    rate: Floats
    ii: Floats
    dv: Floats
    limit: Floats
    evid: Ints
    mdv: Ints
    cmt: Ints
    addl: Ints
    ss: Ints
    cens: Ints
    occ: Ints
    covariates: Mapping[str, Floats]
    units: Units = field(default_factory=Units)
    covariate_rule: str = "nocb"
    excluded: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    text: Mapping[str, str] = field(default_factory=dict)
    allow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            elif isinstance(value, Mapping):
                for array in value.values():
                    if isinstance(array, np.ndarray):
                        array.setflags(write=False)
                object.__setattr__(self, item.name, MappingProxyType(dict(value)))

    def __reduce__(self) -> tuple[type[Dataset], tuple[object, ...]]:
        values = (getattr(self, item.name) for item in fields(self))
        return Dataset, tuple(dict(v) if isinstance(v, Mapping) else v for v in values)

    def __repr__(self) -> str:
        return (
            f"Dataset({self.source!r}: {self.n_subjects} subjects, "
            f"{self.n_observations} observations, {self.n_doses} doses)"
        )

    @property
    def is_observation(self) -> NDArray[np.bool_]:
        """Rows whose DV counts."""
        return np.where(self.mdv == 0, self.evid == 0, False)

    @property
    def is_dose(self) -> NDArray[np.bool_]:
        """Rows that give a dose, or begin a train of them."""
        return np.isin(self.evid, (1, 4))

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return int(self.ids.size)

    @property
    def n_observations(self) -> int:
        """Number of observations, censored ones included."""
        return int(np.count_nonzero(self.is_observation))

    @property
    def n_censored(self) -> int:
        """Number of observations below their limit of quantification."""
        return int(np.count_nonzero(self.is_observation & (self.cens == 1)))

    @property
    def n_doses(self) -> int:
        """Number of dose rows."""
        return int(np.count_nonzero(self.is_dose))

    def check_covariates(self, names: Iterable[str], *, user: str = "a formula") -> None:
        """Check that columns exist and have a value on every row.

        Parameters
        ----------
        names : iterable of str
        user : str
            What uses them, for messages.

        Raises
        ------
        DataError
            A column is unknown, holds text, or misses values.
        """
        problems: list[Problem] = []
        for name in dict.fromkeys(names):
            if name in self.text:
                problems.append(
                    Problem(
                        f"holds text ({self.text[name]}); write its values as numbers",
                        f"column {name}",
                    )
                )
            elif name not in self.covariates:
                known = suggest(name, self.covariates, "covariates of the data")
                message = f"the data have no covariate {name}, which {user} uses; {known}"
                problems.append(Problem(message))
            else:
                problems += self._missing_values(name, user)
        if problems:
            raise DataError(problems, self.source)

    def _missing_values(self, name: str, user: str) -> list[Problem]:
        missing = np.flatnonzero(np.isnan(self.covariates[name]))
        if not missing.size:
            return []
        subjects = [str(label) for label in self.ids[np.unique(self.subject[missing])]]
        shown = ", ".join(subjects[:10]) + (
            f" and {len(subjects) - 10} more" if len(subjects) > 10 else ""
        )
        message = (
            f"{name} is used by {user} and missing on {missing.size} "
            f"row{'s' if missing.size > 1 else ''} ({listed(self.row[missing])}); every row of a "
            "subject needs it, doses too: fill it in, or leave the rows out with where"
        )
        plural = "s" if len(subjects) > 1 else ""
        return [Problem(message, f"subject{plural} {shown}, column {name}")]
