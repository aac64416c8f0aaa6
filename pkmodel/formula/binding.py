"""A formula with its covariates put in: a function of the thetas with its exact Jacobian."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pkmodel.errors import ModelError, Problem
from pkmodel.formula.dual import ONE, RULES, Dual, Values
from pkmodel.formula.reading import Formula
from pkmodel.formula.tree import Call, Name, Node, Number
from pkmodel.suggestion import suggest

Step = tuple[int, str, tuple[int, ...]]


class BoundFormula:
    """A formula with its covariates put in; what no theta touches has been computed.

    Parameters are kept as attributes.

    Parameters
    ----------
    slots : list of Dual
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
        slots: list[Dual],
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

    def value_and_jacobian(self, theta: npt.NDArray[np.float64]) -> tuple[Values, Values]:
        """Evaluate the formula.

        Parameters
        ----------
        theta : array (n_theta,)

        Returns
        -------
        value : array (n,)
            NaN where the formula is not defined.
        jacobian : array (n, n_theta)
            Exact derivatives; at a kink those of the branch taken.
        """
        slots = self.slots.copy()
        for k, slot in self.thetas:
            slots[slot] = Dual(theta[k], {k: ONE})
        with np.errstate(all="ignore"):
            for slot, rule, arguments in self.steps:
                slots[slot] = RULES[rule](*[slots[i] for i in arguments])
        return self._filled(slots[self.result])

    def _filled(self, result: Dual) -> tuple[Values, Values]:
        value = np.empty(self.shape[0])
        value[:] = result.value
        jacobian = np.zeros(self.shape)
        for k, slope in result.slopes.items():
            jacobian[:, k] = slope
        return value, jacobian


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
    >>> value, jacobian = bound.value_and_jacobian(np.array([3.0, 1.0]))
    >>> value.tolist(), jacobian.round(4).tolist()
    ([3.0, 1.5], [[1.0, 0.0], [0.5, -1.0397]])
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
        self.slots: list[Dual] = []
        self.thetas: dict[int, int] = {}
        self.steps: list[Step] = []

    def slot(self, node: Node) -> int:
        if node not in self._known:
            self._known[node] = self._call(node) if isinstance(node, Call) else self._leaf(node)
        return self._known[node]

    def _leaf(self, node: Number | Name) -> int:
        if isinstance(node, Number):
            return self._add(Dual(ONE * node.value))
        k = self._theta_index.get(node.name)
        if k is None:
            return self._add(Dual(np.asarray(self._covariates[node.name], dtype=np.float64)))
        self.thetas[k] = self._add(Dual(ONE))
        self._varying.add(self.thetas[k])
        return self.thetas[k]

    def _call(self, node: Call) -> int:
        arguments = tuple(self.slot(argument) for argument in node.arguments)
        if self._varying.isdisjoint(arguments):
            return self._add(RULES[node.rule](*[self.slots[i] for i in arguments]))
        slot = self._add(Dual(ONE))
        self.steps.append((slot, node.rule, arguments))
        self._varying.add(slot)
        return slot

    def _add(self, dual: Dual) -> int:
        self.slots.append(dual)
        return len(self.slots) - 1
