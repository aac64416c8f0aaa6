"""The text of a CSV file taken apart into columns of cells; lines that do not fit are named."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset.raw_table import MISSING, SHOWN, RawTable
from pkmodel.errors import DataError, Problem
from pkmodel.suggestion import quoted

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "blanks"}
OTHER_FORMATS = {
    b"PK\x03\x04": "is a spreadsheet or a zip archive; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "is an old spreadsheet; save the sheet as CSV",
    b"\x1f\x8b": "is compressed with gzip; unpack it first",
    b"\xff\xfe": "is in UTF-16; save it as UTF-8",
    b"\xfe\xff": "is in UTF-16; save it as UTF-8",
}
BLOCK = 1 << 26


def _text(content: bytes, source: str) -> bytes:
    """Return UTF-8 without byte-order mark, lines ended by a line feed."""
    for start, message in OTHER_FORMATS.items():
        if content.startswith(start):
            raise DataError(f"the file {message}", source)
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise DataError(
            Problem("holds a zero byte: this is not a text file", f"line {line}"), source
        )
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise DataError(Problem(message, f"line {line}"), source) from None
    if not content.strip():
        raise DataError("the file is empty; expected a header line and rows", source)
    return content


def _header(content: bytes, source: str) -> tuple[list[str], bytes, int]:
    """Return (names, the lines after the header, the number of the first of them)."""
    line = 1
    begin = 0
    while True:
        end = content.find(b"\n", begin)
        end = len(content) if end < 0 else end
        if content[begin:end].strip():
            break
        begin = end + 1
        line += 1
    text = content[begin:end].decode()
    try:
        names = [name.strip() for name in next(csv.reader([text], strict=True))]
    except csv.Error as error:
        raise DataError(
            Problem(f"the header cannot be read: {error}", f"line {line}"), source
        ) from None
    if len(names) == 1:
        _refuse_separator(text, line, source)
    return names, content[end + 1 :], line + 1


def _refuse_separator(header: str, line: int, source: str) -> None:
    seen = [name for mark, name in SEPARATORS.items() if mark in header.strip()]
    if seen:
        message = f"the columns are separated by {seen[0]}; expected commas"
        if seen[0] == "semicolons":
            message += ", and a point as decimal mark"
    else:
        message = f"only one column, {quoted(header.strip())}; expected columns separated by commas"
    raise DataError(Problem(message, f"line {line}"), source)


def _layout(body: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return where each line starts and stops, and how many commas it holds."""
    starts, stops, commas = [], [], []
    begin = 0
    while begin < len(body):
        end = body.find(b"\n", min(begin + BLOCK, len(body)))
        end = len(body) if end < 0 else end + 1
        block = np.frombuffer(body, dtype=np.uint8, count=end - begin, offset=begin)
        breaks = np.flatnonzero(block == ord("\n"))
        start = np.concatenate([[0], breaks + 1])
        stop = np.append(breaks, len(block))
        inside = start < len(block)
        start, stop = start[inside], stop[inside]
        at = np.flatnonzero(block == ord(","))
        commas.append(np.diff(np.searchsorted(at, np.append(start, len(block)))))
        starts.append(start + begin)
        stops.append(stop + begin)
        begin = end
    if not starts:
        none = np.zeros(0, dtype=np.int64)
        return none, none, none
    return np.concatenate(starts), np.concatenate(stops), np.concatenate(commas)


def _wrong_counts(
    counts: NDArray[np.int64], lines: NDArray[np.int64], expected: int
) -> list[Problem]:
    problems = [
        Problem(
            f"{count} cell{'s' if count != 1 else ''} where the header has {expected} columns; "
            "write one cell per column, separated by commas, with a point as decimal mark",
            f"line {line}",
        )
        for count, line in zip(counts[:SHOWN], lines[:SHOWN], strict=True)
    ]
    if len(lines) > SHOWN:
        problems.append(
            Problem(
                f"and {len(lines) - SHOWN} more lines that have not {expected} cells",
                f"lines {lines[SHOWN]} to {lines[-1]}",
            )
        )
    return problems


