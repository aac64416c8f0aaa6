"""Intervals hold the truth as often as they say, over 40 small trials.

`benchmarks/calibration.py` is the large study, of all methods; this one sees standard errors that
are wrong by a half.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import pkmodel as pk
from simulation import INFUSION, simulate

pytestmark = pytest.mark.slow

TRIALS, SUBJECTS = 40, 60
TRUTH = {
    "theta cl": 1.0,
    "theta v": 10.0,
    "omega CL": 0.09,
    "omega CL,V": 0.02,
    "omega V": 0.05,
    "sigma proportional": 0.15,
}
CHANCE = 1e-4
"""Of a right method failing, for each parameter: about 1 in 300 for a test as a whole."""

RIGHT = 0.93
"""Coverage of a Wald interval of a variance with 60 subjects seen; that of the others is 0.945."""


@cache
def trials() -> list[pd.DataFrame]:
    rng = np.random.default_rng(11)
    return [
        simulate(
            rng,
            INFUSION,
            {"CL": 1.0, "V": 10.0},
            {"CL": 0.09, "V": 0.05},
            {"proportional": 0.15},
            subjects=SUBJECTS,
            covariance=0.02,
        )
        for _ in range(TRIALS)
    ]


def model() -> pk.Model:
    return pk.Model(
        structure="one_compartment",
        parameters={"CL": "cl", "V": "v"},
        theta=(pk.Theta("cl", 1.4, 0.0), pk.Theta("v", 7.0, 0.0)),
        omega=(pk.OmegaBlock(("CL", "V"), ((0.15, 0.01), (0.01, 0.1))),),
        residual=pk.Residual((pk.Sigma("proportional", 0.25),)),
    )


@pytest.mark.parametrize("method", ["focei", "laplace", "agq", "saem"])
def test_intervals_hold_the_truth(method):
    fits = [pk.fit(model(), data, method=method, covariance="r") for data in trials()]
    assert all(fit.converged for fit in fits), [str(fit.status) for fit in fits]
    tables = [fit.summary().loc[list(TRUTH)] for fit in fits]
    truth = np.array(list(TRUTH.values()))
    low, high, estimate, se = (
        np.array([table[key].to_numpy(dtype=float) for table in tables])
        for key in ("lower", "upper", "estimate", "se")
    )
    inside = np.sum((low <= truth) & (truth <= high), axis=0)
    assert np.all(inside >= binom.ppf(CHANCE, TRIALS, RIGHT)), dict(zip(TRUTH, inside, strict=True))
    scatter = np.std(estimate, axis=0, ddof=1) / np.mean(se, axis=0)
    assert np.all(np.abs(scatter - 1.0) < 4.0 / np.sqrt(2 * TRIALS)), scatter
