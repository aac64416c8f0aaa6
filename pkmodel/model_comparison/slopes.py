"""First and second derivatives of every subject's log likelihood, and the steps they call for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.boundary import at_boundary
from pkmodel.estimate.curvature import hessians_by_subject
from pkmodel.problem import Evaluation, Problem

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Slopes:
    """Derivatives in the packed parameters that are not at a boundary.

    Attributes
    ----------
    inside : list of int
        Places of these parameters.
    first : array (subjects, inside)
    second : array (subjects, inside, inside)
    """

    inside: list[int]
    first: Vector
    second: Vector

    def of_all(self) -> tuple[Vector, Vector]:
        """Return the derivatives of all subjects together."""
        return np.sum(self.first, axis=0), np.sum(self.second, axis=0)

    def without(self, subject: int) -> tuple[Vector, Vector]:
        """Return those of all others together."""
        first, second = self.of_all()
        return first - self.first[subject], second - self.second[subject]


def slopes_at(problem: Problem, x: Vector, there: Evaluation) -> Slopes:
    """Differentiate the log likelihood of every subject twice.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
    there : Evaluation
        At `x`.

    Returns
    -------
    Slopes
    """
    bound = at_boundary(problem, x)
    inside = [k for k, name in enumerate(problem.packing.names) if name not in bound]
    second = hessians_by_subject(problem, x, there)
    return Slopes(
        inside, -0.5 * there.by_subject[:, inside], -0.5 * second[:, inside][:, :, inside]
    )


def newton_step(slope: Vector, curvature: Vector) -> Vector:
    """Step to where the slope vanishes; NaN where that is no maximum."""
    try:
        np.linalg.cholesky(-curvature)
    except np.linalg.LinAlgError:
        return np.full(slope.size, np.nan)
    return np.asarray(np.linalg.solve(-curvature, slope))
