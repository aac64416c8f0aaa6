"""The file of a simulated trial: refused before the simulation, replaced as a whole after it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pandas as pd

from pkmodel.errors import FitError
from pkmodel.simulate.trial import TABLE

DIGITS = "%.12g"


def check_table_file(path: Path) -> bool:
    """Refuse a place that holds something else than a simulated table, or cannot hold one.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
        Whether a simulated table is there already.

    Raises
    ------
    FitError
        Naming the obstacle.
    """
    if path.is_dir():
        raise FitError(f"{path} is a folder; name a file for the table")
    if not path.absolute().parent.is_dir():
        raise FitError(f"there is no folder {path.parent}; make it, or name another file")
    if not os.path.lexists(path):
        return False
    if not path.is_file() or _first_line(path) != ",".join(TABLE):
        raise FitError(
            f"{path} is no table of pkmodel simulate; nothing was written: name another file"
        )
    return True


def _first_line(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.readline(10_000).decode("utf-8", "replace").rstrip("\r\n")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a simulated table as CSV; missing values as a point.

    Raises
    ------
    FitError
        The file cannot be written; what was there is still there.
    """
    check_table_file(path)
    target = path.absolute()
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".simulate-") as folder:
            new = Path(folder) / "table.csv"
            table.to_csv(new, index=False, float_format=DIGITS, na_rep=".", lineterminator="\n")
            os.replace(new, target)
    except OSError as error:
        raise FitError(f"cannot write {path}: {error.strerror}") from error
