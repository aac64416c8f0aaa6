"""The planned number of subjects agrees with the exact power of two one-sided tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, norm, t

from pkmodel.contrast.margin import Margin
from pkmodel.contrast.ratio import ratio_interval
from pkmodel.dataset import read_dataset
from pkmodel.errors import FitError
from pkmodel.exposure.noncompartmental import noncompartmental_table
from pkmodel.simulate import plan_trial, simulate_trial
from pkmodel.simulate.group import simulate_group
from pkmodel.simulate.plateau import plateau_metric
from trial_text import trial_of

MARGIN = Margin(0.8, 1.25)

# One sample without error on the plateau: the logarithm of CL per m2 is normal, exactly.
ONE_SAMPLE = {
    "hours = [48, 96, 144]\nafter_stop = [1, 4, 12]": "hours = [144]",
    "proportional = 0.2": "proportional = 1e-9",
    "V = 0.04": "V = 1e-12",
}


def exact_power(n: int, ratio: float, sd: float, margin: Margin) -> float:
    """Power of two one-sided Welch tests of two log-normal samples of n with equal SD.

    The mean difference is independent of both variances: given these the chance is one of a
    normal, and what is left is an integral over two chi-squares, by Gauss-Legendre in their
    quantiles.
    """
    node, weight = np.polynomial.legendre.leggauss(80)
    variance = sd**2 * chi2.ppf((node + 1) / 2, n - 1) / (n - 1)
    one, other = variance[:, None], variance[None, :]
    error = np.sqrt((one + other) / n)
    freedom = (one + other) ** 2 * (n - 1) / (one**2 + other**2)
    width = t.ppf(0.95, freedom) * error
    spread = sd * np.sqrt(2 / n)
    high = (np.log(margin.high) - width - np.log(ratio)) / spread
    low = (np.log(margin.low) + width - np.log(ratio)) / spread
    inside = np.maximum(norm.cdf(high) - norm.cdf(low), 0.0)
    return float(np.einsum("a,b,ab->", weight, weight, inside) / 4)


@pytest.mark.parametrize("ratio", [1.0, 1.08])
def test_chances_are_the_exact_power(tmp_path, ratio):
    changes = ONE_SAMPLE | {
        "cl * BSA": "cl * BSA * where(GROUP == 1, ratio, 1)",
        "cl = 0.9": f"cl = 0.9\nratio = {ratio}",
    }
    plan = plan_trial(trial_of(tmp_path, changes), 0.8, trials=2000)
    sd = np.sqrt(0.07)
    assert plan.log_sd["infants"] == pytest.approx(sd, rel=0.01)
    assert plan.ratio["infants"] == pytest.approx(ratio, rel=0.01)
    curve = plan.curve.set_index("n")
    for n in (8, 12, 16, 20, 24, 28, 32):
        wanted = exact_power(n, ratio, sd, MARGIN)
        error = np.sqrt(wanted * (1 - wanted) / 2000)
        # four standard errors of 2000 trials
        assert abs(curve.loc[n, "chance"] - wanted) < 4 * error, n
    needed = next(n for n in range(2, 200) if exact_power(n, ratio, sd, MARGIN) >= 0.8)
    low, high = plan.between
    assert low - 1 <= needed <= high + 1
    assert low <= plan.n <= high


def test_the_exact_power_is_near_that_of_the_pooled_test():
    """Welch's and the pooled interval differ little where sizes and variances are equal."""
    sd = np.sqrt(np.log1p(0.3**2))

    def pooled(n):
        q = np.linspace(0, 1, 4001)[1:-1]
        s = sd * np.sqrt(chi2.ppf(q, 2 * n - 2) / (2 * n - 2))
        spread, width = sd * np.sqrt(2 / n), t.ppf(0.95, 2 * n - 2) * s * np.sqrt(2 / n)
        high = (np.log(1.25 / 0.95) - width) / spread
        low = (np.log(0.8 / 0.95) + width) / spread
        return np.maximum(norm.cdf(high) - norm.cdf(low), 0).mean()

    for n in (20, 39, 60):
        # measured: 0.0012, at 20
        assert exact_power(n, 0.95, sd, MARGIN) == pytest.approx(pooled(n), abs=0.002)


def test_all_groups_must_be_equivalent(tmp_path):
    third = '[groups.adolescents]\nn = 9\nage = [7, 18]\nregimen = "all"\nsampling = "all"\n\n'
    changes = ONE_SAMPLE | {"[regimens.all]": third + "[regimens.all]"}
    plan = plan_trial(trial_of(tmp_path, changes), 0.6, trials=300)
    curve = plan.curve
    singles = curve[["chance of infants", "chance of children"]]
    assert list(curve.columns) == ["n", "chance", "se", *singles.columns]
    assert (curve["chance"] <= singles.min(axis=1)).all()
    assert (curve["chance"] >= singles.sum(axis=1) - 1 - 1e-12).all()
    assert plan.trial.goal.reference == "adolescents"


