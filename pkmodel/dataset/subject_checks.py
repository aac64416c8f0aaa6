"""What the rows of a subject say together: their order, their repetition, their completeness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset.event_record import Events
from pkmodel.dataset.faults import Faults
from pkmodel.dataset.table import Table

Ints = NDArray[np.int64]


def check_subjects(table: Table, events: Events, faults: Faults, *, whole: bool) -> None:
    """Check order in time, order of subjects, duplicates, and that each has doses and observations.

    Parameters
    ----------
    table : Table
    events : Events
    faults : Faults
    whole : bool
        All lines of the file could be read, so that what is absent is really absent.
    """
    subject = _fill_forward(table.subject)
    _check_return(subject, table, faults)
    _check_order(subject, table, events, faults)
    _check_duplicates(subject, table, events, faults)
    if whole:
        _check_completeness(table, events, faults)


def _fill_forward(subject: Ints) -> Ints:
    last = np.maximum.accumulate(np.where(subject >= 0, np.arange(subject.size), 0))
    return subject[last]


def _check_return(subject: Ints, table: Table, faults: Faults) -> None:
    begins = np.flatnonzero(np.diff(subject, prepend=-2) != 0)
    _, first = np.unique(subject[begins], return_index=True)
    returns = np.delete(begins, first)
    mask = np.zeros(subject.size, dtype=bool)
    mask[returns] = True
    before = {
        int(row): f"subject {table.ids[subject[row - 1]]} (line {table.line[row - 1]})"
        for row in returns
    }
    faults.rows(
        mask & (subject >= 0),
        "ID",
        "this ID comes back after {detail}; the rows of a subject must stand together, "
        "and each subject needs an ID of its own",
        details=before,
    )


def _check_order(subject: Ints, table: Table, events: Events, faults: Faults) -> None:
    time = table.columns["TIME"]
    same = np.diff(subject, prepend=-2) == 0
    latest = _latest_row(time, ~same | (events.evid >= 3))
    late = same & (events.evid < 3) & (time < time[latest])
    rows = np.flatnonzero(late)
    details = {int(r): f"{time[latest[r]]:.12g} in line {table.line[latest[r]]}" for r in rows}
    faults.rows(
        late,
        "TIME",
        "TIME {TIME} comes after {detail}; TIME must not decrease within a subject "
        "(only a reset, EVID 3 or 4, may start it again)",
        details=details,
    )


def _latest_row(time: NDArray[np.float64], restarts: NDArray[np.bool_]) -> Ints:
    """Return for each row the last row before it that has a time, since the clock was started."""
    index = np.arange(time.size)
    valid = np.where(~np.isnan(time) | restarts, index, 0)
    before = np.concatenate([[0], np.maximum.accumulate(valid)[:-1]])
    return np.where(restarts, index, before)


def _check_duplicates(subject: Ints, table: Table, events: Events, faults: Faults) -> None:
    """Find observations of one subject, time and compartment between the same doses."""
    import pandas as pd

    rows = np.flatnonzero(events.is_observation & ~table.unreadable & ~np.isnan(events.dv))
    since = np.cumsum(events.is_dose | (events.evid == 3))
    keys = pd.DataFrame(
        {
            "subject": subject[rows],
            "time": table.columns["TIME"][rows],
            "compartment": events.cmt[rows],
            "since": since[rows],
        }
    )
    repeated = keys.duplicated(keep=False).to_numpy()
    if not repeated.any():
        return
    instant = list(keys.columns)
    keys = keys.assign(dv=events.dv[rows], row=rows)[repeated]
    again = keys.duplicated([*instant, "dv"]).to_numpy()
    first = keys.groupby([*instant, "dv"])["row"].transform("first")
    pairs = zip(keys["row"][again].tolist(), first[again].tolist(), strict=True)
    details = {row: f"line {table.line[earlier]}" for row, earlier in pairs}
    mask = np.zeros(table.line.size, dtype=bool)
    mask[list(details)] = True
    faults.rows(
        mask,
        "DV",
        "the same observation as in {detail} (ID, TIME, CMT and DV); delete one",
        tolerable="duplicate_observations",
        details=details,
    )
    replicates = int(keys[~again].duplicated(instant).sum())
    if replicates:
        faults.warnings.append(
            "observations that repeat an earlier one at the same time with another DV, "
            f"each of which counts: {replicates}"
        )


def _check_completeness(table: Table, events: Events, faults: Faults) -> None:
    known = (table.subject >= 0) & ~table.unreadable
    count = table.ids.size
    doubtful = np.bincount(table.subject[(table.subject >= 0) & table.unreadable], minlength=count)
    observed = np.bincount(table.subject[known & events.is_observation], minlength=count)
    dosed = np.bincount(table.subject[known & events.is_dose], minlength=count)
    sure = doubtful == 0
    faults.subjects(
        table.ids[sure & (observed == 0)],
        "no observations; leave the subject out with where",
        "no_observations",
    )
    faults.subjects(
        table.ids[sure & (observed > 0) & (dosed == 0)],
        "observations but no dose; add the dose, or leave the subject out with where",
        "no_dose",
    )
