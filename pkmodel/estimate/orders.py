"""How many quadrature nodes each subject needs: raised until its objective settles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.nodes import order_in_words
from pkmodel.problem import MOST_NODES, ORDER, TIGHT, Problem

Vector = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

LADDER = (1, 3, ORDER, 7, 9, 11, 15, 21, 31, 41, 61, 81, 101)
"""Tried one after the other, as far as there may be so many nodes."""

SETTLED = 1e-3
"""Orders are enough where the errors of all subjects add up to less.

Likelihood ratios are judged in whole units, and two searches count as agreed within a hundredth."""

PACE = 0.1
"""Of the error of one order the next one is believed to leave so much at least: less is chance.

On virtual trials, 53 of 30 subjects with one to six samples, the errors were up to 7 times the next
changes alone, for two orders often agree by chance and three sometimes; of what is said so they are
1.2 times at most, for a twentieth more nodes."""


@dataclass(frozen=True)
class Orders:
    """Quadrature nodes in each effect.

    Attributes
    ----------
    nodes : array (subjects,)
    errors : array (subjects,)
        What each subject's objective may be off by: the change by the next order, or the share
        `PACE` of the error of the order before if that is larger; where there may be no more
        nodes, the larger of the errors of the two orders before. NaN without an objective.
    """

    nodes: Counts
    errors: Vector

    @property
    def error(self) -> float:
        """Sum over subjects, so that no two hide each other's."""
        return float(np.sum(self.errors))

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


def _orders_before(nodes: Counts) -> Counts:
    """Return the order of `LADDER` below each, or 1."""
    return np.array(LADDER)[np.maximum(np.searchsorted(LADDER, nodes) - 1, 0)]


def _to_raise(errors: Vector) -> Flags:
    """Tell which subjects err most: without them the others add up to half of `SETTLED`."""
    rising = np.argsort(errors)
    is_small = np.zeros(errors.size, dtype=bool)
    is_small[rising[np.cumsum(errors[rising]) < 0.5 * SETTLED]] = True
    return ~is_small


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
        Keep this order, and tell its error.

    Returns
    -------
    Orders
        The highest possible ones where none has settled.
    """
    nodes = np.full(problem.n_subjects, asked or ORDER) if least is None else least.copy()
    first = problem.with_order(_orders_before(nodes)).evaluate(x, eta, tolerance=TIGHT).terms

    def objectives(orders: Counts) -> Vector:
        return problem.with_order(orders).evaluate(x, first.eta, tolerance=TIGHT).terms.objective

    value = objectives(nodes)
    errors, before = np.abs(value - first.objective), np.zeros(nodes.size)
    above = value.copy()
    is_new = np.isfinite(errors)
    can_rise = is_new.copy()
    while np.any(is_new):
        higher = next_orders(nodes, len(problem.effects))
        is_last = is_new & (higher == nodes)
        errors[is_last] = np.maximum(errors, before)[is_last]
        can_rise &= ~is_last
        is_new &= can_rise
        above[is_new] = objectives(np.where(is_new, higher, 1))[is_new]
        before[is_new] = errors[is_new]
        errors[is_new] = np.maximum(np.abs(above - value), PACE * errors)[is_new]
        if asked is not None or np.sum(errors) < SETTLED:
            break
        is_new = can_rise & _to_raise(np.where(can_rise, errors, 0.0))
        nodes[is_new], value[is_new] = higher[is_new], above[is_new]
    return Orders(nodes, errors)
