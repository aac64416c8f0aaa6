"""Units of time, amount and concentration, and the factor between them.

Parameters are in fixed units: volumes in L, clearances in L per time unit. Predictions, amount / L,
are multiplied by `Units.scale` to be in the unit of the concentrations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING

from pkmodel.errors import ModelError, Problem

if TYPE_CHECKING:
    from pint import Unit, UnitRegistry

KINDS = ("time", "amount", "concentration")

DEFINITIONS = (
    "second = [time] = s = _ = sec = seconds",
    "minute = 60 * second = min = _ = minutes",
    "hour = 60 * minute = h = _ = hr = hours",
    "day = 24 * hour = d = _ = days",
    "week = 7 * day = week = _ = weeks",
    "year = 365.25 * day = year = _ = years = y",
    "month = year / 12 = month = _ = months",
    "gram = [mass] = g = _ = grams",
    "kilogram = 1e3 * gram = kg = _ = kilograms",
    "milligram = 1e-3 * gram = mg = _ = milligrams",
    "microgram = 1e-6 * gram = ug = _ = micrograms = mcg = µg = μg",
    "nanogram = 1e-9 * gram = ng = _ = nanograms",
    "picogram = 1e-12 * gram = pg = _ = picograms",
    "femtogram = 1e-15 * gram = fg = _ = femtograms",
    "mole = [substance] = mol = _ = moles",
    "millimole = 1e-3 * mole = mmol",
    "micromole = 1e-6 * mole = umol = _ = µmol = μmol",
    "nanomole = 1e-9 * mole = nmol",
    "picomole = 1e-12 * mole = pmol",
    "international_unit = [activity] = IU = _ = U",
    "kilounit = 1e3 * international_unit = kIU = _ = kU",
    "milliunit = 1e-3 * international_unit = mIU = _ = mU",
    "microunit = 1e-6 * international_unit = uIU = _ = uU = µIU = μIU",
    "liter = [volume] = L = _ = l = litre = liters = litres",
    "deciliter = 1e-1 * liter = dL = _ = dl",
    "milliliter = 1e-3 * liter = mL = _ = ml",
    "microliter = 1e-6 * liter = uL = _ = ul = µL = μL",
    "molar = mole / liter = M",
    "millimolar = 1e-3 * molar = mM",
    "micromolar = 1e-6 * molar = uM = _ = µM = μM",
    "nanomolar = 1e-9 * molar = nM",
    "picomolar = 1e-12 * molar = pM",
)

EXAMPLES = {
    "time": "s, min, h, day, week, month, year",
    "amount": "kg, g, mg, ug, ng, pg; mol, mmol, umol, nmol, pmol; IU, kIU, mIU, uIU",
    "concentration": "an amount per volume, such as mg/L, ug/mL, ng/mL, pg/mL, nmol/L, IU/L; nM",
}

SHAPE = re.compile(r"[^\W\d_]+(?:_unit)?(?:/[^\W\d_]+)?")


@dataclass(frozen=True)
class Units:
    """Units of a data table.

    Attributes
    ----------
    time, amount, concentration : str
        As declared; all empty where nothing was declared and the numbers are taken as consistent.
    scale : float
        Concentrations are amount / L times this.
    """

    time: str = ""
    amount: str = ""
    concentration: str = ""
    scale: float = 1.0

    @property
    def is_declared(self) -> bool:
        """Whether units were given."""
        return bool(self.time)

    @property
    def volume(self) -> str:
        """Unit of volumes; empty where no unit was declared."""
        return "L" if self.is_declared else ""

    @property
    def clearance(self) -> str:
        """Unit of clearances; empty where no unit was declared."""
        return f"L/{self.time}" if self.is_declared else ""


@cache
def _registry() -> UnitRegistry:
    from pint import UnitRegistry

    registry = UnitRegistry(None)
    for definition in DEFINITIONS:
        registry.define(definition)
    return registry


def _known_names() -> list[str]:
    return sorted(
        {
            name.strip()
            for definition in DEFINITIONS
            for part, name in enumerate(definition.split("="))
            if part != 1 and name.strip() != "_"
        }
    )


def _parse(kind: str, text: object) -> Unit | Problem:
    from pint.errors import UndefinedUnitError

    place = f"units, {kind}"
    if not isinstance(text, str) or not SHAPE.fullmatch(text.strip()):
        return Problem(f"{text!r} is not a unit; write {EXAMPLES[kind]}", place)
    try:
        return _registry().parse_units(text.strip())
    except UndefinedUnitError as error:
        unknown = str(error.args[0]) if isinstance(error.args[0], str) else str(error.args[0][0])
        close = get_close_matches(unknown, _known_names(), n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        return Problem(f"unknown unit {text!r}{hint} Known: {EXAMPLES[kind]}", place)


def _check_keys(units: Mapping[str, str]) -> list[Problem]:
    problems = []
    for key in units:
        if key not in KINDS:
            close = get_close_matches(str(key), KINDS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            problems.append(
                Problem(f"unknown key {key!r}{hint} Known: {', '.join(KINDS)}", "units")
            )
    missing = [kind for kind in KINDS if kind not in units]
    if missing:
        problems.append(
            Problem(f"{' and '.join(missing)} missing; declare all of {', '.join(KINDS)}", "units")
        )
    return problems


def _check_dimensions(units: Mapping[str, str], parsed: Mapping[str, Unit]) -> list[Problem]:
    registry = _registry()
    problems = []
    if not parsed["time"].is_compatible_with(registry.second):
        problems.append(
            Problem(f"{units['time']!r} is not a time; write {EXAMPLES['time']}", "units, time")
        )
    amounts = (registry.gram, registry.mole, registry.international_unit)
    if not any(parsed["amount"].is_compatible_with(unit) for unit in amounts):
        problems.append(
            Problem(
                f"{units['amount']!r} is not an amount; write {EXAMPLES['amount']}",
                "units, amount",
            )
        )
        return problems
    if not parsed["concentration"].is_compatible_with(parsed["amount"] / registry.liter):
        problems.append(
            Problem(
                f"{units['concentration']!r} is not an amount in {units['amount']!r} per volume; "
                f"write {EXAMPLES['concentration']}, with mass, mole or IU as in the amounts",
                "units, concentration",
            )
        )
    return problems


def read_units(units: Mapping[str, str] | None) -> Units:
    """Check declared units and find the scale between amounts and concentrations.

    Parameters
    ----------
    units : mapping of str to str or None
        ``time``, ``amount`` and ``concentration``; None takes the numbers as consistent.

    Returns
    -------
    Units

    Raises
    ------
    ModelError
        A unit is unknown, missing, or of the wrong kind.

    Examples
    --------
    >>> read_units({"time": "h", "amount": "ug", "concentration": "pg/mL"}).scale
    1000.0
    """
    if units is None:
        return Units()
    problems = _check_keys(units)
    parsed: dict[str, Unit] = {}
    for kind in KINDS:
        if kind in units:
            unit = _parse(kind, units[kind])
            if isinstance(unit, Problem):
                problems.append(unit)
            else:
                parsed[kind] = unit
    if not problems:
        problems = _check_dimensions(units, parsed)
    if problems:
        raise ModelError(problems, "[data] units")
    registry = _registry()
    factor = (1.0 * (parsed["amount"] / registry.liter)).to(parsed["concentration"]).magnitude
    names = {kind: units[kind].strip() for kind in KINDS}
    return Units(**names, scale=float(f"{factor:.12g}"))
