"""Rows as events: defaults filled in, and the rules that join several columns of one row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset.column_checks import MOST_DOSES
from pkmodel.dataset.faults import Faults
from pkmodel.dataset.raw_table import listed
from pkmodel.dataset.table import Bools, Floats, Table
from pkmodel.models.structural import Structure

RATE_TOLERANCE = 0.01
MOST_IMPLIED = 50_000_000
MOST_OVERLAPPING = 10_000

Ints = NDArray[np.int64]


@dataclass
class Events:
    """One entry per row; see `pkmodel.dataset.Dataset`."""

    amt: Floats
    rate: Floats
    ii: Floats
    dv: Floats
    limit: Floats
    evid: Ints
    mdv: Ints
    cmt: Ints
    addl: Ints
    ss: Ints
    cens: Ints
    occ: Ints

    @property
    def is_dose(self) -> Bools:
        """Rows that give a dose."""
        return np.isin(self.evid, (1, 4))

    @property
    def is_observation(self) -> Bools:
        """Rows whose DV counts."""
        return np.where(self.mdv == 0, self.evid == 0, False)


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
    _check_doses(table, events, faults)
    _check_trains(table, events, faults)
    _check_compartments(events, structure, faults)
    _read_censoring(table, events, lloq, faults)
    return events


def _event_codes(table: Table, faults: Faults) -> Ints:
    """Return EVID, derived from AMT, RATE, MDV and DV where the file does not say it."""
    gives_dose = (table.get("AMT", 0) > 0) | (table.get("RATE", 0) > 0) | (table.get("DUR", 0) > 0)
    silent = table.is_missing("MDV") & table.is_missing("DV") & ~table.unreadable
    derived = np.where(gives_dose, 1, np.where((table.get("MDV", 0) == 1) | silent, 2, 0))
    unsaid = table.is_missing("EVID")
    assumed = np.flatnonzero(unsaid & ~gives_dose & silent)
    if assumed.size:
        faults.warnings.append(
            f"{assumed.size} rows without dose, DV, EVID and MDV carry covariates only "
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
        (events.evid == 0) & (events.mdv == 0) & np.isnan(events.dv) & ~table.unreadable,
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


def _check_doses(table: Table, events: Events, faults: Faults) -> None:
    dose = events.is_dose & ~table.unreadable
    empty = events.amt == 0
    faults.rows(
        dose & empty & (events.rate == 0) & (table.get("DUR", 0) == 0),
        "AMT",
        "a dose row without an amount; give AMT > 0, or EVID 2 where nothing is given",
        tolerable="zero_dose",
    )
    faults.rows(
        dose & empty & (events.rate > 0) & (events.ss == 0),
        "RATE",
        "RATE = {RATE} without AMT; give the total amount (a constant infusion without end is "
        "possible at steady state only: SS = 1)",
    )
    with np.errstate(all="ignore"):
        duration = np.where(events.rate > 0, events.amt / events.rate, 0.0)
    faults.rows(
        dose & ~np.isfinite(duration) & np.isfinite(events.rate),
        "RATE",
        "RATE = {RATE} is too small for AMT = {AMT}; the infusion would never end",
    )


def _check_trains(table: Table, events: Events, faults: Faults) -> None:
    """Check dosing intervals, additional doses and steady states."""
    dose = events.is_dose & ~table.unreadable
    no_interval = events.ii == 0
    constant = (events.amt == 0) & (events.rate > 0) & (events.ss > 0)
    faults.rows(
        dose & (events.addl > 0) & no_interval & ~constant,
        "ADDL",
        "ADDL = {ADDL} without II; additional doses need a dosing interval II > 0",
    )
    faults.rows(
        dose & (events.ss > 0) & no_interval & ~constant,
        "SS",
        "SS = {SS} without II; steady state needs a dosing interval II > 0",
    )
    faults.rows(
        dose & constant & ~no_interval,
        "II",
        "II = {II} with a constant infusion at steady state (AMT = 0, RATE = {RATE}); "
        "such an infusion has no interval: II must be 0",
    )
    faults.rows(
        dose & constant & (events.addl > 0),
        "ADDL",
        "ADDL = {ADDL} with a constant infusion at steady state (AMT = 0, RATE = {RATE}); "
        "ADDL must be 0",
    )
    _check_sizes(events, faults)
    unused = np.flatnonzero(~no_interval & (events.addl == 0) & (events.ss == 0))
    if unused.size:
        faults.warnings.append(
            f"II without ADDL or SS has no effect ({listed(table.line[unused])})"
        )


def _check_sizes(events: Events, faults: Faults) -> None:
    """Refuse dosing histories that would not fit into memory."""
    repeated = events.is_dose & (events.ii > 0) & ((events.addl > 0) | (events.ss > 0))
    with np.errstate(all="ignore"):
        overlap = events.amt / events.rate / events.ii
    faults.rows(
        repeated & (events.rate > 0) & (overlap > MOST_OVERLAPPING),
        "II",
        f"more than {MOST_OVERLAPPING} infusions of this train would run at one time; "
        "check II = {II}, AMT = {AMT} and the rate",
    )
    total = int(events.addl[events.is_dose].sum())
    if total > MOST_IMPLIED:
        worst = np.arange(events.addl.size) == np.argmax(events.addl)
        faults.rows(
            worst,
            "ADDL",
            f"all ADDL together ask for {total} doses; at most {MOST_IMPLIED} are possible "
            f"(and {MOST_DOSES} in one row)",
        )


def _check_compartments(events: Events, structure: Structure, faults: Faults) -> None:
    names = [f"{k} ({name})" for k, name in enumerate(structure.compartments, 1)]
    known = " or ".join(names)
    faults.rows(
        events.is_dose & (events.cmt > len(names)),
        "CMT",
        f"dose into compartment {{CMT}}; {structure.name} takes doses into {known}",
    )
    faults.rows(
        events.is_observation & (events.cmt != 0) & (events.cmt != structure.observed),
        "CMT",
        f"observation of compartment {{CMT}}; {structure.name} predicts "
        f"{names[structure.observed - 1]} only; leave CMT empty, or leave such rows out with where",
    )


def _read_censoring(table: Table, events: Events, lloq: float | None, faults: Faults) -> None:
    seen = events.is_observation
    faults.rows(
        seen & (events.cens == -1),
        "CENS",
        "CENS = -1 (above an upper limit) is not supported; expected 0 or 1",
    )
    idle = np.flatnonzero(~seen & (events.cens != 0))
    if idle.size:
        faults.warnings.append(
            f"CENS on rows that are no observations has no effect ({listed(table.line[idle])})"
        )
    events.cens = np.where(seen, events.cens, 0)
    if table.has("LIMIT"):
        faults.rows(
            (events.cens == 1) & np.isfinite(table.columns["LIMIT"]),
            "LIMIT",
            "LIMIT = {LIMIT} asks for the probability between LIMIT and DV; only censoring below "
            "DV is supported; leave LIMIT empty",
            tolerable="limit",
        )
    if lloq is not None:
        _apply_limit(table, events, lloq, faults)
    if table.has("LLOQ"):
        _check_limit(events, table.columns["LLOQ"], "LLOQ = {LLOQ}", faults)


def _apply_limit(table: Table, events: Events, lloq: float, faults: Faults) -> None:
    if table.has("CENS"):
        _check_limit(events, np.full(events.dv.size, lloq), f"lloq = {lloq:g}", faults)
        return
    below = events.is_observation & (events.dv < lloq)
    events.cens = np.where(below, 1, events.cens)
    events.dv = np.where(below, lloq, events.dv)
    if below.any():
        faults.warnings.append(
            f"{np.count_nonzero(below)} observations below lloq = {lloq:g} are taken as censored "
            "at that limit"
        )


def _check_limit(events: Events, limit: Floats, said: str, faults: Faults) -> None:
    faults.rows(
        events.is_observation & (events.cens == 0) & (events.dv < limit),
        "DV",
        f"DV = {{DV}} is below {said}, but the row is not censored; "
        "say CENS = 1 with the limit as DV, or correct the limit",
    )
