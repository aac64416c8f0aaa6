"""A smooth line through a cloud of points, to show what a scatter hides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

FEWEST = 20
"""Below this number of points there is no trend to show."""


def local_trend(x: Vector, y: Vector, at: Vector, span: float = 0.75) -> Vector:
    """Smooth `y` over `x` by local straight lines with tricube weights.

    Parameters
    ----------
    x, y : array (n,)
        Points; those that are not finite are left out.
    at : array (k,)
        Where the line is wanted.
    span : float
        Share of the points that each local line rests on.

    Returns
    -------
    array (k,)
        NaN where there are fewer than `FEWEST` points, or all have one `x`.

    References
    ----------
    Cleveland 1979, 10.1080/01621459.1979.10481038; without its robustness iterations, so that an
    outlier shows.

    Examples
    --------
    >>> x = np.arange(20.0)
    >>> local_trend(x, 2.0 * x + 1.0, np.array([2.5])).round(12)
    array([6.])
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if x.size < FEWEST or x.min() == x.max():
        return np.full(at.size, np.nan)
    return np.array([_local_line(x, y, point, span) for point in at])


def _local_line(x: Vector, y: Vector, point: float, span: float) -> float:
    """Evaluate at `point` the weighted straight line through its nearest points."""
    distance = np.abs(x - point)
    nearest = int(np.ceil(span * x.size))
    reach = np.partition(distance, nearest - 1)[nearest - 1]
    if distance.min() == reach:
        return float(np.mean(y[distance == reach]))
    weight = np.clip(1.0 - (distance / reach) ** 3, 0.0, None) ** 3
    weight /= weight.sum()
    middle, level = weight @ x, weight @ y
    spread = weight @ (x - middle) ** 2
    if spread <= 1e-12 * reach**2:
        return float(level)
    slope = weight @ ((x - middle) * (y - level)) / spread
    return float(level + slope * (point - middle))
