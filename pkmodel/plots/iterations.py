"""The way of the parameters through the iterations of SAEM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from pkmodel.plots.parameter_title import parameter_title
from pkmodel.plots.scatter import grid
from pkmodel.plots.style import GREY, Plot, house_style, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, COLUMNS = 3.2, 2.0, 3
PLAIN = ("start", "iteration", "phase")
STYLES: dict[str, tuple[Literal[":", "--", "-"], float]] = {
    "exploration": (":", 0.8),
    "smoothing": ("--", 1.0),
    "averaging": ("-", 1.6),
}
"""Line and its width in each phase."""

WIDE = 5.0
"""Ratio of largest and smallest value from which a logarithmic axis has ticks at 1, 2 and 5."""


def parameter_path(iterations: pd.DataFrame, *, is_virtual: bool) -> Plot:
    """Draw every parameter over the iterations, each start in a colour, each phase in a line.

    Parameters
    ----------
    iterations : DataFrame
        As `Fit.iterations`: start, iteration, phase, and a column for each parameter.
    is_virtual : bool
        The subjects are simulated; the figure says so.

    Returns
    -------
    Plot
        Parameters that are never 0 or negative on logarithmic axes.

    Examples
    --------
    >>> import pkmodel as pk
    >>> fitted = pk.fit("phenobarbital", method="saem", covariance=False)
    >>> plot = parameter_path(fitted.iterations, is_virtual=False)
    >>> [axes.get_title("left") for axes in plot.figure.axes][:2]
    ['theta cl', 'theta v']
    """
    names = [name for name in iterations.columns if name not in PLAIN]
    with house_style():
        figure = grid(len(names), COLUMNS, width=WIDTH, height=HEIGHT, is_virtual=is_virtual)
        for axes, name in zip(figure.axes, names, strict=True):
            _draw_parameter(axes, iterations, name)
        for axes in figure.axes[-COLUMNS:]:
            axes.set_xlabel("iteration", size=9)
        _name_phases(figure, [p for p in STYLES if p in set(iterations["phase"])])
    return Plot(figure, iterations)


def _draw_parameter(axes: Axes, iterations: pd.DataFrame, name: str) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, ScalarFormatter

    for k, (_, rows) in enumerate(iterations.groupby("start", sort=False)):
        for phase, (line, width) in STYLES.items():
            of_phase = np.flatnonzero(rows["phase"] == phase)
            if of_phase.size:
                joined = rows.iloc[max(of_phase[0] - 1, 0) : of_phase[-1] + 1]
                axes.plot(
                    joined["iteration"],
                    joined[name],
                    color=look(k).colour,
                    linestyle=line,
                    linewidth=width,
                )
    if (iterations[name] > 0.0).all():
        axes.set_yscale("log")
        is_wide = iterations[name].max() > WIDE * iterations[name].min()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if is_wide else MaxNLocator(4))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.minorticks_off()
    axes.tick_params(labelsize=8)
    axes.set_title(parameter_title(name), size=9, parse_math=False)


def _name_phases(figure: Figure, phases: list[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=GREY, linestyle=line, linewidth=width)
        for line, width in (STYLES[phase] for phase in phases)
    ]
    figure.legend(handles, phases, loc="outside upper left", ncols=len(handles))
