"""A fit's estimates before the one likelihood that judges all: criteria, subject by subject."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws.by_subject import subject_log_likelihood
from pkmodel.draws.pointwise import log_likelihood_constant
from pkmodel.estimate.judge import Exact, exact_likelihood
from pkmodel.formula import parse_formula
from pkmodel.model_comparison.slopes import Slopes, newton_step, slopes_at
from pkmodel.problem import EXACT, Evaluation, Problem
from pkmodel.result import Fit
from pkmodel.status import Status

Vector = NDArray[np.float64]

FEW = 11
"""Highest order of quadrature for differences between neighbours; fewer nodes, such as 5, can have
second derivatives of the wrong sign where the laws of effects are lopsided."""


@dataclass(frozen=True)
class Judgement:
    """The exact likelihood at a fit's estimates.

    Attributes
    ----------
    fit : Fit
    likelihood : Exact
        With modes searched from those of the fit.
    """

    fit: Fit
    likelihood: Exact

    @property
    def x(self) -> Vector:
        """The estimates, packed."""
        return self.fit.estimate.x

    @property
    def judge(self) -> Problem:
        """The fit's problem under the exact method."""
        return self.likelihood.problem

    @property
    def evaluation(self) -> Evaluation:
        """By the exact method."""
        return self.likelihood.evaluation

    @property
    def search(self) -> tuple[Problem, Evaluation]:
        """The likelihood that the estimates maximise, at them; an exact one by few nodes."""
        if self.fit.problem.likelihood in EXACT:
            return self.coarse, self.coarse_evaluation
        return self.fit.problem, self.fit.estimate.final

    @cached_property
    def own(self) -> Slopes:
        """Derivatives by the fit's own method at its estimates."""
        problem, there = self.search
        return self.exact if problem is self.coarse else slopes_at(problem, self.x, there)

    @cached_property
    def exact(self) -> Slopes:
        """Derivatives of the exact likelihood at the fit's estimates, by few nodes."""
        return slopes_at(self.coarse, self.x, self.coarse_evaluation)

    @cached_property
    def coarse(self) -> Problem:
        """The exact method with few nodes: differences between neighbours need no more."""
        is_drawn = self.judge.options.method == "imp"
        return self.judge if is_drawn else self.judge.with_order(np.minimum(self.judge.orders, FEW))

    @cached_property
    def coarse_evaluation(self) -> Evaluation:
        """By few nodes at the estimates."""
        return self.coarse.evaluate(self.x, self.evaluation.terms.eta)

    @property
    def by_subject(self) -> Vector:
        """Each subject's part of the objective; array (subjects,)."""
        return np.asarray(self.evaluation.terms.objective + self.judge.own_scale)

    @property
    def log_likelihood(self) -> Vector:
        """Each subject's log likelihood with its constants; array (subjects,)."""
        return subject_log_likelihood(self.judge, self.evaluation)

    @property
    def above_minimum(self) -> float:
        """How far the objective would fall if it were minimised, to second order."""
        slope, curvature = self.exact.of_all()
        return float(slope @ newton_step(slope, curvature))

    @property
    def objective(self) -> float:
        """-2 log likelihood without n log(2 pi), of DV on its own scale."""
        return float(np.sum(self.by_subject))

    @property
    def minus2ll(self) -> float:
        """-2 log likelihood with its constants."""
        constant = float(np.sum(log_likelihood_constant(self.judge)))
        return self.evaluation.objective + constant

    @property
    def error(self) -> float:
        """Of the objective: that of the orders of quadrature, or the Monte Carlo error."""
        return self.likelihood.error

    @property
    def is_maximum(self) -> bool:
        """Whether the estimates maximise a likelihood, so that criteria mean something."""
        return self.fit.status is Status.CONVERGED

    @property
    def size(self) -> int:
        """Free parameters."""
        return self.judge.packing.size

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.minus2ll + 2.0 * self.size

    @property
    def bic(self) -> float:
        """Bayes' criterion, by the number of observations that the likelihood uses."""
        return self.minus2ll + self.size * float(np.log(self.judge.n_counted))

    @property
    def mixed_bic(self) -> float:
        """Bayes' criterion of mixed models; see `parameters_by_subject`.

        A subject without an observation that the likelihood uses tells nothing, and is not counted.
        """
        by_subject = parameters_by_subject(self.judge)
        return (
            self.minus2ll
            + by_subject * float(np.log(self.judge.n_observed))
            + (self.size - by_subject) * float(np.log(self.judge.n_counted))
        )


def judged(fit: Fit) -> Judgement:
    """Evaluate a fit's estimates by the exact likelihood."""
    estimate = fit.estimate
    return Judgement(fit, exact_likelihood(fit.problem, estimate.x, estimate.final.terms.eta))


def parameters_by_subject(problem: Problem) -> int:
    """Count the free parameters of which the data tell more by more subjects only.

    These are the variances and covariances of the effects, and every theta that stands in formulas
    of structural parameters with an effect alone. The others (residual error, and thetas of a
    parameter without effects) are learnt from every observation.

    References
    ----------
    Delattre, Lavielle and Poursat (2014) Electronic Journal of Statistics 8, 456-475,
    10.1214/14-EJS890: log of the number of subjects for the former, log of the number of
    observations for the latter.
    """
    carried = {effect.parameter for effect in problem.effects}
    everywhere = {
        name
        for parameter in problem.structure.parameters
        if parameter not in carried
        for name in parse_formula(problem.model.parameters[parameter], parameter).names
    }
    packing = problem.packing
    thetas = sum(problem.model.theta[i].name not in everywhere for i in packing.theta)
    effects = packing.size - len(packing.theta) - len(packing.sigma)
    return thetas + effects
