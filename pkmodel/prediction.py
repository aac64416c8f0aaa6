"""From records to predictions at given structural parameters: no thetas, no effects, no errors."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.kernels.events import Steps, Table, compile_steps
from pkmodel.kernels.likelihood import Rows
from pkmodel.kernels.marginal import predictions
from pkmodel.kernels.predict import predict_range
from pkmodel.kernels.residual import VARIANCE
from pkmodel.kernels.subject import Psi
from pkmodel.models.structural import STRUCTURES, Structure

Vector = NDArray[np.float64]


def first_rows(dataset: Dataset) -> NDArray[np.int64]:
    """First row of each subject, and one past the last row."""
    return np.searchsorted(dataset.subject, np.arange(dataset.n_subjects + 1))


def event_table(dataset: Dataset, structure: Structure) -> Table:
    """Return the columns that events are made of, for a structural model."""
    cmt = np.where(dataset.cmt > 0, dataset.cmt, structure.default_dose)
    is_oral = len(structure.compartments) > 1
    depot = (cmt == 1) if is_oral else np.zeros(cmt.size, dtype=bool)
    return Table(
        start=first_rows(dataset),
        time=dataset.time,
        amount=np.nan_to_num(dataset.amt),
        rate=np.nan_to_num(dataset.rate),
        interval=np.nan_to_num(dataset.ii),
        additional=dataset.addl,
        steady=dataset.ss,
        event=dataset.evid,
        compartment=depot.astype(np.int64),
        observed=dataset.is_observation,
    )


def compile_records(dataset: Dataset, structure: Structure) -> Steps:
    """Compile a data set's events for a structural model."""
    table = event_table(dataset, structure)
    return compile_steps(table, carry_forward=dataset.covariate_rule == "locf")


def is_cold() -> bool:
    """Tell whether the likelihood's kernels are still to be compiled on this machine."""
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    folder = Path(predict_range.entrance.stats.cache_path)
    return not any(folder.glob(f"marginal._marginal-*.{version}*.nbi"))


def load_events(dataset: Dataset, structure: Structure) -> float:
    """Have the kernels of events and predictions compiled, or read, by a table without rows.

    Returns
    -------
    float
        Seconds that it took.
    """
    begin = time.perf_counter()
    table = event_table(dataset, structure)
    nothing = Table._make([table.start[:1], *(column[:0] for column in table[1:])])
    steps = compile_steps(nothing, carry_forward=False)
    typical = np.zeros((0, len(structure.parameters)))
    _predict_typical(structure, steps, dataset.units.scale, typical, is_constant=True, size=0)
    return time.perf_counter() - begin


def predict(
    dataset: Dataset,
    structure: str,
    parameters: Mapping[str, float | Vector],
    *,
    derivatives: bool = False,
) -> Vector | tuple[Vector, Vector]:
    """Predict the concentration at every observation row, at given structural parameters.

    Parameters
    ----------
    dataset : Dataset
    structure : str
        Name of the structural model.
    parameters : mapping of str to float or array (n_rows,)
        CL, V (and KA); an array gives a value for every row, which holds over intervals by the
        data set's covariate rule.
    derivatives : bool
        Return also the derivatives in the logarithms of the parameters, all rows moved together.

    Returns
    -------
    f : array (n_observations,)
    derivatives : array (n_observations, n_parameters)
        Only where asked for.
    """
    spec = STRUCTURES[structure]
    f, slope = predict_along(dataset, spec, compile_records(dataset, spec), parameters)
    return (f, slope) if derivatives else f


def predict_along(
    dataset: Dataset, spec: Structure, steps: Steps, parameters: Mapping[str, float | Vector]
) -> tuple[Vector, Vector]:
    """Predict along compiled steps; return also the slopes in the log parameters."""
    is_constant = all(np.ndim(parameters[p]) == 0 for p in spec.parameters)
    rows = dataset.n_subjects if is_constant else dataset.time.size
    scale = dataset.units.scale
    typical = _log_columns(spec, parameters, rows)
    return _predict_typical(
        spec, steps, scale, typical, is_constant=is_constant, size=dataset.n_observations
    )


def predict_subjects(
    spec: Structure, steps: Steps, scale: float, parameters: Mapping[str, Vector]
) -> Vector:
    """Predict every observation of subjects whose parameters are constant in time.

    Parameters
    ----------
    spec : Structure
    steps : Steps
        Compiled events.
    scale : float
        Concentrations are amount / L times this.
    parameters : mapping of str to array (n_subjects,)
        CL, V (and KA).

    Returns
    -------
    array (n_observations,)
    """
    typical = _log_columns(spec, parameters, steps.first.size - 1)
    size = int(steps.first[-1])
    return _predict_typical(spec, steps, scale, typical, is_constant=True, size=size)[0]


def _log_columns(spec: Structure, parameters: Mapping[str, float | Vector], rows: int) -> Vector:
    columns = [np.broadcast_to(parameters[p], rows) for p in spec.parameters]
    return np.asarray(np.log(np.column_stack(columns)))


def _predict_typical(
    spec: Structure, steps: Steps, scale: float, typical: Vector, *, is_constant: bool, size: int
) -> tuple[Vector, Vector]:
    """Predict `size` observations at log parameters by subject, or by row."""
    count = len(spec.parameters)
    psi = Psi(
        scale=scale,
        is_plain=is_constant and spec.code == 0,
        distribution=np.zeros(count, dtype=np.int64),
        order=np.arange(count),
        segment=np.arange(1 if is_constant else len(typical), dtype=np.int32),
        typical=np.ascontiguousarray(typical, dtype=float),
        direction=np.eye(count)[None].copy(),
        effects=0,
    )
    plain = Rows(np.zeros(0), np.zeros(0, dtype=np.int8), VARIANCE, False, np.zeros(3, dtype=bool))
    f = np.zeros(size)
    f1 = np.zeros((size, count))
    predictions(steps, psi, plain, np.zeros((steps.first.size - 1, 0)), f, f1)
    return f, f1
