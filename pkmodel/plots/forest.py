"""Ratios of groups to their reference against the margin, with the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.contrast.margin import given_margin
from pkmodel.contrast.record import Contrast
from pkmodel.errors import DataError
from pkmodel.exposure.metric import METRICS
from pkmodel.plots.style import (
    COLOURS,
    GREY,
    LABEL_SIZE,
    VIRTUAL,
    Look,
    Plot,
    footnote,
    house_style,
    in_print,
    legend_above,
    new_figure,
    notes_height,
)
from pkmodel.plots.table import Rows, need_columns
from pkmodel.plots.wrapping import POINTS_PER_INCH, text_width, wrap
from pkmodel.suggestion import quoted, suggest

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Vector = NDArray[np.float64]

NEEDED = (
    "metric",
    "group",
    "reference",
    "kind",
    "ratio",
    "lower",
    "upper",
    "level",
    "margin",
    "verdict",
)
WINE = "#882255"
"""Tells its kind from all others in grey as well, which no colour left of the house does."""

KINDS = {
    "individual": (Look(COLOURS[0], "o"), "individual estimates"),
    "model": (Look(COLOURS[5], "s"), "inside the model"),
    "noncompartmental": (Look(COLOURS[2], "^"), "noncompartmental"),
    "posterior": (Look(COLOURS[3], "D"), "posterior draws"),
    "posterior_model": (Look(WINE, "P"), "inside the model, posterior"),
    "summary": (Look(COLOURS[6], "v"), "published summaries"),
}
"""Look and words of each kind of ratio."""

WIDEST = 8.0
"""Ratios beyond this, or below its inverse, are shown by an arrow at the edge."""

_ROW, _AXIS = 0.245, 3.1
_BETWEEN_TICKS = 0.36
_SIZE = 9.0
_GAP = 14.0
_AFTER_COUNTS = 40.0
_ABOUT, _LEAST_FOOT = 1.0, 0.35
_HEADS = ("ratio (interval)", "verdict", "n / n reference")


@dataclass(frozen=True)
class _Columns:
    """The texts on the right of each row, and where their columns begin.

    Attributes
    ----------
    texts : list of (str, str, str)
        Interval, verdict and counts of each row; empty counts where there are none.
    heads : (str, str, str)
    at : (float, float, float)
        Points from the axis.
    end : float
        Points from the axis to where the last column ends.
    """

    texts: list[tuple[str, str, str]]
    heads: tuple[str, str, str]
    at: tuple[float, float, float]
    end: float


@dataclass(frozen=True)
class _Layout:
    """Where the rows of the table stand on the axis.

    Attributes
    ----------
    place : array (n,)
        Of each row, from the top.
    heads : list of (float, str)
        Where each metric is named.
    """

    place: Vector
    heads: list[tuple[float, str]]


def forest_plot(contrasts: Rows | Sequence[Contrast], *, is_virtual: bool) -> Plot:
    """Draw contrasts: ratios with their intervals, by metric and group, against the margin.

    Parameters
    ----------
    contrasts : DataFrame, sequence of Contrast or sequence of mappings
        Of a `Comparability` the `contrasts`, or rows of contrasts.json: metric, group, reference,
        kind, ratio, lower, upper, level, margin, verdict; adjustment, n, n_reference and warnings
        where there are. None is not known.
    is_virtual : bool
        The subjects are simulated; the figure and the table say so.

    Returns
    -------
    Plot
        `Plot.data` has the rows in the order given, and margin_low, margin_high, virtual.

    Raises
    ------
    DataError
        There is no row, a column is missing, or a metric or kind is not known.
    ModelError
        A margin is no range about 1.

    Examples
    --------
    >>> row = {"metric": "CSS", "group": "infant", "reference": "child", "kind": "individual",
    ...        "ratio": 1.05, "lower": 0.93, "upper": 1.19, "level": 0.9, "margin": [0.8, 1.25],
    ...        "verdict": "equivalent"}
    >>> plot = forest_plot([row], is_virtual=True)
    >>> plot.figure.axes[0].get_xlabel()
    'ratio to “child”, with 90 % interval'
    """
    data = _checked(_tabulated(contrasts)).assign(virtual=is_virtual)
    layout = _lay_out(data)
    warnings = _numbered_warnings(data)
    names = _row_names(data)
    columns = _columns(data, warnings)
    with house_style():
        figure = new_figure()
        low, high = _limits(data)
        numbered = [f"[{number}] {text}" for text, number in warnings.items()]
        notes = (VIRTUAL if is_virtual else "", *_explained(data, low, high), *numbered)
        rows = len(data) + len(layout.heads) + 1
        at_left = max(text_width(name, _SIZE) for name in (*names, *dict(layout.heads).values()))
        at_right = (columns.end + _AFTER_COUNTS) / POINTS_PER_INCH
        width = at_left + _AXIS + at_right
        at_foot = max(notes_height(notes, width), _LEAST_FOOT)
        figure.set_size_inches(width, _ABOUT + _ROW * rows + at_foot)
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.set_ylim(layout.place.max() + 0.7, -1.0)
        _draw_margins(axes, data, layout)
        for place, row in zip(layout.place, data.to_dict("records"), strict=True):
            _draw_row(axes, place, row, (low, high))
        _write_columns(axes, columns, layout)
        _write_heads(axes, layout)
        _name_rows(axes, data, layout, names)
        _ticks(axes, data, low, high)
        axes.set_xlabel(_axis_label(data), parse_math=False)
        legend_above(figure, _legend(data), 3)
        footnote(figure, *notes)
    return Plot(figure, data)


def _tabulated(contrasts: Rows | Sequence[Contrast]) -> pd.DataFrame:
    """Return contrasts as a table, however they come."""
    if isinstance(contrasts, pd.DataFrame):
        return contrasts
    return pd.DataFrame([c.to_dict() if isinstance(c, Contrast) else c for c in contrasts])


def _checked(data: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with numbers as floats and the margin in two columns."""
    if not len(data):
        raise DataError("no contrast to draw: the table is empty")
    need_columns(data, NEEDED, "contrasts")
    problems = [
        f"no {what} {quoted(value)}; {suggest(str(value), known)}"
        for what, known in (("metric", METRICS), ("kind", KINDS))
        for value in data[what].unique()
        if value not in known
    ]
    if problems:
        raise DataError(problems)
    data = data.reset_index(drop=True)
    for name in ("ratio", "lower", "upper", "level"):
        data[name] = data[name].astype(float)
    margins = [given_margin(margin) for margin in data["margin"]]
    return data.assign(margin_low=[m.low for m in margins], margin_high=[m.high for m in margins])


