"""What all figures share: colours that colour-blind readers can tell apart, sizes, labels.

The colours are those of Okabe and Ito (2008), in an order that stays apart in grey as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#6E6E6E"
WIDTH, HEIGHT = 6.4, 4.2

_SETTINGS: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "font.size": 10,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Plot:
    """A figure and the table it was drawn from."""

    figure: Figure
    data: pd.DataFrame

    def _repr_png_(self) -> bytes:
        """Show the figure in a notebook."""
        from io import BytesIO

        out = BytesIO()
        self.figure.savefig(out, format="png", bbox_inches="tight")
        return out.getvalue()


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the style of the house, and leave the settings of matplotlib as they were."""
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS):
        yield


def new_figure(rows: int = 1, columns: int = 1, *, wide: float = 1.0, high: float = 1.0) -> Figure:
    """Make an empty figure that no window system and no global state knows of.

    Parameters
    ----------
    rows, columns : int
        Only for the size.
    wide, high : float
        Factors on the usual width and height of one panel.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH * wide * columns, HEIGHT * high * rows), layout="constrained")


def label(name: str, unit: str) -> str:
    """Write the label of an axis: what it is, and its unit in brackets.

    Examples
    --------
    >>> label("clearance", "L/h/m2")
    'clearance (L/h/m²)'
    """
    return f"{name} ({unit.replace('m2', 'm²')})" if unit else name


def mark_virtual(axes: Axes, note: str) -> None:
    """Write on the plot that its data are virtual; nothing where `note` is empty."""
    if note:
        axes.text(
            0.99, 0.01, note, transform=axes.transAxes, ha="right", va="bottom", color=GREY, size=8
        )
