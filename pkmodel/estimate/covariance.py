"""Standard errors from exact per-subject gradients: R, S and the sandwich.

R is half the Hessian of the objective, by central differences of its exact gradient; S a quarter
of the sum of outer products of the subjects' gradients. Covariances are formed in the packed
scale, where the search took place, and carried to the natural one by the delta method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.boundary import at_boundary
from pkmodel.estimate.curvature import hessian
from pkmodel.problem import Evaluation, Problem

Vector = NDArray[np.float64]

FLAT = 1e-7


@dataclass(frozen=True)
class Covariance:
    """Uncertainty of the free parameters.

    Attributes
    ----------
    packed, natural : array (size, size)
        Covariance matrices; NaN for what the data do not determine.
    source : str
        ``"sandwich"``, ``"r"``, ``"s"``, or ``"none"``: what was used in the end.
    condition_number : float
        Largest over smallest eigenvalue of the correlation matrix of the estimates.
    boundary : tuple of str
        Parameters left out because they are at a boundary.
    flat : tuple of str
        Directions that the data leave undetermined, in words.
    hessian : array (size, size)
        Of the objective, packed.
    """

    packed: Vector
    natural: Vector
    source: str
    condition_number: float
    boundary: tuple[str, ...]
    flat: tuple[str, ...]
    hessian: Vector


def _describe(direction: Vector, names: list[str]) -> str:
    """Say a direction in the parameters' own names, largest part first."""
    order = np.argsort(-np.abs(direction))
    lead = abs(direction[order[0]])
    parts = [
        f"{'+' if direction[k] > 0 else '-'}{abs(direction[k]):.2f} {names[k]}"
        for k in order
        if abs(direction[k]) > 0.2 * lead
    ]
    return " ".join(parts)


def _invert(matrix: Vector) -> tuple[Vector, list[Vector]]:
    """Invert on what is determined; return the inverse and the flat or falling directions."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(matrix)), 1e-300))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    is_flat = values < FLAT * max(float(values[-1]), 1e-300)
    kept = vectors[:, ~is_flat]
    inverse = (kept / values[~is_flat]) @ kept.T / np.outer(scale, scale)
    undetermined = [vectors[:, k] for k in np.flatnonzero(is_flat)]
    for direction in undetermined:
        touched = np.abs(direction) > 0.1
        inverse[touched] = np.nan
        inverse[:, touched] = np.nan
    return inverse, undetermined


def covariance(problem: Problem, x: Vector, final: Evaluation, wanted: str) -> Covariance:
    """Compute the covariance of the estimates.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        The estimates, packed.
    final : Evaluation
        At `x`.
    wanted : str
        ``"sandwich"``, ``"r"`` or ``"s"``.

    Returns
    -------
    Covariance
        Where R is not positive definite, that of S, and the flat directions by name; where S is
        not (as with no more subjects than parameters), that of R instead of the sandwich.
    """
    names = problem.packing.names
    size = problem.packing.size
    second = hessian(problem, x, final)
    if not np.all(np.isfinite(second)):
        return _unknown(second)
    boundary = at_boundary(problem, x)
    inside = [k for k in range(size) if names[k] not in boundary]
    kept = np.ix_(inside, inside)
    r = 0.5 * second[kept]
    s = 0.25 * np.einsum("ni,nj->ij", final.by_subject, final.by_subject)[kept]
    r_inverse, flat = _invert(r)
    s_inverse, s_flat = _invert(s)
    source = wanted
    if wanted == "sandwich" and s_flat:
        source = "r"
    elif wanted != "s" and flat and not s_flat:
        source = "s"
    if source == "sandwich":
        part = r_inverse @ s @ r_inverse
    else:
        part = r_inverse if source == "r" else s_inverse
    packed = np.full((size, size), np.nan)
    packed[kept] = part
    jacobian = problem.packing.natural_jacobian(x)
    natural = np.full((size, size), np.nan)
    known = [k for k in range(size) if np.isfinite(packed[k, k])]
    usable = [
        k for k in known if not np.any(jacobian[k, [j for j in range(size) if j not in known]])
    ]
    inner = jacobian[np.ix_(usable, known)]
    natural[np.ix_(usable, usable)] = inner @ packed[np.ix_(known, known)] @ inner.T
    labels = [names[k] for k in inside]
    return Covariance(
        packed=packed,
        natural=natural,
        source=source,
        condition_number=_condition(natural[np.ix_(usable, usable)]),
        boundary=boundary,
        flat=tuple(_describe(direction, labels) for direction in flat),
        hessian=second,
    )


def _unknown(second: Vector) -> Covariance:
    """Tell that there is no covariance: beside the estimates the likelihood is not defined."""
    nothing = np.full(second.shape, np.nan)
    where = ("of any parameter: beside these values the likelihood is not defined",)
    return Covariance(nothing, nothing, "none", float("nan"), (), where, np.zeros(second.shape))


def _condition(matrix: Vector) -> float:
    """Ratio of the extreme eigenvalues of the correlation matrix."""
    if matrix.size == 0:
        return float("nan")
    deviation = np.sqrt(np.diag(matrix))
    with np.errstate(all="ignore"):
        correlation = matrix / np.outer(deviation, deviation)
    if not np.all(np.isfinite(correlation)):
        return float("inf")
    values = np.linalg.eigvalsh(correlation)
    return float(values[-1] / values[0]) if values[0] > 0.0 else float("inf")
