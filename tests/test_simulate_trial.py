"""A simulated trial is what was declared: its records, units, errors, limits and truth."""

from __future__ import annotations

import numpy as np
import pytest

import pkmodel as pk
from pkmodel.dataset import read_dataset
from pkmodel.errors import ModelError
from pkmodel.exposure.noncompartmental import noncompartmental_table
from pkmodel.prediction import predict_along
from pkmodel.simulate import simulate_trial
from pkmodel.simulate.output import write_table
from pkmodel.simulate.trial import TABLE
from simulation import make_design, walk
from trial_text import edited, trial_of

UNITS = {"time": "h", "amount": "ug", "concentration": "pg/mL"}
EXACT = {"CL = 0.07": "", "V = 0.04": "CL = 1e-24", "proportional = 0.2": "proportional = 1e-9"}


def test_the_same_seed_gives_the_same_table(tmp_path):
    trial = trial_of(tmp_path)
    one, other = simulate_trial(trial), simulate_trial(trial)
    assert one.table.equals(other.table)
    assert one.subjects.equals(other.subjects)
    assert one.seed == 5
    third = simulate_trial(trial, seed=6)
    assert third.seed == 6
    assert not third.table.equals(one.table)


def test_a_change_of_one_group_leaves_the_others_as_they_are(tmp_path):
    one = simulate_trial(trial_of(tmp_path)).table
    text = {"n = 20\nage = [2, 7]": "n = 9\nage = [3, 5]"}
    other = simulate_trial(trial_of(tmp_path, text)).table
    assert other["ID"].nunique() == 29
    infants = [table[table["GROUP"] == 1] for table in (one, other)]
    assert infants[0].equals(infants[1])


def test_the_table_has_its_columns_and_is_virtual_throughout(tmp_path):
    table = simulate_trial(trial_of(tmp_path)).table
    assert tuple(table.columns) == TABLE
    assert (table["VIRTUAL"] == 1).all()
    assert table.groupby("ID")["GROUP"].first().tolist() == [1] * 20 + [2] * 20
    assert (table["MDV"] == table["EVID"]).all()
    assert table["DV"].isna().equals(table["EVID"] == 1)


REAL_LIFE = {
    "days = 7": 'days = 7\nbags = { hours = [48, 24], choice = "per bag" }\n'
    "flush = { hours = 0.4, chance = 0.5 }\ninterruptions = [{ day = 3, hours = 5 }]\n"
    "random_interruptions = { mean = 2, hours = [4, 12] }",
    "hours = [48, 96, 144]": "hours = [48, 96, 144]\nspread = 10",
}


def test_a_written_table_reads_without_a_remark_and_predicts_as_a_walk_from_row_to_row(tmp_path):
    simulated = simulate_trial(trial_of(tmp_path, REAL_LIFE))
    path = tmp_path / "table.csv"
    write_table(simulated.table, path)
    data = read_dataset(path, units=UNITS)
    assert data.warnings == ()
    truth = simulated.subjects
    wanted = []
    for i, row in enumerate(truth.itertuples()):
        own = data.subject == i
        doses = own & (data.evid == 1)
        rate = data.rate[doses]
        length = np.divide(data.amt[doses], rate, out=np.zeros(rate.size), where=rate > 0)
        design = make_design(
            list(zip(data.time[doses], data.amt[doses], length, strict=True)),
            list(data.time[own & (data.evid == 0)]),
        )
        shape = (1, design.time.size)
        c = walk(design, np.full(shape, row.CL), np.full(shape, row.V))[0]
        wanted.append(1000 * c[~design.is_dose])
    parameters = {p: truth[p].to_numpy()[data.subject] for p in ("CL", "V")}
    spec, steps = _compiled(data)
    f, _ = predict_along(data, spec, steps, parameters)
    np.testing.assert_allclose(f, np.concatenate(wanted), rtol=1e-9)
    measured = data.dv[data.is_observation] / f
    shown = data.cens[data.is_observation] == 0
    # residual error of 20 %: four standard errors; 20 x 6 x 2 samples, some below the limit
    assert abs(measured[shown].std() - 0.2) < 4 * 0.2 / np.sqrt(2 * shown.sum()) + 0.01


def _compiled(data):
    from pkmodel.models.structural import STRUCTURES
    from pkmodel.prediction import compile_records

    spec = STRUCTURES["one_compartment"]
    return spec, compile_records(data, spec)


