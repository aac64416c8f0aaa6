"""The rules of formulas on arrays; their derivatives are those of `pkmodel.kernels.tape`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

type Values = npt.NDArray[np.float64]
"""One per row, or one for all."""


def _where(condition: Values, yes: Values, no: Values) -> Values:
    return np.where(condition != 0.0, yes, no)


CONDITIONS: Mapping[str, Callable[..., Values]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
}

RULES: Mapping[str, Callable[..., Values]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
    "negative": np.negative,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
    "where": _where,
    **CONDITIONS,
}
