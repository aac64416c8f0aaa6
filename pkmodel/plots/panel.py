"""Panels of one figure, and axes whose ticks say something."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from pkmodel.plots.style import WIDTH, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDEST = 3
"""Panels side by side, while there are no more than nine."""

_STEPS_OF_DAYS = (1, 2, 4, 7, 14, 28, 56, 91, 182)
_MOST_TICKS = 7
_LABELS = 0.5


def panel_figure(count: int) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels with common axes, and hide those left over.

    Parameters
    ----------
    count : int

    Returns
    -------
    figure : Figure
    axes : list of Axes
        As many as asked for, row by row.
    """
    columns = count if count <= WIDEST else 2 if count == 4 else WIDEST if count <= 9 else 4
    rows = ceil(count / columns)
    size = 1.0 if columns == 1 else 0.75 if columns == 2 else 0.55
    figure = new_figure(rows, columns, wide=size, high=1.0 if rows == 1 else 0.75)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.ravel())
    for number, axes in enumerate(panels):
        axes.set_visible(number < count)
        axes.tick_params(labelbottom=number + columns >= count)
    return figure, panels[:count]


def is_outer(number: int, count: int, axes: Axes) -> tuple[bool, bool]:
    """Tell whether a panel stands at the left, and whether none stands below it."""
    place = axes.get_subplotspec()
    columns = place.get_gridspec().ncols if place is not None else 1
    return number % columns == 0, number + columns >= count


def panel_width(axes: Axes) -> float:
    """Return the room above a panel, inches: its share of the figure without that of labels."""
    place, figure = axes.get_subplotspec(), axes.get_figure(root=True)
    if place is None or figure is None:
        return WIDTH
    return float(figure.get_figwidth()) / place.get_gridspec().ncols - _LABELS


def time_ticks(axis: Axis, unit: str, span: float) -> None:
    """Have ticks at whole days or weeks where time is in hours and lasts some days."""
    from matplotlib.ticker import MultipleLocator

    if unit not in ("h", "hr", "hour", "hours") or span < 72.0:
        return
    steps = [24.0 * days for days in _STEPS_OF_DAYS]
    fitting = [step for step in steps if span / step <= _MOST_TICKS]
    if fitting:
        axis.set_major_locator(MultipleLocator(fitting[0]))


def tidy_log_axis(axis: Axis, low: float, high: float) -> None:
    """Have plain numbers at 1, 2 and 5 times powers of ten on a logarithmic axis.

    Parameters
    ----------
    axis : Axis
    low, high : float
        Ends of the axis.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    decades = float(np.log10(high / low))
    if decades < 0.6:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    elif decades <= 3.0:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    else:
        axis.set_major_locator(LogLocator(numticks=_MOST_TICKS))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.10g}"))
