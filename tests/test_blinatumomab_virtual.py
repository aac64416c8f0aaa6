"""The virtual cohorts: made by their script, calibrated to what was published, and true."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from pkmodel.dataset import read_dataset
from pkmodel.exposure.noncompartmental import noncompartmental_table
from pkmodel.exposure.periods import constant_rate_periods
from pkmodel.shipped import shipped_data
from pkmodel.simulate import plan_trial, read_trial
from pkmodel.simulate.group import simulate_group
from pkmodel.simulate.plateau import plateau_metric
from pkmodel.subjects import is_virtual

FOLDER = Path(shipped_data()["blinatumomab_virtual"].file).parent
UNITS = {"time": "h", "amount": "ug", "concentration": "pg/mL"}

# Of the 30 infants of the founding study, J Clin Oncol 2026; data/blinatumomab_published
PUBLISHED = {"css mean": 706.0, "css sd": 194.0, "cl median": 0.89, "cl min": 0.57}
LARGEST_CLEARANCE = 2.66

COHORTS = 2000


def summaries(css, cl):
    """Summaries as the study prints them, of cohorts along the last axis."""
    return {
        "css mean": np.nanmean(css, axis=-1),
        "css sd": np.nanstd(css, axis=-1, ddof=1),
        "cl median": np.nanmedian(cl, axis=-1),
        "cl min": np.nanmin(cl, axis=-1),
        "cl max": np.nanmax(cl, axis=-1),
    }


@pytest.fixture(scope="module")
def trial():
    return read_trial("blinatumomab_cohorts")


@pytest.fixture(scope="module")
def virtual_infants(trial):
    """Css and CL per m2 of many cohorts of 30 infants from the truth, analysed without a model."""
    group = simulate_group(trial, 0, 30 * COHORTS, np.random.default_rng(77))
    css, cl = (plateau_metric(group, name, trial.goal.rule) for name in ("CSS", "CL_BSA"))
    # one in ten thousand has so many interruptions that no sample is on a plateau
    assert np.isnan(css).mean() < 3e-4
    return css.reshape(COHORTS, 30), cl.reshape(COHORTS, 30)


@pytest.fixture(scope="module")
def cohort():
    data = read_dataset(FOLDER / "blinatumomab_virtual.csv", units=UNITS)
    first = np.searchsorted(data.subject, np.arange(data.n_subjects))
    group = data.covariates["GROUP"][first]
    return data, noncompartmental_table(data, bsa=data.covariates["BSA"]).assign(GROUP=group)


def test_the_script_makes_the_shipped_files(tmp_path):
    spec = importlib.util.spec_from_file_location("make_cohorts", FOLDER / "make.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.make(tmp_path)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == [
        "blinatumomab_virtual.csv",
        "source.toml",
        "true_parameters.csv",
        "truth.toml",
    ]
    assert (tmp_path / "truth.toml").read_text() == (FOLDER / "truth.toml").read_text()
    for name in ("blinatumomab_virtual.csv", "true_parameters.csv"):
        one, other = (
            np.genfromtxt(folder / name, delimiter=",", skip_header=1, missing_values=".")
            for folder in (tmp_path, FOLDER)
        )
        # another machine may round the last of five digits otherwise
        np.testing.assert_allclose(one, other, rtol=2e-5)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.csv")), ids=lambda file: file.name)
def test_each_table_says_in_each_row_that_it_is_virtual(file):
    assert set(pd.read_csv(file)["VIRTUAL"]) == {1}


def test_many_virtual_infants_have_the_published_mean_and_sd(virtual_infants):
    css, cl = virtual_infants
    # measured: 706.0 and 195.2 pg/mL, 0.916 L/h/m2; Monte Carlo errors 0.8, 0.7 and 0.002
    assert abs(np.nanmean(css) / 706 - 1) < 0.01
    assert abs(np.nanstd(css) / 194 - 1) < 0.02
    assert abs(np.nanstd(np.log(css)) - 0.270) < 0.005
    assert abs(np.nanmedian(cl) - 0.916) < 0.006


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_number_is_an_ordinary_one_of_30_virtual_infants(virtual_infants, name):
    found = summaries(*virtual_infants)[name]
    low, high = np.quantile(found, [0.025, 0.975])
    assert low < PUBLISHED[name] < high


def test_the_largest_published_clearance_is_not_and_the_cohorts_do_not_claim_it(virtual_infants):
    share = np.mean(summaries(*virtual_infants)["cl max"] >= LARGEST_CLEARANCE)
    # measured: 1 in 550; README says so
    assert 0.0001 < share < 0.006
    assert "1 sample of 30 in 500" in " ".join((FOLDER / "README.md").read_text().split())


def test_the_shipped_infants_are_30_from_this_truth(virtual_infants, cohort):
    _, table = cohort
    infants = table[table["GROUP"] == 1]
    own = summaries(infants["CSS"].to_numpy(), infants["CL_BSA"].to_numpy())
    for name, found in summaries(*virtual_infants).items():
        low, high = np.quantile(found, [0.005, 0.995])
        assert low < own[name] < high, name


def test_the_shipped_infants_agree_with_the_published_within_sampling_error(cohort):
    """Both are samples of 30: the mean by Welch's t, the SD by F, at 99 %."""
    from scipy.stats import f, t

    _, table = cohort
    css = table.loc[table["GROUP"] == 1, "CSS"].to_numpy()
    error = np.sqrt((css.var(ddof=1) + 194.0**2) / 30)
    assert abs(css.mean() - 706.0) / error < t.ppf(0.995, 50)
    ratio = css.var(ddof=1) / 194.0**2
    assert f.ppf(0.005, 29, 29) < ratio < f.ppf(0.995, 29, 29)


