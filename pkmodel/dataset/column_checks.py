"""What each column may hold, looked at one by one."""

from __future__ import annotations

import numpy as np

from pkmodel.dataset.faults import Faults
from pkmodel.dataset.header import STANDARD
from pkmodel.dataset.table import Table

LARGEST = 1e50
MOST_DOSES = 100_000

CODES = {
    "EVID": ((0, 1, 2, 3, 4), "0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose"),
    "MDV": ((0, 1), "0 where DV is an observation, 1 where it is not"),
    "SS": (
        (0, 1, 2),
        "0 no steady state, 1 at steady state, 2 steady state on top of what is there",
    ),
    "CENS": ((-1, 0, 1), "0 quantified, 1 below the limit of quantification, which stands in DV"),
}
NON_NEGATIVE = {"AMT": "dose amount", "DUR": "duration of an infusion", "II": "dosing interval"}
MOST_COMPARTMENTS = 100
WHOLE = {
    "ADDL": ("number of additional doses", MOST_DOSES),
    "CMT": ("compartment", MOST_COMPARTMENTS),
}


def check_columns(table: Table, faults: Faults) -> None:
    """Check every column by itself; values at fault are forgotten."""
    faults.rows(table.subject < 0, "ID", "ID is missing; every row needs one")
    for name in table.columns:
        _check_finite(table, faults, name)
    missing = table.is_missing("TIME") & ~table.unreadable
    faults.rows(missing, "TIME", "TIME is missing; every row needs one")
    table.unreadable |= missing
    for name, (allowed, meaning) in CODES.items():
        expected = f"expected {', '.join(map(str, allowed[:-1]))} or {allowed[-1]} ({meaning})"
        if name == "CENS":
            expected = f"expected 0 or 1 ({meaning})"
        if table.has(name):
            wrong = ~table.is_missing(name) & ~np.isin(table.columns[name], allowed)
            _refuse(table, faults, wrong, name, f"{name} is {{{name}}}; {expected}")
    for name, meaning in NON_NEGATIVE.items():
        if table.has(name):
            wrong = table.columns[name] < 0
            message = f"{meaning} is negative ({{{name}}}); {name} must be >= 0"
            _refuse(table, faults, wrong, name, message)
    if table.has("CMT"):
        off = table.columns["CMT"] < 0
        message = "CMT is {CMT}: switching a compartment off is not supported; leave the row out"
        _refuse(table, faults, off, "CMT", message)
    for name, (meaning, most) in WHOLE.items():
        if table.has(name):
            values = table.columns[name]
            is_whole = (values >= 0) & (values <= most) & (values == np.floor(values))
            wrong = ~np.isnan(values) & ~is_whole
            message = f"{name} is {{{name}}}; the {meaning} must be a whole number from 0 to {most}"
            _refuse(table, faults, wrong, name, message)
    _check_rate(table, faults)
    _check_occasion(table, faults)


def _refuse(table: Table, faults: Faults, wrong: np.ndarray, name: str, message: str) -> None:
    faults.rows(wrong, name, message)
    if wrong.any():
        table.discard(wrong, name)


def _check_finite(table: Table, faults: Faults, name: str) -> None:
    values = table.columns[name]
    infinite = np.isinf(values)
    if name == "LIMIT":
        infinite &= values > 0
    _refuse(table, faults, infinite, name, f"{name} is infinite; expected a finite number")
    if name in STANDARD:
        huge = np.isfinite(values) & (np.abs(values) > LARGEST)
        _refuse(
            table,
            faults,
            huge,
            name,
            f"{name} is {{{name}}}; numbers beyond {LARGEST:g} are refused",
        )


def _check_rate(table: Table, faults: Faults) -> None:
    if not table.has("RATE"):
        return
    rate = table.columns["RATE"]
    modelled = (rate == -1) | (rate == -2)
    _refuse(
        table,
        faults,
        modelled,
        "RATE",
        "RATE is {RATE}: rates and durations that the model estimates are not supported; "
        "give the rate in RATE or the duration in DUR",
    )
    negative = (rate < 0) & ~modelled
    _refuse(
        table, faults, negative, "RATE", "infusion rate is negative ({RATE}); RATE must be >= 0"
    )


def _check_occasion(table: Table, faults: Faults) -> None:
    if not table.has("OCC"):
        return
    occ = table.columns["OCC"]
    _refuse(
        table,
        faults,
        ~np.isnan(occ) & ((occ != np.floor(occ)) | (np.abs(occ) > 2**31)),
        "OCC",
        "OCC is {OCC}; occasions are whole numbers",
    )
    missing = np.isnan(occ) & ~table.unreadable
    faults.rows(missing, "OCC", "OCC is missing; every row needs its occasion")
