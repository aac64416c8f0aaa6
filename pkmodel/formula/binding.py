"""A formula with its covariates put in: a function of the thetas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pkmodel.errors import ModelError, Problem
from pkmodel.formula.reading import Formula
from pkmodel.formula.rules import RULES, Values
from pkmodel.formula.tree import Call, Name, Node, Number
from pkmodel.suggestion import suggest

Step = tuple[int, str, tuple[int, ...]]

_NOTHING_YET: Values = np.array(0.0)
"""In the slots of thetas and results."""


class BoundFormula:
    """A formula with its covariates put in; what no theta touches has been computed.

    Parameters are kept as attributes.

    Parameters
    ----------
    slots : list of arrays (n,) or numbers
        Values by slot: constants, and room for thetas and results.
    thetas : sequence of (int, int)
        Theta index and slot.
    steps : sequence of (slot, rule, argument slots)
        Rules by their names in `RULES`, in order of computation.
    result : int
        Slot of the result.
    shape : (int, int)
        Rows and thetas.
    """

    def __init__(
        self,
        slots: list[Values],
        thetas: Sequence[tuple[int, int]],
        steps: Sequence[Step],
        result: int,
        shape: tuple[int, int],
    ) -> None:
        self.slots = slots
        self.thetas = thetas
        self.steps = steps
        self.result = result
        self.shape = shape

    def value(self, theta: npt.NDArray[np.float64]) -> Values:
        """Evaluate the formula.

        Parameters
        ----------
        theta : array (n_theta,)

        Returns
        -------
        array (n,)
            NaN where the formula is not defined.
        """
        slots = self.slots.copy()
        for k, slot in self.thetas:
            slots[slot] = theta[k]
        with np.errstate(all="ignore"):
            for slot, rule, arguments in self.steps:
                slots[slot] = RULES[rule](*[slots[i] for i in arguments])
        value = np.empty(self.shape[0])
        value[:] = slots[self.result]
        return value


def bind(
    formula: Formula, theta_names: Sequence[str], covariates: Mapping[str, Values], n: int
) -> BoundFormula:
    """Put covariates into a formula.

    Parameters
    ----------
    formula : Formula
    theta_names : sequence of str
        In the order of the theta vector.
    covariates : mapping of str to array (n,)
    n : int
        Rows.

    Returns
    -------
    BoundFormula

    Raises
    ------
    ModelError
        A name is neither a theta nor a covariate, or is both.

    Examples
    --------
    >>> import numpy as np
    >>> from pkmodel.formula.reading import parse_formula
    >>> formula = parse_formula("cl * (WT / 70)**b", "CL")
    >>> bound = bind(formula, ["cl", "b"], {"WT": np.array([70.0, 35.0])}, 2)
    >>> bound.value(np.array([3.0, 1.0])).tolist()
    [3.0, 1.5]
    """
    _check_names(formula, theta_names, covariates)
    binder = _Binder({name: k for k, name in enumerate(theta_names)}, covariates)
    with np.errstate(all="ignore"):
        result = binder.slot(formula.tree)
    thetas = list(binder.thetas.items())
    return BoundFormula(binder.slots, thetas, binder.steps, result, (n, len(theta_names)))


def _check_names(
    formula: Formula, theta_names: Sequence[str], covariates: Mapping[str, Values]
) -> None:
    thetas = set(theta_names)
    problems = []
    for name in sorted(formula.names):
        if name in thetas and name in covariates:
            message = f"`{name}` is a theta and a column of the data; rename one of them"
        elif name not in thetas and name not in covariates:
            known = [*theta_names, *covariates]
            message = f"`{name}` is no theta and no covariate ({suggest(name, known)})"
        else:
            continue
        problems.append(Problem(message, formula.place))
    if problems:
        raise ModelError(problems)


class _Binder:
    """Lays a tree out in slots, equal parts once, and computes what no theta touches."""

    def __init__(self, theta_index: Mapping[str, int], covariates: Mapping[str, Values]) -> None:
        self._theta_index = theta_index
        self._covariates = covariates
        self._known: dict[Node, int] = {}
        self._varying: set[int] = set()
        self.slots: list[Values] = []
        self.thetas: dict[int, int] = {}
        self.steps: list[Step] = []

    def slot(self, node: Node) -> int:
        if node not in self._known:
            self._known[node] = self._call(node) if isinstance(node, Call) else self._leaf(node)
        return self._known[node]

    def _leaf(self, node: Number | Name) -> int:
        if isinstance(node, Number):
            return self._add(np.array(node.value))
        k = self._theta_index.get(node.name)
        if k is None:
            return self._add(np.asarray(self._covariates[node.name], dtype=np.float64))
        self.thetas[k] = self._add(_NOTHING_YET)
        self._varying.add(self.thetas[k])
        return self.thetas[k]

    def _call(self, node: Call) -> int:
        arguments = tuple(self.slot(argument) for argument in node.arguments)
        if self._varying.isdisjoint(arguments):
            return self._add(RULES[node.rule](*[self.slots[i] for i in arguments]))
        slot = self._add(_NOTHING_YET)
        self.steps.append((slot, node.rule, arguments))
        self._varying.add(slot)
        return slot

    def _add(self, value: Values) -> int:
        self.slots.append(value)
        return len(self.slots) - 1
