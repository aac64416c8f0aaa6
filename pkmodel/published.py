"""What papers say: the shipped figures, each with its source and how it was read.

For printing beside an estimate. A figure without a mark is not shipped, see `pkmodel.marks`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pkmodel.errors import DataError, PkmodelError, Problem
from pkmodel.published_check import NUMBERS, summary_faults
from pkmodel.shipped import shipped_data
from pkmodel.suggestion import quoted, suggest

if TYPE_CHECKING:
    import pandas as pd

Vector = NDArray[np.float64]

TABLES: Mapping[str, str] = {
    "summaries": "n, mean, SD, median and range of a group",
    "outcomes": "survival and treatment of a cohort",
    "regimens": "doses by body weight or age",
    "derived": "what follows by arithmetic from the others",
    "sources": "the papers",
}
"""Tables of published figures, and what a row of each is."""

NEEDED = ("group", "metric", "unit", "source")
"""Columns that a table of published summaries must have beside some of `NUMBERS`."""


@dataclass(frozen=True)
class Figure:
    """A published number.

    Attributes
    ----------
    value : float
    unit : str
        Empty for a pure number.
    mark : str
        A key of `pkmodel.marks.MARKS`.
    note : str
        What to know before use.
    """

    value: float
    unit: str
    mark: str
    note: str = ""


@dataclass(frozen=True)
class PublishedModel:
    """A published population model whose clearance is a power of body surface area.

    Attributes
    ----------
    name, title, source, note : str
        `source` is a row of the table ``sources``.
    figures : mapping of str to Figure
        ``clearance``, ``reference_bsa``, ``bsa_exponent``, ``volume`` and what else was published.
    """

    name: str
    title: str
    source: str
    note: str
    figures: Mapping[str, Figure]

    def clearance(self, bsa: ArrayLike) -> Vector:
        """Compute the typical clearance.

        Parameters
        ----------
        bsa : array_like
            Body surface area, m2.

        Returns
        -------
        ndarray
            In the unit of the figure ``clearance``.

        Examples
        --------
        >>> published_model("clements_2020").clearance([1.876, 0.4]).round(3).tolist()
        [2.22, 0.852]
        """
        reference, exponent = self._value("reference_bsa"), self._value("bsa_exponent")
        size = np.asarray(bsa, dtype=float) / reference
        return np.asarray(self._value("clearance") * size**exponent)

    def clearance_per_m2(self, bsa: ArrayLike) -> Vector:
        """Compute the typical clearance over body surface area.

        Parameters
        ----------
        bsa : array_like
            Body surface area, m2.

        Returns
        -------
        ndarray
            In the unit of the figure ``clearance``, per m2.
        """
        return np.asarray(self.clearance(bsa) / np.asarray(bsa, dtype=float))

    def _value(self, figure: str) -> float:
        return self.figures[figure].value


def published_figures(table: str = "summaries") -> pd.DataFrame:
    """Return a table of published figures.

    Parameters
    ----------
    table : str
        A key of `TABLES`.

    Returns
    -------
    DataFrame
        NaN where a number is not known; text columns are empty where there is nothing to say. The
        column ``mark`` says how a row was read, ``data`` which shipped data set it is of.

    Raises
    ------
    PkmodelError
        There is no such table.

    Examples
    --------
    >>> infants = published_figures().set_index("id").loc["infants_css"]
    >>> print(infants["mean"], infants["sd"], infants["unit"], infants["mark"])
    706.0 194.0 pg/mL SAW
    """
    import pandas as pd

    if table not in TABLES:
        raise PkmodelError(f"no published table {quoted(table)}; {suggest(str(table), TABLES)}")
    parts = [
        _read(file).assign(data=name)
        for name, folder in _folders().items()
        if (file := folder / f"{table}.csv").is_file()
    ]
    return pd.concat(parts, ignore_index=True)


def published_beside(
    file: str | None, groups: Sequence[str], units: Mapping[str, str]
) -> pd.DataFrame:
    """Read the published summaries that stand beside those of groups of the same name.

    Parameters
    ----------
    file : str or None
        CSV with columns group, metric, unit, source and some of n, mean, sd, median, min, max.
    groups : sequence of str
    units : mapping of str to str
        Unit of each metric.

    Returns
    -------
    DataFrame
        The rows of these groups and metrics; empty without a file.

    Raises
    ------
    DataError
        The file does not exist, is empty, lacks a column, has a value that no summary can have or a
        metric that is not known, has no row of these groups, or a row is in another unit.
    """
    import pandas as pd

    if file is None:
        return pd.DataFrame(columns=[*NEEDED, *NUMBERS])
    cells = _given_cells(file)
    lines = [int(str(index)) + 2 for index in cells.index]
    problems = summary_faults(zip(lines, cells.to_dict("records"), strict=True), units)
    if problems:
        raise DataError(problems, file)
    table = _typed_table(cells)
    beside = table[table["group"].isin(list(groups))]
    if beside.empty:
        known = ", ".join(dict.fromkeys(table["group"]))
        raise DataError(
            f"no row is of a group of this comparison ({', '.join(groups)}); groups there: {known}",
            file,
        )
    wrong = [
        Problem(
            f"{row.metric} is in {row.unit}, and in {units[str(row.metric)]} here; convert the row",
            f"line {int(str(row.Index)) + 2}",
        )
        for row in beside.itertuples()
        if row.unit != units[str(row.metric)]
    ]
    if wrong:
        raise DataError(wrong, file)
    columns = [*NEEDED, *(name for name in NUMBERS if name in beside)]
    return beside[columns].reset_index(drop=True)


def _given_cells(file: str) -> pd.DataFrame:
    """Read a user's table of published summaries as texts, or say what was expected of it."""
    import pandas as pd

    expected = (
        f"expected a CSV with the columns {', '.join(NEEDED)} and some of {', '.join(NUMBERS)}"
    )
    if not Path(file).is_file():
        raise DataError(Problem(f"there is no file {file}; {expected}", "[groups] published"))
    try:
        cells = _cells(Path(file))
    except pd.errors.EmptyDataError as error:
        raise DataError(f"the file is empty; {expected}", file) from error
    except (ValueError, OSError) as error:
        raise DataError(f"cannot be read as a table: {error}; {expected}", file) from error
    missing = [name for name in NEEDED if name not in cells]
    if missing:
        raise DataError(Problem(f"no column {', '.join(missing)}; {expected}", "header"), file)
    if cells.empty:
        message = f"the file has a header and no rows; {expected}, a row per group and metric"
        raise DataError(message, file)
    return cells


