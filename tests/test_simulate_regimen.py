"""Doses are what a regimen says: by size, capped, by weight, stepped, in bags, with pauses."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from pkmodel.simulate.administration import flush, infuse, sample_times
from pkmodel.simulate.people import People, draw_people
from pkmodel.simulate.regimen import Bags, Flush, Pauses, Regimen, Sampling, Step

RNG = np.random.default_rng

# The label's doses in ug/h, from ug/day
LABEL = (
    Step(0, 5 / 24, "m2", 9 / 24, (0, 45)),
    Step(0, 9 / 24, weight=(45, inf)),
    Step(168, 15 / 24, "m2", 28 / 24, (0, 45)),
    Step(168, 28 / 24, weight=(45, inf)),
)


def _people(weight, bsa):
    weight = np.asarray(weight, dtype=float)
    ones = np.ones(weight.size)
    return People(10 * ones, ones.astype(int), weight, 100 * ones, np.asarray(bsa, dtype=float))


def _rates(regimen, people):
    found = infuse(regimen, people, RNG(0))
    return [found.rate[found.subject == k].tolist() for k in range(people.age.size)]


def test_the_label_by_weight_with_caps_and_the_step_at_day_8():
    people = _people([10, 44.99, 45, 80, 44], [0.5, 1.4, 1.4, 1.9, 2.0])
    wanted = [
        [5 * 0.5 / 24, 15 * 0.5 / 24],
        [5 * 1.4 / 24, 15 * 1.4 / 24],
        [9 / 24, 28 / 24],
        [9 / 24, 28 / 24],
        [9 / 24, 28 / 24],  # 10 and 30 ug/day, above the caps
    ]
    # rates have six digits
    np.testing.assert_allclose(_rates(Regimen(672, LABEL), people), wanted, rtol=5.1e-6)
    found = infuse(Regimen(672, LABEL), people, RNG(0))
    assert found.start.tolist() == [0, 168] * 5
    assert found.stop.tolist() == [168, 672] * 5


def test_doses_per_kg():
    rates = _rates(Regimen(24, (Step(0, 0.5, "kg"),)), _people([4, 12], [0.2, 0.5]))
    assert rates == [[2.0], [6.0]]


def _total(infusions):
    return np.bincount(infusions.subject, (infusions.stop - infusions.start) * infusions.rate)


@pytest.mark.parametrize("choice", ["in turn", "per subject", "per bag"])
def test_bags_follow_one_another_and_add_up_to_one_infusion(choice):
    people = draw_people(RNG(1), 200, 0.0, 17.0)
    whole = infuse(Regimen(672, LABEL), people, RNG(2))
    bags = infuse(Regimen(672, LABEL, Bags((24, 48, 72, 96, 168), choice)), people, RNG(2))
    np.testing.assert_allclose(_total(bags), _total(whole), rtol=1e-12)
    same = bags.subject[1:] == bags.subject[:-1]
    assert np.array_equal(bags.start[1:][same], bags.stop[:-1][same])
    lengths = bags.stop - bags.start
    ends = np.isin(bags.stop, (168, 672))
    assert np.isin(lengths[~ends], (24, 48, 72, 96, 168)).all()
    if choice == "per subject":
        full = [np.unique(lengths[~ends & (bags.subject == k)]) for k in range(200)]
        assert all(len(own) <= 1 for own in full)
        assert len({own[0] for own in full if own.size}) > 2


def test_bags_in_turn():
    found = infuse(Regimen(400, (Step(0, 1.0),), Bags((96, 72))), _people([9], [0.4]), RNG(0))
    assert found.stop.tolist() == [96, 168, 264, 336, 400]


def test_a_planned_pause_splits_its_bag_and_loses_its_dose():
    regimen = Regimen(96, (Step(0, 2.0),), Bags((48,)), Pauses(planned=((40, 6), (50, 1), (95, 9))))
    found = infuse(regimen, _people([9, 9], [0.4, 0.4]), RNG(0))
    assert found.subject.tolist() == [0] * 4 + [1] * 4
    assert found.start.tolist() == [0, 46, 48, 51] * 2
    assert found.stop.tolist() == [40, 48, 50, 95] * 2


def test_a_pause_over_a_change_of_bags_and_one_inside_another():
    regimen = Regimen(96, (Step(0, 2.0),), Bags((48,)), Pauses(planned=((40, 20), (45, 5))))
    found = infuse(regimen, _people([9], [0.4]), RNG(0))
    assert found.start.tolist() == [0, 60]
    assert found.stop.tolist() == [40, 96]


def test_random_pauses_have_the_mean_number_and_length():
    people = _people(np.full(20_000, 9.0), np.full(20_000, 0.4))
    regimen = Regimen(672, (Step(0, 1.0),), pauses=Pauses(mean=0.5, hours=(4, 24)))
    found = infuse(regimen, people, RNG(5))
    pieces = np.bincount(found.subject)
    # Poisson; two pauses that meet, or one that meets the stop, are rare: below 3 % of 0.5
    assert abs((pieces - 1).mean() - 0.5) < 0.03
    same = found.subject[1:] == found.subject[:-1]
    gaps = (found.start[1:] - found.stop[:-1])[same]
    assert gaps.min() >= 3.99
    assert abs(np.median(gaps) - 14) < 0.5
    assert np.allclose(np.round(found.stop, 2), found.stop, atol=1e-9)


def test_a_flush_gives_what_the_line_holds_at_changes_without_a_pause():
    regimen = Regimen(120, (Step(0, 2.0), Step(96, 3.0)), Bags((24,)), Pauses(((46, 4),)))
    infusions = infuse(regimen, _people([9], [0.4]), RNG(0))
    boluses = flush(Flush(0.5, 1.0), infusions, RNG(0))
    assert boluses.time.tolist() == [24, 72, 96]
    assert (boluses.rate * boluses.hours).tolist() == [1.0, 1.0, 1.0]
    many = infuse(regimen, _people(np.full(3000, 9.0), np.full(3000, 0.4)), RNG(0))
    share = flush(Flush(0.5, 0.1), many, RNG(1)).time.size / 9000
    assert abs(share - 0.1) < 4 * 0.3 / np.sqrt(9000)
    assert flush(None, infusions, RNG(0)).time.size == 0


def test_samples_are_near_their_times_and_those_after_the_stop_exact():
    times = sample_times(Sampling((48, 168), 4.0, (1, 12)), 5000, 672.0, RNG(0))
    assert times.shape == (5000, 4)
    assert abs(times[:, 0] - 48).max() <= 4.0
    assert abs(times[:, 1].std() - 8 / np.sqrt(12)) < 0.1
    assert np.unique(times[:, 2:], axis=0).tolist() == [[673, 684]]
