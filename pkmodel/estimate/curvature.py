"""Second derivatives of the objective by central differences of its exact gradient, packed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pkmodel.problem import TIGHT, Evaluation, Problem

Vector = NDArray[np.float64]

STEP = 1e-3


def hessian(problem: Problem, x: Vector, final: Evaluation) -> Vector:
    """Differentiate the objective twice.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
    final : Evaluation
        There.

    Returns
    -------
    array (size, size)
    """
    out = np.empty((x.size, x.size))
    for k, width, above, below in _beside(problem, x, final):
        out[k] = (above.gradient - below.gradient) / width
    return 0.5 * (out + out.T)


def hessians_by_subject(problem: Problem, x: Vector, final: Evaluation) -> Vector:
    """Differentiate the objective of each subject twice.

    Parameters
    ----------
    problem, x, final
        As for `hessian`.

    Returns
    -------
    array (subjects, size, size)
    """
    out = np.empty((problem.n_subjects, x.size, x.size))
    for k, width, above, below in _beside(problem, x, final):
        out[:, k] = (above.by_subject - below.by_subject) / width
    return np.asarray(0.5 * (out + out.transpose(0, 2, 1)))


def _beside(
    problem: Problem, x: Vector, final: Evaluation
) -> Iterator[tuple[int, float, Evaluation, Evaluation]]:
    """Evaluate above and below `x` in each parameter; yield also how far they are apart."""
    information = 0.5 * np.einsum("ni,ni->i", final.by_subject, final.by_subject)
    width = STEP * np.clip(1.0 / np.sqrt(np.maximum(information, 1e-12)), 1e-2, 1.0)
    for k in range(x.size):
        step = np.zeros_like(x)
        step[k] = width[k]
        above = problem.evaluate(x + step, final.terms.eta, tolerance=TIGHT)
        below = problem.evaluate(x - step, final.terms.eta, tolerance=TIGHT)
        yield k, float(2.0 * width[k]), above, below
