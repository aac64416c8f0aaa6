"""How far a fit is from the exact likelihood: its objective, by subject, and its estimates."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.covariance import Covariance, covariance
from pkmodel.estimate.maximum_likelihood import Estimate, resume
from pkmodel.estimate.orders import next_orders, settle_orders
from pkmodel.number import UNKNOWN, fixed, number
from pkmodel.problem import TIGHT, Evaluation, Problem, exact_method

Vector = NDArray[np.float64]

MORE_DRAWS = 4
"""By importance sampling a fit by itself is certified with so many times its draws, and others."""

CHEAP_EFFECTS, CHEAP_STEPS, GENERAL = 2, 5000, 10
"""Up to so many effects and steps the exact objective costs less than half a second; where
parameters change in time, or are not all log-normal, a step costs as much as ten."""

WORST = 5

NO_CERTIFICATE = (
    "draws of a posterior maximise no likelihood, so nothing can be certified of them; their "
    "diagnostics stand in the summary: to see the maximum of the exact likelihood use "
    "method = 'agq'"
)
SMALL, LARGE = 0.1, 0.5
"""Moves of an estimate, in standard errors: up to the first one it stands, beyond the second one
the method is not good enough."""


@dataclass(frozen=True)
class ExactComparison:
    """The objective of a method beside the exact one at the same parameters.

    Attributes
    ----------
    method : str
        Whose objective is compared.
    exact : str
        ``"agq"`` or ``"imp"``, by which the exact one was computed.
    nodes : int
        Highest order of quadrature, or draws of each subject.
    objective, exact_objective : float
        Of DV on its own scale.
    error : float
        Of the exact objective: that of the orders, or the Monte Carlo error.
    ids : tuple of str
    by_subject : array (subjects,)
        Objective of the method less the exact one.
    """

    method: str
    exact: str
    nodes: int
    objective: float
    exact_objective: float
    error: float
    ids: tuple[str, ...] = field(repr=False)
    by_subject: Vector = field(repr=False)

    @property
    def difference(self) -> float:
        """Objective of the method less the exact one."""
        return self.objective - self.exact_objective

    def worst(self, most: int = WORST) -> list[tuple[str, float]]:
        """Subjects whose part differs most, largest first."""
        order = np.argsort(-np.abs(self.by_subject), kind="stable")[:most]
        return [(self.ids[i], float(self.by_subject[i])) for i in order]

    @property
    def likelihood(self) -> str:
        """By what the exact objective was computed, in words."""
        if self.exact == "agq":
            return f"adaptive quadrature of order up to {self.nodes}"
        return f"importance sampling with {self.nodes} draws of each subject"


@dataclass(frozen=True)
class Move:
    """An estimate, and where the exact likelihood has it.

    `se` is the standard error of the fit, NaN where there is none.
    """

    parameter: str
    estimate: float
    exact: float
    se: float

    @property
    def errors(self) -> float:
        """How far it moves, in standard errors."""
        return (self.exact - self.estimate) / self.se

    @property
    def percent(self) -> float:
        """How far it moves, in percent of the estimate."""
        return 100.0 * (self.exact - self.estimate) / abs(self.estimate)


@dataclass(frozen=True)
class Certificate:
    """What the exact likelihood says of a fit.

    Attributes
    ----------
    comparison : ExactComparison
        At the estimates.
    gain : float
        By how much the exact objective falls from the estimates to its own optimum; NaN where it
        was not searched.
    moves : tuple of Move
        Every free parameter; empty where the optimum was not searched or not found.
    verdict : str
    """

    comparison: ExactComparison
    gain: float
    moves: tuple[Move, ...] = field(repr=False)
    verdict: str

    def to_frame(self) -> pd.DataFrame:
        """Tabulate the moves: a row per parameter, with estimate, exact, se, errors and percent."""
        columns = ("estimate", "exact", "se", "errors", "percent")
        rows = {m.parameter: [getattr(m, name) for name in columns] for m in self.moves}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))

    def __str__(self) -> str:
        return "\n".join([*self._lines(), *self._table(), "", self.verdict])

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{escape(line)}</li>" for line in self._lines())
        table = self.to_frame().to_html(na_rep="", float_format="{:.4g}".format)
        return f"<ul>{lines}</ul>\n{table}\n<p><b>{escape(self.verdict)}</b></p>"

    def _lines(self) -> list[str]:
        at = self.comparison
        worst = ", ".join(f"{name} ({value:+.2g})" for name, value in at.worst())
        lines = [
            f"objective by {at.method}: {fixed(at.objective, 3)}",
            f"exact, by {at.likelihood}: {fixed(at.exact_objective, 3)} "
            f"(error {number(at.error) or UNKNOWN})",
            f"difference: {at.difference:+.3f} for {len(at.ids)} subjects; largest for {worst}",
        ]
        if np.isfinite(self.gain):
            lines.append(
                f"from the estimates to its own optimum the exact one falls by {self.gain:.3g}"
            )
        return lines

    def _table(self) -> list[str]:
        if not self.moves:
            return []
        table = self.to_frame().rename(columns={"errors": "moves by SE", "percent": "moves by %"})
        return ["", table.to_string(na_rep="", float_format="{:.4g}".format)]


def certify(
    problem: Problem, estimate: Estimate, uncertainty: Covariance | None, *, is_estimated: bool
) -> Certificate:
    """Compare a fit with the exact likelihood, and search the optimum of that from its estimates.

    Parameters
    ----------
    problem : Problem
    estimate : Estimate
    uncertainty : Covariance or None
        Of the estimates; computed where absent.
    is_estimated : bool
        Whether `estimate` is an optimum; else objectives alone are compared.

    Returns
    -------
    Certificate
    """
    exact, change = _exact_problem(problem, estimate.x)
    at = exact.evaluate(estimate.x, tolerance=TIGHT)
    comparison = _comparison(problem, estimate, exact, at, change)
    if not np.isfinite(comparison.exact_objective):
        return Certificate(
            comparison, float("nan"), (), "The exact likelihood is not defined here."
        )
    if not is_estimated or problem.packing.size == 0:
        verdict = "Nothing was estimated, so that the objectives alone are compared."
        return Certificate(comparison, float("nan"), (), verdict)
    most = problem.options.max_evaluations
    found = resume(exact, estimate.x, at.terms.eta, evaluations=most)
    if found is None or found.ending != Ending.CONVERGED:
        verdict = "The search by the exact likelihood did not converge: no word on the estimates."
        return Certificate(comparison, float("nan"), (), verdict)
    if uncertainty is None:
        uncertainty = covariance(problem, estimate.x, estimate.final, "sandwich")
    moves = _moves(problem, estimate.x, found.x, uncertainty)
    gain = at.objective - found.final.objective
    return Certificate(comparison, gain, moves, _verdict(moves))


def compare_with_exact(problem: Problem, estimate: Estimate) -> ExactComparison:
    """Compare the objective with the exact one at the estimates."""
    exact, change = _exact_problem(problem, estimate.x)
    at = exact.evaluate(estimate.x, tolerance=TIGHT)
    return _comparison(problem, estimate, exact, at, change)


def is_cheap(problem: Problem) -> bool:
    """Tell whether the exact objective costs next to nothing."""
    steps = problem.steps.dt.size * (1 if problem.is_plain else GENERAL)
    return len(problem.effects) <= CHEAP_EFFECTS and steps <= CHEAP_STEPS


def _exact_problem(problem: Problem, x: Vector) -> tuple[Problem, float]:
    """Return the problem by an exact likelihood, better than its own, and what it may be off by.

    That is the error of the orders of quadrature; 0 without quadrature.
    """
    method = exact_method(problem)
    if method == "imp":
        more = MORE_DRAWS * problem.draws
        return problem.with_method("imp").with_draws(more, problem.options.seed + 1), 0.0
    by_quadrature = problem.with_method("agq")
    least = None
    if problem.likelihood == "agq":
        own = np.broadcast_to(problem.orders, problem.n_subjects)
        least = next_orders(own, len(problem.effects))
    orders = settle_orders(by_quadrature, x, least=least)
    return by_quadrature.with_order(orders.nodes), orders.error


def _comparison(
    problem: Problem, estimate: Estimate, exact: Problem, at: Evaluation, change: float
) -> ExactComparison:
    scale = float(np.sum(problem.own_scale))
    return ExactComparison(
        method=problem.options.method,
        exact=exact.likelihood,
        nodes=int(np.max(exact.orders)) if exact.likelihood == "agq" else exact.draws,
        objective=estimate.final.objective + scale,
        exact_objective=at.objective + scale,
        error=change + at.error,
        ids=tuple(str(name) for name in problem.dataset.ids),
        by_subject=estimate.final.terms.objective - at.terms.objective,
    )


def _moves(problem: Problem, x: Vector, exact: Vector, uncertainty: Covariance) -> tuple[Move, ...]:
    packing = problem.packing
    with np.errstate(invalid="ignore"):
        errors = np.sqrt(np.diag(uncertainty.natural))
    values = zip(packing.names, packing.natural(x), packing.natural(exact), errors, strict=True)
    return tuple(Move(name, float(a), float(b), float(se)) for name, a, b, se in values)


def _verdict(moves: tuple[Move, ...]) -> str:
    known = [m for m in moves if np.isfinite(m.errors)]
    if not known:
        return "There are no standard errors to judge the moves of the estimates by."
    largest = max(known, key=lambda m: abs(m.errors))
    by = f"{abs(largest.errors):.2g} standard errors ({largest.parameter})"
    if abs(largest.errors) <= SMALL:
        return f"The estimates stand: by the exact likelihood none moves by more than {by}."
    if abs(largest.errors) <= LARGE:
        return (
            f"By the exact likelihood estimates move by up to {by}: the method is good enough "
            "unless such differences matter."
        )
    return (
        f"By the exact likelihood estimates move by up to {by}: the method is not good enough for "
        "these data; fit by method = 'agq', or 'imp' with more than three effects."
    )
