"""The folder that holds a fit's files: refused before the fit, replaced as a whole after it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pkmodel.errors import FitError
from pkmodel.status import Status

FIT_FILES = (
    "fit.json",
    "individuals.csv",
    "exposure.csv",
    "predictions.csv",
    "trace.csv",
    "fit.nc",
)
"""What every fit writes."""

FILES = (
    *FIT_FILES,
    "iterations.csv",
    "groups.csv",
    "contrasts.json",
    "comparison.json",
    "noncompartmental.csv",
    "samples.csv",
    "published.csv",
    "report.html",
    "model_comparison.csv",
    "model_comparison.json",
    "model_comparison_subjects.csv",
    "likelihood_ratios.csv",
)
"""What may stand in the folder of a fit: it is replaced with all of it."""


def check_output_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written, or that holds something else than a former fit.

    Parameters
    ----------
    folder : Path
        May be absent; then it must be possible to make it.

    Raises
    ------
    FitError
        Naming the obstacle.
    """
    folder = folder.absolute()
    ground = next(p for p in (folder, *folder.parents) if os.path.lexists(p))
    if ground != folder:
        _refuse_long_names(folder)
    if not ground.is_dir():
        what = "a file" if ground.exists() else "a link to nothing"
        raise FitError(f"{ground} is {what}; name another folder for the fit")
    if ground == folder:
        _refuse_foreign(folder)
        ground = folder.parent
    try:
        with tempfile.TemporaryDirectory(dir=ground, prefix=".fit-"):
            pass
    except OSError as error:
        raise FitError(
            f"no folder can be made in {ground} ({error.strerror}); nothing was written: name "
            "another folder for the fit"
        ) from error


def _refuse_long_names(folder: Path) -> None:
    """Refuse names that the file system would not take."""
    try:
        os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise FitError(f"{folder}: {error.strerror}; name another folder for the fit") from error


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds other files than a fit's."""
    foreign = sorted(p.name for p in folder.iterdir() if p.name not in FILES)
    if foreign:
        raise FitError(
            f"{folder} holds files that are no fit's ({', '.join(foreign[:5])}); nothing was "
            "written: name another folder"
        )


def former_fit(folder: Path) -> str | None:
    """Say which fit a folder holds, by its title and date; None if it holds none."""
    path = folder / "fit.json"
    if not path.is_file():
        return None
    date = datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    try:
        title = json.loads(path.read_text(encoding="utf-8"))["title"]
    except (ValueError, KeyError, TypeError):
        title = "unreadable"
    return f"the fit {title or 'Untitled fit'!r} of {date}"


def folder_beside(folder: Path) -> Path:
    """Return where an unfinished run goes: not in the place of a run that is whole.

    Parameters
    ----------
    folder : Path
        Asked for.

    Returns
    -------
    Path
        `folder` itself where it is absent, empty, or holds an interrupted fit; else the one beside
        it with ``.interrupted`` after its name.
    """
    is_free = not folder.exists() or not any(folder.iterdir()) or _is_interrupted(folder)
    return folder if is_free else _beside(folder)


def left_beside(folder: Path) -> Path | None:
    """Return the folder beside it where an unfinished run was left, if there is one."""
    beside = _beside(folder)
    return beside if beside.exists() else None


def _beside(folder: Path) -> Path:
    return folder.absolute().with_name(f"{folder.absolute().name}.interrupted")


def _is_interrupted(folder: Path) -> bool:
    try:
        document = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
        return bool(document["status"] == Status.INTERRUPTED)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def finish_folder(unfinished: Path, folder: Path, write: Callable[[Path], None]) -> None:
    """Put the files of an unfinished run and those that it still lacks into a folder.

    Parameters
    ----------
    unfinished : Path
        May be `folder`; else it is there no more afterwards.
    folder : Path
    write : callable
        As for `replace_folder`.

    Raises
    ------
    FitError
        Where the folder cannot take the files; what it held is still there.
    """

    def write_all(new: Path) -> None:
        shutil.copytree(unfinished, new, dirs_exist_ok=True)
        write(new)

    replace_folder(folder, write_all)
    if unfinished != folder:
        shutil.rmtree(unfinished)


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Have the files written beside the folder, then put them in its place, all or nothing.

    Parameters
    ----------
    folder : Path
        Made if absent.
    write : callable
        Writes the files into the folder that it is given.

    Raises
    ------
    FitError
        Where the folder cannot take the files; what it held is still there.
    """
    check_output_folder(folder)
    target = folder.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fit-") as name:
            new, old = Path(name) / "new", Path(name) / "old"
            new.mkdir()
            write(new)
            try:
                if target.exists():
                    target.rename(old)
                new.rename(target)
            except BaseException:
                if old.exists() and not target.exists():
                    old.rename(target)
                raise
    except OSError as error:
        reason = error.strerror or "a file could not be made"
        raise FitError(f"cannot write the fit to {folder}: {reason}") from error
