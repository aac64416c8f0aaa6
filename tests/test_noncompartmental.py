"""Non-compartmental exposure: exact on data without noise, and the fate of every sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rate_twin
from bags import sampled_bags
from histories import as_frame, random_history
from pkmodel.dataset import Dataset, read_dataset
from pkmodel.errors import ModelError
from pkmodel.exposure.decline import fit_decline
from pkmodel.exposure.noncompartmental import noncompartmental_table, period_table, sample_table
from pkmodel.exposure.plateau_rule import PlateauRule
from pkmodel.models.structural import STRUCTURES
from twin import CENTRAL, DEPOT, Row

HOURS = {"time": "h", "amount": "ug", "concentration": "pg/mL"}
TOLERANT = ["no_observations", "duplicate_observations", "no_dose"]
EXACT = 1e-12  # worst 2e-15 for means and 4e-14 for regressions
NEARLY = 1e-10  # worst 4e-12: the first period ends after 35 half-lives
COMMON = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def infusion(time: float, duration: float, rate: float, **columns: float) -> dict[str, float]:
    return {"TIME": time, "AMT": rate * duration, "RATE": rate, "EVID": 1} | columns


def sample(time: float, dv: float, **columns: float) -> dict[str, float]:
    return {"TIME": time, "DV": dv, "EVID": 0} | columns


def bolus(time: float) -> dict[str, float]:
    return {"TIME": time, "AMT": 1.0, "EVID": 1}


def reset(time: float) -> dict[str, float]:
    return {"TIME": time, "EVID": 3}


def data(rows: Sequence[dict[str, float]], **options: object) -> Dataset:
    """Make a data set of one subject; columns that a row does not give are 0."""
    columns = ["TIME", "AMT", "RATE", "EVID", "II", "ADDL", "SS", "CENS"]
    frame = pd.DataFrame(rows, columns=[*columns, "DV", "CMT"]).assign(ID=1)
    frame[columns] = frame[columns].fillna(0.0)
    return read_dataset(frame, **{"units": HOURS, "allow": TOLERANT} | options)


def uses(rows: Sequence[dict[str, float]], **rule: object) -> list[str]:
    return sample_table(data(rows), PlateauRule(**rule))["USE"].tolist()


def only(table: pd.DataFrame) -> pd.Series:
    assert len(table) == 1
    return table.iloc[0]


# -- exactness ----------------------------------------------------------------------------------


def concentration(time: float, doses: Sequence[tuple[float, float, float]], cl: float, v: float):
    """Sum over (start, duration, rate) of infusions into one compartment, pg/mL."""
    k = cl / v
    total = 0.0
    for start, duration, rate in doses:
        if time > start:
            inside = min(time - start, duration)
            total += rate / cl * -np.expm1(-k * inside) * np.exp(-k * (time - start - inside))
    return 1e3 * total


def cohort(factor: dict[str, float] | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Infants on a step-up in bags, sampled 40 half-lives and more after each change, and after.

    `factor` puts TIME, AMT and DV into other units.
    """
    factor = {"TIME": 1.0, "AMT": 1.0, "DV": 1.0} | (factor or {})
    rng = np.random.default_rng(20260203)
    rows, truth = [], []
    for label in range(1, 9):
        bsa, weight = rng.uniform(0.25, 0.5), rng.uniform(4.0, 10.0)
        cl, v = bsa * rng.uniform(0.6, 2.5), bsa * rng.uniform(2.5, 4.0)
        low, high = 5 / 24 * bsa, 15 / 24 * bsa
        doses = [(24.0 * n, 24.0, low) for n in range(7)]
        doses += [(168.0 + 96 * n, 96.0, high) for n in range(5)]
        own = [infusion(*dose) for dose in doses]
        own += [
            sample(t, concentration(t, doses, cl, v))
            for t in (160.0, 168.0, 400.0, 500.0, 647.9, 648.0, 650.0, 653.5, 660.0)
        ]
        own.sort(key=lambda row: (row["TIME"], row["EVID"]))
        rows += [row | {"ID": label, "BSA": bsa, "WT": weight} for row in own]
        truth.append({"CL": cl, "V": v, "R0": high, "BSA": bsa, "WT": weight, "LOW": low})
    table = pd.DataFrame(rows)
    table["TIME"] *= factor["TIME"]
    table["AMT"] *= factor["AMT"]
    table["RATE"] *= factor["AMT"] / factor["TIME"]
    table["DV"] *= factor["DV"]
    return table.fillna({"AMT": 0.0, "RATE": 0.0}), pd.DataFrame(truth)


