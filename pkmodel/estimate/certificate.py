"""How far a fit is from the exact likelihood: its objective, by subject, and its estimates."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.covariance import Covariance, covariance
from pkmodel.estimate.judge import Exact, exact_likelihood
from pkmodel.estimate.maximum_likelihood import Estimate, resume
from pkmodel.number import UNKNOWN, fixed, number, percent
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

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
the method is not good enough. Intervals of 95 % then cover 94.9 and 92.1 %."""

HALF_WIDTH, DECISIVE = 1.96, 3.84
"""Of a 95 % interval in standard errors; of a test of one parameter at 5 % (chi-square)."""


@dataclass(frozen=True)
class ExactComparison:
    """The objective of a method beside the exact one at the same parameters.

    Attributes
    ----------
    method : str
        Whose objective is compared.
    exact : str
        ``"agq"`` or ``"imp"``, by which the exact one was computed.
    likelihood : str
        The same in words.
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
    likelihood: str
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
            f"difference: {round(at.difference, 3) + 0.0:+.3f} for {len(at.ids)} subjects; "
            f"largest for {worst}",
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
    exact = exact_likelihood(problem, estimate.x, is_finer=True)
    comparison, at = _comparison(problem, estimate, exact), exact.evaluation
    if not np.isfinite(comparison.exact_objective):
        return Certificate(
            comparison, float("nan"), (), "The exact likelihood is not defined here."
        )
    if not is_estimated or problem.packing.size == 0:
        verdict = "Nothing was estimated, so that the objectives alone are compared."
        return Certificate(comparison, float("nan"), (), verdict)
    most = problem.options.max_evaluations
    found = resume(exact.problem, estimate.x, at.terms.eta, evaluations=most)
    if found is None or found.ending != Ending.CONVERGED:
        verdict = "The search by the exact likelihood did not converge: no word on the estimates."
        return Certificate(comparison, float("nan"), (), verdict)
    if uncertainty is None:
        uncertainty = covariance(problem, estimate.x, estimate.final, "sandwich")
    moves = _moves(problem, estimate.x, found.x, uncertainty)
    gain = at.objective - found.final.objective
    return Certificate(comparison, gain, moves, _verdict(moves, gain))


def compare_with_exact(problem: Problem, estimate: Estimate) -> ExactComparison:
    """Compare the objective with the exact one at the estimates."""
    return _comparison(problem, estimate, exact_likelihood(problem, estimate.x, is_finer=True))


def is_cheap(problem: Problem) -> bool:
    """Tell whether the exact objective costs next to nothing."""
    steps = problem.steps.dt.size * (1 if problem.is_plain else GENERAL)
    return len(problem.effects) <= CHEAP_EFFECTS and steps <= CHEAP_STEPS


def _comparison(problem: Problem, estimate: Estimate, exact: Exact) -> ExactComparison:
    scale, at = float(np.sum(problem.own_scale)), exact.evaluation
    return ExactComparison(
        method=problem.options.method,
        exact=exact.problem.likelihood,
        likelihood=str(exact),
        nodes=exact.nodes,
        objective=estimate.final.objective + scale,
        exact_objective=at.objective + scale,
        error=exact.error,
        ids=tuple(str(name) for name in problem.dataset.ids),
        by_subject=estimate.final.terms.objective - at.terms.objective,
    )


def _moves(problem: Problem, x: Vector, exact: Vector, uncertainty: Covariance) -> tuple[Move, ...]:
    packing = problem.packing
    with np.errstate(invalid="ignore"):
        errors = np.sqrt(np.diag(uncertainty.natural))
    values = zip(packing.names, packing.natural(x), packing.natural(exact), errors, strict=True)
    return tuple(Move(name, float(a), float(b), float(se)) for name, a, b, se in values)


def _verdict(moves: tuple[Move, ...], gain: float) -> str:
    known = [m for m in moves if np.isfinite(m.errors)]
    if not known:
        return "There are no standard errors to judge the moves of the estimates by."
    largest = max(known, key=lambda m: abs(m.errors))
    by = f"{abs(largest.errors):.2g} standard errors ({largest.parameter})"
    if abs(largest.errors) <= SMALL:
        return f"The estimates stand: by the exact likelihood none moves by more than {by}."
    verdict = (
        f"By the exact likelihood estimates move by up to {by}: an interval of 95 % that is off by "
        f"so much covers the truth in {percent(_coverage(largest.errors), 1)} of studies. Where "
        "the exact objectives at the estimates are compared, this fit puts a likelihood ratio off "
        f"by {gain:.2g}; {DECISIVE} decide about one parameter at 5 %."
    )
    if abs(largest.errors) <= LARGE:
        return verdict
    return (
        f"{verdict} The method is not good enough for these data; fit by method = 'agq', or 'imp' "
        "with more than three effects."
    )


def _coverage(errors: float) -> float:
    """Coverage of a 95 % interval about an estimate that is off by so many standard errors.

    Examples
    --------
    >>> round(_coverage(0.0), 3), round(_coverage(0.5), 3)
    (0.95, 0.921)
    """
    return float(ndtr(HALF_WIDTH - errors) - ndtr(-HALF_WIDTH - errors))
