"""Predictions between the records: lines that show a decline where no sample was taken.

Each inserted time has the covariates that hold there by the data set's rule, so the lines pass
through the predictions at the observations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.errors import ModelError
from pkmodel.plots.typical import back_transform
from pkmodel.prediction import compile_records, first_rows, predict_along
from pkmodel.result import Fit

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

STEPS = 12
"""Points of a line between two events."""

COMMON_EVENTS = 60
"""Events between which a line that several subjects share is refined."""


@dataclass(frozen=True)
class _Rows:
    """Rows of a data set, and rows between them, in order.

    Attributes
    ----------
    source : array (n,)
        The data set's row; of a row between, the one whose covariates hold there.
    time : array (n,)
    is_between : array (n,)
    """

    source: Ints
    time: Vector
    is_between: NDArray[np.bool_]


def individual_lines(fit: Fit) -> pd.DataFrame:
    """Predict each subject from its first dose to its last record, densely after each event.

    Returns
    -------
    DataFrame
        ID, SUBJECT (its index), TIME, PRED (no random effects), IPRED (at the mode; NaN where
        none was found), in order of time within each subject.
    """
    return _lines(fit, None)


def lines_at(fit: Fit, times: Vector) -> pd.DataFrame:
    """Predict each subject at common times, as far as they lie between its dose and last record.

    Parameters
    ----------
    fit : Fit
    times : array (n,)
        In order.

    Returns
    -------
    DataFrame
        As `individual_lines`.

    Raises
    ------
    ModelError
        The time of a subject begins anew, so that a time is not one moment.
    """
    dataset = fit.problem.dataset
    back = np.flatnonzero((np.diff(dataset.time) < 0.0) & (np.diff(dataset.subject) == 0))
    if back.size:
        label = dataset.ids[dataset.subject[back[0]]]
        raise ModelError(
            f"no common times: TIME of subject {label} begins anew at row "
            f"{dataset.row[back[0] + 1]}; draw individual predictions instead of their median"
        )
    return _lines(fit, times)


def common_times(dataset: Dataset, subjects: Ints) -> Vector:
    """Return times that suit the events of several subjects."""
    records = _records(dataset)
    events = np.unique(np.concatenate([_event_times(dataset, records[i]) for i in subjects]))
    if events.size > COMMON_EVENTS:
        events = np.unique(np.quantile(events, np.linspace(0.0, 1.0, COMMON_EVENTS)))
    pieces = [_between(low, high) for low, high in pairwise(events)]
    return np.unique(np.concatenate([events, *pieces]))


def _lines(fit: Fit, times: Vector | None) -> pd.DataFrame:
    problem = fit.problem
    rows = _dense_rows(problem.dataset, times)
    dense = _dense_dataset(problem.dataset, rows, problem.structure.observed)
    terms = fit.estimate.final.terms
    eta = terms.eta.copy()
    eta[problem.failed(terms)] = np.nan
    shown = rows.is_between[dense.is_observation]
    subject = dense.subject[dense.is_observation][shown]
    table = {
        "ID": problem.dataset.ids[subject],
        "SUBJECT": subject,
        "TIME": dense.time[dense.is_observation][shown],
        "PRED": _predict(fit, dense, rows, np.zeros_like(eta))[shown],
        "IPRED": _predict(fit, dense, rows, eta)[shown],
    }
    return pd.DataFrame(table)


def _predict(fit: Fit, dense: Dataset, rows: _Rows, eta: Vector) -> Vector:
    """Predict at every observation row of the dense data."""
    problem = fit.problem
    psi, _ = problem.typical(problem.packing.unpack(fit.estimate.x).theta)
    if not problem.varies:
        psi = psi[problem.dataset.subject]
    psi = psi.copy()
    parameters = problem.structure.parameters
    for k, effect in enumerate(problem.effects):
        effects = eta[problem.dataset.subject, k]
        if effect.occasion and problem.occasion is not None:
            effects = np.where(problem.occasion == effect.occasion, effects, 0.0)
        psi[:, parameters.index(effect.parameter)] += effects
    values = {
        name: back_transform(psi[rows.source, p], problem.model.distribution.get(name, "lognormal"))
        for p, name in enumerate(parameters)
    }
    with np.errstate(all="ignore"):
        f, _ = predict_along(
            dense, problem.structure, compile_records(dense, problem.structure), values
        )
    return f


def _dense_rows(dataset: Dataset, times: Vector | None) -> _Rows:
    source, time, is_between = [], [], []
    carries_forward = dataset.covariate_rule == "locf"
    for own in _records(dataset):
        events = _event_times(dataset, own)
        has_dose = False
        for row in own:
            source.append([row])
            time.append(dataset.time[row : row + 1])
            is_between.append([False])
            has_dose |= bool(dataset.is_dose[row])
            if not has_dose or row == own[-1]:
                continue
            points = _points(dataset.time[row], dataset.time[row + 1], events, times)
            source.append([row if carries_forward else row + 1] * points.size)
            time.append(points)
            is_between.append([True] * points.size)
    return _Rows(
        np.concatenate(source).astype(np.int64),
        np.concatenate(time),
        np.concatenate(is_between).astype(bool),
    )


def _records(dataset: Dataset) -> list[Ints]:
    """Return the rows of each subject."""
    start = first_rows(dataset)
    return [np.arange(low, high) for low, high in pairwise(start)]


def _points(low: float, high: float, events: Vector, times: Vector | None) -> Vector:
    """Return times between two records: given ones, or some after every event."""
    if high <= low:
        return np.zeros(0)
    if times is not None:
        return times[(times > low) & (times <= high)]
    inner = events[(events > low) & (events < high)]
    edges = np.r_[low, inner, high]
    return np.concatenate([_between(a, b) for a, b in pairwise(edges)])


def _between(low: float, high: float) -> Vector:
    """Return times from just after `low` up to `high`, close to each other at first."""
    share = np.r_[1e-4, (np.arange(1, STEPS + 1) / STEPS) ** 3]
    return np.asarray(low + (high - low) * share)


def _event_times(dataset: Dataset, own: Ints) -> Vector:
    """Return the times of a subject's records, of its further doses, and of ends of infusions."""
    out = [dataset.time[own]]
    for row in own[dataset.is_dose[own]]:
        further = np.arange(dataset.addl[row] + 1) if dataset.ii[row] > 0.0 else np.zeros(1)
        doses = dataset.time[row] + further * np.nan_to_num(dataset.ii[row])
        duration = dataset.amt[row] / dataset.rate[row] if dataset.rate[row] > 0.0 else 0.0
        out += [doses, doses + duration]
    events = np.unique(np.concatenate(out))
    return np.asarray(events[events <= dataset.time[own].max()])


def _dense_dataset(dataset: Dataset, rows: _Rows, observed: int) -> Dataset:
    """Return the data set with an observation at each row between."""
    return replace(
        dataset,
        subject=dataset.subject[rows.source],
        row=dataset.row[rows.source],
        time=rows.time,
        amt=_column(dataset.amt, rows, 0.0),
        rate=_column(dataset.rate, rows, 0.0),
        ii=_column(dataset.ii, rows, 0.0),
        dv=_column(dataset.dv, rows, np.nan),
        limit=_column(dataset.limit, rows, np.nan),
        evid=_column(dataset.evid, rows, 0),
        mdv=_column(dataset.mdv, rows, 0),
        cmt=_column(dataset.cmt, rows, observed),
        addl=_column(dataset.addl, rows, 0),
        ss=_column(dataset.ss, rows, 0),
        cens=_column(dataset.cens, rows, 0),
        occ=dataset.occ[rows.source],
        covariates={},
    )


def _column[T: np.generic](values: NDArray[T], rows: _Rows, between: float) -> NDArray[T]:
    """Return a column of the dense data, with one value at all rows between."""
    out = values[rows.source]
    out[rows.is_between] = between
    return out
