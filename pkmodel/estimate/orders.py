"""How many quadrature nodes each subject needs: raised until its objective settles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.nodes import order_in_words
from pkmodel.problem import MOST_NODES, ORDER, TIGHT, Problem

Vector = NDArray[np.float64]
Counts = NDArray[np.int64]

LADDER = (ORDER, 7, 9, 11, 15, 21, 31, 41, 61, 81, 101)
"""Tried one after the other, as far as there may be so many nodes."""

SETTLED = 1e-3
"""Orders are enough where the next ones change the objective by less, the changes of all subjects
added up without their signs.

Likelihood ratios are judged in whole units, and two searches count as agreed within a hundredth."""


@dataclass(frozen=True)
class Orders:
    """Quadrature nodes in each effect.

    Attributes
    ----------
    nodes : array (subjects,)
    change : array (subjects,)
        What the next order adds to each subject's objective, which tells the error of this one;
        NaN where that would be too many nodes or was not needed.
    """

    nodes: Counts
    change: Vector

    @property
    def error(self) -> float:
        """Sum of the changes without their signs, so that no two subjects hide each other's."""
        return float(np.sum(np.abs(self.change)))

    @property
    def is_settled(self) -> bool:
        """Whether higher orders would change nothing of note."""
        return self.error < SETTLED

    def __str__(self) -> str:
        return order_in_words(int(np.min(self.nodes)), int(np.max(self.nodes)))


def next_orders(nodes: Counts, effects: int) -> Counts:
    """Return the next order of `LADDER` for each, or the same one where there is none.

    Examples
    --------
    >>> next_orders(np.array([5, 6, 21]), effects=3)
    array([ 7,  7, 21])
    """
    possible = np.array([order for order in LADDER if order**effects <= MOST_NODES], dtype=int)
    place = np.searchsorted(possible, nodes, side="right")
    return np.where(place < possible.size, possible[np.minimum(place, possible.size - 1)], nodes)


def settle_orders(
    problem: Problem,
    x: Vector,
    eta: Vector | None = None,
    least: Counts | None = None,
    asked: int | None = None,
) -> Orders:
    """Find the order at which each subject's objective has settled at `x`.

    Parameters
    ----------
    problem : Problem
        Evaluated by quadrature.
    x : array (size,)
        Packed parameters.
    eta : array (subjects, effects), optional
        Modes near those at `x`.
    least : array (subjects,), optional
        Where to begin.
    asked : int, optional
        Keep this order, and tell what the next one changes.

    Returns
    -------
    Orders
        The highest possible ones where none has settled.
    """
    nodes = np.full(problem.n_subjects, asked or ORDER) if least is None else least.copy()
    first = problem.with_order(nodes).evaluate(x, eta, tolerance=TIGHT).terms
    value = first.objective

    def objectives(orders: Counts) -> Vector:
        return problem.with_order(orders).evaluate(x, first.eta, tolerance=TIGHT).terms.objective

    change = np.full(nodes.size, np.nan)
    is_open = np.isfinite(value)
    while np.any(is_open):
        higher = np.where(is_open, next_orders(nodes, len(problem.effects)), 1)
        is_open &= higher > nodes
        above = objectives(np.where(is_open, higher, 1))
        change[is_open] = (above - value)[is_open]
        is_open &= np.abs(change) >= SETTLED / nodes.size
        if asked is not None or np.sum(np.abs(change)) < SETTLED:
            break
        nodes[is_open], value[is_open] = higher[is_open], above[is_open]
    return Orders(nodes, change)
