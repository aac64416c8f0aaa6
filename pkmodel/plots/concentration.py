"""Observed concentrations against time, a panel per group, with the model's predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.errors import ModelError
from pkmodel.plots.panel import is_outer, panel_figure, panel_width, tidy_log_axis, time_ticks
from pkmodel.plots.prediction_line import common_times, individual_lines, lines_at
from pkmodel.plots.style import (
    GREY,
    TITLE_SIZE,
    VIRTUAL,
    Plot,
    footnote,
    house_style,
    label,
    legend_above,
    look,
)
from pkmodel.plots.table import ONE_GROUP, need_columns, some_of, with_groups
from pkmodel.plots.wrapping import wrap
from pkmodel.result import Fit
from pkmodel.suggestion import quoted, suggest
from pkmodel.units import Units

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

OBSERVED, LINE = "observation", "prediction"
PREDICTIONS = ("individual", "median", "none")
COLUMNS = ("KIND", "ID", "TIME", "DV", "CENS", "PREDICTION")
LABELS = {
    "individual": "individual prediction, at the mode",
    "median": "median of the individual predictions",
}


def concentration_time(
    fit: Fit,
    *,
    prediction: str = "individual",
    window: tuple[float, float] | None = None,
    is_log: bool = True,
) -> Plot:
    """Draw the observations of a fit against time, by group, with its predictions.

    Parameters
    ----------
    fit : Fit
        With the groups of its definition; all subjects together where it has none.
    prediction : str
        ``"individual"``: a line per subject, at its mode; ``"median"``: the median of these over
        the subjects of the group, where at least half of them have one; ``"none"``.
    window : (float, float), optional
        The part of the time axis to be drawn, such as the hours after the end of an infusion. All
        rows stay in the table, and the figure says how many observations lie outside.
    is_log : bool
        Logarithmic axis of concentrations.

    Returns
    -------
    Plot
        `Plot.data` is that of `concentration_table`.

    Raises
    ------
    ModelError
        There is no such prediction, a median is asked for where TIME begins anew, or no
        observation lies in the window.

    Examples
    --------
    >>> import pkmodel as pk
    >>> plot = concentration_time(pk.evaluate("phenobarbital"), prediction="none")
    >>> plot.figure.axes[0].get_ylabel(), len(plot.data)
    ('concentration (mg/L)', 155)
    """
    groups = fit.subjects.groups
    return draw_concentrations(
        concentration_table(fit, prediction=prediction),
        fit.problem.dataset.units,
        order=None if groups is None else groups.names,
        window=window,
        is_log=is_log,
    )


def concentration_table(fit: Fit, *, prediction: str = "individual") -> pd.DataFrame:
    """Tabulate what `concentration_time` draws.

    Parameters
    ----------
    fit : Fit
    prediction : str
        As for `concentration_time`.

    Returns
    -------
    DataFrame
        KIND (``"observation"``: a row per observation, in file order; ``"prediction"``: the points
        of lines), GROUP where the fit has groups, ID (None for a median), TIME, DV (the limit
        where CENS is 1), CENS, PREDICTION (at observations that of the subject, at its mode; NaN
        where no mode was found) and VIRTUAL.
    """
    if prediction not in PREDICTIONS:
        raise ModelError(f"no prediction {quoted(prediction)}; {suggest(prediction, PREDICTIONS)}")
    tables = [_observations(fit)]
    if prediction != "none":
        lines = _individual(fit) if prediction == "individual" else _medians(fit)
        tables.append(lines.assign(KIND=LINE, DV=np.nan, CENS=0))
    groups = ["GROUP"] if fit.subjects.groups is not None else []
    table = pd.concat([t[["KIND", *groups, *COLUMNS[1:]]] for t in tables], ignore_index=True)
    return table.assign(VIRTUAL=fit.subjects.is_virtual)


def _observations(fit: Fit) -> pd.DataFrame:
    problem = fit.problem
    subject = problem.dataset.subject[problem.dataset.is_observation]
    failed = np.isin(subject, problem.failed(fit.estimate.final.terms))
    seen = fit.predictions
    table = seen[["TIME", "DV", "CENS"]].assign(
        KIND=OBSERVED, ID=seen["ID"].astype(object), PREDICTION=seen["IPRED"].mask(failed)
    )
    return _grouped(fit, table, subject)


def _individual(fit: Fit) -> pd.DataFrame:
    lines = individual_lines(fit)
    table = lines[["TIME"]].assign(ID=lines["ID"].astype(object), PREDICTION=lines["IPRED"])
    return _grouped(fit, table, lines["SUBJECT"].to_numpy())


def _medians(fit: Fit) -> pd.DataFrame:
    """Return the median line of each group, where at least half of its subjects have one."""
    groups = fit.subjects.groups
    code = np.zeros(fit.n_subjects, dtype=np.int64) if groups is None else groups.code
    found = np.setdiff1d(np.arange(fit.n_subjects), fit.problem.failed(fit.estimate.final.terms))
    tables = []
    for group in np.unique(code[found]):
        members = found[code[found] == group]
        lines = lines_at(fit, common_times(fit.problem.dataset, members))
        by_time = lines[lines["SUBJECT"].isin(members)].groupby("TIME")["IPRED"]
        line = by_time.agg(["size", "median"]).query("size >= @members.size / 2")
        table = pd.DataFrame({"ID": None, "TIME": line.index, "PREDICTION": line["median"]})
        tables.append(_grouped(fit, table, np.full(len(table), members[0])))
    return pd.concat(tables, ignore_index=True)


def _grouped(fit: Fit, table: pd.DataFrame, subject: Ints) -> pd.DataFrame:
    groups = fit.subjects.groups
    return table if groups is None else table.assign(GROUP=groups.labels[subject])


def draw_concentrations(
    table: pd.DataFrame,
    units: Units,
    *,
    order: Sequence[str] | None = None,
    window: tuple[float, float] | None = None,
    is_log: bool = True,
) -> Plot:
    """Draw a table of concentrations, a panel per group.

    Parameters
    ----------
    table : DataFrame
        As from `concentration_table`; without a column GROUP in one panel. Where VIRTUAL is true
        the figure says so.
    units : Units
        Of time and concentrations.
    order : sequence of str, optional
        Groups in the order of the panels; those without a row get none.
    window, is_log
        As for `concentration_time`.

    Returns
    -------
    Plot
        With the rows of `table`, in its order.

    Raises
    ------
    DataError, ModelError
        The table lacks a column, or the order a group, or no observation lies in the window.
    """
    need_columns(table, (*COLUMNS, "VIRTUAL"), "concentrations")
    data, names = with_groups(table, order)
    drawn = [(k, name) for k, name in enumerate(names) if (data["GROUP"] == name).any()]
    with house_style():
        figure, panels = panel_figure(len(drawn))
        for number, ((k, name), axes) in enumerate(zip(drawn, panels, strict=True)):
            own = data[data["GROUP"] == name]
            _draw_panel(axes, own, look(k).colour)
            _title(axes, name, own, panel_width(axes))
            at_left, at_foot = is_outer(number, len(drawn), axes)
            axes.set_ylabel(label("concentration", units.concentration) if at_left else "")
            axes.set_xlabel(label("time", units.time) if at_foot else "")
        _scale(panels[0], data, units, window, is_log=is_log)
        legend_above(figure, _legend(data, look(drawn[0][0]).colour), 2 if len(drawn) == 1 else 3)
        note = VIRTUAL if data["VIRTUAL"].any() else ""
        footnote(figure, note, *_not_shown(data, window, is_log=is_log))
    return Plot(figure, data)


def _draw_panel(axes: Axes, own: pd.DataFrame, colour: str) -> None:
    lines = own[own["KIND"] == LINE]
    is_median = bool(lines["ID"].isna().any())
    for _, line in lines.groupby("ID", sort=False, dropna=False):
        time, value = _broken_where_time_begins_anew(line)
        axes.plot(time, value, **_line(is_median=is_median))
    seen = own[own["KIND"] == OBSERVED]
    is_low = seen["CENS"] == 1
    axes.plot(seen["TIME"][~is_low], seen["DV"][~is_low], **_quantified(colour))
    axes.plot(seen["TIME"][is_low], seen["DV"][is_low], **_censored())


def _line(*, is_median: bool) -> dict[str, Any]:
    if is_median:
        return {"color": "black", "lw": 1.8, "zorder": 4}
    return {"color": GREY, "lw": 0.6, "alpha": 0.55, "zorder": 1}


def _quantified(colour: str) -> dict[str, Any]:
    return {
        "ls": "",
        "marker": "o",
        "ms": 3.2,
        "mew": 0,
        "color": colour,
        "alpha": 0.8,
        "zorder": 2,
    }


def _censored() -> dict[str, Any]:
    return {
        "ls": "",
        "marker": "v",
        "ms": 5.5,
        "mew": 0.8,
        "mfc": "white",
        "mec": "black",
        "zorder": 3,
    }


def _broken_where_time_begins_anew(line: pd.DataFrame) -> tuple[Vector, Vector]:
    time, value = line["TIME"].to_numpy(float), line["PREDICTION"].to_numpy(float)
    breaks = np.flatnonzero(np.diff(time) < 0.0) + 1
    return np.insert(time, breaks, np.nan), np.insert(value, breaks, np.nan)


def _title(axes: Axes, name: str, own: pd.DataFrame, room: float) -> None:
    subjects = own.loc[own["KIND"] == OBSERVED, "ID"].nunique()
    title = f"n = {subjects}" if name == ONE_GROUP else f"{name} (n\u00a0=\u00a0{subjects})"
    axes.set_title(wrap(title, room, TITLE_SIZE), parse_math=False)


def _in_window(data: pd.DataFrame, window: tuple[float, float] | None) -> pd.DataFrame:
    """Return the observations that are drawn, were every value on the axis."""
    seen = data[data["KIND"] == OBSERVED]
    return seen if window is None else seen[seen["TIME"].between(*window)]


def _scale(
    axes: Axes,
    data: pd.DataFrame,
    units: Units,
    window: tuple[float, float] | None,
    *,
    is_log: bool,
) -> None:
    """Set the common axes by the observations; lines may leave them below."""
    seen = _in_window(data, window)["DV"]
    if not len(seen):
        first, last = data["TIME"].min(), data["TIME"].max()
        raise ModelError(
            f"no observation lies in the window {window}; TIME is from {first:g} to {last:g}"
        )
    low, high = window or (float(data["TIME"].min()), float(data["TIME"].max()))
    margin = 0.04 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    time_ticks(axes.xaxis, units.time, high - low)
    if not is_log:
        axes.set_ylim(min(0.0, float(seen.min())), 1.08 * float(seen.max()))
        return
    axes.set_yscale("log")
    shown = seen[seen > 0.0]
    if len(shown):
        bottom, top = 0.75 * float(shown.min()), 1.35 * float(shown.max())
        axes.set_ylim(bottom, top)
        tidy_log_axis(axes.yaxis, bottom, top)


def _legend(data: pd.DataFrame, colour: str) -> list[Artist]:
    from matplotlib.lines import Line2D

    seen, lines = data[data["KIND"] == OBSERVED], data[data["KIND"] == LINE]
    handles: list[Artist] = [Line2D([], [], label="observed", **_quantified(colour))]
    if (seen["CENS"] == 1).any():
        handles.append(
            Line2D([], [], label="below the limit of quantification, drawn at it", **_censored())
        )
    if len(lines):
        is_median = bool(lines["ID"].isna().any())
        text = LABELS["median" if is_median else "individual"]
        handles.append(Line2D([], [], label=text, **_line(is_median=is_median)))
    return handles


def _not_shown(
    data: pd.DataFrame, window: tuple[float, float] | None, *, is_log: bool
) -> list[str]:
    """Say how many observations the axes do not show, and who has no prediction."""
    seen = data[data["KIND"] == OBSERVED]
    total = len(seen)
    inside = _in_window(data, window)
    notes = []
    if len(inside) < total:
        notes.append(f"{total - len(inside)} of {total} observations lie outside this window.")
    count = int((inside["DV"] <= 0.0).sum())
    if is_log and count:
        notes.append(f"{count} of {total} observations are 0 or less: not on this axis.")
    lost = seen.loc[seen["PREDICTION"].isna(), "ID"].drop_duplicates()
    if len(lost) and len(seen) < len(data):
        total = seen["ID"].nunique()
        notes.append(f"Without a prediction: {some_of(lost, total)}; no mode was found.")
    return notes
