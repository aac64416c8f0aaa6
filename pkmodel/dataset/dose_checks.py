"""Whether doses are complete: amounts, rates, intervals, and compartments that exist."""

from __future__ import annotations

import numpy as np

from pkmodel.dataset.column_checks import MOST_DOSES
from pkmodel.dataset.event_record import Events
from pkmodel.dataset.faults import Faults
from pkmodel.dataset.raw_table import listed
from pkmodel.dataset.table import Table
from pkmodel.models.structural import Structure

MOST_IMPLIED = 50_000_000
MOST_OVERLAPPING = 10_000


def check_doses(table: Table, events: Events, faults: Faults) -> None:
    """Check that a dose has an amount, and an infusion an end."""
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


def check_trains(table: Table, events: Events, faults: Faults) -> None:
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


def check_compartments(events: Events, structure: Structure, faults: Faults) -> None:
    """Check that the structure has the compartments that rows name."""
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
