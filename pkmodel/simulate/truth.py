"""True parameters of virtual people: typical values by formula, and random effects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import ModelError, Problem
from pkmodel.formula import bind, parse_formula
from pkmodel.models.model import Model
from pkmodel.models.structural import STRUCTURES

Vector = NDArray[np.float64]


def draw_parameters(
    model: Model, covariates: Mapping[str, Vector], rng: np.random.Generator
) -> dict[str, Vector]:
    """Draw the structural parameters of virtual people.

    Parameters
    ----------
    model : Model
        Initial values are taken as the truth.
    covariates : mapping of str to array (n,)
    rng : numpy Generator

    Returns
    -------
    dict of str to array (n,)

    Raises
    ------
    ModelError
        A formula gives somebody a value that no such parameter has; says whom and which.
    """
    n = next(iter(covariates.values())).size
    eta = _draw_effects(model, n, rng)
    names = [theta.name for theta in model.theta]
    theta = np.array([theta.init for theta in model.theta])
    out: dict[str, Vector] = {}
    for name in STRUCTURES[model.structure].parameters:
        formula = parse_formula(model.parameters[name], f"[model.parameters] {name}")
        typical = bind(formula, names, covariates, n).value(theta)
        distribution = model.distribution.get(name, "lognormal")
        out[name] = _individual(typical, eta.get(name, np.zeros(n)), distribution)
        _check(name, model.parameters[name], out[name], covariates)
    return out


def _draw_effects(model: Model, n: int, rng: np.random.Generator) -> dict[str, Vector]:
    effects: dict[str, Vector] = {}
    for block in model.omega:
        factor = np.linalg.cholesky(np.array(block.matrix, dtype=float))
        draws = factor @ rng.standard_normal((len(block.parameters), n))
        effects |= dict(zip(block.parameters, draws, strict=True))
    return effects


def _individual(typical: Vector, eta: Vector, distribution: str) -> Vector:
    if distribution == "normal":
        return typical + eta
    with np.errstate(invalid="ignore", divide="ignore"):
        if distribution == "logitnormal":
            return np.asarray(1.0 / (1.0 + (1.0 / typical - 1.0) * np.exp(-eta)))
        return np.asarray(typical * np.exp(eta))


def _check(name: str, text: str, values: Vector, covariates: Mapping[str, Vector]) -> None:
    bad = np.flatnonzero(~(np.isfinite(values) & (values > 0.0)))
    if not bad.size:
        return
    first = bad[0]
    who = ", ".join(f"{c} = {column[first]:.6g}" for c, column in covariates.items())
    message = (
        f"{text} gives {bad.size} of {values.size} virtual people no possible value, the first "
        f"{values[first]:.6g} ({who}); {name} must be > 0: check the formula, [theta] and [omega]"
    )
    raise ModelError(Problem(message, f"[model.parameters] {name}"))
