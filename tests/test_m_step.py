"""The M-step of SAEM against what it maximises, written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from pkmodel.definition import given_data
from pkmodel.estimate.chains import advance, start_chains
from pkmodel.estimate.m_step import m_step
from pkmodel.kernels.metropolis import Averages, Moves
from pkmodel.models.model import OmegaBlock, Options, Residual, Sigma, Theta
from pkmodel.problem import Problem
from saem_cases import CASES, OCCASIONS, RICH, infusions

NO_LIMIT = 1e-9


def _problem(model, data):
    return Problem(model, given_data(model, data), Options(method="saem"))


def _at_draws(problem, x, u):
    """Averages over given draws, from the slopes at each."""
    factor = problem.packing.unpack(x).factor
    _, slope = problem.joint_slopes(x, u)
    n = u.shape[2]
    by_eta = (slope[:, :, :n] - u) @ np.linalg.inv(factor)
    by_sigma = np.zeros((*u.shape[:2], 3))
    slots = [
        {"additive": 0, "lognormal": 0, "proportional": 1}[s.name]
        for s in problem.model.residual.sigmas
    ]
    part = problem.packing.sigma_part
    by_sigma[:, :, slots] = slope[:, :, n:][:, :, part] / np.exp(x[part])
    return Averages(
        u=u,
        square=u[..., :, None] * u[..., None, :],
        by_direction=by_eta,
        by_factor=by_eta[..., :, None] * u[..., None, :],
        by_sigma=by_sigma,
        accepted=np.zeros((*u.shape[:2], 2 + n)),
    )


@pytest.mark.parametrize(
    ("name", "start"), [("lognormal", 0.4), ("additive", 5.0), ("proportional", 0.4)]
)
def test_closed_forms_without_covariates(name, start):
    """Means and covariances of log parameters, root mean square of residuals: to rounding."""
    model = replace(
        RICH,
        parameters={"CL": "exp(lcl)", "V": "exp(lv)"},
        theta=(Theta("lcl", 1.0), Theta("lv", 4.5)),
        residual=Residual((Sigma(name, start),)),
    )
    problem = _problem(model, infusions(20))
    x = problem.packing.initial()
    u = 0.5 * np.random.default_rng(4).normal(size=(20, 3, 2))
    averages = _at_draws(problem, x, u)
    rows = problem.row_information(x, np.zeros((20, 2)))
    moved = m_step(problem, x, averages, rows, NO_LIMIT)
    values, new = problem.packing.unpack(x), problem.packing.unpack(moved)
    psi = (values.theta + u @ values.factor.T).reshape(-1, 2)
    np.testing.assert_allclose(new.theta, np.mean(psi, axis=0), rtol=1e-12)
    np.testing.assert_allclose(new.omega, np.cov(psi.T, bias=True), rtol=1e-10)
    ratios = []
    for k in range(3):
        f, _ = problem.predict_at(x, u[:, k] @ values.factor.T)
        scale = f if name == "proportional" else 1.0
        ratios.append(((problem.rows.y - f) / scale) ** 2)
    expected = np.sqrt(np.mean(ratios))
    assert new.sigma[1 if name == "proportional" else 0] == pytest.approx(expected, rel=1e-10)


def test_covariates_by_generalised_least_squares():
    """Repeated, the steps end where the complete likelihood of the drawn parameters is largest."""
    problem = _problem(RICH, infusions(30))
    x = problem.packing.initial()
    rng = np.random.default_rng(4)
    values = problem.packing.unpack(x)
    psi = problem.typical(values.theta)[0] + rng.multivariate_normal(
        [0.0, 0.0], [[0.2, 0.05], [0.05, 0.1]], 30
    )
    psi[:, 0] += 0.3 * np.log(problem.dataset.covariates["W0"][problem.start[:-1]] / 20.0)

    def minus_log_likelihood(packed):
        values = problem.packing.unpack(np.r_[packed, x[-1]])
        eta = psi - problem.typical(values.theta)[0]
        quadratic = np.einsum("ia,ab,ib->", eta, np.linalg.inv(values.omega), eta)
        return quadratic + 30 * np.linalg.slogdet(values.omega)[1]

    best = minimize(minus_log_likelihood, x[:-1], method="BFGS", options={"gtol": 1e-8})
    at = x
    for _ in range(12):
        values = problem.packing.unpack(at)
        eta = psi - problem.typical(values.theta)[0]
        u = np.linalg.solve(values.factor, eta.T).T[:, None]
        averages = _at_draws(problem, at, np.ascontiguousarray(u))
        rows = problem.row_information(at, eta)
        at = m_step(problem, at, averages, rows, NO_LIMIT)
    np.testing.assert_allclose(at[:-1], best.x, rtol=0, atol=2e-6)


def test_fixed_parameters_stay():
    case = CASES["fixed block and theta"]
    problem = _problem(case.model, case.data())
    x = problem.packing.initial()
    assert problem.packing.names == ("theta cl", "theta b", "omega V", "sigma proportional")
    chains = start_chains(problem, x, 2, 0)
    chains, averages = advance(problem, x, chains, Moves(2, 0, 0), 0.0)
    rows = problem.row_information(x, chains.centre)
    new = problem.packing.unpack(m_step(problem, x, averages, rows, NO_LIMIT))
    old = problem.packing.unpack(x)
    assert new.theta[1] == old.theta[1] == 70.0
    assert new.omega[0, 0] == old.omega[0, 0]


def test_occasions_share_one_variance():
    problem = _problem(OCCASIONS.model, OCCASIONS.data())
    x = problem.packing.initial()
    u = np.random.default_rng(6).normal(size=(40, 1, 3))
    averages = _at_draws_of_varying(problem, x, u)
    rows = problem.row_information(x, np.zeros((40, 3)))
    new = problem.packing.unpack(m_step(problem, x, averages, rows, NO_LIMIT))
    assert new.omega[1, 1] == new.omega[2, 2]
    assert new.omega[1, 1] == pytest.approx(0.1 * np.mean(u[:, 0, 1:] ** 2), rel=1e-12)


def _at_draws_of_varying(problem, x, u):
    """Averages at draws with slopes of rows that say nothing: only Omega is of interest."""
    m = 3 + len(problem.theta_names)
    return Averages(
        u=u,
        square=u[..., :, None] * u[..., None, :],
        by_direction=np.zeros((len(u), 1, m)),
        by_factor=np.zeros((len(u), 1, 3, 3)),
        by_sigma=np.zeros((len(u), 1, 3)),
        accepted=np.zeros((len(u), 1, 5)),
    )


def test_variances_shrink_no_faster_than_annealing_allows():
    model = replace(RICH, omega=(OmegaBlock(("CL",), ((4.0,),)), OmegaBlock(("V",), ((4.0,),))))
    problem = _problem(model, infusions(10))
    x = problem.packing.initial()
    u = 1e-3 * np.random.default_rng(6).normal(size=(10, 1, 2))
    averages = _at_draws(problem, x, u)
    new = problem.packing.unpack(
        m_step(problem, x, averages, problem.row_information(x, np.zeros((10, 2))), 0.9)
    )
    np.testing.assert_allclose(np.diag(new.omega), 3.6, rtol=1e-12)
