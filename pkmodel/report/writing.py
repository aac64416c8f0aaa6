"""Where the page is written, and that nothing else is overwritten."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pkmodel.errors import PkmodelError
from pkmodel.output_folder import FILES
from pkmodel.report.page import GENERATOR, html
from pkmodel.report.run_folder import read_run

REPORT = "report.html"
SUFFIXES = (".html", ".htm")
HEAD = 2000
"""A former report says within so many bytes that it is one."""


def write_report(folder: str | Path, out: str | Path | None = None) -> Path:
    """Write one self-contained HTML page about a run.

    Parameters
    ----------
    folder : str or Path
        What ``pkmodel fit --out`` or ``Fit.save`` wrote.
    out : str or Path, optional
        The page's file; ``report.html`` in the folder if absent. A former report is replaced.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    PkmodelError
        The folder holds no run, or damaged files, or the page cannot be written there; what was
        there is still there.
    """
    folder = Path(folder)
    path = folder / REPORT if out is None else Path(out)
    run = read_run(folder)
    _check_place(path, folder)
    text = html(run)
    try:
        _replace(path, text)
    except OSError as error:
        raise PkmodelError(
            f"the page cannot be written to {path}: {error.strerror or error}; name another file"
        ) from error
    return path


def _check_place(path: Path, folder: Path) -> None:
    """Refuse a place where the page would destroy something, or be in the way of the next fit."""
    if path.suffix.lower() not in SUFFIXES:
        raise PkmodelError(f"{path} is no name of a page; expected one that ends in .html")
    if path.is_dir():
        raise PkmodelError(f"{path} is a folder; name a file for the page")
    if path.exists() and not _is_report(path):
        raise PkmodelError(
            f"{path} exists and is no report of pkmodel; nothing was written: name another file"
        )
    if not path.absolute().parent.is_dir():
        raise PkmodelError(f"there is no folder {path.absolute().parent}; make it, or name another")
    is_inside = path.absolute().parent.resolve() == folder.absolute().resolve()
    if is_inside and path.name not in FILES:
        raise PkmodelError(
            f"in the folder of a run a page is called {REPORT}; with another file in it the "
            "folder would not be taken for a run's: leave --out away, or name another folder"
        )


def _is_report(path: Path) -> bool:
    with path.open("rb") as file:
        return f'content="{GENERATOR}"'.encode() in file.read(HEAD)


def _replace(path: Path, text: str) -> None:
    """Write beside the file, then put it in its place, all or nothing."""
    descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=".report-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    """Return the mask that new files of this process are made with."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
