"""Random effects between subjects: their distribution, and against covariates.

Tables are those of `Fit.individuals`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pkmodel.number import percent
from pkmodel.plots.scatter import (
    TREND,
    add_group_legend,
    draw_trend,
    grid,
    group_names,
    scatter,
    short,
)
from pkmodel.plots.style import COLOURS, GREY, Plot, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
WIDTH, HEIGHT = 2.8, 2.6
FEW_VALUES = 5
"""A covariate with no more values than this is drawn by value, as boxes."""


def effect_distribution(
    individuals: pd.DataFrame,
    omega: Mapping[str, float],
    shrinkage: Mapping[str, float | None],
    *,
    is_virtual: bool,
) -> Plot:
    """Draw the histogram of each random effect, and each pair of effects.

    Parameters
    ----------
    individuals : DataFrame
        ``ETA_<parameter>`` for each parameter of `omega`, and GROUP where there are groups.
    omega : mapping of str to float
        Variance of each random effect; its normal density is drawn over the histogram.
    shrinkage : mapping of str to float or None
        Of each effect, as a fraction; written in its panel.
    is_virtual : bool
        The subjects are simulated; the figure says so.

    Returns
    -------
    Plot

    Examples
    --------
    >>> import pkmodel as pk
    >>> fit = pk.evaluate("phenobarbital")
    >>> omega = {"CL": 0.1, "V": 0.1}
    >>> plot = effect_distribution(fit.individuals, omega, fit.shrinkage["eta"], is_virtual=False)
    >>> [axes.get_title("left") for axes in plot.figure.axes][0]
    'shrinkage 69 %'
    """
    names = group_names(individuals)
    pairs = list(combinations(omega, 2))
    with house_style():
        figure = grid(
            len(omega) + len(pairs), COLUMNS, width=WIDTH, height=HEIGHT, is_virtual=is_virtual
        )
        for axes, (parameter, variance) in zip(figure.axes, omega.items(), strict=False):
            _histogram(axes, individuals, parameter, variance, shrinkage.get(parameter))
        for axes, (x, y) in zip(figure.axes[len(omega) :], pairs, strict=True):
            _pair(axes, individuals, x, y, names)
        add_group_legend(figure, names if pairs else [])
    return Plot(figure, individuals)


def _column(parameter: str) -> str:
    return f"ETA_{parameter}"


def _said(shrinkage: float | None) -> str:
    return f"shrinkage {percent(shrinkage) or 'unknown'}"


def _histogram(
    axes: Axes, table: pd.DataFrame, parameter: str, variance: float, shrinkage: float | None
) -> None:
    """Draw how one effect is distributed, with the normal density of its variance."""
    values = table[_column(parameter)].dropna().to_numpy(float)
    if values.size:
        axes.hist(values, bins="sturges", density=True, color=COLOURS[4], edgecolor="white")
    axes.axvline(0.0, color=GREY, linewidth=1.0)
    if variance > 0.0:
        reach = max(3.0 * variance**0.5, float(np.abs(values).max(initial=0.0)))
        at = np.linspace(-reach, reach, 200)
        density = np.exp(-(at**2) / (2.0 * variance)) / np.sqrt(2.0 * np.pi * variance)
        axes.plot(at, density, color=COLOURS[0], linewidth=1.4)
    axes.set_title(_said(shrinkage), size=9)
    axes.set_xlabel(f"η {parameter}")
    axes.set_ylabel("density")


def _pair(axes: Axes, table: pd.DataFrame, x: str, y: str, names: list[str]) -> None:
    """Draw one effect against another, with their correlation."""
    scatter(axes, table, _column(x), _column(y), names)
    axes.axhline(0.0, color=GREY, linewidth=0.8, zorder=0)
    axes.axvline(0.0, color=GREY, linewidth=0.8, zorder=0)
    axes.set_title(f"correlation {_correlation(table, _column(x), _column(y))}", size=9)
    axes.set_xlabel(f"η {x}")
    axes.set_ylabel(f"η {y}")


def _correlation(table: pd.DataFrame, x: str, y: str) -> str:
    known = table[[x, y]].dropna()
    if len(known) < 3 or known[x].nunique() < 2 or known[y].nunique() < 2:
        return "unknown"
    return f"{np.corrcoef(known[x], known[y])[0, 1]:+.2f}"


def effect_against_covariates(
    individuals: pd.DataFrame,
    parameter: str,
    covariates: Sequence[str],
    shrinkage: float | None,
    *,
    is_virtual: bool,
) -> Plot:
    """Draw a random effect against each covariate, with a trend or, by value, with boxes.

    Parameters
    ----------
    individuals : DataFrame
        ``ETA_<parameter>``, the covariates, and GROUP where there are groups.
    parameter : str
    covariates : sequence of str
        At least one.
    shrinkage : float or None
        Of the effect, as a fraction: the larger, the less a trend can be seen.
    is_virtual : bool
        The subjects are simulated; the figure says so.

    Returns
    -------
    Plot

    Examples
    --------
    >>> import pkmodel as pk
    >>> table = pk.evaluate("phenobarbital").individuals
    >>> covariates = ["WT", "APGR"]
    >>> plot = effect_against_covariates(table, "CL", covariates, 0.43, is_virtual=False)
    >>> [axes.get_xlabel() for axes in plot.figure.axes]
    ['WT', 'APGR']
    """
    names = group_names(individuals)
    y = _column(parameter)
    with house_style():
        figure = grid(len(covariates), COLUMNS, width=WIDTH, height=HEIGHT, is_virtual=is_virtual)
        for axes, covariate in zip(figure.axes, covariates, strict=True):
            axes.axhline(0.0, color=GREY, linewidth=1.0, zorder=0)
            scatter(axes, individuals, covariate, y, names)
            if individuals[covariate].nunique() <= FEW_VALUES:
                _boxes(axes, individuals, covariate, y)
            else:
                draw_trend(axes, individuals[covariate].to_numpy(float), individuals[y].to_numpy())
                axes.set_title(f"correlation {_correlation(individuals, covariate, y)}", size=9)
            axes.set_xlabel(short(covariate), parse_math=False)
        for axes in figure.axes[::COLUMNS]:
            axes.set_ylabel(f"η {parameter}, {_said(shrinkage)}", size=9)
        add_group_legend(figure, names)
    columns = ["ID", *(["GROUP"] if names else []), y, *covariates]
    return Plot(figure, individuals[list(dict.fromkeys(columns))])


def _boxes(axes: Axes, table: pd.DataFrame, covariate: str, y: str) -> None:
    """Draw a box over the points of each value of a covariate."""
    known = table[[covariate, y]].dropna()
    values = sorted(known[covariate].unique())
    gap = min(np.diff(values), default=1.0)
    axes.boxplot(
        [known.loc[known[covariate] == value, y] for value in values],
        positions=values,
        widths=0.5 * gap,
        showfliers=False,
        showcaps=False,
        manage_ticks=False,
        medianprops={"color": TREND, "linewidth": 1.6},
        boxprops={"color": GREY},
        whiskerprops={"color": GREY},
    )
    axes.set_xlim(values[0] - gap, values[-1] + gap)
    counts = [(known[covariate] == value).sum() for value in values]
    axes.set_xticks(values, [f"{v:g}\nn {n}" for v, n in zip(values, counts, strict=True)])
