"""The joint posterior density of population parameters and random effects, for a sampler."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import Held
from pkmodel.bayes.anchor import Anchor
from pkmodel.bayes.coordinates import choose_coordinates
from pkmodel.bayes.prior import PackedPrior
from pkmodel.kernels.hierarchy import Coordinates
from pkmodel.kernels.posterior import effects_entrance, joint_entrance
from pkmodel.problem import Problem

Vector = NDArray[np.float64]


class JointTarget:
    """Log density of the whitened population parameters and coordinates of the effects.

    The vector is (z, z_1, ..., z_n), with packed parameters x = anchor + spread z and for each
    effect the z_a of all subjects, bent into w and affine in their coordinates; about the anchor
    it is nearly standard normal.

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
        self._held = Held(problem.posterior(prior.law, self.coordinates, anchor.x, anchor.spread))

    @property
    def address(self) -> int:
        """Where the machine code of the density is."""
        return joint_entrance.address

    @property
    def record(self) -> int:
        """Where the record is that the machine code takes."""
        return self._held.address

    def __call__(self, vector: Vector) -> tuple[float, Vector]:
        """Return the log density and its gradient; -inf and zeros where it is not defined."""
        vector = np.ascontiguousarray(vector, dtype=np.float64)
        if vector.shape != (self.dimension,):
            raise ValueError(f"a vector of {self.dimension} numbers, not of shape {vector.shape}")
        value, gradient = np.empty(1), np.empty(self.dimension)
        is_undefined = joint_entrance(vector.size, vector, gradient, value, self.record)
        if is_undefined:
            return -np.inf, np.zeros(self.dimension)
        return float(value[0]), gradient

    def effects(self, vectors: Vector) -> tuple[Vector, Vector]:
        """Packed parameters and random effects at vectors (..., dimension) of the sampler."""
        shape = vectors.shape[:-1]
        x = np.empty((*shape, self.anchor.x.size))
        eta = np.empty((*shape, *self.coordinates.place.T.shape))
        rows = np.ascontiguousarray(vectors).reshape(-1, self.dimension)
        effects_entrance(*rows.shape, rows, x, eta, self.record)
        return x, eta
