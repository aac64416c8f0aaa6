"""Shrinkage on the scale of standard deviations, as NONMEM 7.6 prints it (SHRINKSD).

1 - s / omega over subjects, and 1 - s of the weighted residuals over observations, with s the root
of the mean square: effects and residuals have mean zero by the model. Up to version 7.5.0 NONMEM
took the standard deviation of the effects about their mean, with n - 1; what it printed is in
tests/reference/shrinkage.csv. The idea: Savic and Karlsson 2009, 10.1208/s12248-009-9133-0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.problem import Problem

Vector = NDArray[np.float64]


def eta_shrinkage(eta: Vector, omega: Vector) -> Vector:
    """Shrinkage of each random effect, as a fraction."""
    return np.asarray(1.0 - np.sqrt(np.mean(eta**2, axis=0) / np.diag(omega)))


def shrinkage_by_effect(problem: Problem, x: Vector, eta: Vector) -> dict[str, float]:
    """Shrinkage of the effects between subjects, by the parameter that they move."""
    values = eta_shrinkage(eta, problem.packing.unpack(x).omega)
    return {
        e.parameter: float(v)
        for e, v in zip(problem.effects, values, strict=True)
        if not e.occasion
    }


def epsilon_shrinkage(weighted: Vector) -> float:
    """Shrinkage of the residuals, as a fraction."""
    known = weighted[np.isfinite(weighted)]
    return float(1.0 - np.sqrt(np.mean(known**2))) if known.size else float("nan")
