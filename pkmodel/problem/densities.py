"""Densities and predictions at given random effects, with their slopes, by names' arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.formula.tape import make_tape
from pkmodel.kernels.abreast import arrange
from pkmodel.kernels.hierarchy import Coordinates
from pkmodel.kernels.joint import joint, slopes
from pkmodel.kernels.likelihood import Population
from pkmodel.kernels.marginal import predictions
from pkmodel.kernels.metropolis import Averages, Moves, Proposal, Source, walk
from pkmodel.kernels.predict import predict_range
from pkmodel.kernels.prior import Law
from pkmodel.kernels.row_information import row_information
from pkmodel.kernels.target import Target
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
        n, total = len(self.effects), len(self.theta_names)
        direction = np.zeros((self.n_subjects, n + total, len(packing.theta)))
        direction[:, [n + i for i in packing.theta], np.arange(len(packing.theta))] = slopes
        return self.mean_by_subject(typical), direction

    def posterior(
        self, law: Law, coordinates: Coordinates, anchor: Vector, spread: Vector
    ) -> Target:
        """Gather what the kernel of the joint posterior density is told, with interaction.

        Parameters
        ----------
        law : Law
            Prior.
        coordinates : Coordinates
            Of the effects.
        anchor : array (size,)
        spread : array (size, size)
            The packed parameters are anchor + spread z.
        """
        n, parameters, free = len(self.effects), self.structure.parameters, self.packing.theta
        nothing = np.zeros((self._count, len(parameters), len(self.theta_names)))
        psi = self._psi(np.zeros(nothing.shape[:2]), nothing)
        if self.varies:
            psi = psi._replace(direction=np.ascontiguousarray(psi.direction[:, :, : n + len(free)]))
        return Target(
            predict=predict_range.address,
            steps=self.steps,
            abreast=arrange(self.steps),
            psi=psi,
            varies=self.varies,
            rows=self.rows,
            tape=make_tape(self._formulas, {i: k for k, i in enumerate(free)}, self._distribution),
            layout=self.packing.layout(),
            law=law,
            coordinates=coordinates,
            first=self.start[:-1] if self.varies else np.arange(self.n_subjects),
            carrier=np.array(
                [parameters.index(e.parameter) if e.occasion == 0 else -1 for e in self.effects]
            ),
            anchor=anchor,
            spread=spread,
        )

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
