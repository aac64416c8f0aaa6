"""Scores and information from draws against exact derivatives of the marginal likelihood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import pkmodel as pk
from grid_likelihood import grid_score
from pkmodel.definition import given_data
from pkmodel.estimate.chains import advance, start_chains
from pkmodel.estimate.conditional_score import information, make_transport, scores
from pkmodel.kernels.metropolis import Moves
from pkmodel.models.model import Options
from pkmodel.problem import Problem
from saem_cases import CASES

MOVES = Moves(4, 1, 0)
STEP = 1e-3


def _drawn(problem, x, transport_of, iterations):
    """Scores of all subjects together by iteration and chain, and the draws."""
    chains = start_chains(problem, x, 4, 0)
    transport = transport_of(make_transport(problem, x, chains))
    found, kept = [], []
    for number in range(iterations + 10):
        chains, averages = advance(problem, x, chains, MOVES, 0.0)
        if number >= 10:
            found.append(np.sum(scores(problem, x, averages, transport), axis=0))
            kept.append(chains.eta)
    eta = np.concatenate(kept, axis=1)
    u = np.linalg.solve(transport.factor, eta.reshape(-1, eta.shape[2]).T).T.reshape(eta.shape)
    return np.array(found), u, transport


def _at_its_own(transport):
    return transport


def _at_nothing(transport):
    return replace(transport, shift=0 * transport.shift, turn=0 * transport.turn)


def _at_random(transport):
    rng = np.random.default_rng(8)
    return replace(
        transport,
        shift=rng.normal(size=transport.shift.shape),
        turn=0.3 * rng.normal(size=transport.turn.shape),
    )


@pytest.mark.parametrize("transport_of", [_at_its_own, _at_nothing, _at_random])
@pytest.mark.parametrize("name", ["M3", "no effect on V, M3", "covariate in time"])
def test_scores_are_unbiased_wherever_effects_move_to(name, transport_of):
    """Away from any optimum, within 5 Monte Carlo errors of the grid's (15 batches, 4 chains)."""
    case = CASES[name]
    problem = Problem(case.model, given_data(case.model, case.data()), Options(method="saem"))
    x = problem.packing.initial()
    _, gradient = grid_score(problem, x)
    found, _, _ = _drawn(problem, x, transport_of, 150)
    batches = found.reshape(15, 10, 4, -1).mean(axis=1)
    error = np.std(batches, axis=(0, 1), ddof=1) / np.sqrt(60)
    assert np.max(np.abs(np.mean(found, axis=(0, 1)) - 0.5 * gradient) / error) < 5.0


def test_moving_effects_take_nearly_all_noise_from_the_score():
    """Near the optimum: of thetas and variances all but 1 %, of sigma all but 16 %."""
    case = CASES["covariate"]
    fit = pk.fit(case.model, case.data(), method="laplace", covariance=False)
    problem, x = fit.problem.with_method("saem"), fit.estimate.x
    own, none = (
        np.std(_drawn(problem, x, transport_of, 60)[0], axis=(0, 1))
        for transport_of in (_at_its_own, _at_nothing)
    )
    assert np.all(own[:-1] < 0.02 * none[:-1])
    assert own[-1] < 0.3 * none[-1]


@pytest.mark.parametrize("name", ["no effect on V", "no effect on V, M3"])
def test_information_is_half_the_hessian(name):
    """Of a grid's score, by differences; entries in the scale of the diagonal, worst 0.006."""
    case = CASES[name]
    problem = Problem(case.model, given_data(case.model, case.data()), Options(method="saem"))
    x = problem.packing.initial()
    x[problem.packing.theta_part] += np.log([2.0, 0.6, 1.0])
    _, u, transport = _drawn(problem, x, _at_its_own, 300)
    louis = information(problem, x, u, transport)
    half = np.array(
        [
            (grid_score(problem, x + step)[1] - grid_score(problem, x - step)[1]) / (4 * STEP)
            for step in STEP * np.eye(x.size)
        ]
    )
    scale = np.sqrt(np.diag(half))
    assert np.max(np.abs(louis - half) / np.outer(scale, scale)) < 0.02
