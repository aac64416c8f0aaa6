"""The one likelihood that judges every fit, whatever its method.

Adaptive quadrature whose order is raised until the objective settles, or importance sampling where
there are too many effects for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.orders import Orders, next_orders, settle_orders
from pkmodel.problem import DRAWS, TIGHT, Evaluation, Problem, exact_method

Vector = NDArray[np.float64]

MORE_DRAWS = 4
"""So many times its own draws, and others, are finer for a fit by importance sampling."""


@dataclass(frozen=True)
class Exact:
    """The exact likelihood at some parameters.

    Attributes
    ----------
    problem : Problem
        Under the exact method.
    evaluation : Evaluation
        Its `error` is that of importance sampling.
    orders : Orders or None
        Of quadrature.
    """

    problem: Problem
    evaluation: Evaluation
    orders: Orders | None

    @property
    def is_settled(self) -> bool:
        """Whether more nodes would hardly matter."""
        return self.orders is None or self.orders.is_settled

    @property
    def nodes(self) -> int:
        """Highest order of quadrature, or draws of each subject."""
        return self.problem.draws if self.orders is None else int(np.max(self.orders.nodes))

    @property
    def error(self) -> float:
        """That of the orders, or the Monte Carlo error."""
        return self.evaluation.error if self.orders is None else self.orders.error

    def __str__(self) -> str:
        if self.orders is None:
            return f"importance sampling with {self.problem.draws} draws of each subject"
        return f"adaptive quadrature of {self.orders}"


def exact_likelihood(
    problem: Problem, x: Vector, modes: Vector | None = None, *, is_finer: bool = False
) -> Exact:
    """Evaluate the exact likelihood.

    Parameters
    ----------
    problem : Problem
        Under any method.
    x : array (size,)
        Packed parameters.
    modes : array (subjects, effects), optional
        Where the searches of the modes start.
    is_finer : bool
        Whether more nodes or draws are wanted than the problem itself has.

    Returns
    -------
    Exact
        Draws are others than those of a fit by importance sampling, which minimises its own error.
    """
    if exact_method(problem) == "imp":
        draws = MORE_DRAWS * problem.draws if is_finer else max(problem.draws, DRAWS)
        drawn = problem.with_method("imp").with_draws(draws, problem.options.seed + 1)
        return Exact(drawn, drawn.evaluate(x, modes, tolerance=TIGHT), None)
    least = None
    if is_finer and problem.likelihood == "agq":
        own = np.broadcast_to(problem.orders, problem.n_subjects)
        least = next_orders(own, len(problem.effects))
    quadrature = problem.with_method("agq")
    orders = settle_orders(quadrature, x, modes, least)
    settled = quadrature.with_order(orders.nodes)
    return Exact(settled, settled.evaluate(x, modes, tolerance=TIGHT), orders)
