"""How well a fit without a subject predicts that subject, without a whole fit for each.

Newton's method leads from the estimates to those without a subject, by the fit's own method, its
exact gradients and the second derivatives of the other subjects at the estimates: one step where
the subject hardly counts, more where it does. The exact likelihood then scores the subject there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.model_comparison.judgement import Judgement
from pkmodel.model_comparison.score import LeftOut
from pkmodel.model_comparison.slopes import newton_step
from pkmodel.problem import LOOSE, Problem

Vector = NDArray[np.float64]

INFLUENTIAL = 0.03
"""A log density that falls by this, once its subject is left out, is followed by more steps."""

LEFT_TO_GAIN = 1e-4
"""The steps end where they promise less than this of the others' log likelihood."""

MOST_STEPS = 15
MOST_HALVINGS = 8


def leave_out_each(judgement: Judgement) -> LeftOut:
    """Score every subject by the estimates that the others would give.

    Parameters
    ----------
    judgement : Judgement

    Returns
    -------
    LeftOut
        A score is NaN where the others do not determine the parameters. Parameters at a boundary
        stay there.

    References
    ----------
    Rad and Maleki (2020) J. R. Stat. Soc. B 82, 965-996, 10.1111/rssb.12374 (one Newton step in
    place of each fit).
    """
    fit, judge = judgement.fit, judgement.judge
    there, own, exact = judgement.evaluation, judgement.own, judgement.exact
    score = judgement.log_likelihood.copy()
    for k in range(judge.n_subjects):
        slope, curvature = own.without(k)
        step = newton_step(slope, curvature)
        change = exact.first[k] @ step + 0.5 * step @ exact.second[k] @ step
        if abs(change) > INFLUENTIAL:
            x = _estimates_without(fit.problem, fit.estimate, own.inside, k, curvature, slope)
            moved = judge.evaluate(x, there.terms.eta, tolerance=LOOSE)
            change = -0.5 * (moved.terms.objective[k] - there.terms.objective[k])
        score[k] += change
    return LeftOut(score, np.full(judge.n_subjects, np.nan))


def _estimates_without(
    problem: Problem,
    estimate: Estimate,
    inside: list[int],
    subject: int,
    curvature: Vector,
    slope: Vector,
) -> Vector:
    """Search the estimates of all subjects but one, from those of all."""
    here, modes = estimate.x, estimate.final.terms.eta
    lowest = estimate.final.objective - estimate.final.terms.objective[subject]
    step = newton_step(slope, curvature)
    for _ in range(MOST_STEPS):
        for _ in range(MOST_HALVINGS):
            moved = here.copy()
            moved[inside] += step
            there = problem.evaluate(moved, modes, tolerance=LOOSE)
            value = there.objective - there.terms.objective[subject]
            if value < lowest:
                break
            step = 0.5 * step
        else:
            return here
        here, lowest, modes = moved, value, there.terms.eta
        slope = -0.5 * (there.gradient - there.by_subject[subject])[inside]
        step = newton_step(slope, curvature)
        if 0.5 * slope @ step < LEFT_TO_GAIN:
            return here
    return here