@pytest.mark.parametrize(
    ("units", "factor", "per_hour"),
    [
        (HOURS, {}, 1.0),
        ({"time": "day", "amount": "ng", "concentration": "ng/mL"},
         {"TIME": 1 / 24, "AMT": 1e3, "DV": 1e-3}, 24.0),
        ({"time": "min", "amount": "mg", "concentration": "ug/L"},
         {"TIME": 60.0, "AMT": 1e-3, "DV": 1e-3}, 1 / 60),
    ],
)  # fmt: skip
def test_without_noise_it_is_exact_in_any_units(units, factor, per_hour) -> None:
    frame, truth = cohort(factor)
    bsa, weight = truth["BSA"].to_numpy(), truth["WT"].to_numpy()
    dataset = read_dataset(frame, units=units)
    table = noncompartmental_table(
        dataset, bsa=bsa[dataset.subject], weight=weight[dataset.subject]
    )
    cl = truth["CL"] * per_hour
    per_dv, per_amount = factor.get("DV", 1.0), factor.get("AMT", 1.0)
    expected = {
        "R0": truth["R0"] * per_amount * per_hour,
        "R0_BSA": 15 / 24 * per_amount * per_hour + 0 * bsa,
        "CSS": 1e3 * truth["R0"] / truth["CL"] * per_dv,
        "CSS_GM": 1e3 * truth["R0"] / truth["CL"] * per_dv,
        "CSS_DN": 1e3 * bsa / truth["CL"] * per_dv / per_amount / per_hour,
        "CL": cl,
        "CL_BSA": cl / bsa,
        "CL_70KG": cl / (weight / 70.0) ** 0.75,
        "V": truth["V"],
        "V_BSA": truth["V"] / bsa,
        "HALF_LIFE": np.log(2.0) * truth["V"] / cl,
        "R2": 1.0 + 0 * bsa,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(table[name], value, rtol=EXACT, err_msg=name)
    assert table["N_PLATEAU"].tolist() == [4] * 8
    assert table["N_DECLINE"].tolist() == [4] * 8
    assert (table["NOTE"] == "").all()
    periods = period_table(dataset)
    rates = np.column_stack([truth["LOW"], truth["R0"]]).ravel() * per_amount * per_hour
    np.testing.assert_allclose(periods["R0"], rates, rtol=EXACT)
    np.testing.assert_allclose(periods["CL"], np.repeat(cl, 2), rtol=NEARLY)
    assert periods["PERIOD"].tolist() == [1, 2] * 8
    assert periods["N"].tolist() == [2, 4] * 8


def test_the_arithmetic_of_the_founding_study() -> None:
    """15 ug/m2/day at 0.4 m2 is 0.25 ug/h; with Css 706 pg/mL clearance is 0.885 L/h/m2."""
    rows = [infusion(0, 672, 15 * 0.4 / 24), sample(24, 706.0), sample(300, 706.0)]
    table = only(noncompartmental_table(data(rows), bsa=np.full(3, 0.4)))
    assert table["R0"] == 0.25
    assert round(1e3 * table["R0_BSA"]) == 625
    assert round(table["CL_BSA"], 3) == 0.885
    days = [{**row, "TIME": row["TIME"] / 24} for row in rows]
    days[0] |= {"AMT": rows[0]["AMT"] * 1e3, "RATE": rows[0]["RATE"] * 24e3}
    days = [{**row, "DV": row.get("DV", np.nan) / 1e3} for row in days]
    units = {"time": "day", "amount": "ng", "concentration": "ng/mL"}
    other = only(noncompartmental_table(data(days, units=units), bsa=np.full(3, 0.4)))
    assert round(other["CL_BSA"] / 24, 3) == 0.885


def test_a_growing_infant_is_divided_by_the_mean_size_at_its_plateau_samples() -> None:
    """Css (100 + 110 + 90) / 3 at 0.2, 0.25 and 0.3 m2 and 3, 4 and 5 kg; 0.6 m2 afterwards."""
    rows = [infusion(0, 480, 0.05), sample(24, 100.0), sample(240, 110.0), sample(480, 90.0)]
    rows += [sample(482, 45.0), sample(484, 22.5)]
    bsa, weight = np.array([0.1, 0.2, 0.25, 0.3, 0.6, 0.6]), np.array([1.0, 3, 4, 5, 9, 9])
    table = only(noncompartmental_table(data(rows), bsa=bsa, weight=weight))
    cl = 1e3 * 0.05 / 100.0
    expected = {
        **{"R0_BSA": 0.05 / 0.25, "CL": cl, "CL_BSA": cl / 0.25, "CSS_DN": 1e3 * 0.25 / cl},
        **{"CL_70KG": cl * (70.0 / 4.0) ** 0.75, "V_BSA": table["V"] / 0.25},
    }
    for name, value in expected.items():
        assert table[name] == pytest.approx(value, rel=1e-12), name
    unsampled = [infusion(0, 480, 0.05), sample(482, 45.0), sample(484, 22.5)]
    table = only(noncompartmental_table(data(unsampled), bsa=np.array([0.1, 0.2, 0.3])))
    assert table["R0_BSA"] == pytest.approx(0.05 / 0.2)  # by nocb, until the infusion ends


def test_by_hand() -> None:
    """Plateau 90, 160, 120: mean 370/3, geometric mean 120; decline 64, 32, 16 an hour apart."""
    rows = [infusion(0, 48, 2.4)]
    rows += [sample(12, 90), sample(24, 160), sample(40, 120)]
    rows += [sample(49, 64), sample(50, 32), sample(51, 16)]
    table = only(noncompartmental_table(data(rows), weight=np.full(7, 7.0)))
    assert table["CSS"] == pytest.approx(370 / 3)
    assert table["CSS_GM"] == pytest.approx(120.0)
    assert table["CL"] == pytest.approx(2400 / (370 / 3))
    assert table["CL_70KG"] == pytest.approx(table["CL"] * 10**0.75)
    assert table["CSS_DN"] == pytest.approx(370 / 3 / 2.4)
    assert table["HALF_LIFE"] == pytest.approx(1.0)
    assert table["V"] == pytest.approx(table["CL"] / np.log(2.0))
    assert "CL_BSA" not in table
    assert table["NOTE"] == ""


def test_regression_against_least_squares_with_noise() -> None:
    rng = np.random.default_rng(3)
    time = np.sort(rng.uniform(0, 12, 9))
    value = 700 * np.exp(-0.31 * time + 0.2 * rng.normal(size=9))
    slope, _ = np.polyfit(time, np.log(value), 1)
    fitted = fit_decline(time, value)
    assert fitted.rate_constant == pytest.approx(-slope, rel=1e-10)
    assert fitted.r2 == pytest.approx(np.corrcoef(time, np.log(value))[0, 1] ** 2, rel=1e-10)


def test_remifentanil_by_hand() -> None:
    """Subject 1: 71.99 ug/min for 20 min; samples from 10 min on are 18.4 18.4 19.7 19.6 20.2."""
    file = Path(__file__).parents[1] / "data" / "remifentanil" / "remifentanil.csv"
    units = {"time": "min", "amount": "ug", "concentration": "ng/mL"}
    dataset = read_dataset(file, units=units)
    rule = PlateauRule(settle=10, unit="min")
    table = noncompartmental_table(dataset, rule)
    assert table.loc[0, "CSS"] == pytest.approx(19.26)
    assert table.loc[0, "CL"] == pytest.approx(71.99 / 19.26)
    assert len(table) == 65
    assert table["HALF_LIFE"].between(5, 20).all()
    samples = sample_table(dataset, rule)
    assert samples["LINE"].tolist() == dataset.row[dataset.is_observation].tolist()
    assert set(samples["USE"]) == {"settling", "plateau", "decline", "plateau and decline"}
    assert noncompartmental_table(dataset)["CSS"].isna().all()


# -- the fate of each sample --------------------------------------------------------------------


def test_each_fate() -> None:
    rows = [
        sample(0, 5), infusion(0, 48, 1), sample(9.9, 90), sample(10, 100), sample(30, 0),
        sample(40, 50, CENS=1), sample(48, 101), sample(50, 60), infusion(52, 48, 1),
        sample(60, 95), bolus(70), sample(75, 180), sample(80, 102), sample(100, 99),
        sample(102, 50), sample(104, 24), sample(110, 50, CENS=1), bolus(112), sample(113, 40),
        reset(120), sample(121, 7),
    ]  # fmt: skip
    table = sample_table(data(rows))
    assert table["USE"].tolist() == [
        "no infusion", "settling", "plateau", "zero or negative", "below the limit", "plateau",
        "interruption", "settling", "after a bolus", "plateau", "plateau and decline", "decline",
        "decline", "below the limit", "after a bolus", "no infusion",
    ]  # fmt: skip
    assert table["RATE"].tolist() == [0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert table["PERIOD"].tolist() == [0, 1, 1, 1, 1, 1, 0, 2, 2, 2, 2, 0, 0, 0, 0, 0]
    elapsed = [np.nan, 9.9, 10, 30, 40, 48, 2, 8, 23, 28, 48, 2, 4, 10, 13, np.nan]
    np.testing.assert_allclose(table["ELAPSED"], elapsed)


def test_a_sample_before_the_stop_of_a_brief_infusion_is_not_of_the_decline() -> None:
    """Injections of 12 s by pump: 6 s before the end, one has given half of its drug.

    To the minute, which is one time beside an infusion of hours, that sample would be of the
    decline, and the half-life 8.4 min instead of 6.9. The sample at the end itself is of it.
    """
    cl, v = 1.0, 10.0
    doses = [(0.0, 0.2, 500.0), (20.05, 0.2, 500.0)]
    times = (0.1, 0.2, 5.0, 10.0, 20.0, 20.15)
    rows = [infusion(*doses[0]), *(sample(t, concentration(t, doses, cl, v)) for t in times)]
    rows.insert(-1, infusion(*doses[1]))
    units = {"time": "min", "amount": "ug", "concentration": "pg/mL"}
    dataset = data(rows, units=units)
    used = sample_table(dataset)["USE"].tolist()
    assert used == ["settling", *["decline"] * 4, "settling"]
    table = only(noncompartmental_table(dataset))
    assert table["HALF_LIFE"] == pytest.approx(np.log(2.0) * v / cl, rel=EXACT)


def test_a_sample_at_the_stop_counts_whichever_record_comes_first() -> None:
    start = infusion(0, 24, 1)
    assert uses([start, sample(24, 100), sample(26, 50)]) == ["plateau and decline", "decline"]
    assert uses([infusion(0, 24.0001, 1), sample(24, 100), sample(26, 50)]) == [
        "plateau and decline",
        "decline",
    ]
    late = [infusion(0, 23.9999, 1), sample(24, 100), sample(26, 50)]
    assert uses(late) == ["plateau and decline", "decline"]


@pytest.mark.parametrize("first", ["sample", "dose"])
def test_a_sample_at_a_change_of_rate_tells_of_the_rate_before(first: str) -> None:
    change, drawn = infusion(24, 24, 2), sample(24, 100)
    middle = [drawn, change] if first == "sample" else [change, drawn]
    table = only(sample_table(data([infusion(0, 24, 1), *middle])))
    assert (table["USE"], table["RATE"], table["PERIOD"]) == ("plateau", 1.0, 1)


def test_the_place_in_the_file_decides_at_a_bolus_and_at_a_reset() -> None:
    bag, drawn = infusion(0, 48, 1), sample(24, 100)
    assert uses([bag, drawn, bolus(24)]) == ["plateau"]
    assert uses([bag, bolus(24), drawn]) == ["after a bolus"]
    assert uses([bag, drawn, reset(24)]) == ["plateau"]
    assert uses([bag, reset(24), drawn]) == ["no infusion"]


def test_a_change_of_bags_at_one_rate_settles_nothing_anew() -> None:
    bags = [infusion(24 * n, 24, 0.264438) for n in range(3)]
    bags = [bag | {"AMT": 6.3465} for bag in bags]
    assert uses([*bags[:2], sample(25, 100), bags[2], sample(49, 100)]) == ["plateau"] * 2
    pause = [infusion(0, 24, 1), infusion(24.5, 24, 1), sample(25, 100), sample(36, 100)]
    assert uses(pause) == ["settling", "plateau"]


def test_a_flush_at_a_bag_change_disturbs() -> None:
    rows = [infusion(0, 24, 1), infusion(24, 24, 1), infusion(24, 0.01, 500), sample(24.01, 400)]
    rows += [sample(30, 130), sample(40, 101)]
    assert uses(rows) == ["settling", "settling", "plateau"]


def test_the_moment_of_settling_counts() -> None:
    """In floating point 16.4 - 6.4 falls short of 10."""
    assert 16.4 - 6.4 < 10
    assert uses([infusion(6.4, 24, 1), sample(16.4, 100)]) == ["plateau"]
    assert uses([infusion(6.4, 24, 1), sample(16.39, 100)]) == ["settling"]


def test_a_new_life_resumes_no_infusion() -> None:
    again = infusion(60, 24, 1) | {"EVID": 4}
    rows = [infusion(0, 24, 1), sample(26, 50), again, sample(80, 100), sample(86, 40)]
    assert uses(rows) == ["after the stop", "plateau", "after the stop"]
    assert uses([*rows[:2], infusion(60, 24, 1), *rows[3:]])[0] == "interruption"


def test_a_reset_is_no_decline() -> None:
    rows = [infusion(0, 48, 1), sample(24, 100), reset(30), sample(31, 1), sample(32, 1)]
    table = only(noncompartmental_table(data(rows)))
    assert table["N_DECLINE"] == 0
    assert np.isnan(table["HALF_LIFE"])
    assert table["NOTE"] == "no sample after a stop of the infusion"


def test_a_decline_ends_with_the_next_cycle_and_the_last_one_counts() -> None:
    cycle = [sample(24, 100), sample(25, 50), sample(26, 25)]
    rows = [infusion(0, 24, 1), *cycle, infusion(60, 24, 1)]
    rows += [sample(84, 100), sample(88, 50), sample(92, 25)]
    table = only(noncompartmental_table(data(rows)))
    assert (table["HALF_LIFE"], table["N_DECLINE"]) == (pytest.approx(4.0), 3)
    fewer = only(noncompartmental_table(data(rows[:-2])))
    assert (fewer["HALF_LIFE"], fewer["N_DECLINE"]) == (pytest.approx(1.0), 3)
    assert "half-life from the stop at 24 h" in fewer["NOTE"]
    assert uses(rows[:-2])[-1] == "plateau"


def test_an_endless_infusion_is_at_steady_state_at_its_record() -> None:
    constant = {"TIME": 5, "RATE": 2.0, "EVID": 1, "SS": 1}
    rows = [constant, sample(5, 100), sample(6, 50), sample(7, 25)]
    table = sample_table(data(rows))
    assert table["USE"].tolist() == ["plateau and decline", "decline", "decline"]
    assert table["ELAPSED"].tolist() == [np.inf, 1.0, 2.0]
    assert only(noncompartmental_table(data(rows)))["CL"] == pytest.approx(20.0)


def test_oral_doses_disturb_as_long_as_it_takes_to_settle() -> None:
    oral = STRUCTURES["one_compartment_oral"]
    drip, pill = infusion(0, 48, 1, CMT=2), {"TIME": 12.0, "AMT": 5.0, "EVID": 1, "CMT": 1}
    rows = [drip, sample(11, 100), pill, sample(20, 130), sample(24, 100)]
    rows += [sample(49, 60), pill | {"TIME": 50}, sample(51, 80), sample(70, 9)]
    table = sample_table(data(rows, structure=oral.name), structure=oral)
    assert table["USE"].tolist() == [
        "plateau", "after an oral dose", "plateau", "after the stop",
        "after an oral dose", "after an oral dose",
    ]  # fmt: skip


# -- below the limit ----------------------------------------------------------------------------

LIMITED = [infusion(0, 48, 1), sample(12, 50, CENS=1), sample(24, 60), sample(36, 90)]


@pytest.mark.parametrize(
    ("rule", "values"), [("omit", [60, 90]), ("half", [25, 60, 90]), ("limit", [50, 60, 90])]
)
def test_plateau_samples_below_the_limit_by_the_rule(rule: str, values: list[float]) -> None:
    table = only(noncompartmental_table(data(LIMITED), PlateauRule(below_limit=rule)))
    assert table["N_PLATEAU"] == len(values)
    assert table["CSS"] == pytest.approx(np.mean(values))
    assert table["CSS_GM"] == pytest.approx(np.prod(values) ** (1 / len(values)))
    assert "1 plateau sample below the limit" in table["NOTE"]


def test_the_decline_takes_no_sample_below_the_limit() -> None:
    decline = [sample(49, 160), sample(50, 80), sample(51, 40)]
    middle = [*LIMITED, decline[0], sample(49.5, 50, CENS=1), *decline[1:]]
    end = [*LIMITED, *decline, sample(52, 50, CENS=1)]
    for rule in ("omit", "half", "limit"):
        for rows, is_doubtful in ((middle, True), (end, False)):
            table = only(noncompartmental_table(data(rows), PlateauRule(below_limit=rule)))
            assert (table["N_DECLINE"], table["HALF_LIFE"]) == (3, pytest.approx(1.0))
            assert "1 sample of the decline below the limit left out" in table["NOTE"]
            assert ("quantified samples follow one below" in table["NOTE"]) == is_doubtful


# -- remarks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ([bolus(0), sample(24, 5)],
         "no infusion at a constant rate; no sample after a stop of the infusion"),
        ([sample(0, 5)], "no infusion at a constant rate; no sample after a stop of the infusion"),
        ([infusion(0, 8, 1), sample(7, 50), sample(8, 55), sample(9, 30), sample(10, 15)],
         "no plateau sample on the longest period (0 to 8 h): 2 settling"),
        ([infusion(0, 24, 1), sample(20, 50), sample(24, 50), infusion(24, 48, 2), sample(75, 9),
          sample(76, 4.5), sample(77, 2.25)],
         "no plateau sample on the longest period (24 to 72 h): none drawn; "
         "2 plateau samples on 1 shorter period"),
        ([infusion(0, 24, 1), sample(20, 50), infusion(28, 48, 1), sample(75, 48), sample(77, 32),
          sample(78, 16), sample(79, 8)],
         "1 plateau sample on 1 shorter period at the same rate, not used"),
        ([infusion(0, 24, 1), sample(26, 30), sample(28, 15), sample(30, 8)],
         "no plateau sample on the longest period (0 to 24 h): none drawn"),
        ([infusion(0, 24, 1), sample(12, 50, CENS=1)],
         "no plateau sample on the longest period (0 to 24 h): 1 below the limit; "
         "no sample after a stop of the infusion"),
        ([infusion(0, 24, 1), sample(23, 99), sample(26, 30)],
         "too few quantified samples after a stop for a half-life"),
        ([infusion(0, 24, 1), sample(23, 99), sample(26, 30), sample(26, 31)],
         "too few quantified samples after a stop for a half-life"),
        ([infusion(0, 24, 1), sample(23, 99), sample(26, 30), sample(27, 35)],
         "no half-life: concentrations do not fall after the stop"),
        ([infusion(0, 24, 1), sample(23, 99), sample(25, 64), sample(27, 16)],
         "half-life from 2 samples, 3 recommended"),
        ([infusion(0, 48, 1), sample(40, 99), sample(50, 16), sample(50.5, 14), sample(51, 12)],
         "decline seen over 42 % of a half-life"),
        ([infusion(0, 24, 1), sample(12, 99), sample(24, 64), sample(30, 32), sample(36, 16)],
         "first plateau sample after 12 h: with this half-life 75 % of steady state"),
    ],
)  # fmt: skip
def test_remarks(rows: list[dict[str, float]], note: str) -> None:
    table = only(noncompartmental_table(data(rows)))
    assert table["NOTE"] == note


