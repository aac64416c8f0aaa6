"""Exposure of each subject by the model: at the modes, or by draws.

The intervals say how well a subject's own data, with the population as the prior, tell its value.
Those of conditional laws take the population parameters as known; by draws from a posterior the
intervals count what is not known of these, too.

Where parameters or sizes change in time, those of one record count together: clearance per m2 is
the clearance by the covariates of a record over the body surface of the same record.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from pkmodel.diagnostics.individuals import individual_parameters, log_slopes
from pkmodel.draws.sample import Sample
from pkmodel.exposure.metric import OF_A_SUBJECT, Metric, Subject
from pkmodel.exposure.periods import constant_rate_periods, longest, total_amount
from pkmodel.kernels.mode import FOUND
from pkmodel.problem import Evaluation, Problem
from pkmodel.subjects import Subjects

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL = 0.9


def exposure_table(
    problem: Problem,
    x: Vector,
    evaluation: Evaluation,
    subjects: Subjects,
    sample: Sample | None = None,
) -> pd.DataFrame:
    """Tabulate the exposure of each subject.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Packed parameters.
    evaluation : Evaluation
        There, with the modes.
    subjects : Subjects
    sample : Sample, optional
        From conditional laws or a posterior, which may be skewed: values are then medians and
        intervals the middle 90 % of the draws. Without it values are those at the modes and
        intervals those of normal laws on the logarithmic scale.

    Returns
    -------
    DataFrame
        ID, GROUP, AGE (years, at the first record), BSA (m2), WT (kg), R0 (rate of the longest
        constant-rate period), R0_LASTS (its length), R0_BSA, then each metric of `OF_A_SUBJECT`
        with the ends ``<METRIC>_LOWER`` and ``_UPPER`` of its 90 % interval. Covariates, BSA and WT
        are those that hold when the longest constant-rate period ends, by the data set's covariate
        rule; those of the first record for a subject without infusions. What the data do not allow
        is left out as a column, and NaN for single subjects; a subject whose mode was not found has
        NaN throughout.
    """
    rows, size, lasts = subject_sizes(problem, subjects)
    has_rate = np.isfinite(size.rate)
    table = _who(problem, subjects, size)
    if np.any(has_rate):
        table["R0"] = size.rate
        table["R0_LASTS"] = lasts
        if size.bsa is not None:
            table["R0_BSA"] = size.rate_by_size
    if sample is None:
        law = _log_parameters(problem, x, evaluation, rows)
        for name, metric in OF_A_SUBJECT.items():
            _add(table, name, metric, size, *law)
        return table
    drawn = _at_draws(problem, sample, rows)
    for name, metric in OF_A_SUBJECT.items():
        _add_drawn(table, name, metric, size, drawn)
    return table


def subject_sizes(problem: Problem, subjects: Subjects) -> tuple[Ints, Subject, Vector]:
    """Find what each subject's exposure needs beside CL and V.

    Returns
    -------
    rows : array (n,)
        Rows whose covariates count: at the end of the longest constant-rate period, the first one
        of a subject without infusions.
    size : Subject
        There.
    lasts : array (n,)
        Length of that period; NaN without infusions.
    """
    dataset = problem.dataset
    periods = constant_rate_periods(dataset, structure=problem.structure)
    main = longest(periods, problem.n_subjects)
    rows = np.where(main >= 0, np.r_[periods.parameter_row, 0][main], problem.start[:-1])
    size = Subject(
        scale=dataset.units.scale,
        rate=np.append(periods.rate, np.nan)[main],
        amount=total_amount(dataset, structure=problem.structure),
        bsa=subjects.bsa_at(rows),
        weight=subjects.weight_at(rows),
    )
    return rows, size, np.append(periods.end - periods.start, np.nan)[main]


def period_table(
    problem: Problem,
    x: Vector,
    evaluation: Evaluation,
    subjects: Subjects,
    sample: Sample | None = None,
) -> pd.DataFrame:
    """Tabulate Css on every constant-rate period; parameters are those of `exposure_table`.

    Returns
    -------
    DataFrame
        ID, GROUP, START, END, R0, R0_BSA, CSS, CSS_LOWER, CSS_UPPER; a row per period, with the
        covariates and the body surface that hold when it ends.
    """
    dataset = problem.dataset
    periods = constant_rate_periods(dataset, structure=problem.structure)
    of = periods.subject
    size = Subject(
        scale=dataset.units.scale,
        rate=periods.rate,
        amount=total_amount(dataset, structure=problem.structure)[of],
        bsa=subjects.bsa_at(periods.parameter_row),
        weight=subjects.weight_at(periods.parameter_row),
    )
    table = pd.DataFrame({"ID": dataset.ids[of]})
    if subjects.groups is not None:
        table["GROUP"] = subjects.groups.labels[of]
    table = table.assign(START=periods.start, END=periods.end, R0=periods.rate)
    if size.bsa is not None:
        table["R0_BSA"] = size.rate_by_size
    css, rows = OF_A_SUBJECT["CSS"], periods.parameter_row
    if sample is None:
        _add(table, "CSS", css, size, *_log_parameters(problem, x, evaluation, rows, of))
    else:
        _add_drawn(table, "CSS", css, size, _at_draws(problem, sample, rows, of))
    return table


def log_cl_v(values: Mapping[str, Vector]) -> Vector:
    """Logarithms of CL and V on a last axis of 2; NaN where one is not positive."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log(np.stack([values["CL"], values["V"]], axis=-1))


