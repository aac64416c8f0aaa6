"""The joint posterior density of population parameters and random effects, for a sampler."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.anchor import Anchor
from pkmodel.bayes.coordinates import choose_coordinates, effects_at, shifts
from pkmodel.bayes.prior import PackedPrior
from pkmodel.bayes.typical import make_typical
from pkmodel.kernels.hierarchy import Coordinates, Point, Slopes
from pkmodel.problem import Problem

Vector = NDArray[np.float64]


class JointTarget:
    """Log density of the whitened population parameters and coordinates of the effects.

    The vector is (z, z_1, ..., z_subjects), with packed parameters x = anchor + spread z and the
    effects' coordinates affine in x and their own z_i; about the anchor it is nearly standard
    normal.

    Parameters
    ----------
    problem : Problem
    prior : PackedPrior
    anchor : Anchor
    coordinates : Coordinates, optional
        Chosen by the data where absent.
    """

    def __init__(
        self,
        problem: Problem,
        prior: PackedPrior,
        anchor: Anchor,
        coordinates: Coordinates | None = None,
    ) -> None:
        self.problem = problem
        self.prior = prior
        self.anchor = anchor
        self.coordinates = coordinates or choose_coordinates(problem, anchor)
        self.dimension = anchor.x.size + self.coordinates.place.size
        self._slopes = self._room()
        self._typical = make_typical(problem, anchor.x)

    def _room(self) -> Slopes:
        """Room for what the kernel writes."""
        subjects, n, size = self.coordinates.slope.shape
        return Slopes(
            u=np.zeros((subjects, n)),
            eta=np.zeros((subjects, n)),
            by_z=np.zeros((subjects, n)),
            by_distance=np.zeros(size),
            by_direction=np.zeros((subjects, self.problem.n_directions)),
            by_shift=np.zeros((subjects, n)),
            by_factor=np.zeros((n, n)),
            by_sigma=np.zeros(3),
        )

    def fresh(self) -> JointTarget:
        """Return the same target with room of its own, for another chain."""
        return JointTarget(self.problem, self.prior, self.anchor, self.coordinates)

    def split(self, vector: Vector) -> tuple[Vector, Vector]:
        """Packed parameters, and z of every subject, at a vector of the sampler."""
        size = self.anchor.x.size
        z = vector[size:].reshape(self.coordinates.place.shape)
        return self.anchor.x + self.anchor.spread @ vector[:size], z

    def __call__(self, vector: Vector) -> tuple[float, Vector]:
        """Return the log density and its gradient; -inf where the model is not defined."""
        x, z = self.split(vector)
        density, slope = self.prior(x)
        if not np.isfinite(density):
            return -np.inf, np.zeros(vector.size)
        value, by_x, by_z = self._evaluate(x, z)
        gradient = np.concatenate([self.anchor.spread.T @ (slope - by_x), -by_z.ravel()])
        if not np.isfinite(value) or not np.all(np.isfinite(gradient)):
            return -np.inf, np.zeros(vector.size)
        return density - value, gradient

    def _evaluate(self, x: Vector, z: Vector) -> tuple[float, Vector, Vector]:
        """Half of -2 log density of data and coordinates, its slopes in x and in z."""
        problem, slopes = self.problem, self._slopes
        values = problem.packing.unpack(x)
        mu, jacobian = self._typical.at(x, values.theta)
        shift = shifts(problem, mu)
        point = Point(z, x - self.anchor.x, shift)
        value = problem.hierarchy(values, mu, jacobian, self.coordinates, point, slopes)
        by_theta = self._typical.by_packed(slopes.by_direction, slopes.by_shift)
        by_x = problem.packing.pull_back_one(x, by_theta, slopes.by_factor, slopes.by_sigma)
        return value, by_x + slopes.by_distance, slopes.by_z

    def effects(self, vector: Vector) -> tuple[Vector, Vector]:
        """Packed parameters and random effects at a vector of the sampler."""
        x, z = self.split(vector)
        c = self.coordinates
        place = c.place + c.slope @ (x - self.anchor.x) + np.einsum("iab,ib->ia", c.spread, z)
        return x, effects_at(self.problem, x, place, c.centred)
