"""Exact slopes of the joint density against differences, in the effects and all parameters."""

from __future__ import annotations

import numpy as np
import pytest

import pkmodel as pk

STEP = 1e-5


@pytest.mark.parametrize("name", ["phenobarbital", "theophylline", "blinatumomab"])
def test_slopes_are_those_of_the_density(name):
    """Central differences with step 1e-5 agree to 4e-7 of the largest slope (worst: see below)."""
    problem = pk.evaluate(name, method="laplace").problem
    x = problem.packing.initial()
    n = len(problem.effects)
    rng = np.random.default_rng(3)
    u = rng.normal(size=(problem.n_subjects, 3, n))
    value, slope = problem.joint_slopes(x, u)
    np.testing.assert_allclose(value, problem.joint(x, u), rtol=1e-12)
    worst = 0.0
    for k in range(n + x.size):
        moved_u, moved_x = np.zeros(n), np.zeros(x.size)
        (moved_u if k < n else moved_x)[k if k < n else k - n] = STEP
        up = problem.joint(x + moved_x, u + moved_u)
        down = problem.joint(x - moved_x, u - moved_u)
        scale = np.maximum(np.abs(value), np.abs(slope[:, :, k])) + 1.0
        worst = max(worst, np.max(np.abs((up - down) / (2 * STEP) - slope[:, :, k]) / scale))
    print(f"{name}: worst {worst:.1e}")
    assert worst < 1e-7