def _at_draws(problem: Problem, sample: Sample, rows: Ints, of: Ints | None = None) -> Vector:
    """Logarithms of CL and V at rows and draws, chain after chain, (draws, n, 2)."""
    eta = sample.eta if of is None else sample.eta[:, :, of]
    logs = log_cl_v(individual_parameters(problem, sample.x, eta, rows))
    return logs.reshape(-1, *logs.shape[2:])


def _who(problem: Problem, subjects: Subjects, size: Subject) -> pd.DataFrame:
    table: dict[str, object] = {"ID": problem.dataset.ids}
    if subjects.groups is not None:
        table["GROUP"] = subjects.groups.labels
    for name, values in (("AGE", subjects.age), ("BSA", size.bsa), ("WT", size.weight)):
        if values is not None:
            table[name] = values
    return pd.DataFrame(table)


def _log_parameters(
    problem: Problem, x: Vector, evaluation: Evaluation, rows: Ints, of: Ints | None = None
) -> tuple[Vector, Vector]:
    """Logarithms of CL and V at rows, (n, 2), and their conditional covariance, (n, 2, 2)."""
    of = np.arange(problem.n_subjects) if of is None else of
    terms = evaluation.terms
    values = individual_parameters(problem, x, terms.eta[of], rows)
    slopes = log_slopes(problem, values)[:, [list(values).index(p) for p in ("CL", "V")]]
    covariance = slopes @ terms.covariance[of] @ slopes.transpose(0, 2, 1)
    failed = terms.status[of] != FOUND
    logs = log_cl_v(values)
    logs[failed] = np.nan
    return logs, covariance


def _known_factor(metric: Metric, size: Subject) -> Vector | None:
    """Return the factor of a metric, if some subject has it."""
    factor = metric.factor(size)
    return factor if factor is not None and np.any(np.isfinite(factor)) else None


def _add(
    table: pd.DataFrame,
    name: str,
    metric: Metric,
    size: Subject,
    mean: Vector,
    covariance: Vector,
) -> None:
    """Add a metric at the modes with the interval of a normal law of its logarithm."""
    factor = _known_factor(metric, size)
    if factor is None:
        return
    powers = np.array([metric.cl, metric.v], dtype=float)
    centre = mean @ powers
    variance = np.einsum("a,nab,b->n", powers, covariance, powers)
    width = norm.ppf(0.5 + 0.5 * LEVEL) * np.sqrt(variance)
    with np.errstate(over="ignore", invalid="ignore"):
        table[name] = factor * np.exp(centre)
        table[f"{name}_LOWER"] = factor * np.exp(centre - width)
        table[f"{name}_UPPER"] = factor * np.exp(centre + width)


def _add_drawn(
    table: pd.DataFrame, name: str, metric: Metric, size: Subject, drawn: Vector
) -> None:
    """Add the median of a metric over draws (draws, n, 2), and their middle."""
    factor = _known_factor(metric, size)
    if factor is None:
        return
    values = drawn @ np.array([metric.cl, metric.v], dtype=float)
    ends = 0.5 + np.array([0.0, -0.5, 0.5]) * LEVEL
    middle, low, high = factor * np.exp(np.quantile(values, ends, axis=0))
    table[name], table[f"{name}_LOWER"], table[f"{name}_UPPER"] = middle, low, high
