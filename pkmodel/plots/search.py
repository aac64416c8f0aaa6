"""The way of a search to its estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pkmodel.plots.scatter import grid
from pkmodel.plots.style import GREY, Plot, house_style, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_FALL = 1e-6
"""Less than this of the objective is drawn as this, on a logarithmic axis."""
WIDTH, HEIGHT = 4.2, 2.6


def search_path(trace: pd.DataFrame, *, is_virtual: bool) -> Plot:
    """Draw how far the objective is above that of the estimates, and the norm of its gradient.

    Parameters
    ----------
    trace : DataFrame
        As `Fit.trace`: start, evaluation, phase, likelihood, objective, gradient_norm; the last
        row is that of the estimates. Objectives of another likelihood than that one's do not
        compare, and are not drawn.
    is_virtual : bool
        The subjects are simulated; the figure says so.

    Returns
    -------
    Plot
        The table has besides ABOVE, the difference to the last objective.

    Examples
    --------
    >>> import pkmodel as pk
    >>> plot = search_path(pk.fit("phenobarbital").trace, is_virtual=False)
    >>> [axes.get_ylabel() for axes in plot.figure.axes]
    ['objective above the estimates', 'norm of the gradient']
    """
    from matplotlib.ticker import MaxNLocator

    last = trace.iloc[-1]
    same = trace["likelihood"] == last["likelihood"]
    table = trace.assign(ABOVE=(trace["objective"] - last["objective"]).where(same))
    with house_style():
        figure = grid(2, 2, width=WIDTH, height=HEIGHT, is_virtual=is_virtual)
        above, slope = figure.axes
        for k, (_, rows) in enumerate(table.groupby("start", sort=False)):
            for axes, values in (
                (above, rows["ABOVE"].clip(lower=LEAST_FALL)),
                (slope, rows["gradient_norm"]),
            ):
                axes.plot(
                    rows["evaluation"],
                    values,
                    color=look(k).colour,
                    marker=look(k).marker,
                    markersize=3.0,
                    linewidth=0.9,
                )
        above.axhline(LEAST_FALL, color=GREY, linewidth=0.6, linestyle=":")
        above.set_ylabel("objective above the estimates", size=9)
        slope.set_ylabel("norm of the gradient", size=9)
        for axes in (above, slope):
            axes.set_yscale("log")
            _widen(axes)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_xlabel("evaluation")
    return Plot(figure, table)


def _widen(axes: Axes) -> None:
    """Give one single value a decade to each side, as a logarithmic axis needs a range."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    known = drawn[np.isfinite(drawn) & (drawn > 0.0)]
    if known.size and known.min() == known.max():
        axes.set_ylim(0.1 * known[0], 10.0 * known[0])
