"""Constant-rate periods against a fine grid of rates, and against round-off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rate_twin
from bags import bags
from histories import as_frame, random_history
from pkmodel.dataset import Dataset, read_dataset
from pkmodel.exposure.periods import Periods, constant_rate_periods, longest, total_amount
from pkmodel.models.structural import STRUCTURES
from twin import CENTRAL, DEPOT, Row

COMMON = settings(max_examples=60, deadline=None, derandomize=True, database=None)
TOLERANT = ["no_observations", "duplicate_observations", "no_dose"]
TIME, RATE, AMOUNT = 1e-12, 2e-9, 1e-12
"""Worst of 1500 histories: 3e-14 in times of up to 150, 9e-10 of the twin's rounded rates, and
4e-15 of amounts."""


def dataset(rows: Sequence[Row]) -> Dataset:
    oral = any(row.into == DEPOT for row in rows)
    structure = "one_compartment_oral" if oral else "one_compartment"
    return read_dataset(as_frame(rows), structure=structure, allow=TOLERANT)


def structure_of(rows: Sequence[Row]):
    oral = any(row.into == DEPOT for row in rows)
    return STRUCTURES["one_compartment_oral" if oral else "one_compartment"]


def found(rows: Sequence[Row], **options: float) -> Periods:
    return constant_rate_periods(dataset(rows), structure=structure_of(rows), **options)


def intervals(periods: Periods) -> list[tuple[float, float, float]]:
    return list(zip(periods.start, periods.end, periods.rate, strict=True))


def check(rows: Sequence[Row]) -> None:
    data, structure = dataset(rows), structure_of(rows)
    periods, twin = constant_rate_periods(data, structure=structure), rate_twin.periods(rows)
    np.testing.assert_array_equal(periods.clock, [p.clock for p in twin])
    np.testing.assert_allclose(periods.start, [p.start for p in twin], rtol=0, atol=TIME)
    np.testing.assert_allclose(periods.end, [p.end for p in twin], rtol=0, atol=TIME)
    np.testing.assert_allclose(periods.rate, [p.rate for p in twin], rtol=RATE)
    boluses = rate_twin.boluses(rows)
    np.testing.assert_allclose(np.sort(periods.bolus_time), boluses, rtol=0, atol=TIME)
    amount = total_amount(data, structure=structure)
    np.testing.assert_allclose(amount, [rate_twin.total(rows)], rtol=AMOUNT)


# -- against the grid ---------------------------------------------------------------------------


@COMMON
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_random_histories(seed: int, oral: bool, with_steady_state: bool) -> None:
    rng = np.random.default_rng(seed)
    check(random_history(rng, oral=oral, with_steady_state=with_steady_state))


BAGS = bags(with_steady_state=True)


@COMMON
@given(BAGS)
def test_bags_that_touch_overlap_and_repeat(rows: list[Row]) -> None:
    check(rows)


@COMMON
@given(BAGS, BAGS)
def test_a_clock_that_starts_again(first: list[Row], second: list[Row]) -> None:
    first = [*first, Row(100.0)]
    check([*first, Row(second[0].time, evid=3), *second])


@COMMON
@given(BAGS, st.integers(0, 2**32 - 1))
def test_round_off_of_amounts_and_rates_changes_nothing(rows: list[Row], seed: int) -> None:
    """As if AMT and RATE had six digits; times move by no more than that."""
    rng = np.random.default_rng(seed)
    blurred = [
        replace(row, amt=row.amt * rng.uniform(1 - 2e-6, 1 + 2e-6)) if row.rate else row
        for row in rows
    ]
    exact, other = found(rows), found(blurred)
    np.testing.assert_allclose(other.rate, exact.rate, rtol=1e-15)
    np.testing.assert_allclose(other.start, exact.start, atol=1e-3)
    np.testing.assert_allclose(other.end, exact.end, atol=1e-3)


# -- by hand ------------------------------------------------------------------------------------


def test_bag_changes_at_one_rate_are_one_period() -> None:
    rows = [Row(24.0 * n, 24.0 * 0.25, 0.25, 1) for n in range(28)]
    assert intervals(found(rows)) == [(0.0, 672.0, 0.25)]
    train = [Row(0.0, 24.0 * 0.25, 0.25, 1, ii=24.0, addl=27)]
    assert intervals(found(train)) == [(0.0, 672.0, 0.25)]


def test_amounts_and_rates_of_six_digits_are_one_period() -> None:
    """A dose of 15 ug/m2/day at 0.4231 m2: a rate of 0.264438 ends each bag 0.1 s too late."""
    rows = [Row(96.0 * n, 4 * 6.3465, 0.264438, 1) for n in range(7)]
    assert rows[0].amt / rows[0].rate != 96.0
    (period,) = intervals(found(rows))
    assert period == pytest.approx((0.0, 672.0, 0.264438), rel=1e-5)


def test_a_resolution_bridges_what_digits_leave_open() -> None:
    """A rate of three digits ends each bag of a day 2.4 minutes early."""
    rows = [Row(24.0 * n, 6.3465, 0.265, 1) for n in range(3)]
    assert len(found(rows).rate) == 3
    (period,) = intervals(found(rows, resolution=0.1))
    assert period == pytest.approx((0.0, 72.0, 0.265), abs=0.1)


def test_a_resolution_is_a_hundredth_of_an_infusion_at_most() -> None:
    rows = [Row(0.0, 10.0, 1.0, 1), Row(10.5, 10.0, 1.0, 1)]
    assert intervals(found(rows, resolution=1.0)) == [(0.0, 10.0, 1.0), (10.5, 20.5, 1.0)]


def test_a_pause_parts_and_a_flush_is_not_overlooked() -> None:
    pause = [Row(0.0, 24.0, 1.0, 1), Row(28.0, 20.0, 1.0, 1)]
    assert intervals(found(pause)) == [(0.0, 24.0, 1.0), (28.0, 48.0, 1.0)]
    flush = [Row(0.0, 48.0, 1.0, 1), Row(24.0, 10.0, 3600.0, 1)]
    assert [p[2] for p in intervals(found(flush, resolution=0.1))] == [1.0, 3601.0, 1.0]


def test_slivers_of_one_life_touch_no_other() -> None:
    short, long = Row(0.0, 1.2e-4, 1.2, 1), Row(1e-4, 24.0, 1.0, 1)
    assert [p[2] for p in intervals(found([short, Row(1e-4, evid=3), long]))] == [1.2, 1.0]
    start = [Row(24.0, 24.0, 1.0, 1), Row(24.0, 0.5e-4, 0.5, 1)]
    periods = intervals(found([Row(0.0, 48.0, 2.0, 1), Row(24.0, evid=3), *start]))
    assert periods == [(0.0, 24.0, 2.0), (24.0, 48.0, 1.0)]


def test_rates_of_two_lines_add_up() -> None:
    rows = [Row(0.0, 24.0, 1.0, 1), Row(12.0, 24.0, 2.0, 1)]
    assert intervals(found(rows)) == [(0.0, 12.0, 1.0), (12.0, 24.0, 3.0)]


def test_what_enters_the_depot_is_no_infusion() -> None:
    rows = [Row(0.0, 24.0, 1.0, 1, DEPOT), Row(30.0, 12.0, 1.0, 1, CENTRAL)]
    assert intervals(found(rows)) == [(30.0, 42.0, 1.0)]
    table = as_frame([Row(0.0, 24.0, 1.0, 1, DEPOT), Row(50.0)]).drop(columns="CMT")
    oral = STRUCTURES["one_compartment_oral"]
    data = read_dataset(table, structure=oral.name)
    assert constant_rate_periods(data, structure=oral).rate.size == 0
    assert total_amount(data, structure=oral) == [24.0]


def test_a_constant_infusion_at_steady_state_ends_at_its_record() -> None:
    rows = [Row(0.0, 24.0, 2.0, 1), Row(6.0, 0.0, 3.0, 1, ss=1), Row(6.0), Row(8.0, 4.0, 1.0, 1)]
    assert intervals(found(rows)) == [(0.0, 6.0, 2.0), (-np.inf, 6.0, 3.0), (8.0, 12.0, 1.0)]


def test_a_depot_at_steady_state_is_no_infusion() -> None:
    assert found([Row(6.0, 0.0, 3.0, 1, DEPOT, ss=1), Row(6.0)]).rate.size == 0


def test_bags_without_a_gap_at_steady_state_have_run_for_ever() -> None:
    rows = [Row(10.0, 24.0, 1.0, 1, ii=24.0, ss=1, addl=1)]
    assert intervals(found(rows)) == [(-np.inf, 58.0, 1.0)]


def test_a_reset_ends_everything() -> None:
    rows = [Row(0.0, 24.0, 1.0, 1, ii=24.0, addl=9), Row(30.0, evid=3), Row(40.0)]
    assert intervals(found(rows)) == [(0.0, 30.0, 1.0)]
    assert total_amount(dataset(rows)) == [30.0]
    again = [Row(0.0, 24.0, 1.0, 1), Row(12.0, 24.0, 1.0, 4)]
    assert intervals(found(again)) == [(0.0, 12.0, 1.0), (12.0, 36.0, 1.0)]


@pytest.mark.parametrize(("rule", "row"), [("nocb", 3), ("locf", 2)])
def test_the_row_whose_covariates_hold_when_a_period_ends(rule: str, row: int) -> None:
    rows = [Row(0.0, 24.0, 1.0, 1), Row(6.0), Row(12.0), Row(30.0), Row(40.0)]
    data = read_dataset(as_frame(rows), covariates=rule)
    assert constant_rate_periods(data).parameter_row == [row]


def test_longest_of_each_subject() -> None:
    starts, ends = np.array([0.0, 5, 9, 0, 3]), np.array([5.0, 9, 14, 3, 9])
    empty = np.zeros(0)
    periods = Periods(np.array([0, 0, 0, 2, 2]), starts, ends, ends, ends, ends, empty, empty)
    assert longest(periods, 4).tolist() == [0, -1, 4, -1]


def test_a_subject_without_doses_has_no_period_and_amount_0() -> None:
    data = read_dataset(as_frame([Row(0.0), Row(1.0)]), allow=TOLERANT)
    assert constant_rate_periods(data).rate.size == 0
    assert total_amount(data) == [0.0]
