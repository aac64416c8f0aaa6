"""The objective and its exact gradient at any parameters, the random effects integrated out.

Nothing iterates here over population parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.errors import ModelError
from pkmodel.errors import Problem as Fault
from pkmodel.kernels.joint import slopes
from pkmodel.kernels.likelihood import Population
from pkmodel.kernels.marginal import marginal
from pkmodel.kernels.metropolis import Averages, Moves, Proposal, Source, walk
from pkmodel.kernels.mode import FOUND, UNDEFINED
from pkmodel.kernels.row_information import row_information
from pkmodel.kernels.subject import Psi
from pkmodel.kernels.terms import CONDITIONAL, FO, LAPLACE, NODES, Method, Nodes, Terms
from pkmodel.models.model import Model, Options
from pkmodel.nodes import drawn_nodes, quadrature_nodes, replicates
from pkmodel.packing import Packing
from pkmodel.problem.arrays import has_interaction
from pkmodel.problem.densities import Densities

Vector = NDArray[np.float64]

METHOD_KIND = {
    "fo": FO,
    "foce": CONDITIONAL,
    "focei": CONDITIONAL,
    "laplace": LAPLACE,
    "agq": NODES,
    "imp": NODES,
}
LOOSE, TIGHT = 1e-14, 1e-21

ORDER = 5
"""Quadrature nodes in each effect where none is asked for and none has been settled on."""

ONE = np.array([1])

MOST_NODES = 20_000
"""Of quadrature, for each subject."""

DRAWS = 1152
"""Of importance sampling, for each subject, where no number is asked for."""

FEW_EFFECTS = 3
"""Up to so many effects the exact likelihood is by quadrature, beyond by importance sampling."""


EXACT = ("agq", "imp")
"""Methods whose objective is exact, but for what nodes and draws leave."""


def exact_method(problem: Problem) -> str:
    """Name the method of the exact likelihood: quadrature where it can manage the effects."""
    return "agq" if len(problem.effects) <= FEW_EFFECTS else "imp"


@dataclass(frozen=True)
class Evaluation:
    """The objective at a packed vector.

    Attributes
    ----------
    objective : float
        NONMEM's scale; infinite where a subject's model, or a derivative, is not defined.
    gradient : array (size,)
    by_subject : array (subjects, size)
        Gradient of each subject's objective.
    terms : Terms
    error : float
        Monte Carlo error of the objective, 0 without one: how far it is from the exact one, as a
        root of a mean square. By the jackknife, from what the objective is without each of the
        independently randomised parts of the draws: its variance, and the square of its bias, for
        the logarithm of a scattering mean is too low. NaN where there is but one part.
    """

    objective: float
    gradient: Vector
    by_subject: Vector
    terms: Terms
    error: float = 0.0


class Problem(Densities):
    """A checked model on a checked data set.

    Parameters
    ----------
    model : Model
    dataset : Dataset
    options : Options
    threads : int
        Threads that share the subjects; results are the same to the bit for any number.

    Attributes
    ----------
    loading : float
        Seconds that the set-up waited for kernels.
    orders : array (1,) or (subjects,)
        Quadrature nodes in each effect.

    Raises
    ------
    ModelError, DataError
        Where the model asks for what the data or the method cannot give.
    """

    def __init__(
        self, model: Model, dataset: Dataset, options: Options, *, threads: int = 1
    ) -> None:
        super().__init__(model, dataset, options, threads=threads)
        self.orders = np.array([options.order or ORDER])
        self._check_nodes()

    def with_method(self, method: str) -> Problem:
        """Return the same model on the same data under another method."""
        other = copy(self)
        other.options = replace(self.options, method=method, interaction=None)
        return other

    def with_order(self, order: int | NDArray[np.int64]) -> Problem:
        """Return the same problem with so many quadrature nodes in each effect, of all or each."""
        other = copy(self)
        other.orders = np.atleast_1d(order)
        other._check_nodes()
        return other

    def with_draws(self, draws: int, seed: int) -> Problem:
        """Return the same problem with other draws for importance sampling."""
        other = copy(self)
        other.options = replace(self.options, draws=draws, seed=seed)
        return other

    def holding(self, values: Mapping[str, float]) -> Problem:
        """Return the same model on the same data with thetas held at given values."""
        other = copy(self)
        theta = (
            replace(t, init=values[t.name], fixed=True) if t.name in values else t
            for t in self.model.theta
        )
        other.model = replace(self.model, theta=tuple(theta))
        other.packing = Packing(other.model, self.packing.occasions)
        return other

    def _check_nodes(self) -> None:
        """Refuse quadrature in more effects than it can manage."""
        n, order = len(self.effects), int(np.max(self.orders))
        if self.likelihood == "agq" and order**n > MOST_NODES:
            raise ModelError(
                Fault(
                    f"quadrature of order {order} in {n} effects needs {order**n} nodes for each "
                    f"subject (at most {MOST_NODES}); use method = 'imp', or a lower order",
                    "[fit] order",
                )
            )

    @property
    def likelihood(self) -> str:
        """The method by which the objective is evaluated: its own, or the exact one."""
        method = self.options.method
        return method if method in METHOD_KIND else exact_method(self)

    @property
    def draws(self) -> int:
        """Draws of each subject for importance sampling."""
        asked = self.options.draws if self.options.method == "imp" else None
        return asked or DRAWS

    def load(self) -> None:
        """Have the kernels compiled, or read from the disk, before anything is timed."""
        terms = self._terms(None, len(self.structure.parameters))
        nothing = np.zeros((self._count, len(self.structure.parameters)))
        psi = self._psi(nothing, np.zeros((*nothing.shape, len(self.theta_names))))
        population = self._population(self.packing.unpack(self.packing.initial()))
        assert population is not None
        nodes = quadrature_nodes(ONE, len(self.effects))
        method = Method(METHOD_KIND["fo"], True, False, LOOSE, nodes)
        marginal(self.steps, psi, self.rows, population, method, 0, 0, terms)
        if self.options.method == "saem":
            self._load_sampler(psi, population)

    def _load_sampler(self, psi: Psi, population: Population) -> None:
        n, m = len(self.effects), psi.direction.shape[2]
        none, some = np.zeros((0, n)), np.zeros((0, n, n))
        words = np.zeros(2, dtype=np.uint64)
        averages = Averages(some, some[..., None], some, some[..., None], some, some)
        proposal, source = Proposal(none, some, none), Source(words, words, 0)
        data = self.steps, psi, self.rows, population
        walk(*data, proposal, source, Moves(1, 1, 1), 0, 0, some, averages)
        row_information(*data, none, some, some)
        slopes(*data, some, none, np.zeros((0, n, m)), some)

    def _terms(self, eta: Vector | None, directions: int) -> Terms:
        n, effects = self.n_subjects, len(self.effects)
        return Terms(
            objective=np.full(n, np.inf),
            by_direction=np.zeros((n, directions)),
            by_sigma=np.zeros((n, 3)),
            by_factor=np.zeros((n, effects, effects)),
            eta=np.zeros((n, effects)) if eta is None else eta.copy(),
            covariance=np.zeros((n, effects, effects)),
            deviation=np.zeros((n, self._replicates)),
            share=np.ones(n),
            status=np.full(n, UNDEFINED, dtype=np.int8),
        )

    @property
    def _replicates(self) -> int:
        return replicates(self.draws) if self.likelihood == "imp" else 0

    def _nodes(self) -> Nodes:
        n = len(self.effects)
        if self.likelihood == "imp":
            return drawn_nodes(self.draws, n, self.n_subjects, self.options.seed)
        return quadrature_nodes(self.orders if self.likelihood == "agq" else ONE, n)

    def _method(self, tolerance: float, *, is_cold: bool) -> Method:
        kind, interaction = METHOD_KIND[self.likelihood], has_interaction(self.options)
        return Method(kind, interaction, is_cold, tolerance, self._nodes())

    def _error(self, terms: Terms) -> float:
        """Jackknife over the parts of the draws: of subjects with the same ones, of their sum."""
        parts = self._replicates
        if parts == 0:
            return 0.0
        if parts == 1:
            return float("nan")
        sets = self._nodes().chosen.size
        remains = np.maximum(1.0 - terms.deviation / (parts - 1), np.finfo(float).eps)
        without = np.zeros((sets, parts))
        np.add.at(without, np.arange(self.n_subjects) % sets, -2.0 * np.log(remains))
        variance = (parts - 1) * np.sum(np.var(without, axis=1))
        bias = (parts - 1) * np.sum(np.mean(without, axis=1))
        return float(np.sqrt(variance + bias**2))

    def _run(self, psi: Psi, population: Population, method: Method, terms: Terms) -> None:
        def task(low: int, high: int) -> None:
            marginal(self.steps, psi, self.rows, population, method, low, high, terms)

        self._share(task, 256)

    def evaluate(
        self, x: Vector, eta: Vector | None = None, *, tolerance: float = TIGHT
    ) -> Evaluation:
        """Evaluate the objective and its exact gradient.

        Parameters
        ----------
        x : array (size,)
            Packed parameters.
        eta : array (subjects, effects), optional
            Where the searches of the modes start; if absent ("cold"), 0 and the low points of
            a grid about it.
        tolerance : float
            Newton decrement at which a mode is found.

        Returns
        -------
        Evaluation
        """
        values = self.packing.unpack(x)
        mu, jacobian = self.typical(values.theta)
        psi = self._psi(mu, jacobian)
        terms = self._terms(eta, psi.direction.shape[2])
        population = self._population(values)
        if population is None or not np.all(np.isfinite(mu)):
            nothing = np.full((self.n_subjects, self.packing.size), np.nan)
            return Evaluation(np.inf, nothing[0], nothing, terms)
        self._run(psi, population, self._method(tolerance, is_cold=eta is None), terms)
        if self.varies:
            by_theta = terms.by_direction[:, len(self.effects) :]
        else:
            by_psi = terms.by_direction[:, self._order]
            by_theta = np.einsum("np,npt->nt", by_psi, jacobian)
        by_subject = self.packing.pull_back(x, by_theta, terms.by_factor, terms.by_sigma)
        objective = float(np.sum(terms.objective))
        gradient = np.sum(by_subject, axis=0)
        if not np.isfinite(objective) or not np.all(np.isfinite(gradient)):
            objective = np.inf
        return Evaluation(objective, gradient, by_subject, terms, self._error(terms))

    def failed(self, terms: Terms) -> NDArray[np.int64]:
        """Return the subjects whose mode was not found."""
        return np.flatnonzero(terms.status != FOUND)
