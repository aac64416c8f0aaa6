"""Goodness of fit: observations against predictions, and weighted residuals.

Tables are those of `Fit.predictions`; a column GROUP, where it is there, gives the colours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from pkmodel.plots.panel import tidy_log_axis
from pkmodel.plots.scatter import (
    add_group_legend,
    draw_trend,
    grid,
    group_names,
    is_wide,
    lowest_shown,
    scatter,
)
from pkmodel.plots.style import COLOURS, GREY, Plot, house_style, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Vector = NDArray[np.float64]

NORMAL_QUANTILE = 1.959963984540054
LEAST_REACH = 3.5
"""Axes of residuals reach at least so far, so that small residuals look small."""
WIDTH, HEIGHT = 4.2, 2.8
CENSORED: dict[str, Any] = {
    "color": "black",
    "linestyle": "none",
    "marker": "v",
    "markersize": 4.5,
    "markerfacecolor": "none",
    "markeredgewidth": 0.8,
}


def observed_against_predicted(
    predictions: pd.DataFrame, *, concentration: str = "", is_virtual: bool
) -> Plot:
    """Draw DV against PRED and against IPRED, with the line of identity and a trend.

    Parameters
    ----------
    predictions : DataFrame
        DV, PRED, IPRED, CENS, and GROUP where there are groups. Censored rows stand at their
        limit, as triangles, and do not enter the trend. Axes are logarithmic where all values are
        positive and span more than a factor of 30; a prediction more than 30 times below the least
        observation then stands at the left edge.
    concentration : str
        Unit of DV.
    is_virtual : bool
        The subjects are simulated; the figure says so.

    Returns
    -------
    Plot

    Examples
    --------
    >>> import pkmodel as pk
    >>> table = pk.evaluate("phenobarbital").predictions
    >>> plot = observed_against_predicted(table, is_virtual=False)
    >>> [axes.get_xlabel() for axes in plot.figure.axes]
    ['population prediction PRED', 'individual prediction IPRED']
    """
    columns = {"PRED": "population prediction PRED", "IPRED": "individual prediction IPRED"}
    names = group_names(predictions)
    is_log = is_wide(*(predictions[name].to_numpy(float) for name in ("DV", *columns)))
    with house_style():
        figure = grid(2, 2, width=WIDTH, height=3.8, is_virtual=is_virtual)
        for axes, (column, title) in zip(figure.axes, columns.items(), strict=True):
            if is_log:
                axes.set_xscale("log")
                axes.set_yscale("log")
            _identity(axes, predictions, column, names)
            axes.set_xlabel(label(title, concentration))
            axes.set_ylabel(label("observation DV", concentration))
        has_censored = bool((predictions["CENS"] == 1).any())
        add_group_legend(figure, names, *([_censored_key()] if has_censored else []))
    return Plot(figure, predictions)


def _censored_key() -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], label="below quantification", **CENSORED)


def _identity(axes: Axes, table: pd.DataFrame, column: str, names: list[str]) -> None:
    """Draw one panel of observations against predictions."""
    is_censored = table["CENS"] == 1
    seen, censored = table[~is_censored], table[is_censored]
    is_log = axes.get_xscale() == "log"
    least = lowest_shown(table["DV"].to_numpy(float)) if is_log else -np.inf
    scatter(axes, seen, column, "DV", names, least=least)
    if len(censored):
        axes.plot(censored[column].clip(lower=least), censored["DV"], **CENSORED)
    draw_trend(axes, seen[column].clip(lower=least).to_numpy(float), seen["DV"].to_numpy(float))
    axes.autoscale_view()
    low = min(axes.get_xlim()[0], axes.get_ylim()[0])
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.plot((low, high), (low, high), color=GREY, linewidth=1.0, zorder=0)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    if is_log:
        tidy_log_axis(axes.xaxis, low, high)
        tidy_log_axis(axes.yaxis, low, high)
    _count_at_edge(axes, int((table[column] < least).sum()))


def _count_at_edge(axes: Axes, count: int) -> None:
    """Say how many points stand at the left edge and belong further left."""
    if count:
        text = f"{count} at the left edge: prediction lower still"
        axes.text(0.98, 0.02, text, transform=axes.transAxes, ha="right", size=8, color=GREY)


def weighted_residuals(
    predictions: pd.DataFrame, *, time: str = "", concentration: str = "", is_virtual: bool
) -> Plot:
    """Draw CWRES against time and PRED, IWRES against IPRED, and the quantiles of CWRES.

    Parameters
    ----------
    predictions : DataFrame
        TIME, DV, PRED, IPRED, IWRES, CWRES, and GROUP where there are groups. Censored rows have no
        residual.
    time, concentration : str
        Units.
    is_virtual : bool
        The subjects are simulated; the figure says so.

    Returns
    -------
    Plot
        The table has besides NORMAL_QUANTILE, that of each CWRES among the others.

    Examples
    --------
    >>> import pkmodel as pk
    >>> table = pk.evaluate("phenobarbital").predictions
    >>> plot = weighted_residuals(table, time="h", is_virtual=False)
    >>> plot.figure.axes[0].get_xlabel()
    'time (h)'
    """
    table = predictions.assign(NORMAL_QUANTILE=normal_quantiles(predictions["CWRES"].to_numpy()))
    names = group_names(table)
    panels = (
        ("TIME", "CWRES", label("time", time)),
        ("PRED", "CWRES", label("population prediction PRED", concentration)),
        ("IPRED", "IWRES", label("individual prediction IPRED", concentration)),
    )
    with house_style():
        figure = grid(4, 2, width=WIDTH, height=HEIGHT, is_virtual=is_virtual)
        for axes, (x, y, title) in zip(figure.axes, panels, strict=False):
            known = table[table[y].notna()]
            if x != "TIME" and is_wide(known[x].to_numpy(float), known["DV"].to_numpy(float)):
                axes.set_xscale("log")
            _residual(axes, known, x, y, names)
            axes.set_xlabel(title)
        _quantile_panel(figure.axes[3], table, names)
        add_group_legend(figure, names)
    return Plot(figure, table)


def _residual(axes: Axes, table: pd.DataFrame, x: str, y: str, names: list[str]) -> None:
    """Draw one panel of residuals; dashed lines hold 95 % of a standard normal."""
    is_log = axes.get_xscale() == "log"
    least = lowest_shown(table["DV"].to_numpy(float)) if is_log else -np.inf
    scatter(axes, table, x, y, names, least=least)
    _count_at_edge(axes, int((table[x] < least).sum()))
    draw_trend(axes, table[x].clip(lower=least).to_numpy(float), table[y].to_numpy(float))
    axes.axhline(0.0, color=GREY, linewidth=1.0, zorder=0)
    for end in (-NORMAL_QUANTILE, NORMAL_QUANTILE):
        axes.axhline(end, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    reach = _reach(table[y].to_numpy(float))
    axes.set_ylim(-reach, reach)
    axes.set_ylabel(y)
    if is_log:
        tidy_log_axis(axes.xaxis, *axes.get_xlim())


def _reach(values: Vector) -> float:
    known = values[np.isfinite(values)]
    return max(LEAST_REACH, 1.08 * float(np.abs(known).max())) if known.size else LEAST_REACH


def normal_quantiles(values: Vector) -> Vector:
    """Return the standard normal quantile of each value's rank, NaN for values not known.

    Parameters
    ----------
    values : array (n,)

    Returns
    -------
    array (n,)
        Quantiles at (rank - 1/2) / n.

    Examples
    --------
    >>> normal_quantiles(np.array([5.0, np.nan, -1.0, 2.0])).round(3)
    array([ 0.967,    nan, -0.967,  0.   ])
    """
    known = np.isfinite(values)
    rank = np.argsort(np.argsort(values[known], kind="stable"), kind="stable")
    out = np.full(values.size, np.nan)
    out[known] = special.ndtri((rank + 0.5) / max(rank.size, 1))
    return out


def _quantile_panel(axes: Axes, table: pd.DataFrame, names: list[str]) -> None:
    """Draw sorted CWRES against normal quantiles, with the 95 % band of each order statistic."""
    scatter(axes, table, "NORMAL_QUANTILE", "CWRES", names)
    count = int(table["CWRES"].notna().sum())
    if count:
        order = np.arange(1, count + 1)
        low, high = (
            special.ndtri(special.betaincinv(order, count - order + 1, p)) for p in (0.025, 0.975)
        )
        at = special.ndtri((order - 0.5) / count)
        axes.fill_between(at, low, high, color=COLOURS[4], alpha=0.25, linewidth=0.0, zorder=0)
        axes.plot(at[[0, -1]], at[[0, -1]], color=GREY, linewidth=1.0, zorder=1)
    reach = _reach(table["CWRES"].to_numpy(float))
    axes.set_ylim(-reach, reach)
    axes.set_xlabel("quantile of a standard normal")
    axes.set_ylabel("CWRES")
