"""Log likelihoods of subjects, random effects integrated out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws.pointwise import log_likelihood_constant
from pkmodel.draws.sample import Sample
from pkmodel.estimate.judge import exact_likelihood
from pkmodel.problem import LOOSE, Evaluation, Problem

Vector = NDArray[np.float64]


def subject_log_likelihood(problem: Problem, evaluation: Evaluation) -> Vector:
    """Log likelihood of each subject, random effects integrated out, by an evaluation of it.

    Of DV on its own scale, with the constants of a normal density.
    """
    return -0.5 * (evaluation.terms.objective + log_likelihood_constant(problem))


def subject_log_likelihoods(problem: Problem, x: Vector, modes: Vector, sample: Sample) -> Vector:
    """Log likelihood of each subject at each draw of the population parameters.

    Laplace's, corrected by its distance to the exact one at `x` and by the slopes of that
    distance: a small difference, so that its first order about `x` is nearly all of it.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Packed parameters amid the draws.
    modes : array (subjects, effects)
        Those at `x`.
    sample : Sample

    Returns
    -------
    array (chains, draws, subjects)
    """
    laplace = problem.with_method("laplace")
    exact = exact_likelihood(problem, x, modes).evaluation
    near = laplace.evaluate(x, modes)
    distance = exact.terms.objective - near.terms.objective
    slopes = exact.by_subject - near.by_subject
    constant = log_likelihood_constant(problem)
    out = np.empty((*sample.shape, problem.n_subjects))
    for at in np.ndindex(sample.shape):
        there = laplace.evaluate(sample.x[at], modes, tolerance=LOOSE)
        corrected = there.terms.objective + distance + slopes @ (sample.x[at] - x)
        out[at] = -0.5 * (corrected + constant)
    return out