def test_a_subject_without_anything_is_in_the_table() -> None:
    frame, _ = cohort()
    none = pd.DataFrame({"ID": [0, 0], "TIME": [0.0, 1.0], "AMT": [1.0, 0.0], "DV": [np.nan, 2.0]})
    frame = pd.concat([none, frame]).fillna({"RATE": 0.0, "BSA": 1.0, "WT": 1.0, "EVID": 0})
    frame.loc[frame["AMT"] > 0, "EVID"] = 1
    table = noncompartmental_table(read_dataset(frame, units=HOURS))
    assert table["ID"].tolist() == list(range(9))
    assert table.loc[0, ["R0", "CSS", "CL", "V", "HALF_LIFE"]].isna().all()
    assert table.loc[0, "NOTE"].startswith("no infusion at a constant rate")
    assert table.loc[1:, "CL"].notna().all()


# -- the rule -----------------------------------------------------------------------------------


def test_a_rule_in_hours_needs_units_and_says_so() -> None:
    undeclared = data([infusion(0, 24, 1), sample(12, 100)], units=None)
    with pytest.raises(ModelError, match="declare no units, so that 10 h cannot be told"):
        noncompartmental_table(undeclared)
    table = only(noncompartmental_table(undeclared, PlateauRule(settle=10, unit="")))
    assert table["CL"] == pytest.approx(0.01)


