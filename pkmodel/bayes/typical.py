"""Typical parameters along a sampler's way, and how slopes in them reach the packed thetas."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pkmodel.problem import Problem

Vector = NDArray[np.float64]


class Typical(Protocol):
    """Typical parameters at packed vectors, one after the other."""

    def at(self, x: Vector, theta: Vector) -> tuple[Vector, Vector]:
        """Return typical parameters and their Jacobian in the thetas, as `Problem.typical`."""

    def by_packed(self, by_direction: Vector, by_shift: Vector) -> Vector:
        """Return slopes in the packed thetas at the last point, as `Problem.by_theta`."""


class AnyTypical:
    """Typical parameters by their formulas."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    def at(self, x: Vector, theta: Vector) -> tuple[Vector, Vector]:
        """Evaluate the formulas."""
        self._x = x
        mu, self._jacobian = self._problem.typical(theta)
        return mu, self._jacobian

    def by_packed(self, by_direction: Vector, by_shift: Vector) -> Vector:
        """Carry slopes back by the Jacobian there."""
        by_theta = self._problem.by_theta(by_direction, by_shift, self._jacobian)
        packing = self._problem.packing
        return np.asarray(by_theta[packing.theta] * packing.theta_slopes(self._x))


class AffineTypical:
    """Typical parameters that are affine in the packed thetas, as of most models.

    Parameters
    ----------
    problem : Problem
        With `Problem.is_affine`.
    x : array (size,)
        Any packed vector.
    """

    def __init__(self, problem: Problem, x: Vector) -> None:
        packing = problem.packing
        self._x = x[packing.theta_part]
        self._mu, self._jacobian = problem.typical(packing.unpack(x).theta)
        slope = self._jacobian[:, :, packing.theta] * packing.theta_slopes(x)
        self._slope = slope.reshape(-1, self._x.size)
        self._order = problem.direction_of_parameter
        carriers = problem.carriers
        self._carrier = np.zeros((len(carriers), self._mu.shape[1]))
        self._carrier[np.arange(len(carriers)), carriers] = 1.0

    def at(self, x: Vector, theta: Vector) -> tuple[Vector, Vector]:
        """Move along the one slope there is."""
        moved = self._slope @ (x[: self._x.size] - self._x)
        return self._mu + moved.reshape(self._mu.shape), self._jacobian

    def by_packed(self, by_direction: Vector, by_shift: Vector) -> Vector:
        """Carry slopes back by the same."""
        by_mu = by_direction[:, self._order] + by_shift @ self._carrier
        return np.asarray(by_mu.ravel() @ self._slope)


def make_typical(problem: Problem, x: Vector) -> Typical:
    """Choose the quicker of the two that serves."""
    values = problem.typical(problem.packing.unpack(x).theta)[0]
    if problem.is_affine and bool(np.all(np.isfinite(values))):
        return AffineTypical(problem, x)
    return AnyTypical(problem)
