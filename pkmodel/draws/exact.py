"""The one likelihood that judges every fit, whatever its method.

Adaptive quadrature whose order is raised until the objective settles, or importance sampling where
there are too many effects for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws.pointwise import log_likelihood_constant
from pkmodel.draws.sample import Sample
from pkmodel.problem import LOOSE, MOST_NODES, Evaluation, Problem, exact_method

Vector = NDArray[np.float64]

ORDERS = (5, 7, 9, 13, 19, 27, 39)
"""Orders of quadrature, tried in turn."""

SETTLED = 1e-3
"""The order is high enough where the objective moved by less since the order before."""


@dataclass(frozen=True)
class Exact:
    """The exact likelihood at some parameters.

    Attributes
    ----------
    problem : Problem
        Under the exact method, of the order that was enough.
    evaluation : Evaluation
    unsettled : float
        How far the last raise of the order moved the objective; 0 for importance sampling, whose
        error stands in the evaluation.
    """

    problem: Problem
    evaluation: Evaluation
    unsettled: float

    @property
    def is_settled(self) -> bool:
        """Whether a higher order would hardly matter."""
        return self.unsettled <= SETTLED

    def __str__(self) -> str:
        if self.problem.options.method == "imp":
            return f"importance sampling with {self.problem.draws} draws a subject"
        return f"adaptive quadrature of order {self.problem.order}"


def exact_likelihood(problem: Problem, x: Vector, modes: Vector) -> Exact:
    """Evaluate the exact likelihood.

    Parameters
    ----------
    problem : Problem
        Under any method.
    x : array (size,)
        Packed parameters.
    modes : array (subjects, effects)
        Where the searches of the modes start.

    Returns
    -------
    Exact
    """
    judge = problem.with_method(exact_method(problem))
    if judge.options.method == "imp":
        return Exact(judge, judge.evaluate(x, modes), 0.0)
    before, moved = np.inf, np.inf
    for order in ORDERS:
        if order ** len(problem.effects) > MOST_NODES:
            break
        judge = judge.with_order(order)
        evaluation = judge.evaluate(x, modes)
        moved = abs(evaluation.objective - before)
        before = evaluation.objective
        if moved <= SETTLED:
            break
    return Exact(judge, evaluation, float(moved))


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
