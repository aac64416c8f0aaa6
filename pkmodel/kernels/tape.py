"""Formulas of the typical parameters as a tape: one operation after the other, with exact slopes.

Every operation has a value and its partial derivatives in its arguments; slopes in the thetas
follow by the chain rule. At a kink they are those of the branch taken, and what an undefined
branch that is not taken would give is left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.subject import LOGNORMAL, NORMAL
from pkmodel.kernels.types import Float2, Four, Long1, Long2, Vector

OPERATIONS = (
    "+",
    "-",
    "*",
    "/",
    "**",
    "negative",
    "exp",
    "log",
    "log10",
    "sqrt",
    "abs",
    "min",
    "max",
    "where",
    "<",
    "<=",
    ">",
    ">=",
    "==",
    "!=",
    "and",
    "or",
    "not",
)
"""Names of the rules of formulas; an operation's code is its place here."""

(
    ADD,
    SUBTRACT,
    MULTIPLY,
    DIVIDE,
    POWER,
    NEGATIVE,
    EXP,
    LOG,
    LOG10,
    SQRT,
    ABS,
    MIN,
    MAX,
    WHERE,
    LESS,
    AT_MOST,
    MORE,
    AT_LEAST,
    EQUAL,
    UNEQUAL,
    AND,
    OR,
    NOT,
) = range(len(OPERATIONS))

LOG_TEN = float(np.log(10.0))


class Tape(NamedTuple):
    """Formulas of all parameters, over slots that hold constants, thetas and results.

    Attributes
    ----------
    slots : array (k, slots)
        What no theta touches, covariates put in, for all different rows; else anything.
    which : array (n,)
        Which of them every row or subject is.
    theta : array (k, 3)
        Slot of a theta, its number among all, and its number among the free ones or -1.
    code : array (operations,)
    place : array (operations, 4)
        Slots of the three arguments (those not needed: any), and of the result.
    result : array (parameters,)
        Slots of the values.
    distribution : array (parameters,)
    """

    slots: Float2
    which: Long1
    theta: Long2
    code: Long1
    place: Long2
    result: Long1
    distribution: Long1


@kernel
def _power(a: float, b: float) -> Four:
    value = a**b
    by_base = 0.0 if b == 0.0 else b * a ** (b - 1.0)
    return value, by_base, value * (np.log(a) if a != 0.0 else 0.0), 0.0


@kernel
def _condition(code: int, a: float, b: float) -> float:
    """Value of a condition, 1 or 0."""
    if code == LESS:
        holds = a < b
    elif code == AT_MOST:
        holds = a <= b
    elif code == MORE:
        holds = a > b
    elif code == AT_LEAST:
        holds = a >= b
    elif code == EQUAL:
        holds = a == b
    elif code == UNEQUAL:
        holds = a != b
    elif code == AND:
        holds = a != 0.0 and b != 0.0
    elif code == OR:
        holds = a != 0.0 or b != 0.0
    else:
        holds = a == 0.0
    return 1.0 if holds else 0.0


@kernel
def _of_one(code: int, a: float) -> Four:
    """Value of a function and its derivative."""
    if code == NEGATIVE:
        return -a, -1.0, 0.0, 0.0
    if code == EXP:
        value = np.exp(a)
        return value, value, 0.0, 0.0
    if code == LOG:
        return np.log(a), 1.0 / a, 0.0, 0.0
    if code == LOG10:
        return np.log(a) / LOG_TEN, 1.0 / (a * LOG_TEN), 0.0, 0.0
    if code == SQRT:
        value = np.sqrt(a)
        return value, 0.5 / value, 0.0, 0.0
    return abs(a), (-1.0 if a < 0.0 else 1.0), 0.0, 0.0


