"""A fit definition in memory: the same data, model and options that Python users write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pkmodel.errors import DataError, Problem
from pkmodel.models.model import Model, Options
from pkmodel.suggestion import quoted, suggest

if TYPE_CHECKING:
    import pandas as pd

    from pkmodel.dataset import Dataset


@dataclass(frozen=True)
class DataSpec:
    """Which table a fit uses, and how it is read.

    Attributes
    ----------
    file : Path
        Absolute where it comes from a file of a definition.
    units : mapping of str to str or None
        ``time``, ``amount`` and ``concentration``; None takes the numbers as consistent.
    columns : mapping of str to str or None
        Standard name and the name in the file.
    where : str or None
        Condition on columns; other rows are left out.
    lloq : float or None
        Limit of quantification, where the file has no column CENS.
    covariates : str
        ``"nocb"`` or ``"locf"``.
    allow : tuple of str
        Faults of the table that are tolerated.
    """

    file: Path
    units: Mapping[str, str] | None = None
    columns: Mapping[str, str] | None = None
    where: str | None = None
    lloq: float | None = None
    covariates: str = "nocb"
    allow: tuple[str, ...] = ()

    def read(self, structure: str, table: pd.DataFrame | None = None) -> Dataset:
        """Read the table.

        Parameters
        ----------
        structure : str
            The structural model, whose compartments the doses enter.
        table : DataFrame, optional
            Takes the place of the file; all else is as declared.

        Returns
        -------
        Dataset

        Raises
        ------
        DataError, ModelError
            The table, or what is asked of it, has faults.
        """
        from pkmodel.dataset import read_dataset

        return read_dataset(
            self._present_file() if table is None else table,
            units=self.units,
            columns=self.columns,
            where=self.where,
            lloq=self.lloq,
            covariates=self.covariates,
            allow=self.allow,
            structure=structure,
        )

    def _present_file(self) -> Path:
        try:
            is_file = self.file.is_file()
        except OSError as error:
            message = f"{quoted(self.file.name)} cannot be looked for: {error.strerror}"
            raise DataError(Problem(message, "[data] file")) from error
        if not is_file:
            raise DataError(Problem(self._absence(), "[data] file"))
        return self.file

    def _absence(self) -> str:
        if not self.file.parent.is_dir():
            return f"there is no folder {self.file.parent}"
        names = sorted(path.name for path in self.file.parent.iterdir() if path.is_file())
        return f"there is no file {self.file} ({suggest(self.file.name, names, 'in its folder')})"


@dataclass(frozen=True)
class Definition:
    """A fit definition.

    Attributes
    ----------
    title : str
    data : DataSpec or None
        None where the data come from Python.
    model : Model
    options : Options
    groups : mapping of str to object, or None
        Age groups: ``age``, ``unit``, ``scheme`` or ``cuts`` (pairs by name), ``bsa`` (a column or
        a mapping), ``weight``; for their comparison ``reference``, ``margin``, ``published``.
    path : Path or None
        File it was read from; not compared.
    """

    title: str
    data: DataSpec | None
    model: Model
    options: Options = field(default_factory=Options)
    groups: Mapping[str, object] | None = None
    path: Path | None = field(default=None, compare=False)
