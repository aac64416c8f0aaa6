"""Declared units give the right scale, and impossible ones are refused with what is known."""

from __future__ import annotations

import pytest

from pkmodel.errors import ModelError
from pkmodel.units import read_units


@pytest.mark.parametrize(
    ("amount", "concentration", "scale"),
    [
        ("mg", "mg/L", 1.0),
        ("mg", "ug/mL", 1.0),
        ("mg", "ng/mL", 1e3),
        ("mg", "mg/dL", 0.1),
        ("ug", "ug/L", 1.0),
        ("ug", "pg/mL", 1e3),
        ("µg", "ng/mL", 1.0),
        ("mcg", "ng/mL", 1.0),
        ("g", "mg/L", 1e3),
        ("umol", "uM", 1.0),
        ("mmol", "nmol/L", 1e6),
        ("IU", "mIU/mL", 1.0),
        ("U", "mU/L", 1e3),
        ("kIU", "IU/L", 1e3),
    ],
)
def test_scale_turns_amount_per_liter_into_concentration(
    amount: str, concentration: str, scale: float
) -> None:
    units = read_units({"time": "h", "amount": amount, "concentration": concentration})
    assert units.scale == scale


@pytest.mark.parametrize("time", ["s", "min", "h", "hr", "hour", "hours", "d", "day", "week"])
def test_parameters_are_in_liters_and_the_declared_time(time: str) -> None:
    units = read_units({"time": time, "amount": "mg", "concentration": "mg/L"})
    assert (units.volume, units.clearance) == ("L", f"L/{time}")


def test_undeclared_units_leave_numbers_alone() -> None:
    units = read_units(None)
    assert (units.scale, units.volume, units.clearance) == (1.0, "", "")
    assert not units.is_declared


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"time": "hx"}, ["units, time", "'hx'", "did you mean `h`", "min, h, day"]),
        ({"time": "mg"}, ["units, time", "not a time"]),
        ({"time": ""}, ["units, time", "not a unit"]),
        ({"time": 3}, ["units, time", "not a unit"]),
        ({"amount": "mgg"}, ["units, amount", "did you mean `mg`"]),
        ({"amount": "h"}, ["units, amount", "not an amount"]),
        ({"amount": "10**10**10"}, ["units, amount", "not a unit"]),
        ({"concentration": "mg"}, ["units, concentration", "per volume"]),
        ({"concentration": "nmol/L"}, ["units, concentration", "of 'mg'", "mass, mole or IU"]),
        ({"concentration": "IU/L"}, ["units, concentration", "of 'mg'"]),
        ({"concentration": "mg/h"}, ["units, concentration", "per volume"]),
        ({"volume": "L"}, ["unknown key 'volume'", "time, amount, concentration"]),
    ],
)
def test_impossible_units_are_refused(changes: dict[str, str], words: list[str]) -> None:
    units = {"time": "h", "amount": "mg", "concentration": "mg/L"} | changes
    with pytest.raises(ModelError) as caught:
        read_units(units)
    for word in words:
        assert word in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ModelError) as caught:
        read_units({"tim": "h", "amount": "mgg"})
    assert len(caught.value.problems) == 3
    assert "time and concentration" in str(caught.value)


@pytest.mark.parametrize(
    ("amount", "concentration", "instead"),
    [("mg", "nmol/L", "nmol"), ("mg", "uM", "umol"), ("IU", "ng/mL", "ng"), ("nmol", "ug/L", "ug")],
)
def test_amount_and_concentration_of_two_kinds_are_told_apart(amount, concentration, instead):
    with pytest.raises(ModelError) as caught:
        read_units({"time": "h", "amount": amount, "concentration": concentration})
    told = str(caught.value)
    assert f"{concentration!r} is not of the kind of {amount!r}, the amount" in told
    assert f"give AMT and RATE in {instead} and declare that" in told
    assert "did you mean" not in told