def _lay_out(data: pd.DataFrame) -> _Layout:
    """Give each row a place: metrics in their order, within them groups, then kinds."""
    groups = list(dict.fromkeys(data["group"]))
    keys = [
        (list(METRICS).index(metric), groups.index(group), k)
        for k, (metric, group) in enumerate(zip(data["metric"], data["group"], strict=True))
    ]
    place = np.empty(len(data))
    heads: list[tuple[float, str]] = []
    at = 0.0
    for metric, own in groupby(sorted(keys), key=lambda key: key[0]):
        heads.append((at, in_print(list(METRICS.values())[metric].title)))
        for _, _, k in own:
            at += 1.0
            place[k] = at
        at += 1.0
    return _Layout(place, heads)


def _limits(data: pd.DataFrame) -> tuple[float, float]:
    values = data[["ratio", "lower", "upper", "margin_low", "margin_high"]].to_numpy(float)
    values = values[np.isfinite(values) & (values > 0.0)]
    low = max(0.9 * float(values.min()), 1.0 / WIDEST)
    high = min(1.1 * float(values.max()), WIDEST)
    return min(low, 0.7), max(high, 1.0 / 0.7)


def _draw_margins(axes: Axes, data: pd.DataFrame, layout: _Layout) -> None:
    """Shade the margin of each row; rows that follow each other with the same one as one band."""
    from matplotlib.patches import Rectangle

    order = np.argsort(layout.place)
    margins = data[["margin_low", "margin_high"]].itertuples(index=False, name=None)
    by_row = list(margins)
    top = -0.5
    for (low, high), run in groupby(order, key=lambda k: by_row[k]):
        bottom = layout.place[list(run)[-1]] + 0.5
        axes.add_patch(
            Rectangle((low, top), high - low, bottom - top, fc="#E4E4E4", ec="none", zorder=0)
        )
        for end in (low, high):
            axes.plot([end, end], [top, bottom], color=GREY, lw=0.8, ls=(0, (3, 2)), zorder=1)
        top = bottom
    axes.plot([1.0, 1.0], [-0.5, top], color=GREY, lw=0.9, zorder=1)


