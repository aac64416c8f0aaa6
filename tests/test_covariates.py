"""Body surface, age groups and plausibility: published formulas and exact cut-points."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import log10, mp, mpf, sqrt

from pkmodel.covariates.age_group import (
    DAYS,
    NO_GROUP,
    SCHEMES,
    age_in_days,
    assign_groups,
    scheme_of_cuts,
)
from pkmodel.covariates.body_surface import FORMULAS, body_surface_area
from pkmodel.covariates.plausible import body_surface_limits, height_limits, weight_limits
from pkmodel.errors import ModelError

mp.dps = 40


def _precise(formula, w, h):
    """The formulas written anew, in 40 digits."""
    w, h = mpf(w), mpf(h)
    return {
        "mosteller": lambda: sqrt(h * w / 3600),
        "du_bois": lambda: mpf("0.007184") * h ** mpf("0.725") * w ** mpf("0.425"),
        "haycock": lambda: mpf("0.024265") * h ** mpf("0.3964") * w ** mpf("0.5378"),
        "gehan_george": lambda: mpf("0.0235") * h ** mpf("0.42246") * w ** mpf("0.51456"),
        "boyd": lambda: (
            mpf("0.0003207")
            * h ** mpf("0.3")
            * (1000 * w) ** (mpf("0.7285") - mpf("0.0188") * log10(1000 * w))
        ),
    }[formula]()


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize(("weight", "height"), [("3.3", "50"), ("7.8", "67"), ("70", "175")])
def test_body_surface_in_40_digits(formula, weight, height):
    """Worst relative error 4e-16; 10 times that."""
    value = float(body_surface_area(float(weight), float(height), formula))
    assert value == pytest.approx(float(_precise(formula, weight, height)), rel=4e-15)


def test_body_surface_of_a_textbook_adult():
    """70 kg and 170 cm: 1.82 m2 by Mosteller, 1.81 by Du Bois, to the digits that papers print."""
    assert round(float(body_surface_area(70, 170, "mosteller")), 2) == 1.82
    assert round(float(body_surface_area(70, 170, "du_bois")), 2) == 1.81


def test_formulas_differ_by_a_tenth_in_an_infant():
    values = [float(body_surface_area(4.3, 54.0, formula)) for formula in FORMULAS]
    assert 1.08 < max(values) / min(values) < 1.13


def test_an_unknown_formula_names_the_known():
    with pytest.raises(ModelError, match=r"no BSA formula 'mostler'.*mosteller"):
        body_surface_area(70, 170, "mostler")


def _group(age, unit, scheme="ich_e11"):
    known = SCHEMES[scheme]
    code = assign_groups(age_in_days([age], unit), known)[0]
    return "" if code == NO_GROUP else known.groups[code].name


@pytest.mark.parametrize(
    ("age", "unit", "group"),
    [
        (0, "day", "newborn"),
        (27, "day", "newborn"),
        (27.99, "day", "newborn"),
        (28, "day", "infant and toddler"),
        (4, "week", "infant and toddler"),
        (28 / 30.4375, "month", "infant and toddler"),
        (28 / 365.25, "year", "infant and toddler"),
        (23.99, "month", "infant and toddler"),
        (24, "month", "child"),
        (2, "year", "child"),
        (730, "day", "infant and toddler"),
        (731, "day", "child"),
        (11.999, "year", "child"),
        (12, "year", "adolescent"),
        (144, "month", "adolescent"),
        (17.999, "year", "adolescent"),
        (18, "year", ""),
        (-0.01, "year", ""),
    ],
)
def test_ich_groups_are_half_open_in_every_unit(age, unit, group):
    assert _group(age, unit) == group


@pytest.mark.parametrize(
    ("age", "group"),
    [(1.99, "under 2 years"), (2, "2 to 6 years"), (6.99, "2 to 6 years"), (7, "7 to 17 years")],
)
def test_groups_of_the_blinatumomab_trials(age, group):
    assert _group(age, "year", "blinatumomab_trials") == group


@pytest.mark.parametrize("unit", DAYS)
@pytest.mark.parametrize("cut", [0.1, 1 / 3, 0.7, 2.0, 7.0, 11.3])
def test_own_cuts_are_exact_at_both_ends(unit, cut):
    scheme = scheme_of_cuts({"old": (cut, 2 * cut), "young": (0, cut)}, unit)
    assert [g.name for g in scheme.groups] == ["young", "old"]
    ages = [0.0, np.nextafter(cut, 0) - 1e-4 / DAYS[unit], cut, 2 * cut - 1e-4, 2 * cut]
    expected = [0, 0, 1, 1, NO_GROUP]
    assert assign_groups(age_in_days(ages, unit), scheme).tolist() == expected


def test_an_unknown_unit_of_age_names_the_known():
    with pytest.raises(ModelError, match=r"no unit of age 'years'.*year"):
        age_in_days([1.0], "years")


@pytest.mark.parametrize(
    ("age", "weight", "height"),
    [
        (0.0, 0.5, 30.0),
        (0.0, 3.4, 50.0),
        (0.25, 1.6, 42.0),
        (1.0, 6.5, 68.0),
        (1.0, 14.0, 82.0),
        (10.0, 20.0, 122.0),
        (10.0, 110.0, 150.0),
        (17.0, 190.0, 185.0),
        (40.0, 250.0, 200.0),
        (80.0, 38.0, 145.0),
        # the smallest survivors, the tallest man at 5, 8 (9), 10 and 22 years, the heaviest
        *[(0.0, 0.26, 26.0), (0.0, 0.28, 26.0), (0.5, 1.9, 40.0), (5.0, 48.0, 163.0)],
        *[(8.0, 88.0, 188.0), (10.0, 95.0, 196.0), (22.0, 199.0, 272.0), (40.0, 635.0, 185.0)],
        *[(3.0, 60.0, 105.0), (10.0, 130.0, 150.0), (13.0, 180.0, 170.0), (30.0, 14.0, 95.0)],
        *[(35.0, 150.0, 233.0), (50.0, 400.0, 175.0)],
    ],
)
def test_people_who_exist_are_plausible(age, weight, height):
    at = np.array([age])
    assert not weight_limits(at).are_broken_by(np.array([weight]))
    assert not height_limits(at).are_broken_by(np.array([height]))
    for formula in FORMULAS:
        bsa = body_surface_area([weight], [height], formula)
        assert not body_surface_limits(at).are_broken_by(bsa)


@pytest.mark.parametrize(
    ("age", "weight"),
    [
        *[(1.0, 70.0), (0.0, 3400.0), (10.0, 3.2), (40.0, 7.0), (8.0, 250.0), (0.0, 0.034)],
        *[(12.0, 9.8), (24.0, 12.3), (40.0, 7e4), (60.0, 700.0)],  # months as years, grams, a digit
    ],
)
def test_slips_of_units_are_not(age, weight):
    assert weight_limits(np.array([age])).are_broken_by(np.array([weight]))


@pytest.mark.parametrize(("age", "height"), [(0.5, 6.7), (5.0, 1.09), (12.0, 300.0), (30.0, 1.72)])
def test_slips_of_height_are_not(age, height):
    assert height_limits(np.array([age])).are_broken_by(np.array([height]))