def _without(body: bytes, drop: NDArray[np.bool_], starts: NDArray[np.int64]) -> bytes:
    parts = []
    begin = 0
    bounds = np.append(starts, len(body))
    for k in np.flatnonzero(drop):
        parts.append(body[begin : bounds[k]])
        begin = bounds[k + 1]
    parts.append(body[begin:])
    return b"".join(parts)


def _plain_cells(
    body: bytes, first: int, n_columns: int, text_columns: Sequence[int]
) -> tuple[list[pd.Series], NDArray[np.int64], list[Problem]]:
    """Take apart lines that hold no quotes."""
    import pandas as pd

    starts, stops, commas = _layout(body)
    lines = np.arange(first, first + len(starts))
    is_blank = np.zeros(len(starts), dtype=bool)
    for k in np.flatnonzero(commas == 0):
        is_blank[k] = not body[starts[k] : stops[k]].strip()
    is_wrong = ~is_blank & (commas + 1 != n_columns)
    problems = _wrong_counts(commas[is_wrong] + 1, lines[is_wrong], n_columns)
    drop = is_blank | is_wrong
    if drop.any():
        body = _without(body, drop, starts)
    lines = lines[~drop]
    if not len(lines):
        return [pd.Series(dtype=float)] * n_columns, lines, problems
    frame = pd.read_csv(
        io.BytesIO(body),
        header=None,
        names=range(n_columns),
        index_col=False,
        dtype=dict.fromkeys(text_columns, str),
        na_values=list(MISSING),
        keep_default_na=False,
        skipinitialspace=True,
        skip_blank_lines=False,
        low_memory=False,
        quoting=csv.QUOTE_NONE,
    )
    return [frame[k] for k in range(n_columns)], lines, problems


def _quoted_cells(
    body: bytes, first: int, n_columns: int
) -> tuple[list[pd.Series], NDArray[np.int64], list[Problem]]:
    """Take apart lines of which some hold quotes."""
    import pandas as pd

    rows: list[list[str]] = []
    lines: list[int] = []
    wrong: list[tuple[int, int]] = []
    problems: list[Problem] = []
    reader = csv.reader(io.StringIO(body.decode(), newline=""), strict=True, skipinitialspace=True)
    line = first
    try:
        for row in reader:
            if len(row) == n_columns:
                rows.append(row)
                lines.append(line)
            elif "".join(row).strip() or len(row) > 1:
                wrong.append((len(row), line))
            line = first + reader.line_num
    except csv.Error as error:
        problems.append(Problem(f"a quoted cell cannot be read: {error}", f"line {line}"))
    counts = np.array([count for count, _ in wrong], dtype=np.int64)
    at = np.array([where for _, where in wrong], dtype=np.int64)
    problems += _wrong_counts(counts, at, n_columns)
    cells = [pd.Series([row[k] for row in rows], dtype=str) for k in range(n_columns)]
    return cells, np.array(lines, dtype=np.int64), problems


def read_csv(content: bytes, source: str, sha256: str, label: str) -> RawTable:
    """Take apart the bytes of a CSV file.

    Parameters
    ----------
    content : bytes
    source : str
        File name, for messages.
    sha256 : str
    label : str
        Column whose cells stay text, so that ``007`` is not 7.

    Returns
    -------
    RawTable

    Raises
    ------
    DataError
        The file is not comma-separated text with a header and rows.
    """
    names, body, first = _header(_text(content, source), source)
    if b'"' in body:
        cells, line, problems = _quoted_cells(body, first, len(names))
    else:
        labels = [k for k, name in enumerate(names) if name == label]
        cells, line, problems = _plain_cells(body, first, len(names), labels)
    if not len(line) and not problems:
        raise DataError(
            "the file has a header and no rows; expected a row per dose and observation", source
        )
    return RawTable(source, sha256, names, cells, line, problems)
