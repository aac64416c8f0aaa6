"""Draws from a posterior beside the prior of each parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pkmodel.bayes.prior_scale import on_prior_scale
from pkmodel.plots.scatter import grid
from pkmodel.plots.style import COLOURS, Plot, footnote, house_style, legend_above
from pkmodel.plots.table import need_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, COLUMNS = 2.9, 1.9, 3
BINS = "rice"
CURVE = ("parameter", "prior", "value", "density")
NOTE = (
    "Bars: draws from the posterior; line: prior. Of effects both are of the standard deviation "
    "and of correlations (prior: the law of each one by LKJ). Where they are alike the data tell "
    "little; where they lie apart data and prior contradict each other. A prior that is flat "
    "without bounds has no line."
)


def prior_and_posterior(draws: pd.DataFrame, curves: pd.DataFrame, *, is_virtual: bool) -> Plot:
    """Draw the histogram of each parameter's posterior, and its prior over it.

    Parameters
    ----------
    draws : DataFrame
        As `Fit.population_draws`.
    curves : DataFrame
        As `Fit.prior_curves`: parameter, prior, value, density.
    is_virtual : bool
        The subjects are simulated; the figure says so.

    Returns
    -------
    Plot
        With the curves.

    Raises
    ------
    DataError
        A column is missing.

    Examples
    --------
    >>> draws = pd.DataFrame({"omega CL": [0.04, 0.09, 0.06]})
    >>> curves = pd.DataFrame({"parameter": "sd of omega CL", "prior": "half-normal(scale 1)",
    ...                        "value": [0.0, 1.0], "density": [0.8, 0.5]})
    >>> plot = prior_and_posterior(draws, curves, is_virtual=False)
    >>> plot.figure.axes[0].get_title("left")
    'sd of omega CL'
    """
    need_columns(curves, CURVE, "curves of priors")
    names = list(curves["parameter"].unique())
    drawn = on_prior_scale(draws)
    need_columns(drawn, names, "draws")
    with house_style():
        figure = grid(len(names), COLUMNS, width=WIDTH, height=HEIGHT, is_virtual=is_virtual)
        for axes, name in zip(figure.axes, names, strict=True):
            _panel(axes, drawn[name], curves[curves["parameter"] == name])
            axes.set_title(name, size=9, pad=14, parse_math=False)
        _legend_and_note(figure)
    return Plot(figure, curves)


def _panel(axes: Axes, drawn: pd.Series[Any], curve: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.hist(drawn, bins=BINS, density=True, color=COLOURS[4], linewidth=0)
    axes.plot(curve["value"], curve["density"], color=COLOURS[5], linewidth=1.4)
    axes.text(0.0, 1.03, curve["prior"].iloc[0], size=7, transform=axes.transAxes, parse_math=False)
    ends = np.array([curve["value"].min(), curve["value"].max(), drawn.min(), drawn.max()])
    axes.set_xlim(ends.min(), ends.max())
    axes.set_ylim(0.0, None)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _legend_and_note(figure: Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(color=COLOURS[4], label="posterior"),
        Line2D([], [], color=COLOURS[5], linewidth=1.4, label="prior"),
    ]
    legend_above(figure, handles, columns=2)
    footnote(figure, NOTE)
