"""Draws from a posterior chain by chain: their course, and their ranks among all draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from pkmodel.plots.parameter_title import parameter_title
from pkmodel.plots.scatter import grid
from pkmodel.plots.style import GREY, Plot, footnote, house_style, legend_above, look
from pkmodel.plots.table import need_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, COLUMNS = 3.2, 1.8, 3
PLAIN = ("chain", "draw")
BINS = 20
Line = Literal["-", "--", "-.", ":"]
STYLES: tuple[Line, ...] = ("-", "--", "-.", ":")
"""Lines of the chains, which are apart in grey as well."""

TRACES = "Draws from the posterior in their order, a colour for each chain."
RANKS = (
    "Ranks of the posterior draws of each chain among all draws of the parameter, relative to what "
    "is expected; chains that agree have every rank equally often (grey line)."
)


def chain_traces(draws: pd.DataFrame, *, is_virtual: bool) -> Plot:
    """Draw every parameter over the draws of each chain.

    Parameters
    ----------
    draws : DataFrame
        As `Fit.population_draws`: chain, draw, and a column for each parameter.
    is_virtual : bool
        The subjects are simulated; the figure says so.

    Returns
    -------
    Plot

    Raises
    ------
    DataError
        A column is missing.

    Examples
    --------
    >>> import numpy as np
    >>> draws = pd.DataFrame({"chain": [1, 1, 2, 2], "draw": [1, 2, 1, 2],
    ...                       "theta cl": [1.0, 1.1, 0.9, 1.0]})
    >>> chain_traces(draws, is_virtual=False).figure.axes[0].get_title("left")
    'theta cl'
    """
    with house_style():
        figure = _panels(draws, is_virtual)
        for axes, name in _named(figure, draws):
            for k, (_, rows) in enumerate(draws.groupby("chain")):
                axes.plot(
                    rows["draw"],
                    rows[name],
                    color=look(k).colour,
                    linewidth=0.4,
                    alpha=0.7,
                    rasterized=True,
                )
        _finish(figure, draws, "draw", TRACES)
    return Plot(figure, draws)


def chain_ranks(draws: pd.DataFrame, *, is_virtual: bool) -> Plot:
    """Draw how often each chain has each rank among the draws of all chains.

    Parameters
    ----------
    draws, is_virtual
        As of `chain_traces`.

    Returns
    -------
    Plot
        `Plot.data` has a row per parameter, chain and bin: parameter, chain, rank (the middle of
        the bin), share (of the chain's draws, times the number of bins).

    Raises
    ------
    DataError
        A column is missing.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Buerkner 2021, 10.1214/20-BA1221 (rank plots).
    """
    with house_style():
        figure = _panels(draws, is_virtual)
        tables = []
        for axes, name in _named(figure, draws):
            table = _shares(draws, name)
            tables.append(table)
            for k, (_, rows) in enumerate(table.groupby("chain")):
                axes.step(
                    rows["rank"],
                    rows["share"],
                    where="mid",
                    color=look(k).colour,
                    linestyle=STYLES[k % len(STYLES)],
                    linewidth=1.0,
                )
            axes.axhline(1.0, color=GREY, linewidth=0.8)
            axes.set_ylim(0.0, max(2.0, 1.05 * table["share"].max()))
        _finish(figure, draws, "rank", RANKS, STYLES)
    return Plot(figure, pd.concat(tables, ignore_index=True))


def _panels(draws: pd.DataFrame, is_virtual: bool) -> Figure:
    need_columns(draws, PLAIN, "draws")
    return grid(len(_names(draws)), COLUMNS, width=WIDTH, height=HEIGHT, is_virtual=is_virtual)


def _names(draws: pd.DataFrame) -> list[str]:
    return [str(name) for name in draws.columns if name not in PLAIN]


def _named(figure: Figure, draws: pd.DataFrame) -> Iterator[tuple[Axes, str]]:
    for axes, name in zip(figure.axes, _names(draws), strict=True):
        axes.set_title(parameter_title(name), size=9, parse_math=False)
        axes.tick_params(labelsize=8)
        yield axes, name


def _shares(draws: pd.DataFrame, name: str) -> pd.DataFrame:
    """Count the ranks of each chain's draws in equal bins, relative to what is expected."""
    rank = rankdata(draws[name], method="ordinal").astype(np.int64) - 1
    place = (rank * BINS) // len(draws)
    middle = (np.arange(BINS) + 0.5) * len(draws) / BINS
    parts = []
    for chain, own in pd.Series(place, index=draws.index).groupby(draws["chain"]):
        counts = np.bincount(own.to_numpy(), minlength=BINS)
        share = counts * BINS / len(own)
        parts.append(
            pd.DataFrame({"parameter": name, "chain": chain, "rank": middle, "share": share})
        )
    return pd.concat(parts, ignore_index=True)


def _finish(
    figure: Figure, draws: pd.DataFrame, across: str, note: str, styles: Sequence[Line] = ("-",)
) -> None:
    from matplotlib.lines import Line2D

    for axes in figure.axes[-COLUMNS:]:
        axes.set_xlabel(across, size=9)
    chains = sorted(draws["chain"].unique())
    handles = [
        Line2D(
            [],
            [],
            color=look(k).colour,
            linestyle=styles[k % len(styles)],
            linewidth=1.4,
            label=f"chain {chain}",
        )
        for k, chain in enumerate(chains)
    ]
    legend_above(figure, handles, columns=min(len(handles), 8))
    footnote(figure, note)
