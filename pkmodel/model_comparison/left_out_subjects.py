"""How well a fit without a subject predicts that subject, without a whole fit for each.

One Newton step, by the fit's own method with the second derivatives of the other subjects, leads
from the estimates to those without a subject; where the subject counts for more than a little, a
search does, which the same derivatives make short. The exact likelihood scores the subject there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.bfgs import Point, minimise
from pkmodel.model_comparison.judgement import Judgement
from pkmodel.model_comparison.score import LeftOut
from pkmodel.model_comparison.slopes import newton_step
from pkmodel.problem import LOOSE

Vector = NDArray[np.float64]

INFLUENTIAL = 0.03
"""A log density that falls by this, once its subject is left out, calls for more than one step."""

GAIN_LEFT = 1e-3
"""The search ends where it promises less than this of the others' objective."""

MOST_EVALUATIONS = 60


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
    judge, there = judgement.coarse, judgement.coarse_evaluation
    own, exact = judgement.own, judgement.exact
    score = judgement.log_likelihood.copy()
    for k in range(judge.n_subjects):
        slope, curvature = own.without(k)
        step = newton_step(slope, curvature)
        change = exact.first[k] @ step + 0.5 * step @ exact.second[k] @ step
        if abs(change) > INFLUENTIAL:
            x = _estimates_without(judgement, k, curvature)
            moved = judge.evaluate(x, there.terms.eta, tolerance=LOOSE)
            change = -0.5 * (moved.terms.objective[k] - there.terms.objective[k])
        score[k] += change
    return LeftOut(score, np.full(judge.n_subjects, np.nan))


def _estimates_without(judgement: Judgement, subject: int, curvature: Vector) -> Vector:
    """Search the estimates of all subjects but one, from those of all."""
    problem, there = judgement.search
    inside, modes = judgement.own.inside, there.terms.eta
    evaluations = 0

    def place(at: Vector) -> Vector:
        x = judgement.x.copy()
        x[inside] = at
        return x

    def others(at: Vector) -> Point:
        nonlocal evaluations
        evaluations += 1
        there = problem.evaluate(place(at), modes, tolerance=LOOSE)
        by_subject = np.delete(there.by_subject[:, inside], subject, axis=0)
        return Point(
            at,
            there.objective - float(there.terms.objective[subject]),
            np.sum(by_subject, axis=0),
            0.5 * by_subject.T @ by_subject,
        )

    first = others(judgement.x[inside])
    start = replace(first, metric=-2.0 * curvature)
    found = minimise(
        others, start, tolerance=GAIN_LEFT, evaluations=lambda: evaluations, limit=MOST_EVALUATIONS
    )
    return place(found.point.x)
