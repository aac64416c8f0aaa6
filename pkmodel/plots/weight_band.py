"""Steady-state concentration by weight band under a regimen, simulated from a fit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.errors import DataError, ModelError
from pkmodel.plots.dose_band import BLINATUMOMAB_LABEL, DoseBand, range_text
from pkmodel.plots.exposure_law import ExposureLaw
from pkmodel.plots.style import (
    GREY,
    VIRTUAL,
    WIDTH,
    Plot,
    footnote,
    house_style,
    label,
    legend_above,
    look,
    new_figure,
)
from pkmodel.plots.table import need_columns
from pkmodel.plots.typical import PEOPLE
from pkmodel.result import Fit

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Vector = NDArray[np.float64]

EDGES = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, np.inf)
"""Ends of the usual weight bands, kg; half-open."""

_RANGE: dict[str, Any] = {"lw": 5.0, "alpha": 0.35, "solid_capstyle": "butt"}
_MEDIAN_SIZE = 8.0
_INCHES_PER_BAND = 0.78


def weight_band_plot(
    fit: Fit,
    people: pd.DataFrame,
    *,
    regimen: Sequence[DoseBand] = BLINATUMOMAB_LABEL,
    edges: Sequence[float] = EDGES,
) -> Plot:
    """Simulate steady-state concentrations of persons under a regimen, and draw them by weight.

    Parameters
    ----------
    fit : Fit
        In declared units.
    people : DataFrame
        A row per person: WT (kg), BSA (m2), and each covariate of the formula of CL.
    regimen : sequence of DoseBand
        Each weight of `people` is in one of them.
    edges : sequence of float
        Ends of the weight bands, kg, rising; they hold the limits of the regimen.

    Returns
    -------
    Plot
        `Plot.data` is that of `weight_band_table`.

    Raises
    ------
    DataError
        `people` lacks a column or values, or has a weight outside the bands or the regimen.
    ModelError
        The edges do not rise or leave out a limit of the regimen, or units are missing or wrong.
    """
    table = weight_band_table(fit, people, regimen=regimen, edges=edges)
    shown = table[table["N"] > 0]
    units = fit.problem.dataset.units
    with house_style():
        drawn = table.loc[shown.index[0] : shown.index[-1]]
        figure = new_figure(wide=max(1.0, (1.0 + _INCHES_PER_BAND * len(drawn)) / WIDTH), high=1.1)
        axes = figure.subplots()
        _draw(axes, drawn)
        axes.set_xlabel("weight band (kg), and persons in it")
        axes.set_ylabel(label("steady-state concentration", units.concentration))
        legend_above(figure, _legend(drawn), 1)
        endless = "Bar to the upper edge: no finite 95th percentile."
        has_endless = np.isinf(drawn["P95"]).any()
        note = VIRTUAL if fit.subjects.is_virtual else ""
        footnote(figure, note, _how(fit), endless if has_endless else "")
    return Plot(figure, table)


def weight_band_table(
    fit: Fit,
    people: pd.DataFrame,
    *,
    regimen: Sequence[DoseBand] = BLINATUMOMAB_LABEL,
    edges: Sequence[float] = EDGES,
) -> pd.DataFrame:
    """Simulate steady-state concentrations by weight band.

    Css = rate / CL, where CL of each person varies about its typical value as the fit says that
    subjects do (and occasions, where the model has them). The percentiles are those of the mixture
    of the persons' laws, not of random draws. Uncertainty of the estimates and residual error are
    left out.

    Parameters
    ----------
    fit, people, regimen, edges
        As for `weight_band_plot`.

    Returns
    -------
    DataFrame
        BAND, LOW, HIGH (kg), N (persons), REGIMEN, RATE (the median, in units of the data), UNIT
        (of concentrations), MEDIAN, P05, P95 (of Css; NaN in an empty band) and SIMULATED.
    """
    rate = _rates(fit, people, regimen, edges)
    law = ExposureLaw.of(fit, people, rate)
    weight = people["WT"].to_numpy(dtype=float)
    rows = []
    for low, high in pairwise(edges):
        inside = (weight >= low) & (weight < high)
        title = next(band.title for band in regimen if band.low <= low < band.high)
        middle = float(np.median(rate[inside])) if inside.any() else np.nan
        p05, median, p95 = (law.percentile(share, inside) for share in (0.05, 0.5, 0.95))
        rows.append(
            (range_text(low, high), low, high, inside.sum(), title, middle, median, p05, p95)
        )
    columns = ["BAND", "LOW", "HIGH", "N", "REGIMEN", "RATE", "MEDIAN", "P05", "P95"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(UNIT=fit.problem.dataset.units.concentration, SIMULATED=True)


def _rates(
    fit: Fit, people: pd.DataFrame, regimen: Sequence[DoseBand], edges: Sequence[float]
) -> Vector:
    """Compute each person's rate of infusion, after all checks."""
    units = fit.problem.dataset.units
    if not units.is_declared:
        raise ModelError(
            "the fit's units are not declared, so a dose has no meaning in them; declare units "
            "under [data]"
        )
    need_columns(people, ("WT", "BSA"), PEOPLE)
    _check_edges(regimen, edges)
    weight = people["WT"].to_numpy(dtype=float)
    if not len(people) or not np.all((weight >= edges[0]) & (weight < edges[-1])):
        raise DataError(
            f"the table of {PEOPLE} is empty, or has weights outside of {edges[0]:g} to "
            f"{edges[-1]:g} kg or without a value; every person needs a weight band"
        )
    rate = np.full(len(people), np.nan)
    for band in regimen:
        inside = (weight >= band.low) & (weight < band.high)
        rate[inside] = band.rate(people[inside], units)
    if not np.all(np.isfinite(rate)):
        raise DataError(
            f"the table of {PEOPLE} has {np.sum(~np.isfinite(rate))} rows without a dose: no BSA, "
            "or a weight in no band of the regimen"
        )
    return rate


