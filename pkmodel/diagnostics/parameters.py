"""The population parameters with their errors, each on its own scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.covariance import Covariance
from pkmodel.models.model import Model
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

KINDS = ("theta", "omega", "occasion", "sigma")
NORMAL_QUANTILE = 1.959963984540054


@dataclass(frozen=True)
class Parameter:
    """An estimate with its error; NaN where there is none.

    Attributes
    ----------
    estimate, se, rse : float
        On its own scale: a theta, a (co)variance, a standard deviation; `rse` in percent.
    lower, upper : float
        95 % interval, formed on the unconstrained scale.
    init : float
    fixed : bool
    note : str
    """

    estimate: float
    se: float
    rse: float
    lower: float
    upper: float
    init: float
    fixed: bool
    note: str


def parameters(
    problem: Problem, x: Vector, covariance: Covariance | None
) -> dict[str, dict[str, Parameter]]:
    """Return all parameters, free and fixed, by kind and name.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Packed estimates.
    covariance : Covariance or None

    Returns
    -------
    dict of str to dict of str to Parameter
        Kinds as in `KINDS`; a covariance of two effects is named ``"CL,V"``.
    """
    errors = _errors(problem, x, covariance)
    boundary = covariance.boundary if covariance else ()
    out: dict[str, dict[str, Parameter]] = {kind: {} for kind in KINDS}
    for kind, name, init, value, fixed in _values(problem.model, problem.packing.at(x)):
        se, low, high = errors.get(f"{kind} {name}", (float("nan"),) * 3)
        out[kind][name] = Parameter(
            estimate=float(value),
            se=se,
            rse=100.0 * se / abs(value) if value else float("nan"),
            lower=low,
            upper=high,
            init=float(init),
            fixed=fixed,
            note="at a boundary" if f"{kind} {name}" in boundary else "",
        )
    return out


def _values(before: Model, after: Model) -> Iterator[tuple[str, str, float, float, bool]]:
    """Kind, name, initial value, estimate and whether fixed, of each parameter."""
    for theta, estimate in zip(before.theta, after.theta, strict=True):
        yield "theta", theta.name, theta.init, estimate.init, theta.fixed
    for block, estimated in zip(before.omega, after.omega, strict=True):
        kind = "occasion" if block.occasion else "omega"
        for i, p in enumerate(block.parameters):
            for j, q in enumerate(block.parameters[: i + 1]):
                name = p if i == j else f"{q},{p}"
                yield kind, name, block.matrix[i][j], estimated.matrix[i][j], block.fixed
    for sigma, fitted in zip(before.residual.sigmas, after.residual.sigmas, strict=True):
        yield "sigma", sigma.name, sigma.init, fitted.init, sigma.fixed


def _errors(
    problem: Problem, x: Vector, covariance: Covariance | None
) -> dict[str, tuple[float, float, float]]:
    """Compute standard error and 95 % interval of each free parameter on its own scale."""
    packing = problem.packing
    if covariance is None:
        return {}
    natural = packing.natural(x)
    with np.errstate(invalid="ignore"):
        se = np.sqrt(np.diag(covariance.natural))
        width = NORMAL_QUANTILE * np.sqrt(np.diag(covariance.packed))
    out = {}
    for k, name in enumerate(packing.names):
        if name.startswith(("theta", "sigma")):
            low, high = (_moved(problem, x, k, end) for end in (-width[k], width[k]))
        elif "," in name:
            low = natural[k] - NORMAL_QUANTILE * se[k]
            high = natural[k] + NORMAL_QUANTILE * se[k]
        else:
            with np.errstate(over="ignore"):
                factor = np.exp(NORMAL_QUANTILE * se[k] / natural[k])
            low, high = natural[k] / factor, natural[k] * factor
        out[name] = (float(se[k]), float(low), float(high))
    return out


def _moved(problem: Problem, x: Vector, k: int, by: float) -> float:
    """Return parameter `k` on its own scale, moved on the unconstrained one."""
    if not np.isfinite(by):
        return float("nan")
    moved = x.copy()
    moved[k] += by
    return float(problem.packing.natural(moved)[k])
