"""All subjects at once, against one after the other; that one is judged by the twin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from histories import as_frame, random_history
from pkmodel.dataset import read_dataset
from pkmodel.kernels.abreast import arrange, predict_abreast
from pkmodel.kernels.events import BOLUS, OBSERVE, RESET, STEADY, Steps
from pkmodel.kernels.hierarchy import make_room
from pkmodel.kernels.predict import predict_range
from pkmodel.kernels.subject import Psi, make_work

SUBJECTS = 30


def _steps(*, with_steady_state: bool) -> Steps:
    """Steps of subjects of which no two have the same history, nor most the same length."""
    rng = np.random.default_rng(8)
    frames = []
    for label in range(SUBJECTS):
        history = random_history(rng, oral=False, with_steady_state=with_steady_state)
        frames.append(as_frame(history[: rng.integers(6, len(history) + 1)], label))
    data = read_dataset(pd.concat(frames))
    model = pk.Model(
        structure="one_compartment",
        parameters={"CL": "cl", "V": "v"},
        theta=(pk.Theta("cl", 1.0, lower=0.0), pk.Theta("v", 10.0, lower=0.0)),
        omega=(pk.OmegaBlock(("CL",), ((0.1,),)),),
        residual=pk.Residual((pk.Sigma("additive", 0.1),)),
    )
    return pk.evaluate(model, data, method="fo").problem.steps


def _psi(order: list[int], effects: int) -> Psi:
    """Typical parameters that differ between subjects, so that short and long intervals occur."""
    spread = np.random.default_rng(3).normal(size=(SUBJECTS, 2))
    return Psi(
        scale=1.7,
        is_plain=True,
        distribution=np.zeros(2, dtype=np.int64),
        order=np.array(order),
        segment=np.zeros(1, dtype=np.int32),
        typical=np.array([0.3, 2.5]) + np.array([1.5, 0.5]) * spread,
        direction=np.zeros((1, 2, 2)),
        effects=effects,
    )


@pytest.mark.parametrize(("order", "effects"), [([0, 1], 2), ([1, 0], 2), ([0, 1], 1), ([1, 0], 1)])
@pytest.mark.parametrize("with_steady_state", [False, True])
def test_all_at_once_are_each_alone(order, effects, with_steady_state):
    """Not a few last bits apart: worst seen 1.6e-15 of the largest prediction of a subject."""
    steps, psi = _steps(with_steady_state=with_steady_state), _psi(order, effects)
    assert {OBSERVE, BOLUS, RESET} <= set(steps.kind)
    assert (STEADY in steps.kind) == with_steady_state
    assert np.unique(np.diff(steps.start)).size > 10
    eta = np.random.default_rng(4).normal(size=(SUBJECTS, effects))
    abreast = arrange(steps)
    room = make_room(steps, abreast, effects, 2)
    predict_abreast(abreast, steps, psi, eta.ravel(), room.walk, room.work)
    alone = make_work(steps, psi, 0, SUBJECTS)
    worst = 0.0
    for i in range(SUBJECTS):
        predict_range(steps, psi, i, i + 1, eta[i], 1, alone)
        rows = slice(steps.first[i], steps.first[i + 1])
        count = steps.first[i + 1] - steps.first[i]
        f, f1 = alone.f[:count], alone.f1[:count]
        scale = np.max(np.abs(f), initial=1e-300)
        worst = max(worst, np.max(np.abs(room.work.f[rows] - f), initial=0.0) / scale)
        worst = max(worst, np.max(np.abs(room.work.f1[rows] - f1), initial=0.0) / scale)
    print(f"worst {worst:.1e}")
    assert worst < 1e-14


def test_numbers_beyond_the_reach_of_the_fast_exponential_are_exact_too():
    """A volume of e^800: predictions of subjects beside it stay, its own are 0 and not NaN."""
    steps, psi = _steps(with_steady_state=False), _psi([0, 1], 2)
    abreast = arrange(steps)
    room = make_room(steps, abreast, 2, 2)
    eta = np.zeros((SUBJECTS, 2))
    predict_abreast(abreast, steps, psi, eta.ravel(), room.walk, room.work)
    before = room.work.f.copy()
    eta[3, 1] = 800.0
    predict_abreast(abreast, steps, psi, eta.ravel(), room.walk, room.work)
    moved = np.repeat(np.arange(SUBJECTS), np.diff(steps.first)) == 3
    np.testing.assert_allclose(room.work.f[~moved], before[~moved], rtol=1e-14)
    np.testing.assert_array_equal(room.work.f[moved], 0.0)