def test_bags_give_the_exposure_of_one_infusion(tmp_path):
    one = simulate_trial(trial_of(tmp_path, EXACT)).table
    bags = {"days = 7": "days = 7\nbags = { hours = [24, 48] }"}
    other = simulate_trial(trial_of(tmp_path, EXACT | bags)).table
    dv = [table.loc[table["EVID"] == 0, "DV"].to_numpy() for table in (one, other)]
    # five digits are kept
    np.testing.assert_allclose(dv[0], dv[1], rtol=2e-5)
    given = [table.groupby("ID")["AMT"].sum() for table in (one, other)]
    np.testing.assert_allclose(given[0], given[1], rtol=1e-12)
    assert len(other) > len(one)


def test_an_interruption_is_seen_in_the_next_sample(tmp_path):
    """6 h without infusion, 1 h after its end: 1 - exp(-k) + exp(-7 k) of the plateau."""
    pause = {"days = 7": "days = 7\ninterruptions = [{ day = 4.75, hours = 5 }]"}
    whole, paused = (
        simulate_trial(trial_of(tmp_path, EXACT | changes)).table for changes in ({}, pause)
    )
    at = (whole["EVID"] == 0) & (whole["TIME"] == 96)
    before = whole.loc[at, "DV"].to_numpy()
    after = paused.loc[(paused["EVID"] == 0) & (paused["TIME"] == 96), "DV"].to_numpy()
    k = 0.9 / 3
    wanted = 1 - np.exp(-k) + np.exp(-6 * k)
    np.testing.assert_allclose(after / before, wanted, rtol=3e-5)
    later = paused.loc[(paused["EVID"] == 0) & (paused["TIME"] == 144), "DV"].to_numpy()
    np.testing.assert_allclose(later, before, rtol=3e-5)


def test_a_sample_at_a_change_of_bags_is_drawn_before_the_flush(tmp_path):
    flush = {"days = 7": "days = 7\nbags = { hours = [48] }\nflush = { hours = 1, chance = 1 }"}
    whole, flushed = (
        simulate_trial(trial_of(tmp_path, EXACT | changes)).table for changes in ({}, flush)
    )
    before, at_change, later = (
        table.loc[(table["EVID"] == 0) & (table["TIME"] == time), "DV"].to_numpy()
        for table, time in ((whole, 48), (flushed, 48), (flushed, 144))
    )
    np.testing.assert_allclose(at_change, before, rtol=2e-5)
    np.testing.assert_allclose(later, before, rtol=3e-5)
    boluses = flushed[(flushed["EVID"] == 1) & (flushed["RATE"] == 0)]
    assert boluses["TIME"].tolist() == [48, 96, 144] * 40


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        (("h", "ug", "pg/mL"), 1.0),
        (("h", "ng", "pg/mL"), 1.0),
        (("min", "mg", "ng/mL"), 1e-3),
        (("day", "ug", "ng/L"), 1.0),
    ],
)
def test_units_end_to_end(tmp_path, units, factor):
    """15 ug/m2/day is 625 ng/h/m2; over 706 pg/mL it is 0.885 L/h/m2 (the founding study)."""
    time, amount, concentration = units
    hours = {"h": 1.0, "min": 1 / 60, "day": 24.0}[time]
    clearance = 625.0 / 706.0
    changes = EXACT | {
        'time = "h"': f'time = "{time}"',
        'amount = "ug"': f'amount = "{amount}"',
        'concentration = "pg/mL"': f'concentration = "{concentration}"',
        "lloq = 50": f"lloq = {50 * factor}",
        "cl = 0.9": f"cl = {clearance * hours!r}",
    }
    simulated = simulate_trial(trial_of(tmp_path, changes))
    data = read_dataset(
        simulated.table, units=dict(zip(("time", "amount", "concentration"), units, strict=True))
    )
    people = simulated.subjects
    table = noncompartmental_table(data, bsa=people["BSA"].to_numpy()[data.subject])
    ng = {"ug": 1e3, "ng": 1.0, "mg": 1e6}[amount]
    # rates have six digits, concentrations five
    np.testing.assert_allclose(table["R0_BSA"] * ng / hours, 625.0, rtol=1e-5)
    np.testing.assert_allclose(table["CSS"] / factor, 706.0, rtol=3e-5)
    np.testing.assert_allclose(table["CL_BSA"] / hours, 0.885269, rtol=3e-5)
    np.testing.assert_allclose(table["HALF_LIFE"] * hours, np.log(2) * 3 / clearance, rtol=1e-4)


def test_a_sample_below_the_limit_holds_the_limit(tmp_path):
    table = simulate_trial(trial_of(tmp_path)).table
    low = table["CENS"] == 1
    assert 10 < low.sum() < 100
    assert (table.loc[low, "DV"] == 50).all()
    assert (table.loc[(table["EVID"] == 0) & ~low, "DV"] >= 50).all()
    without = simulate_trial(trial_of(tmp_path, {"lloq = 50": ""})).table
    assert (without["CENS"] == 0).all()
    assert (without["DV"] < 50).sum() == low.sum()