def test_impossible_rules_are_refused_together() -> None:
    with pytest.raises(ModelError) as caught:
        PlateauRule(settle=-1, least_samples=0, below_limit="hlaf")
    message = str(caught.value)
    assert "settle: -1 is no time" in message
    assert "least_samples: 0 is no number of samples" in message
    assert "below_limit: no rule 'hlaf'; did you mean `half`?" in message
    with pytest.raises(ModelError, match="'mg' is not a time"):
        sample_table(data([infusion(0, 24, 1), sample(12, 100)]), PlateauRule(unit="mg"))


def test_too_few_samples_for_the_rule() -> None:
    rows = [infusion(0, 24, 1), sample(12, 100)]
    table = only(noncompartmental_table(data(rows), PlateauRule(least_samples=2)))
    assert np.isnan(table["CSS"])
    assert table["N_PLATEAU"] == 1
    assert table["NOTE"].startswith("1 plateau sample of 2 needed")


# -- against slow twins -------------------------------------------------------------------------

SETTLE = 3.0


@COMMON
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_random_histories(seed: int, oral: bool) -> None:
    check(random_history(np.random.default_rng(seed), oral=oral, with_steady_state=False))


@COMMON
@given(sampled_bags())
def test_samples_among_bags(rows: list[Row]) -> None:
    check(rows)


