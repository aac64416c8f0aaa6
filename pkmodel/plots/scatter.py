"""What figures of several panels share: the grid, points coloured by group, trend and legend.

Names from data files are written as they are: a dollar sign in one is no formula.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.diagnostics.trend import local_trend
from pkmodel.plots.style import COLOURS, VIRTUAL, footnote, legend_above, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Vector = NDArray[np.float64]

GROUP = "GROUP"
TREND, TREND_NAME = COLOURS[5], "dark orange"
TREND_POINTS = 60
POINT = 14.0
MANY_POINTS = 1500
"""Above this number the points of a panel are drawn as pixels, so that a page stays small."""
LOG_RANGE = 30.0
"""Concentrations that span more than this factor are drawn on a logarithmic axis."""


def grid(
    panels: int,
    columns: int,
    *,
    width: float,
    height: float,
    is_virtual: bool,
    layout: Literal["constrained"] | None = "constrained",
) -> Figure:
    """Make a figure of so many panels, row by row, `width` by `height` inches each.

    Parameters
    ----------
    panels, columns : int
    width, height : float
        Of one panel, inches.
    is_virtual : bool
        The subjects are simulated; the figure says so.
    layout : str or None
        None leaves the margins to the caller, which is faster with many panels.
    """
    from matplotlib.figure import Figure

    columns = min(columns, panels)
    rows = -(-panels // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout=layout)
    for k in range(panels):
        figure.add_subplot(rows, columns, k + 1)
    if is_virtual:
        footnote(figure, VIRTUAL)
    return figure


def group_names(table: pd.DataFrame) -> list[str]:
    """Name the groups: by the order of a categorical column, else by that of appearance."""
    if GROUP not in table:
        return []
    if isinstance(table[GROUP].dtype, pd.CategoricalDtype):
        return [str(name) for name in table[GROUP].cat.categories]
    return [str(name) for name in table[GROUP].unique()]


def scatter(
    axes: Axes, table: pd.DataFrame, x: str, y: str, names: list[str], *, least: float = -np.inf
) -> None:
    """Draw points, each group in its colour and marker.

    Parameters
    ----------
    axes : Axes
    table : DataFrame
        With the columns `x`, `y`, and GROUP where there are names.
    x, y : str
    names : list of str
        Groups in the order of colours; none draws all points alike.
    least : float
        Points with a smaller `x` are drawn here.
    """
    for k, (_, rows) in enumerate(_by_group(table, names)):
        axes.scatter(
            rows[x].clip(lower=least),
            rows[y],
            s=POINT,
            marker=look(k).marker,
            facecolors="none" if names else look(k).colour,
            edgecolors=look(k).colour,
            linewidths=0.8 if names else 0.0,
            alpha=0.75 if len(table) <= MANY_POINTS else 0.4,
            rasterized=len(table) > MANY_POINTS,
        )


def _by_group(table: pd.DataFrame, names: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    if not names:
        yield "", table
    for name in names:
        yield name, table[table[GROUP].astype(str) == name]


def draw_trend(axes: Axes, x: Vector, y: Vector) -> None:
    """Draw a smooth line through the points, on the scales of the axes."""
    is_log = {"x": axes.get_xscale() == "log", "y": axes.get_yscale() == "log"}
    known = np.isfinite(x) & np.isfinite(y)
    known &= ((x > 0.0) | (not is_log["x"])) & ((y > 0.0) | (not is_log["y"]))
    if not known.any():
        return
    across = np.log(x[known]) if is_log["x"] else x[known]
    upward = np.log(y[known]) if is_log["y"] else y[known]
    at = np.linspace(across.min(), across.max(), TREND_POINTS)
    line = local_trend(across, upward, at)
    axes.plot(
        np.exp(at) if is_log["x"] else at,
        np.exp(line) if is_log["y"] else line,
        color=TREND,
        linewidth=1.6,
    )


def add_group_legend(figure: Figure, names: list[str], *more: Line2D) -> None:
    """Write above all panels which look is which group, and more keys; nothing without any."""
    from matplotlib.lines import Line2D

    groups = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=look(k).marker,
            markersize=5,
            markerfacecolor="none",
            markeredgecolor=look(k).colour,
            label=name,
        )
        for k, name in enumerate(names)
    ]
    legend_above(figure, [*groups, *more], columns=min(4, max(1, len(groups) + len(more))))


def is_wide(*values: Vector) -> bool:
    """Tell whether values are all positive and span so much that a logarithmic axis shows more."""
    known = np.concatenate([v[np.isfinite(v)] for v in values])
    return bool(known.size and known.min() > 0.0 and known.max() > LOG_RANGE * known.min())


def lowest_shown(observations: Vector) -> float:
    """Find where a logarithmic axis of predictions begins: far below the least observation."""
    return float(observations[observations > 0.0].min()) / LOG_RANGE


def short(name: object, longest: int = 24) -> str:
    """Cut a name to what fits above a panel.

    Examples
    --------
    >>> short("S-01"), short("x" * 40, 8)
    ('S-01', 'xxxxxxx…')
    """
    text = str(name)
    return text if len(text) <= longest else text[: longest - 1] + "…"
