"""Virtual people are as large, and as different from one another, as children are."""

from __future__ import annotations

import numpy as np
import pytest

from pkmodel.covariates.body_surface import body_surface_area
from pkmodel.covariates.plausible import body_surface_limits, height_limits, weight_limits
from pkmodel.simulate.growth import (
    CORRELATION,
    FEMALE,
    HEIGHT,
    MALE,
    WEIGHT,
    height_spread,
    weight_spread,
)
from pkmodel.simulate.people import draw_people

# Median body surface (Mosteller, m2) of boys and girls at 1, 6 and 12 months: DERIVED in the
# literature notes of the project from the WHO medians of weight and length.
INFANT_SURFACE = {
    1: {MALE: 0.260, FEMALE: 0.249},
    6: {MALE: 0.386, FEMALE: 0.365},
    12: {MALE: 0.450, FEMALE: 0.429},
}

# Median weight (kg) and height (cm) by age in years: CDC 2000 growth charts, column M of the tables
# wtage and statage, to one decimal. Kuczmarski et al. 2002, Vital Health Stat 11(246).
CDC = {
    MALE: {
        2: (12.7, 86.5),
        4: (16.2, 102.2),
        6: (20.7, 115.4),
        8: (25.6, 127.9),
        10: (31.9, 138.6),
        12: (40.5, 149.1),
        14: (51.0, 163.8),
        16: (60.9, 173.5),
        18: (67.2, 176.2),
    },
    FEMALE: {
        2: (12.1, 85.0),
        4: (15.8, 100.8),
        6: (20.2, 114.7),
        8: (25.6, 127.6),
        10: (32.9, 138.0),
        12: (41.6, 151.2),
        14: (49.4, 160.4),
        16: (53.9, 162.5),
        18: (56.2, 163.1),
    },
}


def _error(found, wanted):
    return abs(float(found) / wanted - 1.0)


def test_median_body_surface_of_infants():
    worst = max(
        _error(
            body_surface_area(
                WEIGHT[sex].at(np.array(month / 12)), HEIGHT[sex].at(np.array(month / 12))
            ),
            wanted,
        )
        for month, by_sex in INFANT_SURFACE.items()
        for sex, wanted in by_sex.items()
    )
    # measured: 1.45 % (girls of 12 months); the module promises 1.5 %
    assert worst < 0.015


def test_median_weight_height_and_surface_of_children():
    weight, height, surface = [], [], []
    for sex, medians in CDC.items():
        for age, (kg, cm) in medians.items():
            w, h = WEIGHT[sex].at(np.array(age)), HEIGHT[sex].at(np.array(age))
            weight.append(_error(w, kg))
            height.append(_error(h, cm))
            surface.append(_error(body_surface_area(w, h), np.sqrt(kg * cm / 3600)))
    # measured: 3.8 %, 0.8 % and 2.0 %, all at 2 years (with one digit of the medians)
    assert max(weight) < 0.04
    assert max(height) < 0.01
    assert max(surface) < 0.0225


@pytest.mark.parametrize("sex", [MALE, FEMALE])
def test_children_do_not_shrink(sex):
    age = np.linspace(0.0, 18.0, 3000)
    assert np.all(np.diff(WEIGHT[sex].at(age)) > 0.0)
    assert np.all(np.diff(HEIGHT[sex].at(age)) > 0.0)


def test_medians_spread_and_correlation_of_a_sample():
    people = draw_people(np.random.default_rng(3), 40_000, 5.0, 5.001)
    boys = people.sex == MALE
    age = np.array(5.0)
    for values, curve, spread in (
        (people.weight, WEIGHT, weight_spread),
        (people.height, HEIGHT, height_spread),
    ):
        logs = np.log(values[boys])
        # four standard errors of 20,000
        assert abs(logs.mean() - np.log(curve[MALE].at(age))) < 4 * spread(age) / np.sqrt(20_000)
        assert abs(logs.std() / spread(age) - 1) < 4 / np.sqrt(2 * 20_000)
    found = np.corrcoef(np.log(people.weight[boys]), np.log(people.height[boys]))[0, 1]
    assert abs(found - CORRELATION) < 4 * (1 - CORRELATION**2) / np.sqrt(20_000)
    assert abs(boys.mean() - 0.5) < 4 * 0.5 / np.sqrt(40_000)


def test_weight_for_height_spreads_as_the_body_mass_index_of_children():
    # CDC 2000, table bmiagerev, S: 0.08 at 2, 0.09 at 6, 0.12-0.14 at 10, 0.14-0.15 at 14 years
    bmi = {2: (0.081, 0.085), 6: (0.083, 0.093), 10: (0.120, 0.137), 14: (0.135, 0.151)}
    for age, (low, high) in bmi.items():
        residual = weight_spread(np.array(age)) * np.sqrt(1 - CORRELATION**2)
        assert 0.85 * low < residual < 1.15 * high


def test_ages_are_in_the_half_open_range_and_exact_in_a_file():
    people = draw_people(np.random.default_rng(1), 20_000, 29 / 365.25, 0.1)
    assert people.age.min() >= 29 / 365.25
    assert people.age.max() < 0.1
    assert np.array_equal(people.age, [float(f"{age:.4f}") for age in people.age])


def test_everybody_is_plausible():
    people = draw_people(np.random.default_rng(2), 100_000, 0.0, 18.0)
    assert not weight_limits(people.age).are_broken_by(people.weight).any()
    assert not height_limits(people.age).are_broken_by(people.height).any()
    assert not body_surface_limits(people.age).are_broken_by(people.bsa).any()


@pytest.mark.parametrize("formula", ["mosteller", "haycock"])
def test_body_surface_is_that_of_the_recorded_weight_and_height(formula):
    people = draw_people(np.random.default_rng(2), 1000, 0.0, 2.0, formula)
    again = body_surface_area(people.weight, people.height, formula)
    assert np.abs(people.bsa - again).max() <= 0.5001e-4


def test_the_same_seed_gives_the_same_people():
    one, other, third = (draw_people(np.random.default_rng(k), 50, 0.0, 9.0) for k in (7, 7, 8))
    assert np.array_equal(one.weight, other.weight)
    assert not np.array_equal(one.weight, third.weight)