@COMMON
@given(st.lists(st.floats(0, 700), min_size=2, max_size=6), st.floats(0.01, 30))
def test_times_of_samples_are_those_of_the_file(times: list[float], duration: float) -> None:
    rows = [infusion(times[0] / 3, duration, 1, II=duration / 2, ADDL=9)]
    rows += [sample(time, 1.0 + n) for n, time in enumerate(times)]
    dataset = data(sorted(rows, key=lambda row: row["TIME"]))
    table = sample_table(dataset)
    assert table["TIME"].tolist() == dataset.time[dataset.is_observation].tolist()


def check(rows: Sequence[Row]) -> None:
    """Plateau: one rate above 0 over the last 3 h and nothing else; decline: none since a stop."""
    has_depot = any(row.into == DEPOT for row in rows)
    structure = STRUCTURES["one_compartment_oral" if has_depot else "one_compartment"]
    dataset = read_dataset(as_frame(rows), structure=structure.name, allow=TOLERANT)
    table = sample_table(dataset, PlateauRule(settle=SETTLE, unit=""), structure=structure)
    drawn = [j for j, row in enumerate(rows) if row.evid == 0]
    assert table["LINE"].tolist() == [j + 2 for j in drawn]
    grid = rate_twin.midpoints(rows)
    rate = np.round(rate_twin.rate_on(grid, rows), 9)
    depot = rate_twin.rate_on(grid, rows, into=(DEPOT,))
    plateau = [is_on_plateau(rows, j, grid, rate, depot) for j in drawn]
    assert table["USE"].str.contains("plateau").tolist() == plateau
    stops = [stop_before(rows, j, grid, rate, depot) for j in drawn]
    times = {s: {rows[j].time for j, t in zip(drawn, stops, strict=True) if t == s} for s in stops}
    enough = [s for s, drawn_at in times.items() if s is not None and len(drawn_at) > 1]
    last = max(enough, default=None)
    expected = [last is not None and stop == last for stop in stops]
    assert table["USE"].str.contains("decline").tolist() == expected


