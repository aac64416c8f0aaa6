"""Clearance against body surface and age: subjects, the typical curve, and published models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.errors import DataError, ModelError
from pkmodel.exposure.metric import METRICS
from pkmodel.plots.panel import tidy_log_axis
from pkmodel.plots.style import (
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
from pkmodel.plots.table import ONE_GROUP, need_columns, some_of, with_groups
from pkmodel.published import PublishedModel
from pkmodel.suggestion import quoted, suggest
from pkmodel.units import Units

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Vector = NDArray[np.float64]

SUBJECT, TYPICAL, PUBLISHED = "subject", "typical", "published"
AGAINST = {"BSA": ("body surface area", "m2"), "AGE": ("age", "years")}
"""What clearance can be drawn against: in words, and its unit."""

COLUMNS = [
    "KIND",
    "NAME",
    "ID",
    "GROUP",
    "AGE",
    "BSA",
    "CL",
    "CL_LOWER",
    "CL_UPPER",
    "CL_BSA",
    "CL_BSA_LOWER",
    "CL_BSA_UPPER",
    "LEVEL",
    "EXTRAPOLATED",
]
POINTS = 80
"""Of a published curve against body surface."""

_AGES = (0.0, 0.25, 1.0, 2.0, 4.0, 7.0, 12.0, 18.0)
_PUBLISHED_LINES: tuple[Any, ...] = ((0, (6, 2)), (0, (6, 2, 1, 2)), (0, (3, 2)))


@dataclass(frozen=True)
class PublishedCurve:
    """The typical clearance of a published model.

    Attributes
    ----------
    title : str
        As the legend is to name it, with its source.
    clearance : callable
        Of body surface area, array (n,), m2.
    unit : str
        Of its clearances.
    smallest_bsa, largest_bsa : float
        m2; where the data of that model end. Beyond, the curve is an extrapolation and drawn as
        such.
    """

    title: str
    clearance: Callable[[Vector], Vector]
    unit: str
    smallest_bsa: float = 0.0
    largest_bsa: float = np.inf

    @classmethod
    def of(cls, model: PublishedModel) -> PublishedCurve:
        """Return the curve of a shipped published model.

        Examples
        --------
        >>> from pkmodel.published import published_model
        >>> curve = PublishedCurve.of(published_model("clements_2020"))
        >>> curve.title, curve.unit, curve.smallest_bsa
        ('published model, Clements 2020', 'L/h', 0.37)
        """
        smallest = model.figures.get("smallest_bsa")
        return cls(
            title=f"published model, {model.source}",
            clearance=model.clearance,
            unit=model.figures["clearance"].unit,
            smallest_bsa=0.0 if smallest is None else smallest.value,
        )


def clearance_plot(
    subjects: pd.DataFrame,
    units: Units,
    *,
    is_virtual: bool,
    typical: pd.DataFrame | None = None,
    published: Sequence[PublishedCurve] = (),
    against: Sequence[str] = ("BSA", "AGE"),
    order: Sequence[str] | None = None,
) -> Plot:
    """Draw clearance, and clearance per m2, against body surface area and age.

    Parameters
    ----------
    subjects : DataFrame
        A row per subject: ID, CL, BSA, AGE where drawn against, GROUP where there are groups, as
        `Fit.exposure`.
    units : Units
        Of the data set.
    is_virtual : bool
        The subjects are simulated; the figure and the table say so.
    typical : DataFrame, optional
        The typical curve, as `pkmodel.plots.typical.typical_parameter` returns it for CL: a row
        per person, with BSA, AGE where drawn against, CL, CL_LOWER, CL_UPPER and LEVEL. The rows
        are joined to a line: take one typical person of each size, not a sample of persons.
    published : sequence of PublishedCurve
        Against age they are drawn at the body surfaces of the persons of `typical`.
    against : sequence of str
        ``"BSA"``, ``"AGE"`` or both.
    order : sequence of str, optional
        Groups in the order of the legend.

    Returns
    -------
    Plot
        `Plot.data` has a row per subject (KIND ``"subject"``), per point of the typical curve and
        of each published one, with `COLUMNS` and VIRTUAL.

    Raises
    ------
    DataError
        A table lacks a column.
    ModelError
        Clearance cannot be drawn against this, a published curve has another unit, or it is to be
        drawn against age without a table that gives body surfaces by age.

    Examples
    --------
    >>> table = pd.DataFrame({"ID": [1, 2], "CL": [0.3, 0.9], "BSA": [0.35, 0.9]})
    >>> units = Units("h", "ug", "pg/mL", 1000.0)
    >>> model = PublishedCurve("Clements 2020", lambda b: 2.22 * (b / 1.876) ** 0.62, "L/h", 0.37)
    >>> plot = clearance_plot(table, units, published=[model], against=["BSA"], is_virtual=True)
    >>> [axes.get_ylabel() for axes in plot.figure.axes]
    ['clearance (L/h)', 'clearance per m² (L/h/m²)']
    """
    _check(subjects, units, typical, published, against)
    grouped, names = with_groups(subjects, order)
    drawn = [(k, name) for k, name in enumerate(names) if (grouped["GROUP"] == name).any()]
    data = _together(grouped, typical, published)
    with house_style():
        figure = new_figure(2, len(against), wide=0.8 if len(against) > 1 else 1.0, high=0.8)
        grid = figure.subplots(2, len(against), sharex="col", sharey="row", squeeze=False)
        for row, metric in zip(grid, ("CL", "CL_BSA"), strict=True):
            for axes, x in zip(row, against, strict=True):
                _draw_curves(axes, data, x, metric, published)
                for k, name in drawn:
                    own = data[(data["KIND"] == SUBJECT) & (data["GROUP"] == name)]
                    axes.plot(own[x], own[metric], **_points(k))
            _scale_clearance(row[0], data[metric])
            title, unit = METRICS[metric].title, METRICS[metric].unit(units, True)
            row[0].set_ylabel(label(in_print(title), unit))
        for axes, x in zip(grid[1], against, strict=True):
            axes.set_xlabel(label(*AGAINST[x]))
            _scale_size(axes, data[x], x)
        legend_above(figure, _legend(drawn, typical, published), 2)
        footnote(figure, VIRTUAL if is_virtual else "", *_unknown(data, against))
    return Plot(figure, data.assign(VIRTUAL=(data["KIND"] == SUBJECT) & is_virtual))


def _check(
    subjects: pd.DataFrame,
    units: Units,
    typical: pd.DataFrame | None,
    published: Sequence[PublishedCurve],
    against: Sequence[str],
) -> None:
    problems = [
        f"clearance cannot be drawn against {quoted(x)}; {suggest(x, AGAINST)}"
        for x in against
        if x not in AGAINST
    ]
    if not against:
        problems = [f"name what clearance is to be drawn against; {suggest('', AGAINST)}"]
    problems += [
        f"{curve.title} gives clearance in {curve.unit or 'no unit'}, the data have "
        f"{units.clearance or 'no units'}; convert the published model, or declare the units"
        for curve in published
        if curve.unit != units.clearance
    ]
    if published and "AGE" in against and typical is None:
        problems.append(
            "a published curve of body surface can be drawn against age only where `typical` gives "
            "body surfaces by age; give it, or draw against BSA alone"
        )
    if problems:
        raise ModelError(problems)
    need_columns(subjects, {"ID": 0, "CL": 0, "BSA": 0} | dict.fromkeys(against), "subjects")
    if typical is not None:
        names = {"CL": 0, "CL_LOWER": 0, "CL_UPPER": 0, "LEVEL": 0, "BSA": 0}
        need_columns(typical, names | dict.fromkeys(against), "the typical curve")
        if not len(typical):
            raise DataError("the table of the typical curve is empty")


def _together(
    subjects: pd.DataFrame, typical: pd.DataFrame | None, published: Sequence[PublishedCurve]
) -> pd.DataFrame:
    """Put subjects and curves in one table."""
    subjects = subjects.drop(columns=["CL_LOWER", "CL_UPPER"], errors="ignore")
    parts = [subjects.assign(KIND=SUBJECT, NAME="", ID=subjects["ID"].astype(object))]
    sizes = [subjects["BSA"]]
    if typical is not None:
        parts.append(typical.assign(KIND=TYPICAL, NAME="this fit"))
        sizes.append(typical["BSA"])
    known = pd.concat(sizes).astype(float)
    for curve in published:
        grid = np.geomspace(known.min(), known.max(), POINTS)
        at = pd.DataFrame({"BSA": grid})
        if typical is not None and "AGE" in typical:
            at = pd.concat([at, typical[["AGE", "BSA"]]], ignore_index=True)
        bsa = at["BSA"].to_numpy(float)
        beyond = (bsa < curve.smallest_bsa) | (bsa > curve.largest_bsa)
        parts.append(
            at.assign(
                KIND=PUBLISHED, NAME=curve.title, CL=curve.clearance(bsa), EXTRAPOLATED=beyond
            )
        )
    data = pd.concat([p.reindex(columns=COLUMNS) for p in parts], ignore_index=True)
    data["EXTRAPOLATED"] = data["EXTRAPOLATED"].eq(True)
    for end in ("", "_LOWER", "_UPPER"):
        data[f"CL_BSA{end}"] = data[f"CL{end}"].astype(float) / data["BSA"].astype(float)
    return data


def _draw_curves(
    axes: Axes, data: pd.DataFrame, x: str, metric: str, published: Sequence[PublishedCurve]
) -> None:
    typical = data[data["KIND"] == TYPICAL].sort_values(x, kind="stable")
    if len(typical):
        low, high = typical[f"{metric}_LOWER"], typical[f"{metric}_UPPER"]
        axes.fill_between(typical[x], low, high, **_band())
        axes.plot(typical[x], typical[metric], **_curve())
    for number, curve in enumerate(published):
        own = data[(data["KIND"] == PUBLISHED) & (data["NAME"] == curve.title)]
        own = own[own["AGE"].isna() == (x == "BSA")].sort_values(x, kind="stable")
        axes.plot(own[x], own[metric].mask(own["EXTRAPOLATED"]), **_published(number))
        axes.plot(own[x], own[metric].where(own["EXTRAPOLATED"]), **_extrapolated())


def _points(k: int) -> dict[str, Any]:
    how = look(k)
    return {
        "ls": "",
        "marker": how.marker,
        "ms": 4.6,
        "mew": 0,
        "color": how.colour,
        "alpha": 0.7,
        "zorder": 2,
    }


def _band() -> dict[str, Any]:
    return {"color": "#B0B0B0", "alpha": 0.6, "lw": 0, "zorder": 1}


def _curve() -> dict[str, Any]:
    return {"color": "black", "lw": 1.8, "zorder": 3}


def _published(number: int) -> dict[str, Any]:
    lines = _PUBLISHED_LINES
    return {"color": "#D55E00", "lw": 1.8, "ls": lines[number % len(lines)], "zorder": 3}


def _extrapolated() -> dict[str, Any]:
    return {"color": "#D55E00", "lw": 1.6, "ls": (0, (1, 2)), "zorder": 3}


def _scale_clearance(axes: Axes, values: pd.Series[Any]) -> None:
    known = values[np.isfinite(values.astype(float)) & (values > 0.0)].astype(float)
    if not len(known):
        return
    low, high = 0.8 * float(known.min()), 1.25 * float(known.max())
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    tidy_log_axis(axes.yaxis, low, high)


def _scale_size(axes: Axes, values: pd.Series[Any], x: str) -> None:
    """Spread the small: body surface by its logarithm, age by its square root."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    known = values.astype(float).dropna()
    low, high = float(known.min()), float(known.max())
    if x == "BSA":
        low, high = 0.92 * low, 1.08 * high
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        tidy_log_axis(axes.xaxis, low, high)
    elif low < 2.0 and 4.0 < high <= 30.0:
        axes.set_xscale("function", functions=(_root, np.square))
        axes.set_xlim(0.0, 1.05 * high)
        axes.xaxis.set_major_locator(FixedLocator([t for t in _AGES if t <= 1.05 * high]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _root(age: Vector) -> Vector:
    return np.asarray(np.sqrt(np.maximum(age, 0.0)))


def _legend(
    drawn: Sequence[tuple[int, str]],
    typical: pd.DataFrame | None,
    published: Sequence[PublishedCurve],
) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Line2D([], [], label="subjects" if name == ONE_GROUP else name, **_points(k))
        for k, name in drawn
    ]
    if typical is not None:
        level = f"{100.0 * float(typical['LEVEL'].iloc[0]):.4g} %"
        handles.append(Line2D([], [], label="typical clearance of this fit", **_curve()))
        if typical["CL_LOWER"].notna().any():
            handles.append(Patch(label=f"its {level} interval", **_band()))
    for number, curve in enumerate(published):
        handles.append(Line2D([], [], label=curve.title, **_published(number)))
    if any(c.smallest_bsa > 0.0 or np.isfinite(c.largest_bsa) for c in published):
        handles.append(Line2D([], [], label="the same, beyond its data", **_extrapolated()))
    return handles


def _unknown(data: pd.DataFrame, against: Sequence[str]) -> list[str]:
    """Say what is not known and so not drawn."""
    notes = []
    own = data[data["KIND"] == SUBJECT]
    lost = own.loc[own[["CL", "BSA", *against]].isna().any(axis=1), "ID"]
    if len(lost):
        notes.append(f"Without clearance or size: {some_of(lost, len(own))}.")
    ends = data.loc[data["KIND"] == TYPICAL, ["CL_LOWER", "CL_UPPER"]]
    if len(ends) and ends.isna().any(axis=None):
        notes.append("No interval of the typical clearance: the fit has no standard error for it.")
    return notes
