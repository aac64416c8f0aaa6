"""Chains of effects: their law by quadrature over a grid, and that threads and order are nothing.

The grid knows nothing of modes, curvatures or proposals.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grid_likelihood import POINTS, REACH
from pkmodel.definition import given_data
from pkmodel.estimate.chains import advance, mean_typical, start_chains
from pkmodel.estimate.saem_run import Run
from pkmodel.estimate.sampling import Phase
from pkmodel.kernels.metropolis import Moves
from pkmodel.models.model import Options
from pkmodel.problem import Problem
from saem_cases import RICH, censor, infusions

KINDS = {
    "independent": Moves(1, 0, 0),
    "together": Moves(0, 1, 0),
    "single": Moves(0, 0, 1),
    "all": Moves(1, 1, 1),
}
ITERATIONS = 1500


@pytest.fixture(scope="module")
def problem():
    """Eight subjects with three observations, some censored: laws that are far from normal."""
    data = censor(infusions(8, np.array([2.0, 12.0, 30.0])), 0.3)
    return Problem(RICH, given_data(RICH, data), Options(method="saem", seed=5))


@pytest.fixture(scope="module")
def expected(problem):
    """Means, second moments and mean slopes by a sum over a grid."""
    x = problem.packing.initial()
    line = np.linspace(-REACH, REACH, POINTS[2])
    nodes = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(1, -1, 2)
    u = np.repeat(nodes, problem.n_subjects, axis=0)
    value, slope = problem.joint_slopes(x, u)
    weight = np.exp(np.min(value, axis=1, keepdims=True) - value)
    weight /= np.sum(weight, axis=1, keepdims=True)
    return (
        np.einsum("ik,ika->ia", weight, u),
        np.einsum("ik,ika,ikb->iab", weight, u, u),
        np.einsum("ik,ikp->ip", weight, slope[:, :, 2:]),
    )


def _run(problem, moves, iterations=ITERATIONS, chains=4):
    x = problem.packing.initial()
    state = start_chains(problem, x, chains, 0)
    for _ in range(100):
        state, _ = advance(problem, x, state, moves, 0.1)
    series = []
    for _ in range(iterations):
        state, averages = advance(problem, x, state, moves, 0.0)
        series.append((averages.u, averages.square, problem.packed_slopes(x, averages)))
    return [np.array(part) for part in zip(*series, strict=True)], state


@pytest.mark.parametrize("kind", KINDS)
def test_averages_are_those_of_the_conditional_law(problem, expected, kind):
    """Within 5 of their Monte Carlo errors by means of 60 batches (144 numbers a kind)."""
    found, _ = _run(problem, KINDS[kind])
    for series, truth in zip(found, expected, strict=True):
        mean = np.mean(series, axis=(0, 2))
        batches = series.reshape(15, -1, *series.shape[1:]).mean(axis=1)
        error = np.std(batches, axis=(0, 2), ddof=1) / np.sqrt(15 * series.shape[2])
        assert np.max(np.abs(mean - truth) / error) < 5.0


def test_independent_proposals_are_mostly_accepted(problem):
    """Even here, where the laws have long tails: 0.62 on average."""
    _, state = _run(problem, KINDS["all"], 50)
    _, averages = advance(problem, problem.packing.initial(), state, Moves(200, 0, 0), 0.0)
    assert np.mean(averages.accepted[:, :, 0]) / 200 > 0.5


def test_random_walks_adapt_to_their_target(problem):
    x = problem.packing.initial()
    state = start_chains(problem, x, 8, 0)
    for number in range(400):
        state, _ = advance(problem, x, state, KINDS["all"], (1.0 + number) ** -0.6)
    accepted = []
    for _ in range(200):
        state, averages = advance(problem, x, state, KINDS["all"], 0.0)
        accepted.append(np.mean(averages.accepted, axis=1))
    share = np.mean(accepted, axis=0)
    assert np.all(np.abs(share[:, 1] - 0.3) < 0.06)
    assert np.all(np.abs(share[:, 2:] - 0.4) < 0.06)


def test_any_number_of_threads_gives_the_same_bits():
    data = infusions(80)
    ends = []
    for threads in (1, 2, 3):
        options = Options(method="saem", seed=5)
        problem = Problem(RICH, given_data(RICH, data), options, threads=threads)
        found, state = _run(problem, KINDS["all"], 3, 2)
        ends.append([state.eta, *found])
    for other in ends[1:]:
        for mine, theirs in zip(ends[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_subject_walks_alike_in_any_company():
    """The numbers of a subject come from its ID, not from its place in the table."""
    data = infusions(12)
    order = np.random.default_rng(2).permutation(12)
    parts = [data[data["ID"] == f"S{k}"] for k in order]
    whole, some = (
        Problem(RICH, given_data(RICH, table), Options(method="saem", seed=5))
        for table in (data, pd.concat(parts[:5], ignore_index=True))
    )
    here, there = (_run(problem, KINDS["all"], 5, 2)[1].eta for problem in (whole, some))
    np.testing.assert_array_equal(here[order[:5]], there)


def test_seeds_and_starts_have_numbers_of_their_own(problem):
    x = problem.packing.initial()
    other = Problem(RICH, problem.dataset, Options(method="saem", seed=6))
    ends = [
        advance(p, x, start_chains(p, x, 2, start), Moves(20, 0, 0), 0.0)[0].eta
        for p, start in ((problem, 0), (problem, 1), (other, 0))
    ]
    assert not np.any(ends[0] == ends[1])
    assert not np.any(ends[0] == ends[2])
    assert not np.any(ends[0][:, 0] == ends[0][:, 1])


def test_own_parameters_stay_when_typical_ones_move(problem):
    x = problem.packing.initial()
    state = start_chains(problem, x, 2, 0)
    moved = x.copy()
    moved[:2] += [0.4, -0.7]
    run = Run(problem, 0, x, state, None)
    centre = run.chains.centre
    for target in (0.5 * (x + moved), moved):
        run.move(target, Phase.EXPLORATION)
    before, after = mean_typical(problem, x), mean_typical(problem, moved)
    for here, there in ((state.eta, run.chains.eta), (centre[:, None], run.chains.centre[:, None])):
        np.testing.assert_allclose(
            after[:, None] + there, before[:, None] + here, rtol=0, atol=1e-13
        )
