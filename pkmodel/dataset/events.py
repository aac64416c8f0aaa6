"""Rows as events: defaults filled in, and the rules that join several columns of one row."""

from __future__ import annotations

import numpy as np

from pkmodel.dataset.censoring import read_censoring
from pkmodel.dataset.dose_checks import check_compartments, check_doses, check_trains
from pkmodel.dataset.event_record import Events, Ints
from pkmodel.dataset.faults import Faults
from pkmodel.dataset.raw_table import listed
from pkmodel.dataset.table import Table
from pkmodel.models.structural import Structure

RATE_TOLERANCE = 0.01


def read_events(table: Table, structure: Structure, lloq: float | None, faults: Faults) -> Events:
    """Fill in defaults and check what the columns of a row say together.

    Parameters
    ----------
    table : Table
    structure : Structure
    lloq : float or None
        Limit of quantification where the table has no CENS.
    faults : Faults
        Faults found are added to it.

    Returns
    -------
    Events
        To be used only if no faults were found.
    """
    evid = _event_codes(table, faults)
    mdv = np.where(table.is_missing("MDV"), evid != 0, table.get("MDV", 0))
    events = Events(
        amt=table.get("AMT", 0.0),
        rate=table.get("RATE", 0.0),
        ii=table.get("II", 0.0),
        dv=np.where((evid == 0) & (mdv == 0), table.get("DV", np.nan), np.nan),
        limit=np.full(table.line.size, np.nan),
        evid=evid,
        mdv=mdv.astype(np.int64),
        cmt=table.get("CMT", 0).astype(np.int64),
        addl=table.get("ADDL", 0).astype(np.int64),
        ss=table.get("SS", 0).astype(np.int64),
        cens=table.get("CENS", 0).astype(np.int64),
        occ=table.get("OCC", 1).astype(np.int64),
    )
    _check_roles(table, events, faults)
    _resolve_duration(table, events, faults)
    check_doses(table, events, faults)
    check_trains(table, events, faults)
    check_compartments(events, structure, faults)
    read_censoring(table, events, lloq, faults)
    return events


def _event_codes(table: Table, faults: Faults) -> Ints:
    """Return EVID, derived from AMT, RATE, MDV and DV where the file does not say it."""
    gives_dose = (table.get("AMT", 0) > 0) | (table.get("RATE", 0) > 0) | (table.get("DUR", 0) > 0)
    silent = table.is_missing("MDV") & table.is_missing("DV") & ~table.unreadable
    silent &= table.get("CENS", 0) != 1
    derived = np.where(gives_dose, 1, np.where((table.get("MDV", 0) == 1) | silent, 2, 0))
    unsaid = table.is_missing("EVID")
    assumed = np.flatnonzero(unsaid & ~gives_dose & silent)
    if assumed.size:
        faults.warnings.append(
            "rows without dose, DV, EVID and MDV carry covariates only "
            f"({listed(table.line[assumed])})"
        )
    return np.where(unsaid, derived, table.get("EVID", 0)).astype(np.int64)


def _check_roles(table: Table, events: Events, faults: Faults) -> None:
    """Check that a row is either a dose or an observation and says so consistently."""
    has_dv = table.get("DV", 0) != 0
    stated = ~table.is_missing("MDV")
    said = "EVID = {EVID}" if table.has("EVID") else "AMT or RATE make it a dose"
    is_event = events.evid != 0
    both = "a dose and an observation cannot share a row; split it in two"
    faults.rows(
        is_event & stated & (events.mdv == 0),
        "MDV",
        f"MDV = 0 marks an observation, but {said}; {both}, or say MDV = 1",
    )
    faults.rows(
        is_event & ~stated & has_dv,
        "DV",
        f"DV = {{DV}} on a row that is no observation ({said}); {both}, or say MDV = 1",
    )
    faults.rows(
        events.is_observation & (events.cens != 1) & np.isnan(events.dv) & ~table.unreadable,
        "DV",
        "the observation has no DV; say MDV = 1 (or EVID = 2), or give the value",
    )
    idle = ~events.is_dose
    said = "EVID = {EVID}" if table.has("EVID") else "no AMT and no RATE"
    for name in ("AMT", "RATE", "DUR", "ADDL", "SS"):
        if table.has(name):
            faults.rows(
                idle & (table.get(name, 0) > 0),
                name,
                f"{name} is {{{name}}} on a row that is no dose ({said}); "
                "a dose has EVID 1, or 4 after a reset",
            )


def _resolve_duration(table: Table, events: Events, faults: Faults) -> None:
    """Turn durations into rates."""
    duration = table.get("DUR", 0.0)
    timed = events.is_dose & (duration > 0)
    faults.rows(
        timed & (events.amt == 0) & ~table.unreadable,
        "DUR",
        "duration {DUR} without AMT; an infusion needs its amount",
    )
    given = timed & (events.rate > 0) & (events.amt > 0)
    ratio = np.ones_like(duration)
    np.divide(events.amt, events.rate * np.where(given, duration, 1.0), out=ratio, where=given)
    faults.rows(
        given & (np.abs(ratio - 1.0) > RATE_TOLERANCE),
        "DUR",
        "RATE = {RATE} and DUR = {DUR} disagree for AMT = {AMT}; AMT / RATE must be DUR, "
        "or leave one of them out",
    )
    alone = timed & (events.rate == 0)
    with np.errstate(over="ignore"):
        events.rate = np.where(alone, events.amt / np.where(alone, duration, 1.0), events.rate)
    faults.rows(
        np.isinf(events.rate),
        "DUR",
        "duration {DUR} is too short for AMT = {AMT}; the rate overflows",
    )
