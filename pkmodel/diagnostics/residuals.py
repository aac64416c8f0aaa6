"""Predictions and residuals of every observation, by NONMEM's definitions.

CWRES: conditional weighted residuals of the first-order expansion about the mode
(Hooker, Staatz and Karlsson 2007, 10.1007/s11095-007-9361-x).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.kernels.residual import QUANTIFIED
from pkmodel.problem import Problem, has_interaction

Vector = NDArray[np.float64]


def residual_variance(problem: Problem, x: Vector, f: Vector) -> Vector:
    """Residual variance at predictions `f`, on the residual scale."""
    a, b, p = problem.packing.unpack(x).sigma
    if problem.model.residual.combine == "sd":
        return np.asarray((a + b * f**p) ** 2)
    if b == 0.0:
        return np.full_like(f, a**2)
    return np.asarray(a**2 + b**2 * np.abs(f) ** (2.0 * p))


def _decorrelate(covariance: Vector, residual: Vector) -> Vector:
    """Residuals times the inverse symmetric square root of their covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors @ ((vectors.T @ residual) / np.sqrt(values)))


def conditional_weighted(
    problem: Problem, x: Vector, eta: Vector, f: Vector, slope: Vector, variance: Vector
) -> Vector:
    """CWRES of quantified rows; NaN for censored ones.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
    eta : array (subjects, effects)
        Modes.
    f : array (n_observations,)
        Predictions at the modes, on the residual scale.
    slope : array (n_observations, effects)
    variance : array (n_observations,)
        Residual variance.
    """
    omega = problem.packing.unpack(x).omega
    out = np.full(f.size, np.nan)
    for i in range(problem.n_subjects):
        rows = np.arange(problem.steps.first[i], problem.steps.first[i + 1])
        rows = rows[problem.rows.status[rows] == QUANTIFIED]
        if rows.size == 0:
            continue
        a = slope[rows]
        expected = f[rows] - a @ eta[i]
        covariance = a @ omega @ a.T + np.diag(variance[rows])
        out[rows] = _decorrelate(covariance, problem.rows.y[rows] - expected)
    return out


def predictions_table(problem: Problem, x: Vector, eta: Vector) -> pd.DataFrame:
    """Tabulate every observation, in file order.

    Returns
    -------
    DataFrame
        ID, TIME, DV, PRED, IPRED, IRES, IWRES, CWRES, CENS. Residuals of censored rows are NaN.
        Without interaction IWRES and CWRES are weighted by the residual variance at eta = 0.
    """
    data = problem.dataset
    seen = data.is_observation
    f0, _ = problem.predict_at(x, np.zeros_like(eta))
    f, slope = problem.predict_at(x, eta)
    interaction = has_interaction(problem.options) and problem.options.method != "fo"
    variance = residual_variance(problem, x, f if interaction else f0)
    is_quantified = problem.rows.status == QUANTIFIED
    back = np.exp if problem.rows.is_log else np.asarray
    with np.errstate(all="ignore"):
        weighted = (problem.rows.y - f) / np.sqrt(variance)
        conditional = conditional_weighted(problem, x, eta, f, slope, variance)
    return pd.DataFrame(
        {
            "ID": data.ids[data.subject[seen]],
            "TIME": data.time[seen],
            "DV": data.dv[seen],
            "PRED": back(f0),
            "IPRED": back(f),
            "IRES": np.where(is_quantified, data.dv[seen] - back(f), np.nan),
            "IWRES": np.where(is_quantified, weighted, np.nan),
            "CWRES": conditional,
            "CENS": data.cens[seen],
        }
    )
