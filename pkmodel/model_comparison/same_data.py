"""Whether fits used the same data, row by row: only then can their likelihoods be compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pkmodel.dataset import Dataset
from pkmodel.errors import ModelError
from pkmodel.errors import Problem as Fault
from pkmodel.kernels.residual import CENSORED, IGNORED
from pkmodel.problem import Problem

_COLUMNS = ("time", "amt", "rate", "ii", "evid", "addl", "ss", "cmt", "dv", "cens")
"""Columns of events that make the data, by the names of `Dataset`."""


def check_same_data(problems: Mapping[str, Problem]) -> None:
    """Refuse fits that did not use the same rows in the same way.

    Parameters
    ----------
    problems : mapping of str to Problem
        By the names of the fits.

    Raises
    ------
    ModelError
        Naming what differs from the first.
    """
    (first, standard), *others = problems.items()
    faults = [
        Fault(message, f"{name!r} and {first!r}")
        for name, problem in others
        for message in _differences(problem, standard)
    ]
    if faults:
        advice = "compare fits of the same data only: read the same file in the same way"
        raise ModelError([*faults, Fault(advice)])


def _differences(problem: Problem, standard: Problem) -> list[str]:
    """Say in what the data of two fits differ."""
    data, other = problem.dataset, standard.dataset
    out = []
    if data.sha256 != other.sha256:
        out.append(
            f"different data: {data.source} (sha256 {data.sha256[:12]}...) and {other.source} "
            f"(sha256 {other.sha256[:12]}...)"
        )
    if data.units != other.units:
        out.append(f"different units: {_units(data)} and {_units(other)}")
    if not np.array_equal(data.row, other.row):
        out.append(_rows(data, other))
        return out
    for name in _COLUMNS:
        one, two = getattr(data, name), getattr(other, name)
        unequal = np.flatnonzero(~_equal(one, two))
        if unequal.size:
            at = int(unequal[0])
            out.append(
                f"{name.upper()} differs in {unequal.size} rows, first in line {data.row[at]}: "
                f"{one[at]:g} and {two[at]:g}; look at [data] columns, units and lloq"
            )
    if not out and not np.array_equal(problem.rows.status, standard.rows.status):
        out.append(f"censored rows are {_censoring(problem)}, and {_censoring(standard)}")
    return out


def _equal(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return np.asarray((one == two) | (np.isnan(one) & np.isnan(two)))


def _units(data: Dataset) -> str:
    units = data.units
    return f"{units.time}, {units.amount}, {units.concentration}"


def _rows(data: Dataset, other: Dataset) -> str:
    """Say how many rows each has, which of them first, and what was left out."""
    only = np.setxor1d(data.row, other.row)
    where = f"line {only[0]} is in one of them only" if only.size else "in another order"
    left_out = " and ".join(_excluded(d) for d in (data, other))
    return f"different rows: {data.row.size} and {other.row.size}, {where}; left out: {left_out}"


def _excluded(data: Dataset) -> str:
    parts = [f"{count} by {request}" for request, count in data.excluded.items()]
    return ", ".join(parts) or "none"


def _censoring(problem: Problem) -> str:
    status = problem.rows.status
    used, left = int(np.sum(status == CENSORED)), int(np.sum(status == IGNORED))
    return f"used as probabilities (M3, {used})" if used else f"left out (M1, {left})"
