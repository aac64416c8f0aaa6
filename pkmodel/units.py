"""Units of time, amount and concentration, and the factor between them.

Parameters are in fixed units: volumes in L, clearances in L per time unit. Predictions, amount / L,
are multiplied by `Units.scale` to be in the unit of the concentrations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pkmodel.errors import ModelError, Problem
from pkmodel.suggestion import quoted, suggest

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
    "time": ("s", "min", "h", "day", "week", "month", "year"),
    "amount": (
        "kg",
        "g",
        "mg",
        "ug",
        "ng",
        "pg",
        "mol",
        "mmol",
        "umol",
        "nmol",
        "kIU",
        "IU",
        "mIU",
    ),
    "concentration": ("mg/L", "ug/mL", "ug/L", "ng/mL", "pg/mL", "mg/dL", "nmol/L", "uM", "IU/L"),
}

SHAPE = re.compile(r"[^\W\d_]+(?:_unit)?(?:/[^\W\d_]+)?")

RELATIVE = (
    (re.compile(r"/\s*m(\^|\*\*)?[2²]$"), "BSA", "m2"),
    (re.compile(r"/\s*kg$"), "body weight", "kg"),
)


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


def _refusal(kind: str, text: object, reason: str) -> Problem:
    known = suggest(str(text), EXAMPLES[kind], "write one such as")
    return Problem(f"{quoted(text)} {reason}; {known}", f"units, {kind}")


def _parse(kind: str, text: object) -> Unit | Problem:
    from pint.errors import UndefinedUnitError

    if kind == "amount" and isinstance(text, str):
        for shape, measure, per in RELATIVE:
            if shape.search(text.strip()):
                advice = f"multiply AMT and RATE by each subject's {measure}"
                return Problem(f"{quoted(text)} is a dose per {per}: {advice}", "units, amount")
    if not isinstance(text, str) or not SHAPE.fullmatch(text.strip()):
        return _refusal(kind, text, "is not a unit")
    try:
        return _registry().parse_units(text.strip())
    except UndefinedUnitError:
        return _refusal(kind, text, "is an unknown unit")


def _check_keys(units: Mapping[str, str]) -> list[Problem]:
    problems = [
        Problem(f"unknown key {quoted(key)}; {suggest(str(key), KINDS)}", "units")
        for key in units
        if key not in KINDS
    ]
    missing = [kind for kind in KINDS if kind not in units]
    if missing:
        message = f"{' and '.join(missing)} missing; declare all of {', '.join(KINDS)}"
        problems.append(Problem(message, "units"))
    return problems


def _check_dimensions(units: Mapping[str, str], parsed: Mapping[str, Unit]) -> list[Problem]:
    registry = _registry()
    problems = []
    if not parsed["time"].is_compatible_with(registry.second):
        problems.append(_refusal("time", units["time"], "is not a time"))
    amounts = (registry.gram, registry.mole, registry.international_unit)
    if not any(parsed["amount"].is_compatible_with(unit) for unit in amounts):
        problems.append(_refusal("amount", units["amount"], "is not an amount"))
    elif not any(
        parsed["concentration"].is_compatible_with(unit / registry.liter) for unit in amounts
    ):
        reason = "is not an amount per volume"
        problems.append(_refusal("concentration", units["concentration"], reason))
    elif not parsed["concentration"].is_compatible_with(parsed["amount"] / registry.liter):
        problems.append(_of_two_kinds(units["amount"], units["concentration"]))
    return problems


def _of_two_kinds(amount: str, concentration: str) -> Problem:
    """Say that mass, moles and international units do not turn into each other."""
    known = EXAMPLES["amount"]
    fitting = concentration.strip().replace("M", "mol").partition("/")[0]
    example = fitting if fitting in known else "its own kind"
    return Problem(
        f"{quoted(concentration)} is not of the kind of {quoted(amount)}, the amount (mass, mole "
        f"or IU in both): no molar mass is used, so give AMT and RATE in {example} and declare "
        "that, or give DV and its unit in the kind of the amount",
        "units, concentration",
    )


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


def convert_time(value: float, unit: str, other: str) -> float:
    """Convert a time from one unit to another.

    Parameters
    ----------
    value : float
    unit, other : str
        Of `value`, and wanted.

    Returns
    -------
    float

    Raises
    ------
    ModelError
        A unit is unknown or is none of time.

    Examples
    --------
    >>> convert_time(10.0, "h", "min")
    600.0
    """
    registry = _registry()
    parsed = []
    for name in (unit, other):
        found = _parse("time", name)
        if not isinstance(found, Problem) and not found.is_compatible_with(registry.second):
            found = _refusal("time", name, "is not a time")
        if isinstance(found, Problem):
            raise ModelError(found)
        parsed.append(found)
    return value * float(f"{(1.0 * parsed[0]).to(parsed[1]).magnitude:.12g}")


def are_equivalent(one: Units, other: Units) -> bool:
    """Tell whether two declarations mean the same, however they are written.

    Examples
    --------
    >>> ug = read_units({"time": "h", "amount": "ug", "concentration": "ug/L"})
    >>> are_equivalent(ug, read_units({"time": "hr", "amount": "mcg", "concentration": "ng/mL"}))
    True
    """
    if not (one.is_declared and other.is_declared):
        return one == other
    registry = _registry()
    for kind in KINDS:
        unit, wanted = (registry.parse_units(getattr(units, kind)) for units in (one, other))
        if not unit.is_compatible_with(wanted):
            return False
        if abs((1.0 * unit).to(wanted).magnitude - 1.0) > 1e-9:
            return False
    return True


@dataclass(frozen=True)
class DoseRate:
    """A unit of doses per time.

    Attributes
    ----------
    factor : float
        Amount per time, in the units of the data, in one of it.
    per : str
        Body measure that it is multiplied by: ``"m2"``, ``"kg"``, or ``""``.
    """

    factor: float
    per: str


_DOSE_RATE = re.compile(r"([^/]+)(?:/\s*(m2|m\^2|m²|kg)\s*)?/([^/]+)")


def read_dose_rate(text: str, units: Units) -> DoseRate:
    """Read a unit of doses per time, such as that of an order for an infusion.

    Parameters
    ----------
    text : str
        An amount, then ``/m2`` or ``/kg`` where it is by size, then a time.
    units : Units
        Those of the data.

    Returns
    -------
    DoseRate

    Raises
    ------
    ModelError
        It is no such unit, or its amount is of another kind than that of the data.

    Examples
    --------
    >>> units = read_units({"time": "h", "amount": "ng", "concentration": "pg/mL"})
    >>> round(read_dose_rate("ug/m2/day", units).factor * 15.0, 9)
    625.0
    """
    parts = _DOSE_RATE.fullmatch(text.strip())
    if parts is None:
        raise ModelError(
            f"{quoted(text)} is no unit of doses per time; write an amount, /m2 or /kg where it is "
            "by size, and a time, such as ug/m2/day or ug/day"
        )
    amount, per, time = parts.groups()
    parsed = {kind: _parse(kind, part) for kind, part in (("amount", amount), ("time", time))}
    problems = [found for found in parsed.values() if isinstance(found, Problem)]
    if problems:
        raise ModelError([Problem(problem.message) for problem in problems])
    registry = _registry()
    own = registry.parse_units(units.amount) / registry.parse_units(units.time)
    unit = 1.0 * (parsed["amount"] / parsed["time"])  # type: ignore[operator]
    if not unit.is_compatible_with(own):
        raise ModelError(
            f"{quoted(text)} is not an amount per time of the kind of {units.amount}/{units.time}"
        )
    factor = float(unit.to(own).magnitude)
    return DoseRate(factor, "m2" if per and per.startswith("m") else per or "")
