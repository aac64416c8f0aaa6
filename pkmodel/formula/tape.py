"""Bound formulas written out as the tape of a kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pkmodel.formula.binding import BoundFormula
from pkmodel.kernels.tape import OPERATIONS, Tape

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
    theta: list[tuple[int, int, int]] = []
    steps: list[tuple[int, tuple[int, ...]]] = []
    for formula, offset in zip(formulas, offsets, strict=False):
        for slot, dual in enumerate(formula.slots):
            slots[:, offset + slot] = dual.value
        theta += [(offset + slot, k, free.get(k, -1)) for k, slot in formula.thetas]
        for slot, rule, arguments in formula.steps:
            places = [offset + a for a in arguments]
            unused = [offset + slot] * (_ARGUMENTS - len(places))
            steps.append((OPERATIONS.index(rule), (*places, *unused, offset + slot)))
    different, which = np.unique(slots, axis=0, return_inverse=True)
    return Tape(
        slots=different,
        which=which,
        theta=np.array(theta, dtype=np.int64).reshape(-1, 3),
        code=np.array([code for code, _ in steps], dtype=np.int64),
        place=np.array([place for _, place in steps], dtype=np.int64).reshape(-1, 4),
        result=np.array([o + f.result for f, o in zip(formulas, offsets, strict=False)]),
        distribution=distribution,
    )
