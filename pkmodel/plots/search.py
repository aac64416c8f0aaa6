"""The way of a search to its estimates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pkmodel.plots.scatter import grid
from pkmodel.plots.style import COLOURS, MARKERS, Plot, house_style

LEAST_FALL = 1e-6
"""Less than this of the objective is drawn as this, on a logarithmic axis."""
WIDTH, HEIGHT = 4.2, 2.6


def search_path(trace: pd.DataFrame, *, note: str = "") -> Plot:
    """Draw how far the objective is above that of the estimates, and the norm of its gradient.

    Parameters
    ----------
    trace : DataFrame
        As `Fit.trace`: start, evaluation, likelihood, objective, gradient_norm; the last row is
        that of the estimates. Objectives of another likelihood than the last row's do not compare,
        and are not drawn.
    note : str
        Written above the panels, such as ``"virtual data"``.

    Returns
    -------
    Plot
        The table has besides ABOVE, the difference to the last objective.

    Examples
    --------
    >>> import pkmodel as pk
    >>> plot = search_path(pk.fit("phenobarbital").trace)
    >>> [axes.get_ylabel() for axes in plot.figure.axes]
    ['objective above the estimates', 'norm of the gradient']
    """
    last = trace.iloc[-1]
    same = trace["likelihood"] == last["likelihood"]
    table = trace.assign(ABOVE=(trace["objective"] - last["objective"]).where(same))
    with house_style():
        figure = grid(2, 2, width=WIDTH, height=HEIGHT, note=note)
        above, slope = figure.axes
        for k, (_, rows) in enumerate(table.groupby("start", sort=False)):
            style = {
                "color": COLOURS[k % len(COLOURS)],
                "marker": MARKERS[k % len(MARKERS)],
                "markersize": 3.0,
                "linewidth": 0.9,
            }
            above.plot(rows["evaluation"], rows["ABOVE"].clip(lower=LEAST_FALL), **style)
            slope.plot(rows["evaluation"], rows["gradient_norm"], **style)
        above.axhline(LEAST_FALL, color=COLOURS[6], linewidth=0.6, linestyle=":")
        above.set_ylabel("objective above the estimates")
        slope.set_ylabel("norm of the gradient")
        for axes in (above, slope):
            axes.set_yscale("log")
            axes.set_xlabel("evaluation")
    return Plot(figure, table)