@pytest.mark.parametrize(
    ("residual", "sd"),
    [
        ("proportional = 0.1", lambda f: 0.1 * f),
        ("additive = 30", lambda f: 30 + 0 * f),
        ("additive = 30\nproportional = 0.1", lambda f: np.hypot(30, 0.1 * f)),
        ('additive = 30\nproportional = 0.1\ncombine = "sd"', lambda f: 30 + 0.1 * f),
        ("power = 2\nexponent = 0.5", lambda f: 2 * np.sqrt(f)),
    ],
)
def test_residual_errors(tmp_path, residual, sd):
    changes = {"lloq = 50": "", "n = 20": "n = 2000", "after_stop = [1, 4, 12]": ""} | EXACT
    exact = simulate_trial(trial_of(tmp_path, changes)).table
    changes |= {"proportional = 0.2": residual}
    noisy = simulate_trial(trial_of(tmp_path, changes)).table
    seen = exact["EVID"] == 0
    f = exact.loc[seen, "DV"]
    z = (noisy.loc[seen, "DV"] - f) / sd(f)
    # four standard errors of 12,000 values
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * z.size)


def test_a_lognormal_residual_and_correlated_effects(tmp_path):
    block = 'blocks = [{ parameters = ["CL", "V"], matrix = [[0.09], [0.03, 0.04]] }]'
    changes = {
        "n = 20": "n = 3000",
        "CL = 0.07": block,
        "V = 0.04": "",
        "proportional = 0.2": "lognormal = 0.3",
    }
    simulated = simulate_trial(trial_of(tmp_path, changes))
    people = simulated.subjects
    logs = np.log(people[["CL", "V"]].to_numpy() / people["BSA"].to_numpy()[:, None])
    # four standard errors of a covariance of 6,000 pairs
    error = 4 * np.sqrt(2) * 0.09 / np.sqrt(6000)
    np.testing.assert_allclose(np.cov(logs.T), [[0.09, 0.03], [0.03, 0.04]], atol=error)
    np.testing.assert_allclose(logs.mean(axis=0), np.log([0.9, 3]), atol=4 * 0.3 / np.sqrt(6000))


def test_formulas_by_group_and_size(tmp_path):
    formula = "cl * (WT / 70)**0.75 * where(GROUP == 2, 1.5, 1) * where(SEX == 1, 2, 1)"
    changes = EXACT | {"cl * BSA": formula}
    people = simulate_trial(trial_of(tmp_path, changes)).subjects
    wanted = 0.9 * (people["WT"] / 70) ** 0.75 * np.where(people["GROUP"] == 2, 1.5, 1.0)
    np.testing.assert_allclose(people["CL"], wanted * (1 + people["SEX"]), rtol=1e-9)


def test_an_impossible_parameter_names_the_person(tmp_path):
    changes = {"cl * BSA": "cl * (BSA - 0.5)"}
    with pytest.raises(ModelError, match=r"CL: cl \* \(BSA - 0.5\) gives .* virtual people") as e:
        simulate_trial(trial_of(tmp_path, changes))
    assert "CL must be > 0" in str(e.value)
    assert "GROUP = 1" in str(e.value)


def test_a_fit_recovers_the_truth(tmp_path):
    simulated = simulate_trial(trial_of(tmp_path, {"n = 20": "n = 150"}))
    write_table(simulated.table, tmp_path / "data.csv")
    text = edited({})
    model = text[text.index("[model]") : text.index("[theta]")]
    definition = tmp_path / "fit.toml"
    definition.write_text(
        'data = { file = "data.csv", units = { time = "h", amount = "ug", '
        f'concentration = "pg/mL" }} }}\n{model}\n[theta]\ncl = {{ init = 2, lower = 0 }}\n'
        "v = { init = 9, lower = 0 }\n[omega]\nCL = 0.2\nV = 0.2\n"
        "[residual]\nproportional = 0.4\n"
    )
    fit = pk.fit(definition)
    assert fit.converged
    document = fit.to_dict()
    truth = {"cl": 0.9, "v": 3.0}
    found = {name: document["theta"][name] for name in truth}
    found |= {f"omega {name}": document["omega"][name] for name in ("CL", "V")}
    found["proportional"] = document["sigma"]["proportional"]
    truth |= {"omega CL": 0.07, "omega V": 0.04, "proportional": 0.2}
    for name, value in truth.items():
        # 3.5 standard errors for each of five parameters
        away = abs(found[name]["estimate"] - value) / found[name]["se"]
        assert away < 3.5, (name, found[name])
