"""The first steps of a fit are those of the EM algorithm, and reach the data from far away."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from pkmodel.estimate.first_steps import FASTEST, SLOWEST, come_near, em_step, widen
from pkmodel.kernels.small_matrix import eigen
from pkmodel.problem import Problem

TIMES = np.array([0.0, 1.0, 2.0, 4.0])
RATE = 0.2


def linear_problem(omega: float, sigma: float) -> Problem:
    """V known and a bolus: log f is linear in log CL only to first order, so V carries the effect.

    With CL fixed near zero f = dose / V, and a lognormal error makes log f = log dose - log V
    exactly linear in the effect: EM has a closed form.
    """
    rng = np.random.default_rng(5)
    rows = []
    for subject in range(1, 31):
        level = np.log(10.0) + 0.4 * rng.normal()
        rows.append((subject, 0.0, 100.0, np.nan, 1))
        for t in TIMES:
            y = np.exp(np.log(100.0) - level + 0.2 * rng.normal())
            rows.append((subject, t + 0.5, 0.0, y, 0))
    table = pd.DataFrame(rows, columns=["ID", "TIME", "AMT", "DV", "EVID"])
    model = pk.Model(
        "one_compartment",
        {"CL": "cl", "V": "v"},
        (pk.Theta("cl", 1e-12, lower=0.0, fixed=True), pk.Theta("v", 6.0, lower=0.0)),
        (pk.OmegaBlock(("V",), ((omega,),)),),
        pk.Residual((pk.Sigma("lognormal", sigma),)),
    )
    return Problem(model, pk.read_dataset(table), pk.Options())


@pytest.mark.parametrize(("omega", "sigma"), [(0.3, 0.2), (1.0, 0.5), (0.1, 0.1)])
def test_one_step_is_the_m_step_of_a_linear_mixed_model(omega: float, sigma: float) -> None:
    """Laird and Ware 1982 (10.2307/2529876): posterior means and variances in closed form."""
    problem = linear_problem(omega, sigma)
    x = problem.packing.initial()
    moved = problem.packing.natural(em_step(problem, x, problem.evaluate(x)))
    n = TIMES.size
    residual = problem.rows.y.reshape(-1, n) - np.log(100.0) + np.log(6.0)
    spread = 1.0 / (1.0 / omega + n / sigma**2)
    eta = -spread * n / sigma**2 * residual.mean(axis=1)
    mean = np.log(6.0) + eta.mean()
    variance = np.mean(eta**2 + spread)
    error = np.mean((residual + eta[:, None]) ** 2) + spread
    wanted = [np.exp(mean), variance, np.sqrt(error)]
    np.testing.assert_allclose(moved, wanted, rtol=1e-9)  # worst seen 4e-12


def test_a_step_changes_no_variance_by_more_than_allowed() -> None:
    for omega in (1e-4, 30.0):
        problem = linear_problem(omega, 0.2)
        x = problem.packing.initial()
        moved = problem.packing.natural(em_step(problem, x, problem.evaluate(x)))
        assert SLOWEST * (1 - 1e-9) <= moved[1] / omega <= FASTEST * (1 + 1e-9)


def test_effects_start_wide_and_only_free_ones() -> None:
    problem = linear_problem(0.01, 0.2)
    wide = problem.packing.natural(widen(problem, problem.packing.initial()))
    assert wide[1] == pytest.approx(1.0)
    assert wide[0] == pytest.approx(6.0)


def test_a_start_within_reach_stays_and_one_out_of_reach_comes_near() -> None:
    definition = pk.read_definition("phenobarbital")
    near = Problem(definition.model, definition.data.read("one_compartment"), definition.options)
    x = widen(near, near.packing.initial())
    np.testing.assert_array_equal(come_near(near, x), x)
    far = x.copy()
    far[0] += np.log(10.0)
    far[1] -= np.log(10.0)
    back = come_near(near, far)
    assert np.all(np.abs(back[:2] - x[:2]) < 1.5)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_eigenvalues_of_symmetric_matrices(n: int) -> None:
    rng = np.random.default_rng(n)
    for scale in (1e-8, 1.0, 1e12):
        a = scale * rng.normal(size=(n, n))
        a = a + a.T
        turned, vectors = a.copy(), np.empty((n, n))
        eigen(turned, n, vectors)
        wanted = np.linalg.eigvalsh(a)
        worst = np.max(np.abs(np.sort(np.diag(turned)) - wanted)) / np.max(np.abs(wanted))
        assert worst < 1e-14 * n * 4  # worst seen 6e-16
        rebuilt = (vectors * np.diag(turned)) @ vectors.T
        assert np.max(np.abs(rebuilt - a)) < 1e-13 * np.max(np.abs(a)) * n
