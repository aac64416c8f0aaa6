"""What tests of figures share: a virtual cohort, tables without a fit, and looks at drawn text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

import simulation
from pkmodel.units import read_units

UNITS = read_units({"time": "h", "amount": "ug", "concentration": "pg/mL"})
TRUTH = {"CL": 0.4, "V": 1.2}
OMEGA = {"CL": 0.09, "V": 0.04}
STOP = 48.0
DESIGN = simulation.make_design([(0, 480, STOP)], [1, 2, 6, 12, 24, 36, 48, 49, 51, 54, 60, 63])
LIMIT = 500.0
GROUPS = ("infant", "child", "adolescent")

TEXT = """
[data]
file = "is-given.csv"
units = { time = "h", amount = "ug", concentration = "pg/mL" }
[model]
structure = "one_compartment"
[model.parameters]
CL = "cl * (BSA / 0.6)**b"
V = "v"
[theta]
cl = { init = 0.4, lower = 0 }
v = { init = 1.2, lower = 0 }
b = { init = 0.7 }
[omega]
CL = 0.09
V = 0.04
[residual]
proportional = 0.2
[groups]
age = "AGE"
unit = "year"
cuts = { infant = [0, 2], child = [2, 7], adolescent = [7, 18] }
bsa = "BSA"
[fit]
method = "focei"
"""


def cohort(subjects: int = 12, *, is_virtual: bool = True) -> pd.DataFrame:
    """Return infusions of 48 h in children from 0.5 years on, sampled to 15 h after the stop."""
    rng = np.random.default_rng(20)
    table = simulation.simulate(
        rng, DESIGN, TRUTH, OMEGA, {"proportional": 0.15}, subjects=subjects, lloq=LIMIT / 1000.0
    )
    table["DV"] *= UNITS.scale
    age = np.linspace(0.5, 16.0, subjects)
    bsa = 0.38 * (age / 0.5) ** 0.42
    per_subject = table["ID"].to_numpy() - 1
    table["AGE"], table["BSA"] = age[per_subject], bsa[per_subject]
    if is_virtual:
        table["VIRTUAL"] = 1
    return table


def exposure(groups: Sequence[str] = GROUPS, each: int = 9) -> pd.DataFrame:
    """Return an exposure table without a fit."""
    rng = np.random.default_rng(3)
    n = each * len(groups)
    bsa = np.repeat(np.linspace(0.35, 1.6, len(groups)), each) * rng.uniform(0.9, 1.1, n)
    cl = 0.9 * bsa * np.exp(rng.normal(0.0, 0.4, n))
    rate = 0.625 * bsa
    return pd.DataFrame(
        {
            "ID": np.arange(1, n + 1),
            "GROUP": np.repeat(groups, each),
            "AGE": 18.0 * (bsa / 1.8) ** 2,
            "BSA": bsa,
            "CSS": 1000.0 * rate / cl,
            "CL": cl,
            "CL_BSA": cl / bsa,
            "HALF_LIFE": 2.2 * np.exp(rng.normal(0.0, 0.2, n)),
        }
    )


def contrast(**changes: object) -> dict[str, object]:
    """Return a row of contrasts.json."""
    row: dict[str, object] = {
        "metric": "CSS",
        "group": "infant",
        "reference": "adolescent",
        "kind": "individual",
        "ratio": 1.05,
        "lower": 0.93,
        "upper": 1.19,
        "level": 0.9,
        "margin": [0.8, 1.25],
        "verdict": "equivalent",
        "n": 30,
        "n_reference": 20,
        "adjustment": "own rate",
        "warnings": [],
    }
    return {**row, **changes}


def drawn(figure: Figure) -> Figure:
    """Draw a figure in memory, so that every text has its place."""
    FigureCanvasAgg(figure).draw()
    return figure


def texts(figure: Figure) -> list[str]:
    """Return all texts that are seen."""
    return [text.get_text() for text in _seen(figure)]


def _seen(figure: Figure) -> Iterator[Text]:
    """Yield what is drawn: not the texts of hidden panels, nor ticks beyond the ends of an axis."""
    unseen = {id(text) for axes in figure.axes for text in _unseen(axes)}
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and id(text) not in unseen:
            yield text


def _unseen(axes: Axes) -> Iterator[Text]:
    if not axes.get_visible():
        yield from axes.findobj(Text)
        return
    for place, axis in enumerate((axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for text in axis.get_ticklabels(which="both"):
            if not low <= text.get_position()[place] <= high:
                yield text


def cut_texts(figure: Figure) -> list[str]:
    """Return texts that reach beyond the figure."""
    width, height = figure.bbox.size
    out = []
    for text in _seen(figure):
        box = text.get_window_extent()
        if box.x0 < -1.0 or box.y0 < -1.0 or box.x1 > width + 1.0 or box.y1 > height + 1.0:
            out.append(text.get_text())
    return out


def overlapping_texts(figure: Figure) -> list[tuple[str, str]]:
    """Return pairs of texts that cover each other."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in _seen(figure)]
    return [
        (one, other)
        for (one, a), (other, b) in combinations(boxes, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1.0 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1.0
    ]