def _check_edges(regimen: Sequence[DoseBand], edges: Sequence[float]) -> None:
    if len(edges) < 2 or not all(low < high for low, high in pairwise(edges)):
        raise ModelError(f"edges = {list(edges)}: expected two or more rising weights, kg")
    limits = {end for band in regimen for end in (band.low, band.high)}
    for limit in sorted(limits):
        if edges[0] < limit < edges[-1] and limit not in edges:
            raise ModelError(
                f"a weight band holds the limit of the regimen at {limit:g} kg, so its persons "
                "have two regimens; add the limit to the edges"
            )
    if not all(any(b.low <= low < b.high for b in regimen) for low in edges[:-1]):
        raise ModelError("the regimen has no dose for some of the weight bands")


def _draw(axes: Axes, table: pd.DataFrame) -> None:
    regimens = list(dict.fromkeys(table["REGIMEN"]))
    names = []
    ends = table[["MEDIAN", "P05", "P95"]].to_numpy(dtype=float)
    top = 1.08 * float(ends[np.isfinite(ends)].max())
    axes.set_ylim(0.0, top)
    for place, row in enumerate(table.to_dict("records")):
        how = look(regimens.index(row["REGIMEN"]))
        axes.plot([place] * 2, [row["P05"], min(row["P95"], top)], color=how.colour, **_RANGE)
        axes.plot(place, row["MEDIAN"], how.marker, color=how.colour, ms=_MEDIAN_SIZE)
        band = row["BAND"].replace("to under", "to\nunder")
        names.append(f"{band}\nn = {row['N']}")
    axes.set_xticks(range(len(table)), names)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(table) - 0.4)


def _legend(table: pd.DataFrame) -> list[Artist]:
    from matplotlib.lines import Line2D

    titles = list(dict.fromkeys(table["REGIMEN"]))
    medians: list[Artist] = [
        Line2D(
            [],
            [],
            ls="",
            color=look(k).colour,
            marker=look(k).marker,
            ms=_MEDIAN_SIZE,
            label=f"{title}: median",
        )
        for k, title in enumerate(titles)
    ]
    return [*medians, Line2D([], [], color=GREY, label="5th to 95th percentile", **_RANGE)]


def _how(fit: Fit) -> str:
    """Say what was simulated and what was left out."""
    has_occasions = any(e.parameter == "CL" and e.occasion for e in fit.problem.effects)
    return (
        "Simulated, not observed: typical clearance of the fit with its variability between "
        f"subjects{' and occasions' if has_occasions else ''}, without residual error and without "
        "the uncertainty of the estimates."
    )
