"""Maximum likelihood by quadrature or importance sampling, from the optimum of Laplace.

Laplace's objective costs what one node does and its optimum is near, so the search begins there
and goes on by the exact objective; the orders of quadrature are settled there, stay the same during
the search so that it minimises one function, and are checked at its end. The Monte Carlo objective
is minimised as it is, for the exact gradient is EM's expected one by the same draws: where it
vanishes, importance sampling EM (IMP, IMPMAP) stands still too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.maximum_likelihood import (
    Estimate,
    Progress,
    maximise,
    resume,
    uninterrupted,
)
from pkmodel.estimate.orders import Orders, settle_orders
from pkmodel.problem import TIGHT, Problem

Counts = NDArray[np.int64]

START = "laplace"


def maximise_exact(problem: Problem, progress: Progress | None = None) -> Estimate | None:
    """Search the population parameters of the smallest exact objective.

    Parameters
    ----------
    problem : Problem
        Of method ``"agq"`` or ``"imp"``.
    progress : callable, optional
        As for `maximise`.

    Returns
    -------
    Estimate or None
        As of `maximise`; several starts are those of Laplace, whose best one goes on.
    """
    rough = maximise(problem.with_method(START), progress)
    if rough is None:
        return None
    orders = None
    found = rough
    while True:
        exact, orders = _with_orders(problem, found, orders)
        try:
            uninterrupted(rough)
            again = _go_on(exact, found, progress)
        except KeyboardInterrupt:
            return _interrupted(exact, found, orders)
        if again is None:
            return None
        found = again
        if orders is None:
            return found
        reached = _settle(problem, found, orders.nodes)
        if np.array_equal(reached.nodes, orders.nodes):
            return replace(found, orders=reached)
        orders = reached


def _with_orders(
    problem: Problem, at: Estimate, orders: Orders | None
) -> tuple[Problem, Orders | None]:
    """Return the problem with those orders, or ones settled where the search stands."""
    if problem.likelihood != "agq":
        return problem, None
    orders = orders or _settle(problem, at)
    return problem.with_order(orders.nodes), orders


def _settle(problem: Problem, at: Estimate, least: Counts | None = None) -> Orders:
    """Settle the orders where the search stands, or keep those asked for."""
    return settle_orders(problem, at.x, at.final.terms.eta, least, problem.options.order)


def _go_on(exact: Problem, at: Estimate, progress: Progress | None) -> Estimate | None:
    """Search on by the exact objective, and keep the account of the way so far."""
    most = exact.options.max_evaluations
    found = resume(exact, at.x, at.final.terms.eta, progress, most)
    if found is None:
        return None
    start = int(np.argmin([s.objective for s in at.starts]))
    done = max(step.evaluation for step in at.trace if step.start == start)
    trace = [step._replace(start=start, evaluation=done + step.evaluation) for step in found.trace]
    return replace(
        found,
        starts=at.starts,
        trace=[*at.trace, *trace],
        evaluations=at.evaluations + found.evaluations,
    )


def _interrupted(exact: Problem, at: Estimate, orders: Orders | None) -> Estimate:
    """Return where the search stands, by the exact objective."""
    final = exact.evaluate(at.x, at.final.terms.eta, tolerance=TIGHT)
    return replace(
        at, final=final, ending=str(Ending.INTERRUPTED), decrease=float("inf"), orders=orders
    )


def settled(problem: Problem, estimate: Estimate) -> tuple[Problem, Estimate]:
    """Return the problem with the orders that `estimate` was made by, or settled there.

    Parameters
    ----------
    problem : Problem
    estimate : Estimate

    Returns
    -------
    problem : Problem
    estimate : Estimate
        Evaluated by it.
    """
    if problem.likelihood != "agq":
        return problem, estimate
    if estimate.orders is not None:
        return problem.with_order(estimate.orders.nodes), estimate
    orders = settle_orders(problem, estimate.x, asked=problem.options.order)
    exact = problem.with_order(orders.nodes)
    final = exact.evaluate(estimate.x, tolerance=TIGHT)
    return exact, replace(estimate, final=final, orders=orders)
