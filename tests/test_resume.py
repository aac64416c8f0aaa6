"""A search that goes on from a neighbouring optimum ends where a whole search does, sooner."""

from __future__ import annotations

import numpy as np
import pytest

import pkmodel as pk
from group_data import group_data
from pkmodel.diagnostics.search import trace_table
from pkmodel.estimate.bfgs import Ending, Point, minimise
from pkmodel.estimate.first_steps import widen
from pkmodel.estimate.maximum_likelihood import maximise, resume
from pkmodel.problem import Problem


@pytest.fixture(scope="module")
def problem() -> Problem:
    model = pk.Model(
        "one_compartment",
        {"CL": "cl * BSA", "V": "v * BSA"},
        (pk.Theta("cl", 1.0, lower=0.0), pk.Theta("v", 3.0, lower=0.0)),
        (pk.OmegaBlock(("CL",), ((0.1,),)), pk.OmegaBlock(("V",), ((0.1,),))),
        pk.Residual((pk.Sigma("lognormal", 0.2),)),
    )
    data = group_data(4, (12, 12), (1.0, 1.0))
    return Problem(model, pk.read_dataset(data), pk.Options())


@pytest.mark.parametrize("held", [0.8, 1.0, 1.3])
def test_it_ends_where_a_whole_search_does(problem: Problem, held: float) -> None:
    best = maximise(problem)
    assert best is not None
    there = problem.holding({"cl": held})
    assert there.packing.names == problem.packing.names[1:]
    near = resume(there, best.x[1:], best.final.terms.eta)
    whole = maximise(there)
    assert near is not None
    assert whole is not None
    assert near.ending == Ending.CONVERGED
    assert near.final.objective == pytest.approx(whole.final.objective, abs=2e-5)
    assert near.evaluations < whole.evaluations
    assert near.final.objective > best.final.objective - 1e-6
    assert there.packing.unpack(near.x).theta[0] == held


def test_a_start_replaces_the_initial_values(problem: Problem) -> None:
    best = maximise(problem)
    assert best is not None
    again = maximise(problem, start=best.x)
    assert again is not None
    assert again.final.objective == pytest.approx(best.final.objective, abs=1e-6)
    assert again.trace[0].objective != best.trace[0].objective


def test_the_trace_says_which_evaluations_are_first_steps(problem: Problem) -> None:
    """Those begin with wide effects, so that the first objective is not the initial one."""
    best = maximise(problem)
    assert best is not None
    table = trace_table(problem, best)
    phases = table["phase"].tolist()
    assert list(dict.fromkeys(phases)) == ["first steps", "search", "estimates"]
    assert phases.count("estimates") == 1
    initial = problem.packing.initial()
    wide = problem.evaluate(widen(problem, initial)).objective
    assert table["objective"][0] == pytest.approx(wide, abs=1e-6)
    assert abs(wide - problem.evaluate(initial).objective) > 1.0


def test_a_variance_that_has_vanished_comes_back(problem: Problem) -> None:
    """At log SD = -20 the objective is flat in it: descent alone ends far above the optimum."""
    best = maximise(problem)
    assert best is not None
    x = best.x.copy()
    x[problem.packing.names.index("omega CL")] = -20.0
    found = resume(problem, x, np.zeros_like(best.final.terms.eta))
    assert found is not None
    assert problem.evaluate(x).objective > best.final.objective + 10.0
    assert found.final.objective == pytest.approx(best.final.objective, abs=1e-4)


def test_a_start_where_the_likelihood_is_not_defined_is_none(problem: Problem) -> None:
    x = problem.packing.initial()
    x[0] = np.inf
    assert resume(problem, x, np.zeros((24, 2))) is None


def test_a_search_that_gains_nothing_stalls_before_its_budget_is_gone() -> None:
    """A function whose gradient promises what rounding hides: 1e-5 steps on a value of 1e9."""
    count = [0]

    def function(x: np.ndarray) -> Point:
        count[0] += 1
        value = 1e9 + float(np.abs(x).sum()) * 1e-9
        return Point(x, value, np.full_like(x, 1.0), np.eye(x.size))

    start = function(np.ones(3))
    found = minimise(function, start, tolerance=1e-7, evaluations=lambda: count[0], limit=100_000)
    assert found.ending is Ending.STALLED
    assert count[0] < 1000
