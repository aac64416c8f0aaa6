"""What must hold for any doses, subjects and parameters, whatever the numbers are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkmodel.dataset import read_dataset
from pkmodel.models.model import Model, OmegaBlock, Options, Residual, Sigma, Theta
from pkmodel.prediction import predict
from pkmodel.problem import Problem
from simulation import INFUSION, ORAL, make_design, simulate, walk

settings.register_profile(
    "properties", max_examples=60, deadline=None, derandomize=True, database=None
)
COMMON = settings.get_profile("properties")
FEW = settings(COMMON, max_examples=12)

IV, PO = "one_compartment", "one_compartment_oral"


@dataclass(frozen=True)
class Dose:
    time: float
    amount: float
    duration: float = 0.0
    into: int = 1
    interval: float = 0.0
    additional: int = 0
    steady: int = 0
    event: int = 1


# -- strategies -------------------------------------------------------------------------------
# times on a grid of eighths, so that shifts and trains are exact


def grid(low: float, high: float) -> st.SearchStrategy[float]:
    return st.integers(int(8 * low), int(8 * high)).map(lambda n: n / 8)


def positive(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(np.log(low), np.log(high)).map(lambda x: float(np.exp(x)))


structures = st.sampled_from([IV, PO])
amounts = positive(1e-3, 1e4)
durations = st.one_of(st.just(0.0), grid(0.125, 30))
into = st.sampled_from([1, 2])
doses = st.builds(Dose, grid(0, 40), amounts, durations, into)
histories = st.lists(doses, min_size=1, max_size=5)
observations = st.lists(grid(0, 80), min_size=1, max_size=8, unique=True).map(sorted)
parameters = st.fixed_dictionaries(
    {"CL": positive(0.01, 50), "V": positive(0.1, 100), "KA": positive(0.02, 20)}
)


def table(history, times, label=1, **columns) -> pd.DataFrame:
    """Write the records of one subject, doses before observations at the same time."""
    rows = [
        {
            "ID": label,
            "TIME": d.time,
            "AMT": d.amount,
            "RATE": d.amount / d.duration if d.duration else 0.0,
            "CMT": d.into,
            "II": d.interval,
            "ADDL": d.additional,
            "SS": d.steady,
            "EVID": d.event,
            "DV": np.nan,
        }
        for d in history
    ]
    rows += [
        dict.fromkeys(("AMT", "RATE", "II", "ADDL", "SS", "EVID"), 0)
        | {"ID": label, "TIME": t, "DV": 1.0, "CMT": 2}
        for t in times
    ]
    frame = pd.DataFrame(rows).sort_values(["TIME"], kind="stable", ignore_index=True)
    return frame.assign(**columns)


def read(frame: pd.DataFrame, structure: str, **options):
    if structure == IV:
        frame = frame.drop(columns="CMT", errors="ignore")
    return read_dataset(frame, structure=structure, **options)


def concentrations(structure, values, history, times, **columns) -> np.ndarray:
    return np.asarray(predict(read(table(history, times, **columns), structure), structure, values))


def agree(a, b, relative: float = 1e-9) -> None:
    """Compare; the worst seen is some 1e-13 of the highest concentration."""
    largest = max(float(np.max(np.abs(b))), 1e-300)
    np.testing.assert_allclose(a, b, rtol=relative, atol=1e-11 * largest)


# -- predictions ------------------------------------------------------------------------------


@COMMON
@given(structures, parameters, histories, observations, positive(1e-3, 1e3))
def test_dose_linearity(structure, values, history, times, factor):
    more = [replace(d, amount=d.amount * factor) for d in history]
    f = concentrations(structure, values, history, times)
    agree(concentrations(structure, values, more, times), factor * f)


@COMMON
@given(structures, parameters, histories, histories, observations)
def test_superposition_of_two_histories(structure, values, first, second, times):
    one = concentrations(structure, values, first, times)
    two = concentrations(structure, values, second, times)
    agree(concentrations(structure, values, first + second, times), one + two)


@COMMON
@given(structures, parameters, histories, observations, grid(0.125, 2000))
def test_time_shift(structure, values, history, times, shift):
    later = [replace(d, time=d.time + shift) for d in history]
    f = concentrations(structure, values, history, times)
    agree(concentrations(structure, values, later, [t + shift for t in times]), f)


@COMMON
@given(structures, parameters, histories, observations, st.floats(0.01, 100))
def test_change_of_the_unit_of_time(structure, values, history, times, factor):
    slower = [replace(d, time=d.time * factor, duration=d.duration * factor) for d in history]
    slow = {"CL": values["CL"] / factor, "V": values["V"], "KA": values["KA"] / factor}
    f = concentrations(structure, values, history, times)
    agree(concentrations(structure, slow, slower, [t * factor for t in times]), f)


@COMMON
@given(
    structures, parameters, doses.filter(lambda d: d.duration > 0), observations, st.integers(1, 15)
)
def test_splitting_an_infusion(structure, values, dose, times, sixteenths):
    share = sixteenths / 16
    first = replace(dose, amount=dose.amount * share, duration=dose.duration * share)
    second = replace(
        dose,
        time=dose.time + first.duration,
        amount=dose.amount * (1 - share),
        duration=dose.duration * (1 - share),
    )
    f = concentrations(structure, values, [dose], times)
    agree(concentrations(structure, values, [first, second], times), f)


@COMMON
@given(structures, parameters, doses, observations, grid(0.5, 24), st.integers(1, 6))
def test_a_train_of_doses_is_the_doses_written_out(
    structure, values, dose, times, interval, number
):
    train = replace(dose, interval=interval, additional=number)
    written = [replace(dose, time=dose.time + n * interval) for n in range(number + 1)]
    f = concentrations(structure, values, written, times)
    agree(concentrations(structure, values, [train], times), f)


def slowest_rate(structure, values) -> float:
    k = values["CL"] / values["V"]
    return min(k, values["KA"]) if structure == PO else k


def steady_state_case(structure, values, dose, interval, times, steady):
    """Return the dose at steady state, the same as a long train, and the observations after it."""
    number = int(np.ceil(60 / (slowest_rate(structure, values) * interval)))
    last = number * interval
    dose = replace(dose, time=last, interval=interval, steady=steady)
    train = replace(dose, time=0.0, additional=number, steady=0)
    return dose, train, [last + t for t in times]


moderate = st.fixed_dictionaries(
    {"CL": positive(0.2, 10), "V": positive(2, 20), "KA": positive(0.1, 5)}
)


@COMMON
@given(structures, moderate, doses, observations, grid(2, 24))
def test_steady_state_is_a_long_train(structure, values, dose, times, interval):
    steady, train, times = steady_state_case(structure, values, dose, interval, times, 1)
    f = concentrations(structure, values, [train], times)
    agree(concentrations(structure, values, [steady], times), f)


@COMMON
@given(structures, moderate, doses, doses, observations, grid(2, 24))
def test_steady_state_2_adds_to_what_is_there(structure, values, dose, other, times, interval):
    steady, train, times = steady_state_case(structure, values, dose, interval, times, 2)
    other = replace(other, time=steady.time - 1.0)
    f = concentrations(structure, values, [train, other], times)
    agree(concentrations(structure, values, [other, steady], times), f)


@COMMON
@given(structures, moderate, doses, doses, observations, grid(2, 24))
def test_steady_state_1_forgets_what_was_there(structure, values, dose, other, times, interval):
    steady, train, times = steady_state_case(structure, values, dose, interval, times, 1)
    other = replace(other, time=steady.time - 1.0)
    f = concentrations(structure, values, [train], times)
    agree(concentrations(structure, values, [other, steady], times), f)


@COMMON
@given(parameters, amounts, grid(1, 80))
def test_constant_infusion_at_steady_state(values, rate, time):
    frame = table([Dose(0.0, 0.0, steady=1)], [0.0, time])
    frame.loc[0, "RATE"] = rate
    f = np.asarray(predict(read(frame, IV), IV, values))
    k = values["CL"] / values["V"]
    agree(f, rate / values["CL"] * np.exp([0.0, -k * time]))


@COMMON
@given(structures, parameters, histories, histories, observations, st.sampled_from([3, 4]))
def test_a_reset_forgets_what_was_there(structure, values, before, after, times, event):
    reset = 45.0
    after = sorted((replace(d, time=d.time + reset) for d in after), key=lambda d: d.time)
    times = [t + reset for t in times]
    if event == 3:
        opening = [Dose(reset, 0.0, event=3)]
        rest = after
    else:
        opening = [replace(after[0], time=reset, event=4)]
        after = [replace(after[0], time=reset), *after[1:]]
        rest = after[1:]
    f = concentrations(structure, values, after, times)
    agree(concentrations(structure, values, [*before, *opening, *rest], times), f)


@COMMON
@given(structures, parameters, histories, observations, st.lists(grid(0, 80), max_size=4))
def test_other_records_change_nothing(structure, values, history, times, others):
    f = concentrations(structure, values, history, times)
    events = [Dose(t, 0.0, event=2) for t in others]
    agree(concentrations(structure, values, [*history, *events], times), f)


@COMMON
@given(structures, parameters, histories, observations)
def test_units_scale_the_prediction(structure, values, history, times):
    frame = table(history, times)
    units = {"time": "h", "amount": "mg", "concentration": "ng/mL"}
    f = np.asarray(predict(read(frame, structure), structure, values))
    scaled = predict(read(frame, structure, units=units), structure, values)
    agree(scaled, 1000.0 * f)


@COMMON
@given(structures, parameters, histories, observations, st.sampled_from(["nocb", "locf"]))
def test_values_by_row_that_stay_the_same(structure, values, history, times, rule):
    dataset = read(table(history, times), structure, covariates=rule)
    fast, slope = predict(dataset, structure, values, derivatives=True)
    rows = {p: np.full(dataset.time.size, x) for p, x in values.items()}
    general, general_slope = predict(dataset, structure, rows, derivatives=True)
    agree(general, fast)
    agree(general_slope, slope)


@COMMON
@given(st.lists(parameters, min_size=14, max_size=14), histories, observations)
def test_parameters_that_change_hold_over_the_interval_before(draws, history, times):
    design = make_design([(d.time, d.amount, d.duration) for d in history], times)
    frame = table(sorted(history, key=lambda d: (d.time, d.amount, d.duration)), times)
    count = design.time.size
    values = {p: np.array([d[p] for d in draws[:count]]) for p in ("CL", "V")}
    expected = walk(design, values["CL"][None], values["V"][None])[0]
    f = predict(read(frame, IV), IV, values)
    agree(f, expected[~design.is_dose])


# -- objectives -------------------------------------------------------------------------------


def model(structure: str, *, weight: bool = False) -> Model:
    names = ("CL", "V") if structure == IV else ("CL", "V", "KA")
    formulas = {p: f"{p.lower()} * WT" if weight and p != "KA" else p.lower() for p in names}
    init = {"CL": 1.2, "V": 9.0, "KA": 0.8}
    return Model(
        structure,
        formulas,
        tuple(Theta(p.lower(), init[p], lower=0.0) for p in names),
        (OmegaBlock(("CL", "V"), ((0.1, 0.02), (0.02, 0.1))),),
        Residual((Sigma("additive", 0.3), Sigma("proportional", 0.2))),
    )


def population(structure: str, subjects: int, seed: int = 3, *, weight=None) -> pd.DataFrame:
    return simulate(
        np.random.default_rng(seed),
        INFUSION if structure == IV else ORAL,
        {"CL": 1.0, "V": 10.0} | ({"KA": 1.0} if structure == PO else {}),
        {"CL": 0.1, "V": 0.1},
        {"proportional": 0.2},
        subjects=subjects,
        weight=weight,
    )


def evaluated(frame, structure, method="focei", threads=1, *, weight=False):
    problem = Problem(
        model(structure, weight=weight),
        read_dataset(frame, structure=structure),
        Options(method=method),
        threads=threads,
    )
    return problem.evaluate(problem.packing.initial())


def reordered(frame: pd.DataFrame, order) -> pd.DataFrame:
    parts = dict(list(frame.groupby("ID", sort=False)))
    labels = list(parts)
    return pd.concat([parts[labels[i]] for i in order], ignore_index=True)


@pytest.mark.parametrize("method", ["fo", "foce", "focei", "laplace"])
@pytest.mark.parametrize("structure", [IV, PO])
def test_subject_order(structure, method):
    frame = population(structure, 40)
    order = np.random.default_rng(5).permutation(40)
    one = evaluated(frame, structure, method)
    two = evaluated(reordered(frame, order), structure, method)
    np.testing.assert_array_equal(one.terms.objective[order], two.terms.objective)
    np.testing.assert_array_equal(one.terms.eta[order], two.terms.eta)
    np.testing.assert_array_equal(one.by_subject[order], two.by_subject)
    assert two.objective == pytest.approx(one.objective, rel=1e-14)  # a sum in another order


@pytest.mark.parametrize("structure", [IV, PO])
def test_names_of_subjects_do_not_matter(structure):
    frame = population(structure, 20)
    labels = {i: f"patient {99 - i}" for i in range(1, 21)}
    one = evaluated(frame, structure)
    two = evaluated(frame.assign(ID=frame["ID"].map(labels)), structure)
    three = evaluated(frame.assign(ID=-1000 * frame["ID"]), structure)
    for other in (two, three):
        assert other.objective == one.objective
        np.testing.assert_array_equal(other.gradient, one.gradient)


@FEW
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_population_is_the_sum_of_its_subjects(count, seed):
    frame = population(IV, count, seed)
    whole = evaluated(frame, IV)
    alone = [evaluated(part, IV) for _, part in frame.groupby("ID")]
    np.testing.assert_array_equal(whole.terms.objective, [e.objective for e in alone])
    np.testing.assert_allclose(
        whole.gradient, np.sum([e.gradient for e in alone], axis=0), rtol=1e-12, atol=1e-9
    )


@pytest.mark.parametrize("method", ["focei", "laplace"])
def test_a_covariate_that_stays_the_same_is_as_none(method):
    """The general path, taken because one subject's weight changes, gives the others the same."""
    weight = np.full((30, INFUSION.time.size), 2.0)
    frame = population(IV, 30, weight=weight)
    moving = frame.copy()
    moving.loc[moving["ID"] == 30, "WT"] = np.linspace(1, 3, INFUSION.time.size)
    fast = evaluated(frame, IV, method, weight=True)
    general = evaluated(moving, IV, method, weight=True)
    np.testing.assert_allclose(general.terms.objective[:-1], fast.terms.objective[:-1], rtol=1e-10)
    np.testing.assert_allclose(general.by_subject[:-1], fast.by_subject[:-1], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("varies", [False, True])
@pytest.mark.parametrize("method", ["focei", "laplace"])
def test_threads_do_not_change_a_bit(method, varies):
    weight = np.ones((800, INFUSION.time.size))
    if varies:
        weight = weight * np.linspace(1, 2, INFUSION.time.size)
    frame = population(IV, 800, weight=weight)
    one, two, three = (evaluated(frame, IV, method, n, weight=True) for n in (1, 2, 3))
    for other in (two, three):
        assert other.objective == one.objective
        np.testing.assert_array_equal(other.gradient, one.gradient)
        np.testing.assert_array_equal(other.terms.eta, one.terms.eta)
