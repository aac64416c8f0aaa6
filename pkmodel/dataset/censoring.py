"""Observations below their limit of quantification."""

from __future__ import annotations

import numpy as np

from pkmodel.dataset.event_record import Events
from pkmodel.dataset.faults import Faults
from pkmodel.dataset.raw_table import listed
from pkmodel.dataset.table import Floats, Table

ZEROS_SHOWN = 3


def read_censoring(table: Table, events: Events, lloq: float | None, faults: Faults) -> None:
    """Decide which observations are censored, and check the limits; changes `events`."""
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
    faults.rows(
        (events.cens == 1) & ~(events.dv > 0) & ~table.unreadable,
        "DV",
        "CENS = 1: DV must hold the limit (> 0)",
    )
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
    _warn_of_zeros(events, faults)


def _warn_of_zeros(events: Events, faults: Faults) -> None:
    """Tell of quantified values that no assay reports; an additive error allows them."""
    rows = np.flatnonzero(events.is_observation & (events.cens == 0) & (events.dv <= 0))
    if not rows.size:
        return
    shown = ", ".join(faults.where(int(row)) for row in rows[:ZEROS_SHOWN])
    more = ", ..." if rows.size > ZEROS_SHOWN else ""
    count = f"{rows.size} observations are" if rows.size > 1 else "1 observation is"
    faults.warnings.append(
        f"{count} 0 or negative ({shown}{more}): below the limit of quantification? say CENS = 1 "
        "with the limit as DV, or lloq"
    )


def _apply_limit(table: Table, events: Events, lloq: float, faults: Faults) -> None:
    if table.has("CENS"):
        _check_limit(events, np.full(events.dv.size, lloq), f"lloq = {lloq:g}", faults)
        return
    below = events.is_observation & (events.dv < lloq)
    events.cens = np.where(below, 1, events.cens)
    events.dv = np.where(below, lloq, events.dv)
    count = np.count_nonzero(below)
    if count:
        faults.warnings.append(
            f"observations below lloq = {lloq:g}, taken as censored at it: {count}"
        )


def _check_limit(events: Events, limit: Floats, said: str, faults: Faults) -> None:
    faults.rows(
        events.is_observation & (events.cens == 0) & (events.dv < limit),
        "DV",
        f"DV = {{DV}} is below {said}, but the row is not censored; "
        "say CENS = 1 with the limit as DV, or correct the limit",
    )
