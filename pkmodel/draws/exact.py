"""The one likelihood that judges every fit, whatever its method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws.pointwise import log_likelihood_constant
from pkmodel.draws.sample import Sample
from pkmodel.problem import LOOSE, Evaluation, Problem

Vector = NDArray[np.float64]

EXACT = "laplace"


def exact_problem(problem: Problem) -> Problem:
    """Return the problem under the method whose objective is exact."""
    return problem.with_method(EXACT)


def subject_log_likelihood(problem: Problem, evaluation: Evaluation) -> Vector:
    """Log likelihood of each subject, random effects integrated out, by an evaluation of it.

    Of DV on its own scale, with the constants of a normal density.
    """
    return -0.5 * (evaluation.terms.objective + log_likelihood_constant(problem))


def subject_log_likelihoods(problem: Problem, modes: Vector, sample: Sample) -> Vector:
    """Exact log likelihood of each subject at each draw of the population parameters.

    Parameters
    ----------
    problem : Problem
    modes : array (subjects, effects)
        Near those of the draws.
    sample : Sample

    Returns
    -------
    array (chains, draws, subjects)
    """
    judge = exact_problem(problem)
    out = np.empty((*sample.shape, problem.n_subjects))
    for at in np.ndindex(sample.shape):
        there = judge.evaluate(sample.x[at], modes, tolerance=LOOSE)
        out[at] = subject_log_likelihood(judge, there)
    return out