@kernel
def operation(code: int, a: float, b: float, c: float) -> Four:
    """Value of an operation and its partial derivatives in three arguments."""
    if code == ADD:
        return a + b, 1.0, 1.0, 0.0
    if code == SUBTRACT:
        return a - b, 1.0, -1.0, 0.0
    if code == MULTIPLY:
        return a * b, b, a, 0.0
    if code == DIVIDE:
        value = a / b
        return value, 1.0 / b, -value / b, 0.0
    if code == POWER:
        return _power(a, b)
    if code == MIN:
        return (a, 1.0, 0.0, 0.0) if a <= b or np.isnan(a) else (b, 0.0, 1.0, 0.0)
    if code == MAX:
        return (a, 1.0, 0.0, 0.0) if a >= b or np.isnan(a) else (b, 0.0, 1.0, 0.0)
    if code == WHERE:
        return (b, 0.0, 1.0, 0.0) if a != 0.0 else (c, 0.0, 0.0, 1.0)
    if code >= LESS:
        return _condition(code, a, b), 0.0, 0.0, 0.0
    return _of_one(code, a)


@kernel
def _chain(by: float, slope: Vector, out: Vector) -> None:
    """Add what an argument's slopes give."""
    if by != 0.0:
        for k in range(out.size):
            if slope[k] != 0.0:
                out[k] += by * slope[k]


@kernel
def _play(tape: Tape, row: int, theta: Vector, value: Vector, slope: Vector) -> None:
    """Write the values and slopes of all slots of a row."""
    for slot in range(value.size):
        value[slot] = tape.slots[row, slot]
    for k in range(tape.theta.shape[0]):
        value[tape.theta[k, 0]] = theta[tape.theta[k, 1]]
    for s in range(tape.code.size):
        a, b, c, to = tape.place[s, 0], tape.place[s, 1], tape.place[s, 2], tape.place[s, 3]
        found, by_a, by_b, by_c = operation(tape.code[s], value[a], value[b], value[c])
        value[to] = found
        for k in range(slope.shape[1]):
            slope[to, k] = 0.0
        _chain(by_a, slope[a], slope[to])
        _chain(by_b, slope[b], slope[to])
        _chain(by_c, slope[c], slope[to])


class Played(NamedTuple):
    """What a tape gives.

    Attributes
    ----------
    value, slope : arrays (slots,), (slots, free thetas)
        Scratch.
    typical : array (k, parameters)
        Typical parameters of all different rows, on the transformed scale.
    jacobian : array (k, parameters, free thetas)
    """

    value: Vector
    slope: Vector
    typical: Vector
    jacobian: Vector


@allocating_kernel
def make_played(tape: Tape, free: int) -> Played:
    """Allocate room for the slopes in so many free thetas."""
    different, slots = tape.slots.shape
    parameters = tape.result.size
    return Played(
        np.empty(slots),
        np.empty((slots, free)),
        np.empty((different, parameters)),
        np.empty((different, parameters, free)),
    )


@kernel
def play(tape: Tape, theta: Vector, played: Played) -> None:
    """Write the typical parameters of all different rows, and their Jacobian in the free thetas.

    Parameters
    ----------
    theta : array (thetas,)
    played : Played
        Written.
    """
    value, slope, typical, jacobian = played
    slope[:] = 0.0
    for k in range(tape.theta.shape[0]):
        if tape.theta[k, 2] >= 0:
            slope[tape.theta[k, 0], tape.theta[k, 2]] = 1.0
    for row in range(typical.shape[0]):
        _play(tape, row, theta, value, slope)
        for p in range(typical.shape[1]):
            found, distribution = value[tape.result[p]], tape.distribution[p]
            if distribution == LOGNORMAL:
                typical[row, p], scale = np.log(found), 1.0 / found
            elif distribution == NORMAL:
                typical[row, p], scale = found, 1.0
            else:
                typical[row, p] = np.log(found / (1.0 - found))
                scale = 1.0 / (found * (1.0 - found))
            for k in range(slope.shape[1]):
                jacobian[row, p, k] = scale * slope[tape.result[p], k]
