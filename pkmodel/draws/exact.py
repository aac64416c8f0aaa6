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
from pkmodel.estimate.orders import Orders, settle_orders
from pkmodel.problem import DRAWS, LOOSE, Evaluation, Problem, exact_method

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Exact:
    """The exact likelihood at some parameters.

    Attributes
    ----------
    problem : Problem
        Under the exact method.
    evaluation : Evaluation
        Its `error` is that of importance sampling.
    orders : Orders or None
        Of quadrature.
    """

    problem: Problem
    evaluation: Evaluation
    orders: Orders | None

    @property
    def is_settled(self) -> bool:
        """Whether more nodes would hardly matter."""
        return self.orders is None or self.orders.is_settled

    def __str__(self) -> str:
        if self.orders is None:
            return f"importance sampling with {self.problem.draws} draws of each subject"
        return f"adaptive quadrature of {self.orders}"


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
        Draws are others than those of a fit by importance sampling, which minimises its own error.
    """
    if exact_method(problem) == "imp":
        draws = max(problem.draws, DRAWS)
        drawn = problem.with_method("imp").with_draws(draws, problem.options.seed + 1)
        return Exact(drawn, drawn.evaluate(x, modes), None)
    quadrature = problem.with_method("agq")
    orders = settle_orders(quadrature, x, modes)
    settled = quadrature.with_order(orders.nodes)
    return Exact(settled, settled.evaluate(x, modes), orders)


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