def _draw_row(axes: Axes, place: float, row: dict[Any, Any], limits: tuple[float, float]) -> None:
    look = KINDS[row["kind"]][0]
    low, high = limits
    ends = [row["lower"], row["upper"]]
    line = [row["ratio"] if np.isnan(end) else end for end in ends]
    if not np.isnan(line).any():
        axes.plot(np.clip(line, low, high), [place] * 2, color=look.colour, lw=1.6, zorder=2)
    for end, edge, arrow in ((ends[0], low, "<"), (ends[1], high, ">")):
        if (end < low) if arrow == "<" else (end > high):
            axes.plot(edge, place, arrow, color=look.colour, ms=6, clip_on=False, zorder=3)
    if low <= row["ratio"] <= high:
        is_known = not np.isnan(ends).any()
        axes.plot(
            row["ratio"],
            place,
            look.marker,
            ms=6.5,
            mec=look.colour,
            mfc=look.colour if is_known else "white",
            zorder=4,
        )
    elif not np.isnan(row["ratio"]):
        edge, arrow = (low, "<") if row["ratio"] < low else (high, ">")
        axes.plot(edge, place, arrow, color=look.colour, ms=6, clip_on=False, zorder=3)


def _write(axes: Axes, place: float, offset: float, text: str, **how: Any) -> None:
    axes.annotate(
        text,
        (1.0, place),
        xycoords=("axes fraction", "data"),
        xytext=(offset, 0),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
        size=_SIZE,
        parse_math=False,
        **how,
    )


def _columns(data: pd.DataFrame, warnings: dict[str, int]) -> _Columns:
    """Give each column of texts the room that its widest one takes."""
    texts = [_row_texts(row, warnings) for row in data.to_dict("records")]
    has_counts = "n" in data and "n_reference" in data
    heads = (_HEADS[0], _HEADS[1], _HEADS[2] if has_counts else "")
    begins, end = [], 0.0
    for column in zip(heads, *texts, strict=True):
        begins.append(end + (_GAP if any(column) else 0.0))
        width = max(text_width(text, _SIZE) for text in column if text) if any(column) else 0.0
        end = begins[-1] + POINTS_PER_INCH * width
    return _Columns(texts, heads, (begins[0], begins[1], begins[2]), end)


def _row_texts(row: dict[Any, Any], warnings: dict[str, int]) -> tuple[str, str, str]:
    numbers = ",".join(str(warnings[text]) for text in _texts(row.get("warnings")))
    is_counted = pd.notna(row.get("n")) and pd.notna(row.get("n_reference"))
    return (
        interval_text(row["ratio"], row["lower"], row["upper"]),
        f"{row['verdict']} [{numbers}]" if numbers else str(row["verdict"]),
        f"{row['n']:.0f} / {row['n_reference']:.0f}" if is_counted else "",
    )


def _write_columns(axes: Axes, columns: _Columns, layout: _Layout) -> None:
    for at, head, *texts in zip(columns.at, columns.heads, *columns.texts, strict=True):
        _write(axes, 0.0, at, head, color=GREY)
        for place, text in zip(layout.place, texts, strict=True):
            _write(axes, place, at, text)


def interval_text(ratio: float, lower: float, upper: float) -> str:
    """Write a ratio with its interval; what is not known says so.

    Examples
    --------
    >>> nothing = float("nan")
    >>> interval_text(0.953, 0.8, 1.1304), interval_text(2.0, nothing, nothing)
    ('0.95 (0.80 to 1.13)', '2.00 (not known)')
    >>> interval_text(0.0512, 0.004213, 0.6)
    '0.051 (0.004 to 0.60)'
    """
    if np.isnan(ratio):
        return "not known"
    if np.isnan(lower) and np.isnan(upper):
        return f"{_digits(ratio)} (not known)"
    low, high = ("?" if np.isnan(end) else _digits(end) for end in (lower, upper))
    return f"{_digits(ratio)} ({low} to {high})"


def _digits(ratio: float) -> str:
    if ratio < 0.1:
        return f"{ratio:.3f}" if ratio >= 0.01 else f"{ratio:.1g}"
    return f"{ratio:.2f}" if ratio < 10.0 else f"{ratio:.3g}"


