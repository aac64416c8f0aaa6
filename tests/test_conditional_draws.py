"""Conditional draws against the conditional moments by brute-force summation on a grid."""

from __future__ import annotations

import numpy as np
import pytest

import pkmodel as pk
from pkmodel.diagnostics.conditional import conditional_draws


@pytest.fixture(scope="module")
def fit():
    return pk.fit("phenobarbital", covariance=False)


def _moments(fit):
    """Mean and SD of each subject's effects, by summation over a grid of 8 SD to each side."""
    terms = fit.estimate.final.terms
    factor = fit.problem.packing.unpack(fit.estimate.x).factor
    side = np.linspace(-6.0, 6.0, 121)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    u = np.tile(grid, (terms.eta.shape[0], 1, 1))
    value = fit.problem.joint(fit.estimate.x, u)
    weight = np.exp(-(value - value.min(axis=1, keepdims=True)))
    weight /= weight.sum(axis=1, keepdims=True)
    eta = grid @ factor.T
    mean = weight @ eta
    return mean, np.sqrt(weight @ eta**2 - mean**2)


@pytest.mark.parametrize("seed", [1, 2])
def test_moments_are_those_of_the_conditional_law(fit, seed):
    """Mean within 5 standard errors for 118 means of 4000 draws (autocorrelation: half counts)."""
    draws = conditional_draws(fit.problem, fit.estimate.x, fit.estimate.final, 4000, seed)
    mean, sd = _moments(fit)
    error = (draws.eta.mean(axis=0) - mean) / (sd / np.sqrt(2000))
    assert np.max(np.abs(error)) < 5.0
    ratio = draws.eta.std(axis=0) / sd
    assert np.max(np.abs(ratio - 1.0)) < 5.0 / np.sqrt(2 * 2000)
    assert draws.acceptance.min() > 0.5


def test_the_joint_density_at_the_mode_is_the_kernels(fit):
    """2 l + log|Omega| + log|H| is the subject's objective."""
    x, terms = fit.estimate.x, fit.estimate.final.terms
    factor = fit.problem.packing.unpack(x).factor
    u = np.linalg.solve(factor, terms.eta.T).T[:, None]
    value = fit.problem.joint(x, np.ascontiguousarray(u))[:, 0]
    log_omega = 2.0 * np.sum(np.log(np.diag(factor)))
    log_h = -np.linalg.slogdet(terms.covariance)[1]
    np.testing.assert_allclose(2.0 * value + log_omega + log_h, terms.objective, rtol=1e-10)


def test_equal_seeds_give_equal_draws(fit):
    arguments = (fit.problem, fit.estimate.x, fit.estimate.final, 20)
    first, again, other = (conditional_draws(*arguments, seed).eta for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
