"""How many quadrature nodes an objective needs: raised until it settles."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pkmodel.problem import MOST_NODES, ORDER, TIGHT, Problem

Vector = NDArray[np.float64]

ORDERS = (ORDER, 7, 9, 11, 15, 21, 31, 41, 61, 81, 101)
"""Tried one after the other, as far as there may be so many nodes."""

SETTLED = 1e-3
"""An order is enough where the next one changes the objective by less, in total.

Likelihood ratios are judged in whole units, and two searches count as agreed within a hundredth."""


@dataclass(frozen=True)
class Order:
    """Quadrature nodes in each effect.

    Attributes
    ----------
    nodes : int
    change : float
        What the next order of `ORDERS` adds to the objective, which tells the error of this one;
        NaN where that would be too many nodes.
    """

    nodes: int
    change: float

    @property
    def is_settled(self) -> bool:
        """Whether a higher order would change nothing of note."""
        return abs(self.change) < SETTLED


def settle_order(problem: Problem, x: Vector, eta: Vector | None = None, least: int = 1) -> Order:
    """Find the order at which the objective has settled at `x`.

    Parameters
    ----------
    problem : Problem
        Evaluated by quadrature.
    x : array (size,)
        Packed parameters.
    eta : array (subjects, effects), optional
        Modes near those at `x`.
    least : int
        Where to begin; the problem's own order, if one was asked for, is kept as it is.

    Returns
    -------
    Order
        The highest possible one where none has settled.
    """
    n = len(problem.effects)
    asked = problem.options.order
    tried = [order for order in ORDERS if order >= least]
    if asked is not None:
        tried = [asked, *(order for order in ORDERS if order > asked)][:2]
    tried = [order for order in tried if order**n <= MOST_NODES] or [least]

    def objective(order: int) -> float:
        return problem.with_order(order).evaluate(x, eta, tolerance=TIGHT).objective

    value, change = objective(tried[0]), float("nan")
    for order, higher in pairwise(tried):
        above = objective(higher)
        change = above - value
        if asked is not None or abs(change) < SETTLED:
            return Order(order, change)
        value = above
    return Order(tried[-1], float("nan") if asked is not None else change)