def test_30_per_group_have_the_chance_that_the_readme_says(trial):
    curve = plan_trial(trial, 0.7, trials=400).curve.set_index("n")
    # three standard errors of 400 trials
    assert abs(curve.loc[30, "chance"] - 0.75) < 3 * np.sqrt(0.75 * 0.25 / 400)
    assert "three times in four" in " ".join((FOLDER / "README.md").read_text().split())


def test_records_are_as_in_real_life(cohort):
    data, table = cohort
    assert data.warnings == ()
    assert is_virtual(data)
    group = table["GROUP"].to_numpy()
    doses = data.is_dose
    hours = data.amt[doses] / data.rate[doses]
    of = group[data.subject[doses]]
    assert {24, 48, 72, 96} <= set(hours[of == 1].round(6)) <= set(np.arange(0, 9700) / 100)
    assert 168 in hours[of > 1].round(6)
    periods = constant_rate_periods(data)
    changes = np.bincount(periods.subject)
    assert (changes[group == 1] == 1).any()
    assert (changes[group == 1] > 1).any()
    assert (changes[group > 1] >= 2).all()
    weight, bsa = (data.covariates[name] for name in ("WT", "BSA"))
    light = doses & (weight < 45)
    per_m2 = np.round(24 * data.rate / bsa, 3)
    assert set(per_m2[light & (data.covariates["GROUP"] == 1)]) == {15.0}
    assert set(per_m2[light & (data.covariates["GROUP"] > 1)]) == {5.0, 15.0}
    assert set(np.round(24 * data.rate[doses & (weight >= 45)], 3)) == {9.0, 28.0}
    censored = data.cens == 1
    assert 80 < censored.sum() < 140
    assert set(data.dv[censored]) == {50.0}


def test_the_fit_converges_from_its_start_and_finds_the_truth():
    fit = pk.fit("blinatumomab")
    document = fit.to_dict()
    assert "virtual" in document["title"]
    assert document["converged"]
    assert document["boundary"] == []
    assert document["flat_directions"] == []
    assert document["starts_agree"] == 1
    assert [text for text in document["warnings"] if "censored" not in text] == []
    truth = tomllib.loads((FOLDER / "truth.toml").read_text())["parameters"]
    pairs = {
        "cl": document["theta"]["cl"],
        "v": document["theta"]["v"],
        "omega_cl": document["omega"]["CL"],
        "omega_v": document["omega"]["V"],
        "proportional": document["sigma"]["proportional"],
    }
    for name, found in pairs.items():
        # three standard errors for five parameters of one cohort
        assert abs(found["estimate"] - truth[name]) < 3 * found["se"], name
    assert document["shrinkage"]["eta"]["CL"] < 0.1
    assert document["shrinkage"]["eta"]["V"] < 0.3
