"""Log likelihood of every observation given the random effects, and draws of what it might be.

The likelihood is the method's own: by FO that of the model linearised at eta = 0, by FOCE with the
residual variance at eta = 0. New observations are those of the model itself, whatever the method.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from pkmodel.diagnostics.residuals import residual_variance
from pkmodel.draws.sample import Sample
from pkmodel.kernels.residual import CENSORED, FLOOR, IGNORED, QUANTIFIED
from pkmodel.problem import Problem, has_interaction

Vector = NDArray[np.float64]


def counted(problem: Problem) -> NDArray[np.bool_]:
    """Tell which observations the likelihood uses: all but those left out by M1."""
    return np.asarray(problem.rows.status != IGNORED)


def log_likelihood(problem: Problem, sample: Sample) -> Vector:
    """Log likelihood of each counted observation, given the effects of its subject.

    Parameters
    ----------
    problem : Problem
    sample : Sample

    Returns
    -------
    array (chains, draws, counted observations)
        Of DV on its own scale, with the constants of a normal density; of a censored row the log
        probability to be below its limit.
    """
    used = counted(problem)
    out = np.empty((*sample.shape, int(np.sum(used))))
    for at in np.ndindex(sample.shape):
        f, variance = _own_prediction(problem, sample.x[at], sample.eta[at])
        out[at] = _log_density(problem, f, variance)[used]
    return out


def _own_prediction(problem: Problem, x: Vector, eta: Vector) -> tuple[Vector, Vector]:
    """Prediction and residual variance of the method's own model."""
    f, _ = problem.predict_at(x, eta)
    if has_interaction(problem.options) and problem.options.method != "fo":
        return f, _variance(problem, x, f)
    f0, slope = problem.predict_at(x, np.zeros_like(eta))
    if problem.options.method == "fo":
        subject = np.repeat(np.arange(problem.n_subjects), np.diff(problem.steps.first))
        f = f0 + np.sum(slope * eta[subject], axis=1)
    return f, _variance(problem, x, f0)


def _variance(problem: Problem, x: Vector, f: Vector) -> Vector:
    """Residual variance, which a prediction of zero leaves positive as in the kernels."""
    return residual_variance(problem, x, f if problem.rows.is_log else np.maximum(f, FLOOR))


def _log_density(problem: Problem, f: Vector, variance: Vector) -> Vector:
    rows = problem.rows
    deviation = np.sqrt(variance)
    z = (rows.y - f) / deviation
    density = -0.5 * (z**2 + np.log(2.0 * np.pi)) - np.log(deviation)
    if rows.is_log:
        density = density - rows.y
    out = np.where(rows.status == CENSORED, log_ndtr(z), density)
    return np.asarray(out)


def predictive_draws(problem: Problem, sample: Sample, rng: np.random.Generator) -> Vector:
    """Draw what each observation might have been, with residual error.

    Parameters
    ----------
    problem : Problem
    sample : Sample
    rng : numpy Generator

    Returns
    -------
    array (chains, draws, n_observations)
        On DV's own scale, without a limit of quantification: of a censored row the concentration
        itself.
    """
    out = np.empty((*sample.shape, problem.dataset.n_observations))
    for at in np.ndindex(sample.shape):
        f, _ = problem.predict_at(sample.x[at], sample.eta[at])
        deviation = np.sqrt(_variance(problem, sample.x[at], f))
        y = f + deviation * rng.standard_normal(f.size)
        out[at] = np.exp(y) if problem.rows.is_log else y
    return out


def log_likelihood_constant(problem: Problem) -> Vector:
    """Return what -2 log likelihood of each subject has beside its objective.

    That is log(2 pi) for every quantified row, and the change from log DV to DV; array (subjects,).
    """
    number = problem.sum_by_subject((problem.rows.status == QUANTIFIED).astype(float))
    return np.asarray(number * np.log(2.0 * np.pi) + problem.own_scale)