def within(grid: np.ndarray, begin: float, end: float) -> np.ndarray:
    """Tell which cells of the grid have a part between two times."""
    half = rate_twin.STEP / 2
    return (grid + half > begin + 1e-9) & (grid - half < end - 1e-9)


def given_since(rows: Sequence[Row], j: int, begin: float, into: Sequence[int]) -> bool:
    """Tell whether a bolus went into a compartment from a time on, before row j, after a reset."""
    cleared = max((i for i in range(j + 1) if rows[i].clears), default=0)
    return any(
        begin < time <= rows[j].time
        for row in rows[cleared : j + 1]
        if row.amt and not row.rate and row.into in into
        for time, _ in rate_twin.doses(row)
    )


def is_on_plateau(rows, j, grid, rate, depot) -> bool:
    time = rows[j].time
    begin = time - SETTLE
    window = within(grid, begin, time)
    cleared = any(row.clears and row.time > begin + 1e-9 for row in rows[: j + 1])
    if begin < rows[0].time - 1e-9 or cleared or not window.any():
        return False
    if given_since(rows, j, begin + 1e-9, (CENTRAL, DEPOT)) or depot[window].any():
        return False
    return rate[window][0] > 0 and np.ptp(rate[window]) == 0


def stop_before(rows, j, grid, rate, depot) -> float | None:
    """Return when the infusion stopped, if nothing has been given since; None otherwise."""
    time = rows[j].time
    cleared = max((row.time for row in rows[: j + 1] if row.clears), default=-np.inf)
    before = np.flatnonzero(within(grid, cleared, time))
    after = np.flatnonzero(~within(grid, -np.inf, time))
    running = before[rate[before] > 0]
    if not running.size:
        return None
    stop = round(grid[running[-1]] + rate_twin.STEP / 2, 9)
    recently = within(grid, max(cleared, time - SETTLE), time)
    if running[-1] == before[-1]:
        ends_now = abs(stop - time) < 1e-6 and not (after.size and rate[after[0]] > 0)
        if not ends_now or not goes_on_after(rows, j, time):
            return None
    if depot[recently].any() or given_since(rows, j, time - SETTLE + 1e-9, (DEPOT,)):
        return None
    return None if given_since(rows, j, stop - 1e-9, (CENTRAL, DEPOT)) else stop


def goes_on_after(rows: Sequence[Row], j: int, time: float) -> bool:
    """Tell whether the history goes on for a while before a reset."""
    for row in rows[j + 1 :]:
        if row.clears:
            return row.time > time
    return any(row.time > time for row in rows)
