"""Exposure at draws of population parameters and random effects, subject by subject."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.diagnostics.individuals import individual_parameters
from pkmodel.draws.sample import Sample
from pkmodel.exposure.metric import METRICS, Subject
from pkmodel.exposure.model_based import log_cl_v, subject_sizes
from pkmodel.problem import Problem
from pkmodel.subjects import Subjects

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class DrawnExposure:
    """Logarithms of CL and V at draws, from which every metric follows.

    Attributes
    ----------
    size : Subject
        Rate, dose, body surface and weight of each subject.
    individual : array (draws, subjects, 2)
        With the effects of each draw; NaN where CL or V is not positive.
    typical : array (draws, subjects, 2)
        Without effects: by the formulas and the covariates of each subject.
    """

    size: Subject
    individual: Vector
    typical: Vector

    def log_metric(self, name: str, logs: Vector) -> Vector:
        """Return the logarithm of a metric.

        Parameters
        ----------
        name : str
            A key of `METRICS`.
        logs : array (draws, subjects, 2)
            `individual` or `typical`.

        Returns
        -------
        array (draws, subjects)
            NaN for a subject of whom the metric cannot be known.
        """
        metric = METRICS[name]
        factor = metric.factor(self.size)
        shape = logs.shape[1]
        known = np.full(shape, np.nan) if factor is None else factor
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.log(known) + logs @ np.array([metric.cl, metric.v], dtype=float))


def exposure_at_draws(problem: Problem, sample: Sample, subjects: Subjects) -> DrawnExposure:
    """Compute CL and V of every subject at every draw, by the covariates that exposure counts.

    Parameters
    ----------
    problem : Problem
    sample : Sample
        Its draws, chain after chain.
    subjects : Subjects

    Returns
    -------
    DrawnExposure
    """
    rows, size, _ = subject_sizes(problem, subjects)
    eta = np.stack([sample.eta, np.zeros_like(sample.eta)])
    logs = log_cl_v(individual_parameters(problem, sample.x, eta, rows))
    individual, typical = logs.reshape(2, -1, *logs.shape[3:])
    return DrawnExposure(size, individual, typical)