def test_trials_are_analysed_as_single_ones_would_be(tmp_path):
    """The chance at n, from tables that go through the reader and the tables of exposure."""
    trial = trial_of(tmp_path, {"n = 20": "n = 12"})
    verdicts = []
    for seed in range(60):
        simulated = simulate_trial(trial, seed)
        data = read_dataset(simulated.table, units=_units(trial))
        people = simulated.subjects
        table = noncompartmental_table(data, bsa=people["BSA"].to_numpy()[data.subject])
        logs = [np.log(table["CL_BSA"][people["GROUP"] == k]) for k in (1, 2)]
        found = ratio_interval(logs[0], logs[1], Margin(0.7, 1.43))
        verdicts.append(found.lower >= 0.7 and found.upper <= 1.43)
    plan = plan_trial(trial, 0.5, margin=Margin(0.7, 1.43), trials=1000)
    chance = plan.curve.set_index("n").loc[12, "chance"]
    # four standard errors of 60
    assert abs(np.mean(verdicts) - chance) < 4 * np.sqrt(chance * (1 - chance) / 60)


def _units(trial):
    units = trial.units
    return {"time": units.time, "amount": units.amount, "concentration": units.concentration}


@pytest.mark.parametrize("metric", ["CSS", "CSS_DN", "CL", "CL_BSA", "CL_70KG"])
def test_metrics_are_those_of_the_exposure_table(tmp_path, metric):
    changes = {"days = 7": "days = 7\nbags = { hours = [24] }"}
    changes |= {"[48, 96, 144]": "[5, 48, 96, 144]"}
    trial = trial_of(tmp_path, changes)
    group = simulate_group(trial, 1, 50, np.random.default_rng(1))
    people = group.people
    rows = group.dataset.subject
    table = noncompartmental_table(group.dataset, bsa=people.bsa[rows], weight=people.weight[rows])
    found = plateau_metric(group, metric, trial.goal.rule)
    np.testing.assert_allclose(found, table[metric], rtol=1e-12)


def test_subjects_without_a_plateau_are_counted_and_left_out(tmp_path):
    changes = {
        "[48, 96, 144]": "[160]",
        "days = 7": "days = 7\nrandom_interruptions = { mean = 1, ",
    }
    changes["days = 7"] += "hours = [4, 24] }"
    trial = trial_of(tmp_path, changes)
    plan = plan_trial(trial, 0.8, trials=200)
    # measured: 36 %: the only sample is not in the longest period, or just after a pause
    assert 0.3 < plan.missing["infants"] < 0.42
    full = plan_trial(trial_of(tmp_path, {"[48, 96, 144]": "[160]"}), 0.8, trials=200)
    assert full.missing["infants"] == 0
    assert full.n < plan.n


def test_a_true_ratio_outside_the_margin_has_no_number(tmp_path):
    changes = ONE_SAMPLE | {
        "cl * BSA": "cl * BSA * where(GROUP == 1, ratio, 1)",
        "cl = 0.9": "cl = 0.9\nratio = 1.3",
    }
    plan = plan_trial(trial_of(tmp_path, changes), 0.8, trials=200)
    assert plan.n is None
    assert plan.ratio["infants"] == pytest.approx(1.3, rel=0.03)
    assert plan.curve["n"].max() == 16


def test_the_same_seed_gives_the_same_plan_and_the_margin_replaces_that_of_the_trial(tmp_path):
    trial = trial_of(tmp_path, ONE_SAMPLE)
    one, other = plan_trial(trial, trials=200), plan_trial(trial, trials=200)
    pd.testing.assert_frame_equal(one.curve, other.curve)
    assert not plan_trial(trial, trials=200, seed=9).curve.equals(one.curve)
    wide = plan_trial(trial, trials=200, margin=Margin(0.5, 2.0))
    assert wide.trial.goal.margin == Margin(0.5, 2.0)
    assert wide.n < one.n


def test_a_trial_without_plateau_samples_is_refused(tmp_path):
    trial = trial_of(tmp_path, {"[48, 96, 144]": "[5, 9]"})
    with pytest.raises(FitError, match="nobody of infants has a sample on the plateau") as error:
        plan_trial(trial, trials=100)
    assert "give a shorter time under [plan] settle" in str(error.value)


def test_what_makes_no_plan_is_refused(tmp_path):
    trial = trial_of(tmp_path)
    with pytest.raises(FitError, match="a trial of one group compares nothing"):
        plan_trial(replace(trial, groups=trial.groups[:1]))
    with pytest.raises(FitError, match=r"power: 1.5 is no chance between 0 and 1"):
        plan_trial(trial, 1.5)
    with pytest.raises(FitError, match="trials: 50 are too few"):
        plan_trial(trial, trials=50)