def published_model(name: str) -> PublishedModel:
    """Return a published population model.

    Parameters
    ----------
    name : str
        Such as ``"clements_2020"``.

    Returns
    -------
    PublishedModel

    Raises
    ------
    PkmodelError
        There is no model of this name.
    """
    models = {
        key: entry
        for folder in _folders().values()
        for key, entry in _models(folder / "models.toml").items()
    }
    if name not in models:
        raise PkmodelError(f"no published model {quoted(name)}; {suggest(str(name), models)}")
    entry = models[name]
    figures = {key: Figure(**figure) for key, figure in entry["figures"].items()}
    return PublishedModel(name, entry["title"], entry["source"], entry["note"], figures)


def _folders() -> dict[str, Path]:
    data = shipped_data()
    return {name: entry.file.parent for name, entry in data.items() if entry.is_published}


def _models(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _read(file: Path) -> pd.DataFrame:
    """Read a table; a column that holds any text is text throughout."""
    return _typed_table(_cells(file))


def _cells(file: Path) -> pd.DataFrame:
    """Read a table as texts; the index of a row is its line in the file less 2."""
    import pandas as pd

    cells = pd.read_csv(file, dtype=str, keep_default_na=False, skip_blank_lines=False)
    if not isinstance(cells.index, pd.RangeIndex):
        raise ValueError("its rows have more cells than its header")
    cells = cells.fillna("")
    return cells[(cells != "").any(axis=1)]


def _typed_table(cells: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: _typed(cells[name]) for name in cells})


def _typed(cells: pd.Series[str]) -> pd.Series[Any]:
    import pandas as pd

    values = pd.to_numeric(cells.where(cells != ""), errors="coerce")
    is_numeric = bool((values.notna() == (cells != "")).all()) and bool(values.notna().any())
    return values.astype(float) if is_numeric else cells
