"""Whether the rows of a table of published summaries can be such: every fault with its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

from pkmodel.errors import Problem
from pkmodel.suggestion import quoted, suggest

NUMBERS = ("n", "mean", "sd", "median", "min", "max")
"""Columns of a published summary that hold numbers."""

ORDERED = (("min", "median"), ("median", "max"), ("min", "mean"), ("mean", "max"), ("min", "max"))
"""Pairs of which the first cannot be above the second."""


def summary_faults(
    rows: Iterable[tuple[int, Mapping[Any, str]]], metrics: Iterable[str]
) -> list[Problem]:
    """Find what no summary of a group can be.

    Parameters
    ----------
    rows : iterable of (int, mapping of str to str)
        Line in the file, and the cells by column; an empty one is not known.
    metrics : iterable of str
        The names that a metric can have.

    Returns
    -------
    list of Problem

    Examples
    --------
    >>> row = {"metric": "CCS", "n": "30", "mean": "706", "sd": "0"}
    >>> for problem in summary_faults([(2, row)], ["CSS", "CL"]):
    ...     print(problem)
    line 2: no metric 'CCS'; did you mean `CSS`? metrics: CSS, CL
    line 2: sd is 0; expected a number above 0, or nothing where it is not known
    """
    known = list(metrics)
    return [fault for line, row in rows for fault in _row_faults(f"line {line}", row, known)]


def _row_faults(place: str, row: Mapping[Any, str], metrics: list[str]) -> Iterator[Problem]:
    metric = row["metric"]
    if metric not in metrics:
        yield Problem(f"no metric {quoted(metric)}; {suggest(metric, metrics, 'metrics')}", place)
    values: dict[str, float] = {}
    for name in NUMBERS:
        text = row.get(name, "").strip()
        if not text:
            continue
        value = _number(text)
        if value is None or value <= 0.0 or (name == "n" and value % 1.0):
            wanted = "a whole number of subjects" if name == "n" else "a number above 0"
            shown = text if value is not None else quoted(text)
            yield Problem(
                f"{name} is {shown}; expected {wanted}, or nothing where it is not known", place
            )
        else:
            values[name] = value
    for low, high in ORDERED:
        if low in values and high in values and values[low] > values[high]:
            yield Problem(f"{low} {row[low]} is above {high} {row[high]}", place)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
