"""Exposure and its parameters by group: every subject, a box, and what has been published."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.errors import DataError, ModelError, Problem
from pkmodel.exposure.metric import METRICS
from pkmodel.plots.panel import panel_width, tidy_log_axis
from pkmodel.plots.style import (
    GREY,
    LABEL_SIZE,
    VIRTUAL,
    Plot,
    footnote,
    house_style,
    in_print,
    label,
    legend_above,
    look,
    new_figure,
)
from pkmodel.plots.table import Rows, need_columns, some_of, with_groups
from pkmodel.plots.wrapping import wrap
from pkmodel.suggestion import quoted, suggest
from pkmodel.units import Units

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Vector = NDArray[np.float64]

SUBJECT, PUBLISHED = "subject", "published"
SMALLEST_BOX = 5
"""Subjects that a box needs; fewer are shown by their points and median."""

BOX_NOTE = (
    "Points: subjects. Boxes: quartiles and median, whiskers to the 5th and 95th percentile; below "
    f"{SMALLEST_BOX} subjects the median alone."
)
COLUMNS = ["KIND", "GROUP", "METRIC", "UNIT", "ID", "VALUE", "LOWER", "UPPER", "SOURCE"]

_GOLDEN = 0.6180339887498949
_SLOT, _BOX = 0.40, 0.36
_SIDE_BY_SIDE = 3
_NAMES = 1.8
_MIDDLE: dict[str, Any] = {"color": GREY, "lw": 1.6, "ls": (0, (4, 2))}


def exposure_plot(
    table: pd.DataFrame,
    units: Units,
    *,
    is_virtual: bool,
    metrics: Sequence[str] = ("CSS", "CL_BSA"),
    order: Sequence[str] | None = None,
    published: Rows = (),
    is_log: bool = False,
) -> Plot:
    """Draw metrics of exposure by group.

    Parameters
    ----------
    table : DataFrame
        A row per subject: ID, the metrics, and GROUP where there are groups, as `Fit.exposure`.
    units : Units
        Of the data set.
    is_virtual : bool
        The subjects are simulated; the figure and the table say so.
    metrics : sequence of str
        Keys of `pkmodel.exposure.metric.METRICS`; a panel each.
    order : sequence of str, optional
        Groups from top to bottom; those without subjects stand too.
    published : DataFrame or sequence of mappings
        Published summaries: metric, group (empty: all groups), source, unit, and mean with sd, or
        median with min and max; population where there is one. Rows of other metrics are passed
        over.
    is_log : bool
        Logarithmic axes of the metrics.

    Returns
    -------
    Plot
        `Plot.data` has a row per subject and metric, then one per published band: KIND, GROUP,
        METRIC, UNIT, ID, VALUE (of a band the mean or median), LOWER, UPPER, SOURCE, VIRTUAL.

    Raises
    ------
    DataError
        The table lacks a column, or a published row its numbers, its group or the unit of the data.
    ModelError
        There is no such metric, or the order leaves out a group.

    Examples
    --------
    >>> table = pd.DataFrame({"ID": [1, 2], "GROUP": ["infant", "child"], "CSS": [700.0, 640.0]})
    >>> units = Units("h", "ug", "pg/mL", 1000.0)
    >>> plot = exposure_plot(table, units, metrics=["CSS"], is_virtual=True)
    >>> plot.figure.axes[0].get_xlabel()
    'steady-state concentration (pg/mL)'
    """
    known = [name for name in METRICS if name in table]
    missing = [f"no metric {quoted(m)}; {suggest(m, known)}" for m in metrics if m not in known]
    if missing or not metrics:
        raise ModelError(missing or "no metric to draw: name one or more")
    need_columns(table, ("ID",), "exposure")
    grouped, names = with_groups(table, order)
    unit_of = {m: METRICS[m].unit(units, "BSA" in table) for m in metrics}
    data = _long(grouped, unit_of)
    bands = _bands(pd.DataFrame(published), unit_of, names)
    with house_style():
        figure, panels = _panels(len(metrics), len(names))
        for axes, metric in zip(panels, metrics, strict=True):
            own, near = data[data["METRIC"] == metric], bands[bands["METRIC"] == metric]
            _draw_bands(axes, near, names)
            for k, name in enumerate(names):
                _draw_group(axes, k, own.loc[own["GROUP"] == name, "VALUE"].to_numpy(float))
            name = label(in_print(METRICS[metric].title), unit_of[metric])
            axes.set_xlabel(wrap(name, panel_width(axes), LABEL_SIZE))
            _scale(axes, pd.concat([own, near]), is_log)
        _name_groups(panels[0], names, grouped)
        legend_above(figure, _legend(bands), 1)
        footnote(figure, VIRTUAL if is_virtual else "", BOX_NOTE, *_unknown(data))
    everything = pd.concat([data, bands], ignore_index=True).assign(
        VIRTUAL=[is_virtual] * len(data) + [False] * len(bands)
    )
    return Plot(figure, everything)


def _long(table: pd.DataFrame, unit_of: dict[str, str]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "KIND": SUBJECT,
                "GROUP": table["GROUP"],
                "METRIC": metric,
                "UNIT": unit,
                "ID": table["ID"].astype(object),
                "VALUE": table[metric].astype(float),
                "LOWER": np.nan,
                "UPPER": np.nan,
                "SOURCE": "",
            }
        )
        for metric, unit in unit_of.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _bands(published: pd.DataFrame, unit_of: dict[str, str], names: Sequence[str]) -> pd.DataFrame:
    """Return a row per published band, its numbers, unit and group checked."""
    rows, problems = [], []
    if len(published):
        need_columns(published, ("metric", "source", "unit"), "published values")
    for number, row in enumerate(published.to_dict("records"), start=1):
        metric = str(row["metric"])
        if metric not in unit_of:
            continue
        group, unit = _text(row, "group"), _text(row, "unit")
        place = f"published row {number}, {metric}"
        if group and group not in names:
            problems.append(Problem(f"no group {quoted(group)}; {suggest(group, names)}", place))
        if in_print(unit) != in_print(unit_of[metric]):
            problems.append(
                Problem(
                    f"in {unit or 'no unit'}, the data in {unit_of[metric] or 'no unit'}; convert "
                    "the published values, or declare the units of the data",
                    place,
                )
            )
        what, middle, low, high = _summary(row)
        if not what:
            problems.append(Problem("needs a mean (with sd) or a median (with min, max)", place))
        source = ", ".join(t for t in (_text(row, "population"), _text(row, "source")) if t)
        source = f"{what} ({source})"
        rows.append((PUBLISHED, group, metric, unit, None, middle, low, high, source))
    if problems:
        raise DataError(problems)
    return pd.DataFrame(rows, columns=COLUMNS)


def _text(row: Mapping[Hashable, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None or pd.isna(value) else str(value)


def _summary(row: Mapping[Hashable, Any]) -> tuple[str, float, float, float]:
    """Say what a published row gives, and return its middle and ends; the ends NaN if not given."""
    number = {
        name: float(row[name]) if pd.notna(row.get(name)) else np.nan
        for name in ("mean", "sd", "median", "min", "max")
    }
    if np.isfinite(number["mean"]):
        mean, sd = number["mean"], number["sd"]
        return "mean" if np.isnan(sd) else "mean ± SD", mean, mean - sd, mean + sd
    if np.isfinite(number["median"]):
        has_range = np.isfinite(number["min"]) and np.isfinite(number["max"])
        what = "median and range" if has_range else "median"
        return what, number["median"], number["min"], number["max"]
    return "", np.nan, np.nan, np.nan


def _panels(count: int, groups: int) -> tuple[Figure, list[Axes]]:
    columns = min(count, _SIDE_BY_SIDE)
    rows = ceil(count / columns)
    wide = {1: 1.0, 2: 0.75}.get(columns, 0.55)
    figure = new_figure(rows, columns, wide=wide, high=0.30 + 0.19 * groups)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    panels = list(grid.ravel())
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels[:count]


def _draw_bands(axes: Axes, bands: pd.DataFrame, names: Sequence[str]) -> None:
    """Shade what was published: of one group in its row, of all groups throughout."""
    from matplotlib.patches import Rectangle

    for group, middle, low, high, source in bands[
        ["GROUP", "VALUE", "LOWER", "UPPER", "SOURCE"]
    ].itertuples(index=False):
        bottom, top = (-0.5, len(names) - 0.5)
        if group:
            k = list(names).index(group)
            bottom, top = k - _SLOT, k + _SLOT
        look_of = _band_look(source)
        if np.isfinite(low) and np.isfinite(high):
            axes.add_patch(Rectangle((low, bottom), high - low, top - bottom, **look_of, zorder=0))
        axes.plot([middle] * 2, [bottom, top], zorder=1, **_MIDDLE)


def _band_look(source: str) -> dict[str, Any]:
    """Return how a band is filled: a mean with its SD plain, a median with its range hatched."""
    if source.startswith("median"):
        return {"fc": "none", "ec": "#B8B8B8", "hatch": "////", "lw": 0.0}
    return {"fc": "#D9D9D9", "ec": "none", "lw": 0.0}


def _draw_group(axes: Axes, k: int, values: Vector) -> None:
    known = values[np.isfinite(values)]
    colour, marker = look(k).colour, look(k).marker
    offset = _BOX * (np.mod(_GOLDEN * np.arange(1, known.size + 1), 1.0) - 0.5) * 1.6
    axes.plot(
        known, k + offset, ls="", marker=marker, ms=4.4, mew=0, color=colour, alpha=0.65, zorder=2
    )
    if known.size < 2:
        return
    low, first, middle, third, high = np.quantile(known, [0.05, 0.25, 0.5, 0.75, 0.95])
    if known.size < SMALLEST_BOX:
        axes.plot([middle] * 2, [k - 0.5 * _BOX, k + 0.5 * _BOX], color="black", lw=1.6, zorder=3)
        return
    box = {"med": middle, "q1": first, "q3": third, "whislo": low, "whishi": high}
    lines = {"color": "black", "lw": 1.1}
    axes.bxp(
        [box],
        positions=[k],
        widths=_BOX,
        orientation="horizontal",
        showfliers=False,
        manage_ticks=False,
        boxprops=lines,
        whiskerprops=lines,
        capprops=lines,
        medianprops={"color": "black", "lw": 2.0},
        zorder=3,
    )


def _scale(axes: Axes, shown: pd.DataFrame, is_log: bool) -> None:
    values = shown[["VALUE", "LOWER", "UPPER"]].to_numpy(float)
    values = values[np.isfinite(values)]
    if is_log:
        values = values[values > 0.0]
    if not values.size:
        return
    if is_log:
        low, high = 0.85 * values.min(), 1.18 * values.max()
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        tidy_log_axis(axes.xaxis, low, high)
    else:
        axes.set_xlim(min(0.0, values.min()), 1.06 * values.max())


def _name_groups(axes: Axes, names: Sequence[str], table: pd.DataFrame) -> None:
    counts = table["GROUP"].value_counts()
    labels = [f"{wrap(name, _NAMES, LABEL_SIZE)}\nn = {counts.get(name, 0)}" for name in names]
    axes.set_yticks(range(len(names)), labels, parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.45, -0.55)


def _legend(bands: pd.DataFrame) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Patch(label=_band_label(*band), **_band_look(band[-1]))
        for band in bands[["METRIC", "GROUP", "SOURCE"]].itertuples(index=False)
    ]
    if handles:
        line = Line2D([], [], label="published mean or median", **_MIDDLE)
        handles.append(line)
    return handles


def _band_label(metric: str, group: str, source: str) -> str:
    of = f", {group}" if group else ""
    return f"{in_print(METRICS[metric].title)}{of}: published {source}"


def _unknown(data: pd.DataFrame) -> list[str]:
    """Say which subjects have no value."""
    notes = []
    for metric, own in data.groupby("METRIC", sort=False):
        lost = own.loc[~np.isfinite(own["VALUE"]), "ID"]
        if len(lost):
            title = in_print(METRICS[str(metric)].title)
            notes.append(f"Without {title}: {some_of(lost, len(own))}.")
    return notes
