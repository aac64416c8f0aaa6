"""What prediction kernels are told about the model, and where they write."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pkmodel._jit import allocating_kernel
from pkmodel.kernels.events import Steps
from pkmodel.kernels.types import Float1, Float2, Float3, Float4, Int1, Long1

LOGNORMAL, NORMAL, LOGITNORMAL = 0, 1, 2


class Psi(NamedTuple):
    """Structural parameters of every segment, on their transformed scale.

    A segment is a stretch of records with one set of parameters: a subject where nothing changes
    in time, else a row. psi = typical + direction z, with z the effects and then the other
    directions of which derivatives are wanted.

    Attributes
    ----------
    scale : float
        Concentration per amount / volume.
    is_plain : bool
        All lognormal and constant in time: the fast path may serve.
    distribution : array (p,)
    order : array (p,)
        For the plain case: the direction that each parameter is.
    segment : array (n_rows,) or (1,)
        Segment of each row; unused where nothing changes in time.
    typical : array (n_segments, p)
    direction : array (n_segments or 1, p, m)
    effects : int
        The first directions, which are random effects.
    """

    scale: float
    is_plain: bool
    distribution: Long1
    order: Long1
    segment: Int1
    typical: Float2
    direction: Float3
    effects: int


FINE, COARSE, GRID_EFFECTS = 13, 7, 3
"""Points of the grid on which modes are looked for: in each of two effects, or of the first of
more."""

MOST_POINTS = max(FINE**2, COARSE**GRID_EFFECTS)


class Work(NamedTuple):
    """Room for one subject at a time.

    Attributes
    ----------
    f, f1, f2, f3 : arrays (observations, ...)
        Predictions and their derivatives in the directions.
    rows : array (observations, 5)
        Likelihood terms of the rows: three derivatives of rho, weight and its slope.
    by_variance : array (observations, 1 + effects)
        Derivative of the objective in the variance of each row, at the mode and by the mode.
    by_sigma : array (3, effects)
        Derivatives of the gradient in the effects in the residual coefficients.
    matrix : array (8, m, m)
    vector : array (9, m)
    grid : array (points,)
        Scratch.
    time : array (steps,)
        Length of each interval in time constants, in the plain case.
    decay : array (4, steps)
        What `transitions` makes of them.
    power, columns : arrays (2, observations), (4, observations)
        What `row_slopes` makes of the rows.
    """

    f: Float1
    f1: Float2
    f2: Float3
    f3: Float4
    rows: Float2
    by_variance: Float2
    by_sigma: Float2
    matrix: Float3
    vector: Float2
    grid: Float1
    time: Float1
    decay: Float2
    power: Float2
    columns: Float2


@allocating_kernel
def make_work(steps: Steps, psi: Psi, low: int, high: int) -> Work:
    """Allocate room for the largest of the subjects low ... high - 1."""
    n, m = psi.effects, psi.direction.shape[2]
    most = intervals = 0
    for i in range(low, high):
        most = max(most, steps.first[i + 1] - steps.first[i])
        intervals = max(intervals, steps.start[i + 1] - steps.start[i])
    return Work(
        np.zeros(most),
        np.zeros((most, m)),
        np.zeros((most, n, m)),
        np.zeros((most, n, n, m)),
        np.zeros((most, 5)),
        np.zeros((most, 1 + n)),
        np.zeros((3, n)),
        np.zeros((8, m, m)),
        np.zeros((9, m)),
        np.zeros(MOST_POINTS),
        np.zeros(intervals),
        np.zeros((4, intervals)),
        np.zeros((2, most)),
        np.zeros((4, most)),
    )
