"""A model and a data set, joined: the objective and its exact gradient at any parameters.

The only place where names become arrays. Nothing iterates here over population parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.dataset.faults import Faults
from pkmodel.errors import DataError, ModelError
from pkmodel.errors import Problem as Fault
from pkmodel.formula import BoundFormula, Formula, bind, parse_formula
from pkmodel.formula.affine import is_log_affine
from pkmodel.kernels.hierarchy import Coordinates, Point, Slopes, hierarchy
from pkmodel.kernels.joint import joint, slopes
from pkmodel.kernels.likelihood import Population, Rows
from pkmodel.kernels.marginal import marginal, predictions
from pkmodel.kernels.metropolis import Averages, Moves, Proposal, Source, walk
from pkmodel.kernels.mode import FOUND, UNDEFINED
from pkmodel.kernels.residual import CENSORED, IGNORED, QUANTIFIED, SD, VARIANCE
from pkmodel.kernels.row_information import row_information
from pkmodel.kernels.subject import LOGITNORMAL, LOGNORMAL, NORMAL, Psi
from pkmodel.kernels.terms import CONDITIONAL, FO, LAPLACE, NODES, Method, Nodes, Terms
from pkmodel.models.model import Model, Options
from pkmodel.models.structural import STRUCTURES
from pkmodel.nodes import drawn_nodes, quadrature_nodes, replicates
from pkmodel.packing import SIGMA_SLOT, Packing, Values
from pkmodel.prediction import compile_records, first_rows, load_events, predict_along
from pkmodel.suggestion import suggest

Vector = NDArray[np.float64]

DISTRIBUTION_CODE = {"lognormal": LOGNORMAL, "normal": NORMAL, "logitnormal": LOGITNORMAL}
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

MOST_NODES = 20_000
"""Of quadrature, for each subject."""

DRAWS = 1024
"""Of importance sampling, for each subject, where no number is asked for."""

FEW_EFFECTS = 3
"""Up to so many effects the exact likelihood is by quadrature, beyond by importance sampling."""


def has_interaction(options: Options) -> bool:
    """Tell whether the residual variance follows the random effects."""
    if options.method == "laplace":
        return options.interaction is not False
    return options.method != "foce"


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
        Monte Carlo standard error of the objective, 0 without one: from the spread between the
        independently randomised parts of the draws; NaN where there is but one part.
    """

    objective: float
    gradient: Vector
    by_subject: Vector
    terms: Terms
    error: float = 0.0