def _write_heads(axes: Axes, layout: _Layout) -> None:
    for place, title in layout.heads:
        axes.annotate(
            title,
            (0.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(-10, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            weight="bold",
            size=_SIZE,
            annotation_clip=False,
        )


def _row_names(data: pd.DataFrame) -> list[str]:
    """Name each row by its group, and by what is needed to tell it from the others."""
    adjusted = _adjusted(data)
    several = len(set(data["reference"])) > 1
    names = []
    for k, row in enumerate(data.to_dict("records")):
        text = f"{row['group']} to {row['reference']}" if several else str(row["group"])
        names.append(shorten(text + adjusted[k], 60, placeholder=" ..."))
    return names


def _name_rows(axes: Axes, data: pd.DataFrame, layout: _Layout, names: Sequence[str]) -> None:
    """Write the names of the rows; one that repeats stands once."""
    shown = [""] * len(data)
    for _, run in groupby(np.argsort(layout.place), key=lambda k: (data["metric"][k], names[k])):
        first = int(next(run))
        shown[first] = names[first]
    axes.set_yticks(layout.place, shown, parse_math=False)
    axes.tick_params(axis="y", length=0, pad=10, labelsize=_SIZE)
    axes.spines["left"].set_visible(False)


def _adjusted(data: pd.DataFrame) -> list[str]:
    """Say what a ratio is adjusted for, where a metric and kind has several."""
    if "adjustment" not in data:
        return [""] * len(data)
    adjustment = data["adjustment"].fillna("none")
    several = adjustment.groupby([data["metric"], data["kind"]]).transform("nunique") > 1
    return [
        "" if not many else ", unadjusted" if text == "none" else f", by {text}"
        for text, many in zip(adjustment, several, strict=True)
    ]


def _ticks(axes: Axes, data: pd.DataFrame, low: float, high: float) -> None:
    """Have ticks at 1, the ends of the margins and powers of two, as far as there is room."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    inches = _AXIS / np.log(high / low)
    ends = np.unique(data[["margin_low", "margin_high"]])
    ticks: list[float] = []
    for tick in (1.0, *ends, *(2.0**k for k in (-3, 3, -2, 2, -1, 1))):
        is_clear = all(abs(np.log(tick / t)) * inches >= _BETWEEN_TICKS for t in ticks)
        if low <= tick <= high and is_clear:
            ticks.append(float(tick))
    axes.xaxis.set_major_locator(FixedLocator(sorted(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _axis_label(data: pd.DataFrame) -> str:
    references = data["reference"].unique()
    to = f" to “{references[0]}”" if len(references) == 1 else " to the reference"
    levels = sorted({f"{100.0 * level:.4g} %" for level in data["level"] if np.isfinite(level)})
    interval = f", with {' or '.join(levels)} interval" if levels else ""
    return wrap(f"ratio{to}{interval}", 4.0, LABEL_SIZE)


def _legend(data: pd.DataFrame) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Line2D([], [], color=look.colour, marker=look.marker, ms=6.5, lw=1.6, label=words)
        for kind, (look, words) in KINDS.items()
        if (data["kind"] == kind).any()
    ]
    margins = data[["margin_low", "margin_high"]].drop_duplicates()
    ends = [f"{low:g} to {high:g}" for low, high in margins.itertuples(index=False)]
    return [*handles, Patch(fc="#E4E4E4", ec="none", label=f"margin {' or '.join(ends)}")]


def _texts(warnings: object) -> list[str]:
    """Return the warnings of a row, however the table holds them."""
    if isinstance(warnings, str):
        return [warnings] if warnings else []
    return [str(text) for text in warnings] if isinstance(warnings, Sequence) else []


def _numbered_warnings(data: pd.DataFrame) -> dict[str, int]:
    if "warnings" not in data:
        return {}
    texts = dict.fromkeys(text for row in data["warnings"] for text in _texts(row))
    return {text: number for number, text in enumerate(texts, start=1)}


def _explained(data: pd.DataFrame, low: float, high: float) -> list[str]:
    """Explain open markers and arrows, where there are any."""
    notes = []
    if (data["ratio"].notna() & data[["lower", "upper"]].isna().any(axis=1)).any():
        notes.append("Open marker: an end of the interval is not known.")
    values = data[["ratio", "lower", "upper"]].to_numpy(float)
    if ((values < low) | (values > high)).any():
        notes.append(f"Arrow: goes on beyond the axis ({low:.3g} to {high:.3g}).")
    return notes
