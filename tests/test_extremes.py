"""The engine where parameters are absurd, as a search may pass there: against 50 digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from histories import as_frame
from pkmodel.dataset import read_dataset
from precise_likelihood import Case, objective
from twin import Row

AGREES = 2e-11  # relative; worst here 2.9e-12, and 7e-12 of some 600 random subjects elsewhere

CORRELATED = np.array([[0.12, 0.05], [0.05, 0.08]])
EXTREMES: dict[str, dict] = {
    "variance 1e-4": {"omega": 1e-4 * np.eye(2)},
    "variance 4": {"omega": np.array([[4.0, 1.0], [1.0, 4.0]])},
    "clearance 100 times too high": {"clearance": 200.0},
    "clearance 100 times too low": {"clearance": 0.02},
    "dose 1e-6": {"scale": 1e-6},
    "dose 1e6": {"scale": 1e6},
    "one observation": {"times": (6.0,)},
    "error of 1 percent": {"proportional": 0.01},
    "error of 300 percent": {"proportional": 3.0},
}


def make_case(
    omega: np.ndarray = CORRELATED,
    clearance: float = 2.0,
    scale: float = 1.0,
    times: tuple[float, ...] = (0.5, 2.0, 6.0, 11.0, 27.0),
    proportional: float = 0.15,
) -> Case:
    """A steady train of overlapping infusions, a bolus, and scattered observations."""
    rng = np.random.default_rng(20)
    doses = [
        Row(0.0, 100 * scale, 100 * scale / 7, 1, ii=5.77, addl=1, ss=1),
        Row(8.1, 60 * scale, 0.0, 1),
    ]
    rows = sorted([*doses, *(Row(t) for t in times)], key=lambda row: row.time)
    y = scale * 6.0 * np.exp(0.4 * rng.standard_normal(len(times)))
    return Case(rows, y, (clearance, 15.0), omega, 0.1 * scale, proportional)


def make_steep_case() -> Case:
    """Concentrations over twelve orders of magnitude: far from its mode the joint density of a
    proportional error is a bent, narrow valley."""
    times = (0.58, 5.77, 17.91, 24.0, 35.19, 44.6)
    y = np.array([1.4665, 0.10963, 4.0075e-5, 8.928e-7, 1.0694e-9, 1.7332e-12])
    rows = [Row(0.0, 50.0, 71.43, 1), *(Row(t) for t in times)]
    return Case(rows, y, (5.4, 28.0), np.diag([0.3, 0.28]), 1e-30, 0.2)


def evaluate(case: Case, method: str) -> tuple[float, list[float]]:
    """The objective, and the mode to two decimals."""
    frame = as_frame(case.rows)
    frame.loc[frame["EVID"] == 0, "DV"] = case.y
    model = pk.Model(
        "one_compartment",
        {"CL": "cl", "V": "v"},
        tuple(pk.Theta(name, value) for name, value in zip(("cl", "v"), case.theta, strict=True)),
        (pk.OmegaBlock(("CL", "V"), tuple(map(tuple, case.omega.tolist()))),),
        pk.Residual(
            (pk.Sigma("additive", case.additive), pk.Sigma("proportional", case.proportional))
        ),
    )
    data = read_dataset(pd.DataFrame(frame))
    result = pk.evaluate(model, data, method=method)
    mode = result.individuals[["ETA_CL", "ETA_V"]].to_numpy()[0]
    return float(result.objective), [round(float(eta), 2) for eta in mode]


@pytest.mark.parametrize("method", ["fo", "foce", "focei", "laplace"])
@pytest.mark.parametrize("name", EXTREMES)
def test_objective_at_extreme_parameters(name: str, method: str) -> None:
    case = make_case(**EXTREMES[name])
    found, near = evaluate(case, method)
    assert found == pytest.approx(float(objective(case, method, near)), rel=AGREES, abs=AGREES)


@pytest.mark.parametrize("method", ["focei", "laplace"])
def test_objective_of_a_subject_whose_mode_is_far(method: str) -> None:
    case = make_steep_case()
    found, _ = evaluate(case, method)
    assert found == pytest.approx(float(objective(case, method)), rel=1e-9)


VANISHED = """
[data]
file = "{file}"
[model]
structure = "one_compartment"
[model.parameters]
CL = "cl"
V = "v"
[theta]
cl = {{ init = 120, lower = 0 }}
v = {{ init = 10, lower = 0 }}
[omega]
CL = 0.05
V = 0.05
[residual]
lognormal = 0.1
[fit]
method = "{method}"
censoring = "{censoring}"
"""


@pytest.mark.parametrize("censoring", ["m1", "m3"])
def test_a_late_row_below_the_limit_adds_nothing_where_its_prediction_is_zero(
    censoring: str, tmp_path: Path
) -> None:
    """No float is as small as exp(-1000), and a lognormal residual has its logarithm."""
    times = np.array([0.0, 0.1, 0.2, 0.3, 90.0])
    frame = pd.DataFrame({"ID": 1, "TIME": times, "AMT": [100.0, 0, 0, 0, 0]})
    frame["DV"] = [np.nan, 3.3, 0.9, 0.4, 0.01]
    frame["EVID"] = frame["MDV"] = [1, 0, 0, 0, 0]
    frame["CENS"] = [0, 0, 0, 0, 1]
    u = np.array([[[0.3, -0.2]]])
    found = {}
    for rows in (4, 5):
        file, model = tmp_path / f"{rows}.csv", tmp_path / f"{rows}.toml"
        frame[:rows].to_csv(file, index=False, na_rep=".")
        for method in ("focei", "laplace"):
            model.write_text(VANISHED.format(file=file, method=method, censoring=censoring))
            problem = pk.evaluate(model).problem
            x = problem.packing.initial()
            evaluation = problem.evaluate(x)
            value, slope = problem.joint_slopes(x, u)
            found[rows, method] = [
                evaluation.objective,
                *evaluation.gradient,
                *value[0],
                *slope[0, 0],
            ]
    for method in ("focei", "laplace"):
        np.testing.assert_allclose(found[5, method], found[4, method], rtol=1e-12)
