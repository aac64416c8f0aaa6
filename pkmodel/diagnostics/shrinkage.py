"""Shrinkage on the scale of standard deviations, as NONMEM 7.6 prints it (SHRINKSD).

1 - s / omega over subjects, and 1 - s of the weighted residuals over observations, with s the root
of the mean square: effects and residuals have mean zero by the model. Up to version 7.5.0 NONMEM
took the standard deviation of the effects about their mean, with n - 1; what it printed is in
tests/reference/shrinkage.csv. The idea: Savic and Karlsson 2009, 10.1208/s12248-009-9133-0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.models.model import Model
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

NEXT_TO_NOTHING = 1e-4
"""Variance on a log or logit scale, 1 % of a parameter, up to which an effect that is fixed there
is meant to be none."""


def eta_shrinkage(eta: Vector, omega: Vector) -> Vector:
    """Shrinkage of each random effect, as a fraction."""
    return np.asarray(1.0 - np.sqrt(np.mean(eta**2, axis=0) / np.diag(omega)))


def absent_effects(model: Model) -> frozenset[str]:
    """Name the parameters whose effect between subjects is fixed at next to nothing.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import pkmodel as pk
    >>> alone = pk.OmegaBlock(("CL",), ((1e-6,),), fixed=True)
    >>> sorted(absent_effects(replace(pk.read_definition("phenobarbital").model, omega=(alone,))))
    ['CL']
    """
    return frozenset(
        name
        for block in model.omega
        if block.fixed and not block.occasion
        for k, name in enumerate(block.parameters)
        if block.matrix[k][k] <= NEXT_TO_NOTHING
        and model.distribution.get(name, "lognormal") != "normal"
    )


def shrinkage_by_effect(problem: Problem, x: Vector, eta: Vector) -> dict[str, float]:
    """Shrinkage of the effects between subjects, by the parameter that they move.

    NaN of an effect that is absent, and of all effects with fewer than two subjects that have
    observations, for one says nothing of a spread.
    """
    values = eta_shrinkage(eta, problem.packing.unpack(x).omega)
    absent = absent_effects(problem.model)
    return {
        e.parameter: float("nan") if e.parameter in absent or problem.n_observed < 2 else float(v)
        for e, v in zip(problem.effects, values, strict=True)
        if not e.occasion
    }


def epsilon_shrinkage(weighted: Vector) -> float:
    """Shrinkage of the residuals, as a fraction."""
    known = weighted[np.isfinite(weighted)]
    return float(1.0 - np.sqrt(np.mean(known**2))) if known.size else float("nan")
