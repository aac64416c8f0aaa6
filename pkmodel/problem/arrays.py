"""A model and a data set, joined: the only place where names become arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.dataset.faults import Faults
from pkmodel.errors import DataError, ModelError
from pkmodel.errors import Problem as Fault
from pkmodel.formula import BoundFormula, Formula, bind, parse_formula
from pkmodel.formula.tape import make_tape, typical_and_jacobian
from pkmodel.kernels.likelihood import Population, Rows
from pkmodel.kernels.residual import CENSORED, IGNORED, QUANTIFIED, SD, VARIANCE
from pkmodel.kernels.subject import LOGITNORMAL, LOGNORMAL, NORMAL, Psi
from pkmodel.models.model import Model, Options
from pkmodel.models.structural import STRUCTURES
from pkmodel.packing import SIGMA_SLOT, Packing, Values
from pkmodel.prediction import compile_records, first_rows, load_events, predict_along
from pkmodel.suggestion import suggest

Vector = NDArray[np.float64]

DISTRIBUTION_CODE = {"lognormal": LOGNORMAL, "normal": NORMAL, "logitnormal": LOGITNORMAL}


def has_interaction(options: Options) -> bool:
    """Tell whether the residual variance follows the random effects."""
    if options.method == "laplace":
        return options.interaction is not False
    return options.method != "foce"


class Arrays:
    """The arrays of a checked model on a checked data set, and its typical parameters.

    Parameters, attributes and errors are those of `Problem`.
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
                f"{int(is_censored.sum())} censored rows by M3; use a method with it (focei, "
                "laplace, agq, imp, saem, nuts), or leave them out by censoring = 'm1'"
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
        everyone = {k: k for k in range(len(self.theta_names))}
        self._tape = make_tape(self._formulas, everyone, self._distribution)

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

    def mean_by_subject(self, values: Vector) -> Vector:
        """Average what stands at each row over the rows of each subject; array (subjects, ...)."""
        counts = np.diff(self.start).reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(np.add.reduceat(values, self.start[:-1]) / counts)

    @property
    def n_counted(self) -> int:
        """Observations that the likelihood uses: all but those left out by M1."""
        return int(np.sum(self.rows.status != IGNORED))

    @property
    def n_quantified(self) -> int:
        """Observations that are neither censored nor left out."""
        return int(np.sum(self.rows.status == QUANTIFIED))

    @property
    def n_subjects(self) -> int:
        """Subjects."""
        return int(self.dataset.n_subjects)

    @property
    def n_observed(self) -> int:
        """Subjects of whom the likelihood uses an observation."""
        return int(np.sum(self.sum_by_subject(self.rows.status != IGNORED) > 0.0))

    @property
    def n_directions(self) -> int:
        """Directions of which the kernels give slopes: the effects first."""
        return int(self._direction.shape[2])

    def typical(self, theta: Vector) -> tuple[Vector, Vector]:
        """Typical parameters on the transformed scale and their Jacobian in all thetas.

        Returns
        -------
        mu : array (n, parameters)
        jacobian : array (n, parameters, thetas)
        """
        return typical_and_jacobian(self._tape, theta, theta.size)

    def typical_values(self, theta: Vector) -> Vector:
        """Values of the formulas as they stand, valid or not; array (n, parameters)."""
        return np.column_stack([f.value(theta) for f in self._formulas])

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
