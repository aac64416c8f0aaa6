"""From cells to numbers and subject labels; a cell that is neither number nor missing is bad."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset.raw_table import MISSING

if TYPE_CHECKING:
    import pandas as pd

NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
INFINITE = re.compile(r"[-+]?inf(?:inity)?", re.IGNORECASE)
WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})(?:\.0*)?")

HINTS = (
    (re.compile(r"[0-9]{1,2}:[0-9]{2}.*"), "clock times are not read; give a number of time units"),
    (
        re.compile(r"[0-9]{1,4}[-/][0-9]{1,2}[-/].*"),
        "dates are not read; give a number of time units",
    ),
    (re.compile(r"[-+]?[0-9]+,[0-9]+"), "write a point as decimal mark"),
    (re.compile(r"[-+]?nan", re.IGNORECASE), "a missing value is written . or NA or left empty"),
    (
        re.compile(r"<.*|[ab][ul]?[ql]?lo?q.*|b[ql]+", re.IGNORECASE),
        "a value below the limit of quantification has CENS = 1 and the limit as DV",
    ),
    (
        re.compile(r"(?:n/?a|nd|none|null|missing|-+|\*)", re.IGNORECASE),
        "missing is written . or NA",
    ),
)


def hint(text: str) -> str:
    """Say how a frequent kind of text in a number column should have been written."""
    return next((f"; {advice}" for shape, advice in HINTS if shape.fullmatch(text)), "")


def _as_text(cells: pd.Series) -> list[str]:
    """Return every cell as text, missing ones empty."""
    import pandas as pd

    return [
        ""
        if c is None or c is pd.NA or c is pd.NaT or (isinstance(c, float) and c != c)
        else str(c).strip()
        for c in cells
    ]


def _number(text: str) -> float | None:
    if text in MISSING:
        return np.nan
    if NUMBER.fullmatch(text) or INFINITE.fullmatch(text):
        return float(text)
    return None


def numbers(cells: pd.Series, *, from_text: bool) -> tuple[NDArray[np.float64], dict[int, str]]:
    """Turn cells into numbers.

    Parameters
    ----------
    cells : pandas.Series
    from_text : bool
        The cells were written as text; ``True`` and ``False`` are then no numbers.

    Returns
    -------
    values : ndarray of float64
        NaN where missing or bad.
    bad : dict of int to str
        Text of the cells that are no numbers, by row.
    """
    kind = cells.dtype.kind
    if kind in "iuf" or (kind == "b" and not from_text):
        return cells.to_numpy(dtype=np.float64, copy=True, na_value=np.nan), {}
    texts = _as_text(cells)
    known = {text: _number(text) for text in set(texts)}
    parsed = [known[text] for text in texts]
    bad = {row: texts[row] for row, value in enumerate(parsed) if value is None}
    return np.array([np.nan if v is None else v for v in parsed], dtype=np.float64), bad


def labels(cells: pd.Series) -> tuple[NDArray[np.int64] | NDArray[np.str_], NDArray[np.int64]]:
    """Turn the cells of ID into labels and an index into them, -1 where missing.

    Labels are integers where all are, else text as written; in order of first appearance.
    """
    import pandas as pd

    try:
        codes, uniques = pd.factorize(cells)
    except TypeError:
        codes, uniques = pd.factorize(pd.Series(_as_text(cells), dtype=str))
    texts = _as_text(pd.Series(uniques))
    if all(WHOLE.fullmatch(t) for t in texts if t not in MISSING):
        values: list[int | str] = [t if t in MISSING else int(t.split(".")[0]) for t in texts]
    else:
        values = list(texts)
    return _merge(values, np.asarray(codes, dtype=np.int64))


def _merge(
    values: Iterable[int | str], codes: NDArray[np.int64]
) -> tuple[NDArray[np.int64] | NDArray[np.str_], NDArray[np.int64]]:
    """Give cells that spell the same label (``1`` and ``1.0``) the same index."""
    index: dict[int | str, int] = {}
    to = [-1 if v in MISSING else index.setdefault(v, len(index)) for v in values]
    merged = np.array([*to, -1], dtype=np.int64)[codes]
    return np.array(list(index)) if index else np.zeros(0, dtype=np.int64), merged
