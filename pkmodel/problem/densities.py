"""Densities and predictions at given random effects, with their slopes, by names' arrays."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pkmodel.formula import parse_formula
from pkmodel.formula.affine import is_log_affine
from pkmodel.kernels.hierarchy import Coordinates, Point, Slopes, hierarchy
from pkmodel.kernels.joint import joint, slopes
from pkmodel.kernels.likelihood import Population
from pkmodel.kernels.marginal import predictions
from pkmodel.kernels.metropolis import Averages, Moves, Proposal, Source, walk
from pkmodel.kernels.row_information import row_information
from pkmodel.packing import Values
from pkmodel.problem.arrays import Arrays, has_interaction

Vector = NDArray[np.float64]


class Densities(Arrays):
    """What is known of a model on its data at given random effects."""

    def joint(self, x: Vector, u: Vector) -> Vector:
        """Half of -2 log joint density of data and effects, without log|Omega|.

        Parameters
        ----------
        x : array (size,)
        u : array (subjects, draws, effects)
            Effects eta = L u with Omega = L L'.

        Returns
        -------
        array (subjects, draws)
            Infinite where the model is not defined.
        """
        values = self.packing.unpack(x)
        psi = self._psi(*self.typical(values.theta))
        out = np.empty(u.shape[:2])
        population = Population(values.factor, values.sigma)
        joint(self.steps, psi, self.rows, population, has_interaction(self.options), u, out)
        return out

    def joint_slopes(self, x: Vector, u: Vector) -> tuple[Vector, Vector]:
        """Half of -2 log joint density of data and effects, and its slopes, with interaction.

        Parameters
        ----------
        x : array (size,)
        u : array (subjects, draws, effects)

        Returns
        -------
        value : array (subjects, draws)
            As of `joint`.
        slope : array (subjects, draws, effects + size)
            In u, then in the packed parameters at fixed u.
        """
        values = self.packing.unpack(x)
        mu, jacobian = self.typical(values.theta)
        psi = self._psi(mu, jacobian)
        subjects, draws, n = u.shape
        value = np.empty((subjects, draws))
        by_direction = np.empty((subjects, draws, psi.direction.shape[2]))
        by_sigma = np.empty((subjects, draws, 3))
        population = Population(values.factor, values.sigma)
        slopes(self.steps, psi, self.rows, population, u, value, by_direction, by_sigma)
        by_eta = by_direction[:, :, :n]
        by_u = by_eta @ values.factor + u
        by_factor = np.einsum("ika,ikb->ikab", by_eta, u)
        by_x = self._packed(x, jacobian, by_direction, by_factor, by_sigma)
        return value, np.concatenate([by_u, by_x], axis=2)

    def _packed(
        self, x: Vector, jacobian: Vector, by_direction: Vector, by_factor: Vector, by_sigma: Vector
    ) -> Vector:
        """Carry slopes at fixed u, arrays (subjects, draws, ...), to the packed parameters."""
        subjects, draws, _ = by_direction.shape
        n = len(self.effects)
        if self.varies:
            by_theta = by_direction[:, :, n:]
        else:
            by_theta = np.einsum("ikp,ipt->ikt", by_direction[:, :, self._order], jacobian)
        by_x = self.packing.pull_back(
            x,
            by_theta.reshape(subjects * draws, -1),
            by_factor.reshape(-1, n, n),
            by_sigma.reshape(-1, 3),
        )
        return by_x.reshape(subjects, draws, -1)

    def walk(
        self, x: Vector, u: Vector, proposal: Proposal, source: Source, moves: Moves
    ) -> tuple[Vector, Averages]:
        """Walk with chains of effects along their law given the data, for one iteration.

        Parameters
        ----------
        x : array (size,)
            Packed parameters.
        u : array (subjects, chains, effects)
            Where the chains stand, eta = L u.
        proposal : Proposal
        source : Source
        moves : Moves

        Returns
        -------
        u : array (subjects, chains, effects)
            Where they end.
        averages : Averages
            Along the way.
        """
        values = self.packing.unpack(x)
        psi = self._psi(*self.typical(values.theta))
        population = Population(values.factor, values.sigma)
        subjects, chains, n = u.shape
        averages = Averages(
            u=np.zeros((subjects, chains, n)),
            square=np.zeros((subjects, chains, n, n)),
            by_direction=np.zeros((subjects, chains, psi.direction.shape[2])),
            by_factor=np.zeros((subjects, chains, n, n)),
            by_sigma=np.zeros((subjects, chains, 3)),
            accepted=np.zeros((subjects, chains, 2 + n)),
        )
        end = u.copy()

        def task(low: int, high: int) -> None:
            walk(
                self.steps,
                psi,
                self.rows,
                population,
                proposal,
                source,
                moves,
                low,
                high,
                end,
                averages,
            )

        self._share(task, 16)
        return end, averages

    def packed_slopes(self, x: Vector, averages: Averages) -> Vector:
        """Average slopes of the joint density in the packed parameters, at fixed u.

        Returns
        -------
        array (subjects, chains, size)
        """
        _, jacobian = self.typical(self.packing.unpack(x).theta)
        by_direction, by_factor = averages.by_direction, averages.by_factor
        return self._packed(x, jacobian, by_direction, by_factor, averages.by_sigma)

    def row_information(self, x: Vector, eta: Vector) -> tuple[Vector, Vector]:
        """Compute the expected information of each subject's rows, at given effects.

        Returns
        -------
        by_direction : array (subjects, m, m)
            On the directions.
        by_sigma : array (subjects, 2, 3)
            Relative slope of the residual standard deviation in each coefficient, summed over the
            rows that are not censored, and their information on it.
        """
        values = self.packing.unpack(x)
        psi = self._psi(*self.typical(values.theta))
        m = psi.direction.shape[2]
        out = np.zeros((self.n_subjects, m, m)), np.zeros((self.n_subjects, 2, 3))
        population = Population(values.factor, values.sigma)
        row_information(self.steps, psi, self.rows, population, np.ascontiguousarray(eta), *out)
        return out

    def directions_by_theta(self, x: Vector) -> tuple[Vector, Vector]:
        """Differentiate typical parameters, and the directions, in the packed thetas.

        Returns
        -------
        typical : array (subjects, parameters, free thetas)
            Where they change in time, the mean over a subject's rows.
        direction : array (subjects, m, free thetas)
        """
        packing = self.packing
        _, jacobian = self.typical(packing.unpack(x).theta)
        slopes = packing.theta_slopes(x)
        typical = jacobian[:, :, packing.theta] * slopes
        if not self.varies:
            return typical, typical[:, np.argsort(self._order)]
        counts = np.diff(self.start)
        mean = np.add.reduceat(typical, self.start[:-1]) / counts[:, None, None]
        n, total = len(self.effects), len(self.theta_names)
        direction = np.zeros((self.n_subjects, n + total, len(packing.theta)))
        direction[:, [n + i for i in packing.theta], np.arange(len(packing.theta))] = slopes
        return mean, direction

    def hierarchy(
        self,
        values: Values,
        mu: Vector,
        jacobian: Vector,
        coordinates: Coordinates,
        point: Point,
        out: Slopes,
    ) -> float:
        """Half of -2 log joint density of data and coordinates of the effects, with interaction.

        Parameters
        ----------
        values : Values
        mu, jacobian : arrays
            As `typical` returns them there.
        coordinates : Coordinates
        point : Point
        out : Slopes
            Written.

        Returns
        -------
        float
            Infinite where the model is not defined.
        """
        population = self._population(values)
        if population is None or not np.all(np.isfinite(mu)):
            return np.inf
        psi = self._psi(mu, jacobian)
        return hierarchy(self.steps, psi, self.rows, population, coordinates, point, out)

    def by_theta(self, by_direction: Vector, by_shift: Vector, jacobian: Vector) -> Vector:
        """Sum slopes in the directions and in the effects' shifts to those in all thetas.

        Parameters
        ----------
        by_direction : array (subjects, m)
        by_shift : array (subjects, effects)
            In the typical parameter of each effect, at each subject's first row; those of effects
            between occasions count nothing.
        jacobian : array (n, parameters, thetas)
        """
        by_mu = np.zeros((self.n_subjects, len(self.structure.parameters)))
        if not self.varies:
            by_mu += by_direction[:, self._order]
        between = [k for k, e in enumerate(self.effects) if e.occasion == 0]
        by_mu[:, self.carriers] += by_shift[:, between]
        first = jacobian[self.start[:-1]] if self.varies else jacobian
        out = by_mu.ravel() @ first.reshape(-1, first.shape[2])
        if self.varies:
            out += np.sum(by_direction[:, len(self.effects) :], axis=0)
        return np.asarray(out)

    @property
    def direction_of_parameter(self) -> NDArray[np.int64]:
        """Where nothing changes in time: the direction that each parameter is."""
        return self._order

    @cached_property
    def is_affine(self) -> bool:
        """Whether typical parameters are constant in time and affine in the packed thetas."""
        free = [t for t in self.model.theta if not t.fixed]
        logged = {t.name for t in free if t.lower == 0.0 and not np.isfinite(t.upper)}
        plain = {t.name for t in free if not np.isfinite(t.lower) and not np.isfinite(t.upper)}
        if self.varies or logged | plain != {t.name for t in free}:
            return False
        return all(
            self.model.distribution.get(p, "lognormal") == "lognormal"
            and is_log_affine(parse_formula(self.model.parameters[p], p).tree, logged, plain)
            for p in self.structure.parameters
        )

    @cached_property
    def carriers(self) -> list[int]:
        """The parameter of each effect between subjects."""
        names = self.structure.parameters
        return [names.index(e.parameter) for e in self.effects if e.occasion == 0]

    def predict_at(self, x: Vector, eta: Vector) -> tuple[Vector, Vector]:
        """Predictions on the residual scale and their slopes in the effects, at given effects.

        Returns
        -------
        f : array (n_observations,)
        slope : array (n_observations, effects)
        """
        f, f1, _ = self._predict_at(x, eta)
        return f, f1[:, : len(self.effects)]

    def predict_typical(self, x: Vector) -> tuple[Vector, Vector]:
        """Predictions on the residual scale at eta = 0 and their slopes in the packed thetas.

        Returns
        -------
        f : array (n_observations,)
        slope : array (n_observations, free thetas)
        """
        effects = len(self.effects)
        f, f1, jacobian = self._predict_at(x, np.zeros((self.n_subjects, effects)))
        if self.varies:
            by_theta = f1[:, effects:]
        else:
            subject = np.repeat(np.arange(self.n_subjects), np.diff(self.steps.first))
            by_theta = np.einsum("jp,jpt->jt", f1[:, self._order], jacobian[subject])
        return f, by_theta[:, self.packing.theta] * self.packing.theta_slopes(x)

    def _predict_at(self, x: Vector, eta: Vector) -> tuple[Vector, Vector, Vector]:
        """Predictions, their slopes in the directions, and the thetas' Jacobian."""
        mu, jacobian = self.typical(self.packing.unpack(x).theta)
        psi = self._psi(mu, jacobian)
        f = np.zeros(self.dataset.n_observations)
        f1 = np.zeros((self.dataset.n_observations, psi.direction.shape[2]))
        predictions(self.steps, psi, self.rows, np.ascontiguousarray(eta), f, f1)
        return f, f1, jacobian