class Problem:
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

    Raises
    ------
    ModelError, DataError
        Where the model asks for what the data or the method cannot give.
    """

    def __init__(
        self, model: Model, dataset: Dataset, options: Options, *, threads: int = 1
    ) -> None:
        self.model = model
        self.dataset = dataset
        self.options = options
        self.threads = threads
        self.structure = STRUCTURES[model.structure]
        self.start = first_rows(dataset)
        self.theta_names = tuple(t.name for t in model.theta)
        formulas = {
            p: parse_formula(model.parameters[p], f"[model.parameters] {p}")
            for p in self.structure.parameters
        }
        used = set().union(*(f.names for f in formulas.values()))
        self.covariates = tuple(sorted(used - set(self.theta_names)))
        self._check_names(formulas)
        dataset.check_covariates(self.covariates)
        has_occasions = any(b.occasion for b in model.omega)
        self.occasion = self._number_occasions() if has_occasions else None
        occasions = int(self.occasion.max()) if self.occasion is not None else 0
        self.packing = Packing(model, occasions)
        self.effects = self.packing.effects
        self.loading = load_events(dataset, self.structure)
        self.steps = compile_records(dataset, self.structure)
        self.rows = self._make_rows()
        self.varies = has_occasions or self._covariates_vary()
        self._bind(formulas)
        self._prepare_directions()
        self._check_zero_predictions()
        self._check_nodes()

    def with_method(self, method: str) -> Problem:
        """Return the same model on the same data under another method."""
        other = copy(self)
        other.options = replace(self.options, method=method, interaction=None)
        return other

    def with_order(self, order: int | None) -> Problem:
        """Return the same problem with so many quadrature nodes in each effect."""
        other = copy(self)
        other.options = replace(self.options, order=order)
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

    # -- set-up ---------------------------------------------------------------------------------

    def _check_names(self, formulas: Mapping[str, Formula]) -> None:
        """Refuse names in formulas that are neither thetas nor columns."""
        known = [*self.theta_names, *self.dataset.covariates, *self.dataset.text]
        faults = [
            Fault(
                f"{name} is neither a theta nor a column of the data; {suggest(name, known)}",
                f"[model.parameters] {parameter}",
            )
            for parameter, formula in formulas.items()
            for name in sorted(formula.names - set(known))
        ]
        if faults:
            raise ModelError(faults)

    def _number_occasions(self) -> NDArray[np.int64]:
        """Count the occasions of each subject 1, 2, ... in order of appearance."""
        out = np.zeros(self.dataset.occ.size, dtype=np.int64)
        for low, high in pairwise(self.start):
            known = {int(v): k for k, v in enumerate(dict.fromkeys(self.dataset.occ[low:high]), 1)}
            out[low:high] = [known[int(v)] for v in self.dataset.occ[low:high]]
        return out

    def _covariates_vary(self) -> bool:
        first = self.start[:-1][self.dataset.subject]
        return any(
            bool(np.any(self.dataset.covariates[c] != self.dataset.covariates[c][first]))
            for c in self.covariates
        )

    def _make_rows(self) -> Rows:
        names = {s.name for s in self.model.residual.sigmas}
        is_log = "lognormal" in names
        seen = self.dataset.is_observation
        y = self.dataset.dv[seen].astype(float)
        is_censored = self.dataset.cens[seen] == 1
        if is_log and np.any(y <= 0.0):
            bad = np.flatnonzero(y <= 0.0)
            raise DataError(
                self._faults(bad, "a lognormal residual needs DV > 0"),
                self.dataset.source,
            )
        is_frozen = self.options.method == "fo" or not has_interaction(self.options)
        if self.options.censoring == "m3" and np.any(is_censored) and is_frozen:
            raise ModelError(
                f"[fit] method = {self.options.method!r} without interaction cannot use the "
                f"{int(is_censored.sum())} censored rows by M3; use method = 'focei' or "
                "'laplace', or leave them out by censoring = 'm1'"
            )
        code = CENSORED if self.options.censoring == "m3" else IGNORED
        status = np.where(is_censored, code, QUANTIFIED).astype(np.int8)
        combine = SD if self.model.residual.combine == "sd" else VARIANCE
        active = np.zeros(3, dtype=bool)
        active[[SIGMA_SLOT[s.name] for s in self.model.residual.sigmas if not s.fixed]] = True
        return Rows(np.log(y) if is_log else y, status, combine, is_log, active)

    def _faults(self, observations: NDArray[np.int64], message: str) -> list[Fault]:
        """Name the first observations of a fault, and count the others."""
        data = self.dataset
        faults = Faults(data.ids, data.subject, data.row, {})
        mask = np.zeros(data.row.size, dtype=bool)
        mask[np.flatnonzero(data.is_observation)[observations]] = True
        faults.rows(mask, "DV", message)
        return faults.problems

    def _bind(self, formulas: Mapping[str, Formula]) -> None:
        at = slice(None) if self.varies else self.start[:-1]
        values = {c: self.dataset.covariates[c][at] for c in self.covariates}
        count = self.dataset.time.size if self.varies else self.dataset.n_subjects
        self._formulas: list[BoundFormula] = [
            bind(formulas[p], self.theta_names, values, count) for p in self.structure.parameters
        ]
        self._count = count
        self._distribution = np.array(
            [
                DISTRIBUTION_CODE[self.model.distribution.get(p, "lognormal")]
                for p in self.structure.parameters
            ]
        )

    def _prepare_directions(self) -> None:
        """Lay out the directions: effects first, then parameters (or thetas, where they vary)."""
        parameters = self.structure.parameters
        n = len(self.effects)
        if not self.varies:
            carried = [e.parameter for e in self.effects]
            rest = [p for p in parameters if p not in carried]
            self._order = np.array([[*carried, *rest].index(p) for p in parameters])
            self._direction = np.zeros((1, len(parameters), len(parameters)))
            self._direction[0, np.arange(len(parameters)), self._order] = 1.0
            self._segment = np.zeros(1, dtype=np.int32)
            return
        self._order = np.arange(len(parameters))
        self._segment = np.arange(self._count, dtype=np.int32)
        self._direction = np.zeros((self._count, len(parameters), n + len(self.theta_names)))
        for k, effect in enumerate(self.effects):
            here = parameters.index(effect.parameter)
            if effect.occasion == 0 or self.occasion is None:
                self._direction[:, here, k] = 1.0
            else:
                self._direction[self.occasion == effect.occasion, here, k] = 1.0

    def _check_zero_predictions(self) -> None:
        """Refuse rows that no drug precedes where the residual error has no variance at zero."""
        names = {s.name for s in self.model.residual.sigmas}
        if "additive" in names:
            return
        parameters = {p: np.exp(-30.0) if p == "CL" else 1.0 for p in self.structure.parameters}
        f, _ = predict_along(self.dataset, self.structure, self.steps, parameters)
        bad = np.flatnonzero(f <= 0.0)
        if bad.size:
            raise DataError(
                self._faults(
                    bad,
                    "no dose precedes this observation, so its prediction is 0 and a "
                    f"{' and '.join(sorted(names))} error has no variance there; set MDV = 1 "
                    "for the row, leave it out by [data] where, or add an additive error",
                ),
                self.dataset.source,
            )

    def _check_nodes(self) -> None:
        """Refuse quadrature in more effects than it can manage."""
        n, order = len(self.effects), self.order
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
    def order(self) -> int:
        """Quadrature nodes in each effect."""
        return self.options.order or ORDER

    @property
    def draws(self) -> int:
        """Draws of each subject for importance sampling."""
        asked = self.options.draws if self.options.method == "imp" else None
        return asked or DRAWS

    @cached_property
    def own_scale(self) -> Vector:
        """What each subject's objective gains by going from log DV to DV: 2 sum log DV."""
        if not self.rows.is_log:
            return np.zeros(self.n_subjects)
        counted = np.where(self.rows.status == QUANTIFIED, self.rows.y, 0.0)
        return 2.0 * self.sum_by_subject(counted)

    def sum_by_subject(self, values: Vector) -> Vector:
        """Sum over each subject's observations; 0 for a subject without any."""
        subject = np.repeat(np.arange(self.n_subjects), np.diff(self.steps.first))
        return np.bincount(subject, weights=values, minlength=self.n_subjects)

    @property
    def n_counted(self) -> int:
        """Observations that the likelihood uses: all but those left out by M1."""
        return int(np.sum(self.rows.status != IGNORED))

    @property
    def n_quantified(self) -> int:
        """Observations that are neither censored nor left out."""
        return int(np.sum(self.rows.status == QUANTIFIED))

    # -- evaluation -----------------------------------------------------------------------------

    @property
    def n_subjects(self) -> int:
        """Subjects."""
        return int(self.dataset.n_subjects)

    def typical(self, theta: Vector) -> tuple[Vector, Vector]:
        """Typical parameters on the transformed scale and their Jacobian in all thetas.

        Returns
        -------
        mu : array (n, parameters)
        jacobian : array (n, parameters, thetas)
        """
        count = len(self.structure.parameters)
        mu = np.empty((self._count, count))
        jacobian = np.empty((self._count, count, theta.size))
        with np.errstate(all="ignore"):
            for p, formula in enumerate(self._formulas):
                value, slope = formula.value_and_jacobian(theta)
                if self._distribution[p] == LOGNORMAL:
                    mu[:, p] = np.log(value)
                    jacobian[:, p] = slope / value[:, None]
                elif self._distribution[p] == NORMAL:
                    mu[:, p] = value
                    jacobian[:, p] = slope
                else:
                    mu[:, p] = np.log(value / (1.0 - value))
                    jacobian[:, p] = slope / (value * (1.0 - value))[:, None]
        return mu, jacobian

    def typical_values(self, theta: Vector) -> Vector:
        """Values of the formulas as they stand, valid or not; array (n, parameters)."""
        return np.column_stack([f.value_and_jacobian(theta)[0] for f in self._formulas])

    @property
    def is_plain(self) -> bool:
        """Whether the fast path of the predictions serves."""
        return (
            not self.varies
            and self.structure.code == 0
            and bool(np.all(self._distribution == LOGNORMAL))
        )

    def _psi(self, mu: Vector, jacobian: Vector) -> Psi:
        direction = self._direction
        if self.varies:
            direction = direction.copy()
            direction[:, :, len(self.effects) :] = jacobian
        return Psi(
            scale=self.dataset.units.scale,
            is_plain=self.is_plain,
            distribution=self._distribution,
            order=self._order,
            segment=self._segment,
            typical=mu,
            direction=direction,
            effects=len(self.effects),
        )

    def _population(self, values: Values) -> Population | None:
        if not np.all(np.isfinite(values.factor)) or not np.all(np.isfinite(values.sigma)):
            return None
        return Population(values.factor, values.sigma)

    def _run(self, psi: Psi, population: Population, method: Method, terms: Terms) -> None:
        def task(low: int, high: int) -> None:
            marginal(self.steps, psi, self.rows, population, method, low, high, terms)

        self._share(task, 256)

    def _share(self, task: Callable[[int, int], None], least: int) -> None:
        """Do a task for all subjects, in threads where each has at least so many of them."""
        n = self.n_subjects
        workers = max(1, min(self.threads, n // least))
        if workers == 1:
            task(0, n)
            return
        bounds = np.linspace(0, n, 4 * workers + 1).astype(int)
        with ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(task, low, high) for low, high in pairwise(bounds)]:
                done.result()

    def load(self) -> None:
        """Have the kernels compiled, or read from the disk, before anything is timed."""
        terms = self._terms(None, len(self.structure.parameters))
        nothing = np.zeros((self._count, len(self.structure.parameters)))
        psi = self._psi(nothing, np.zeros((*nothing.shape, len(self.theta_names))))
        population = self._population(self.packing.unpack(self.packing.initial()))
        assert population is not None
        method = Method(METHOD_KIND["fo"], True, LOOSE, quadrature_nodes(1, len(self.effects)))
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
        return quadrature_nodes(self.order if self.likelihood == "agq" else 1, n)

    def _method(self, tolerance: float) -> Method:
        kind, interaction = METHOD_KIND[self.likelihood], has_interaction(self.options)
        return Method(kind, interaction, tolerance, self._nodes())

    def _error(self, terms: Terms) -> float:
        """Monte Carlo error of the sum: subjects with the same draws err together."""
        parts = self._replicates
        if parts == 0:
            return 0.0
        if parts == 1:
            return float("nan")
        sets = self._nodes().z.shape[0]
        together = np.zeros((sets, parts))
        np.add.at(together, np.arange(self.n_subjects) % sets, -2.0 * terms.deviation)
        return float(np.sqrt(np.sum(np.var(together, axis=1, ddof=1)) / parts))

    def evaluate(
        self, x: Vector, eta: Vector | None = None, *, tolerance: float = TIGHT
    ) -> Evaluation:
        """Evaluate the objective and its exact gradient.

        Parameters
        ----------
        x : array (size,)
            Packed parameters.
        eta : array (subjects, effects), optional
            Where the searches of the modes start; 0 if absent ("cold").
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
        self._run(psi, population, self._method(tolerance), terms)
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

    @property
    def n_directions(self) -> int:
        """Directions of which the kernels give slopes: the effects first."""
        return int(self._direction.shape[2])

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

    def failed(self, terms: Terms) -> NDArray[np.int64]:
        """Return the subjects whose mode was not found."""
        return np.flatnonzero(terms.status != FOUND)

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
