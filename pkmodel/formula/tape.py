"""Bound formulas written out as the tape of a kernel, which has their exact Jacobian."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pkmodel.formula.binding import BoundFormula
from pkmodel.formula.rules import Values
from pkmodel.kernels.subject import NORMAL
from pkmodel.kernels.tape import OPERATIONS, Tape, make_played, play

_ARGUMENTS = 3


def make_tape(
    formulas: Sequence[BoundFormula], free: Mapping[int, int], distribution: NDArray[np.int64]
) -> Tape:
    """Write formulas out, one after the other.

    Parameters
    ----------
    formulas : sequence of BoundFormula
        Of every parameter, over the same rows.
    free : mapping of int to int
        Place among the free thetas, by number among all.
    distribution : array (parameters,)
        Kernels' codes.
    """
    offsets = np.cumsum([0, *(len(f.slots) for f in formulas)]).tolist()
    slots = np.zeros((formulas[0].shape[0], offsets[-1]))
    by_row: list[int] = []
    theta: list[tuple[int, int, int]] = []
    steps: list[tuple[int, tuple[int, ...]]] = []
    for formula, offset in zip(formulas, offsets, strict=False):
        for slot, value in enumerate(formula.slots):
            slots[:, offset + slot] = value
            by_row += [offset + slot] if np.ndim(value) else []
        theta += [(offset + slot, k, free.get(k, -1)) for k, slot in formula.thetas]
        for slot, rule, arguments in formula.steps:
            places = [offset + a for a in arguments]
            unused = [offset + slot] * (_ARGUMENTS - len(places))
            steps.append((OPERATIONS.index(rule), (*places, *unused, offset + slot)))
    first, which = _different(slots[:, by_row])
    return Tape(
        slots=slots[first],
        which=which,
        theta=np.array(theta, dtype=np.int64).reshape(-1, 3),
        code=np.array([code for code, _ in steps], dtype=np.int64),
        place=np.array([place for _, place in steps], dtype=np.int64).reshape(-1, 4),
        result=np.array([o + f.result for f, o in zip(formulas, offsets, strict=False)]),
        distribution=distribution,
    )


def _different(rows: Values) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First of each of the different rows, and which of them every row is."""
    if rows.shape[1] == 0:
        return np.zeros(1, dtype=np.int64), np.zeros(rows.shape[0], dtype=np.int64)
    _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, which


def typical_and_jacobian(
    tape: Tape, theta: NDArray[np.float64], free: int
) -> tuple[Values, Values]:
    """Play a tape.

    Parameters
    ----------
    theta : array (thetas,)
    free : int
        Free thetas of the tape.

    Returns
    -------
    typical : array (n, parameters)
        On the transformed scale; NaN where a formula is not defined.
    jacobian : array (n, parameters, free)
        Exact derivatives; at a kink those of the branch taken.
    """
    played = make_played(tape, free)
    play(tape, theta, played)
    return played.typical[tape.which], played.jacobian[tape.which]


def value_and_jacobian(formula: BoundFormula, theta: NDArray[np.float64]) -> tuple[Values, Values]:
    """Evaluate one formula.

    Parameters
    ----------
    formula : BoundFormula
    theta : array (thetas,)

    Returns
    -------
    value : array (n,)
        NaN where the formula is not defined.
    jacobian : array (n, thetas)

    Examples
    --------
    >>> import numpy as np
    >>> from pkmodel.formula import bind, parse_formula
    >>> formula = parse_formula("cl * (WT / 70)**b", "CL")
    >>> bound = bind(formula, ["cl", "b"], {"WT": np.array([70.0, 35.0])}, 2)
    >>> value, jacobian = value_and_jacobian(bound, np.array([3.0, 1.0]))
    >>> value.tolist(), jacobian.round(4).tolist()
    ([3.0, 1.5], [[1.0, 0.0], [0.5, -1.0397]])
    """
    tape = make_tape([formula], {k: k for k in range(theta.size)}, np.array([NORMAL]))
    value, jacobian = typical_and_jacobian(tape, theta, theta.size)
    return value[:, 0], jacobian[:, 0]
