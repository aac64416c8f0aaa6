"""Where the shipped data sets and fit definitions are.

Beside the package in a checkout, inside it once installed.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pkmodel.errors import PkmodelError

_PACKAGE = Path(__file__).parent

PUBLISHED = "published figures"
"""Kind of a data set that holds numbers out of papers, not records of subjects."""


def shipped_folder(kind: str) -> Path:
    """Return the folder of the shipped ``"data"`` or ``"fits"``.

    Raises
    ------
    PkmodelError
        If the installation has none.
    """
    for root in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (root / kind).is_dir() and (root / "fits").is_dir():
            return root / kind
    raise PkmodelError(
        f"this installation of pkmodel has no {kind} folder; install it again from a wheel"
    )


def shipped_fits() -> dict[str, Path]:
    """Return the shipped fit definitions by name, sorted."""
    return {path.stem: path for path in sorted(shipped_folder("fits").glob("*.toml"))}


def shipped_trials() -> dict[str, Path]:
    """Return the shipped trials by name, sorted; each stands beside the data made from it."""
    found = [path for path in shipped_folder("data").glob("*/*.toml") if _is_trial(path)]
    return {path.stem: path for path in sorted(found, key=lambda path: path.stem)}


def _is_trial(path: Path) -> bool:
    return "regimens" in tomllib.loads(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class ShippedData:
    """A shipped data set and its birth certificate.

    Attributes
    ----------
    name : str
        Name of its folder.
    file : Path
        The table.
    title, origin, licence, kind, sha256 : str
        As in its ``source.toml``.
    units : dict of str to str
        Units of time, amount and concentration; empty for published figures, whose rows each have
        their own.
    further : dict of Path to str
        SHA-256 of the other files that it needs.
    """

    name: str
    file: Path
    title: str
    origin: str
    licence: str
    kind: str
    sha256: str
    units: dict[str, str]
    further: dict[Path, str]

    @property
    def is_published(self) -> bool:
        """Tell whether it holds published figures and no records to fit."""
        return self.kind == PUBLISHED


def shipped_data() -> dict[str, ShippedData]:
    """Return the shipped data sets by name, sorted."""
    sources = sorted(shipped_folder("data").glob("*/source.toml"))
    return {source.parent.name: _read_source(source) for source in sources}


def _read_source(path: Path) -> ShippedData:
    source: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return ShippedData(
        name=path.parent.name,
        file=path.parent / source["file"],
        title=source["title"],
        origin=source["origin"],
        licence=source["licence"],
        kind=source["kind"],
        sha256=source["sha256"],
        units={} if source["kind"] == PUBLISHED else source["units"],
        further={path.parent / name: digest for name, digest in source.get("files", {}).items()},
    )


def column_meanings(sha256: str) -> dict[str, str]:
    """Return what the columns of a shipped table are, known by its checksum; else nothing.

    Examples
    --------
    >>> from pkmodel.shipped import column_meanings, shipped_data
    >>> column_meanings(shipped_data()["blinatumomab_virtual"].sha256)["HT"]
    'height or length, cm'
    >>> column_meanings("of another table")
    {}
    """
    try:
        sources = list(shipped_folder("data").glob("*/source.toml"))
    except PkmodelError:
        return {}
    for path in sources:
        source: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        if source["sha256"] == sha256 and source["kind"] != PUBLISHED:
            return dict(source.get("columns", {}))
    return {}
