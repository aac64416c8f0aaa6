"""The file of a fit definition: found, read as text, parsed as TOML."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from pkmodel.errors import ModelError, PkmodelError
from pkmodel.shipped import shipped_fits
from pkmodel.suggestion import suggest

MAX_BYTES = 100_000
MAX_LINE = 10_000


def find_definition(name: str | Path) -> Path:
    """Find a definition by its file, or by the bare name of a shipped one.

    Raises
    ------
    ModelError
        Neither exists.
    """
    path = Path(name)
    if os.path.isfile(path):
        return path
    shipped = _shipped()
    if str(name) in shipped:
        return shipped[str(name)]
    if os.path.isdir(path):
        raise ModelError("this is a folder; expected the TOML file of a fit definition", str(name))
    raise ModelError(
        f"there is no such file ({_nearest(path, shipped)})", ascii(str(name))[1:-1][:300]
    )


def _shipped() -> dict[str, Path]:
    try:
        return shipped_fits()
    except PkmodelError:
        return {}


def _nearest(path: Path, shipped: dict[str, Path]) -> str:
    if os.path.isdir(path.parent) and path.suffix:
        beside = sorted(other.name for other in path.parent.glob("*.toml"))
        if beside:
            return suggest(path.name, beside, "in its folder")
    return suggest(path.stem, shipped, "shipped definitions")


def read_document(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ModelError
        The file cannot be read or is not TOML; says at which line.
    """
    return parse_document(_read_text(path), str(path))


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}", str(path)) from None
    if len(content) > MAX_BYTES:
        message = f"more than {MAX_BYTES} bytes, too long for a definition; is it the data file?"
        raise ModelError(message, str(path))
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = (
            f"not UTF-8 text: byte {content[error.start]:#04x} at line {line}; save it as UTF-8"
        )
        raise ModelError(message, str(path)) from None


def parse_document(text: str, source: str) -> dict[str, Any]:
    """Parse TOML text; `source` names it in messages."""
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE:
            message = f"line {number} has {len(line)} characters; at most {MAX_LINE} are read"
            raise ModelError(message, source)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(_toml_fault(str(error), text), source) from None
    except RecursionError:
        raise ModelError("tables or arrays are nested too deeply", source) from None
    except ValueError:
        raise ModelError("a number or date is out of range", source) from None


def _toml_fault(message: str, text: str) -> str:
    """Say what TOML expected, with the line and a caret below it."""
    at = re.search(r"line (\d+), column (\d+)", message)
    if not at:
        return f"not valid TOML: {message}; is a quote or bracket left open?"
    line, column = (int(number) for number in at.groups())
    content = text.split("\n")[line - 1]
    first = max(0, column - 51)
    before, after = content[first : column - 1], content[column - 1 : column + 30]
    hint = '; texts and formulas stand in quotes, such as CL = "cl * WT"'
    if "Invalid value" not in message:
        hint = ""
    shown, margin = ascii(before + after)[1:-1], " " * len(ascii(before)[1:-1])
    return f"not valid TOML: {message}{hint}\n      {shown}\n      {margin}^"
