"""The course of each subject: observations, population and individual predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pkmodel.plots.panel import tidy_log_axis
from pkmodel.plots.scatter import GROUP, grid, is_wide, short
from pkmodel.plots.style import COLOURS, GREY, Plot, house_style, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

COLUMNS, ROWS = 4, 5
WIDTH, HEIGHT = 2.1, 1.85
MARGIN = 3.0
"""Factor of the observations that an axis of logarithms shows."""

ROOM = 0.08
"""Share of the highest value that a linear axis shows beyond it: marks have a size."""

LINES: dict[str, dict[str, Any]] = {
    "PRED": {"color": GREY, "linestyle": "--", "linewidth": 0.9, "marker": ".", "markersize": 2.5},
    "IPRED": {"color": COLOURS[0], "linewidth": 1.1, "marker": ".", "markersize": 2.5},
}
OBSERVED: dict[str, Any] = {
    "color": "black",
    "linestyle": "none",
    "marker": "o",
    "markersize": 3.3,
    "markerfacecolor": "none",
    "markeredgewidth": 0.8,
}
CENSORED: dict[str, Any] = {**OBSERVED, "marker": "v"}


def individual_fits(
    predictions: pd.DataFrame, *, time: str = "", concentration: str = "", is_virtual: bool
) -> tuple[Plot, ...]:
    """Draw one small panel for each subject, 20 to a page.

    Parameters
    ----------
    predictions : DataFrame
        ID, TIME, DV, PRED, IPRED, CENS, and GROUP where there are groups. Lines join the
        predictions at the times of the observations; between them the course is not known.
        Axes of concentration are logarithmic, and hold the observations, where all values are
        positive and span more than a factor of 30; else they begin at zero.
    time, concentration : str
        Units.
    is_virtual : bool
        The subjects are simulated; the figure says so.

    Returns
    -------
    tuple of Plot
        One for each page, with the rows of its subjects.

    Examples
    --------
    >>> import pkmodel as pk
    >>> table = pk.evaluate("phenobarbital").predictions
    >>> pages = individual_fits(table, time="h", is_virtual=False)
    >>> [page.data["ID"].nunique() for page in pages]
    [20, 20, 19]
    """
    subjects = predictions["ID"].unique()
    is_log = is_wide(*(predictions[name].to_numpy(float) for name in ("DV", "PRED", "IPRED")))
    pages = []
    for first in range(0, len(subjects), COLUMNS * ROWS):
        table = predictions[predictions["ID"].isin(subjects[first : first + COLUMNS * ROWS])]
        with house_style():
            figure = _page(table, is_log, label("time", time), is_virtual)
            figure.supylabel(label("concentration", concentration), x=0.0, ha="left", size=9)
        pages.append(Plot(figure, table))
    return tuple(pages)


def _page(table: pd.DataFrame, is_log: bool, time: str, is_virtual: bool) -> Figure:
    subjects = list(table.groupby("ID", sort=False))
    figure = grid(
        len(subjects), COLUMNS, width=WIDTH, height=HEIGHT, layout=None, is_virtual=is_virtual
    )
    for axes, (name, rows) in zip(figure.axes, subjects, strict=True):
        _course(axes, rows)
        _time_axis(axes, rows)
        _concentration_axis(axes, rows, is_log)
        group = f" · {rows[GROUP].iloc[0]}" if GROUP in rows else ""
        axes.set_title(short(f"{name}{group}"), size=8, parse_math=False)
        axes.tick_params(labelsize=7)
        axes.minorticks_off()
    _surround(figure, _keys(bool((table["CENS"] == 1).any())), time, is_virtual)
    return figure


def _surround(figure: Figure, keys: list[Line2D], time: str, is_virtual: bool) -> None:
    """Set margins, and write into them what the marks are and the label of time."""
    width, height = figure.get_size_inches()
    foot = 0.25 if is_virtual else 0.02
    figure.subplots_adjust(
        left=0.6 / width,
        right=1.0 - 0.05 / width,
        bottom=(0.45 + foot) / height,
        top=1.0 - 0.55 / height,
        wspace=0.3,
        hspace=0.5,
    )
    figure.legend(handles=keys, loc="upper left", ncols=len(keys), fontsize=8)
    figure.supxlabel(time, y=foot / height, va="bottom", size=9)


def _course(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw one subject; a line is broken where time goes back, at a reset."""
    for _, part in rows.groupby((rows["TIME"].diff() < 0.0).cumsum()):
        for column, style in LINES.items():
            axes.plot(part["TIME"], part[column], **style)
    is_censored = rows["CENS"] == 1
    for some, style in ((rows[~is_censored], OBSERVED), (rows[is_censored], CENSORED)):
        axes.plot(some["TIME"], some["DV"], **style)


def _keys(has_censored: bool) -> list[Line2D]:
    from matplotlib.lines import Line2D

    styles = {**LINES, "DV": OBSERVED}
    if has_censored:
        styles["below quantification"] = CENSORED
    return [Line2D([], [], label=name, **style) for name, style in styles.items()]


def _time_axis(axes: Axes, rows: pd.DataFrame) -> None:
    """Write a single time alone on its axis, where ticks would share out a made-up range."""
    only = float(rows["TIME"].iloc[0])
    if (rows["TIME"] == only).all():
        room = 0.5 * abs(only) or 1.0
        axes.set_xlim(only - room, only + room)
        axes.set_xticks([only], [f"{only:.4g}"])


def _concentration_axis(axes: Axes, rows: pd.DataFrame, is_log: bool) -> None:
    """Hold the observations in sight; lines of predictions far below them may leave the panel."""
    values = rows[["DV", "IPRED", "PRED"]].to_numpy(float)
    if is_log:
        axes.set_yscale("log")
        low, high = np.nanmin(values[:, 0]) / MARGIN, MARGIN * np.nanmax(values[:, :2])
        axes.set_ylim(low, high)
        tidy_log_axis(axes.yaxis, low, high)
    elif np.nanmin(values) >= 0.0:
        axes.set_ylim(0.0, (1.0 + ROOM) * np.nanmax(values) or None)
