"""What all figures share: colours that colour-blind readers can tell apart, sizes, labels, notes.

The colours are those of Okabe and Ito (2008), in an order that stays apart in grey as well; markers
and lines differ too, so that nothing rests on colour alone. Names from data are written as they
are: a dollar sign in one begins no formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from pkmodel.plots.wrapping import wrap

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#6E6E6E"
WIDTH, HEIGHT = 6.4, 4.2
TITLE_SIZE, LABEL_SIZE, LEGEND_SIZE, NOTE_SIZE = 11, 10, 9, 8

VIRTUAL = "Virtual subjects: simulated, not observed."

_SETTINGS: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": TITLE_SIZE,
    "axes.labelsize": LABEL_SIZE,
    "font.size": LABEL_SIZE,
    "legend.frameon": False,
    "legend.fontsize": LEGEND_SIZE,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "svg.fonttype": "none",
}
_FOOTNOTE = "footnote"
_HANDLE = 0.6


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


@dataclass(frozen=True)
class Look:
    """How one group, or one kind of number, is drawn."""

    colour: str
    marker: str


def look(index: int) -> Look:
    """Return the look of the group of this index; seven share neither colour nor marker.

    Examples
    --------
    >>> look(0), look(7)
    (Look(colour='#0072B2', marker='o'), Look(colour='#0072B2', marker='s'))
    """
    turn = index // len(COLOURS)
    return Look(COLOURS[index % len(COLOURS)], MARKERS[(index + turn) % len(MARKERS)])


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
    return f"{name} ({in_print(unit)})" if unit else name


def in_print(unit: str) -> str:
    """Write a unit as print has it.

    Examples
    --------
    >>> in_print("pg/mL per ug/h/m2")
    'pg/mL per µg/h/m²'
    """
    return re.sub(r"\bu(?=(g|L|mol|M)\b)", "µ", unit.replace("m2", "m²"))


def notes_height(notes: Sequence[str], width: float) -> float:
    """Return the height that notes take at the foot of a figure so wide, both in inches."""
    lines = sum(wrap(note, width - 0.1, NOTE_SIZE).count("\n") + 1 for note in notes if note)
    return (1.3 * NOTE_SIZE * lines + 8.0) / 72.0 if lines else 0.0


def footnote(figure: Figure, *notes: str) -> None:
    """Write notes at the foot of a figure, each on a line of its own, clear of all panels.

    Empty notes are passed over; those written before stay.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    width, height = figure.get_size_inches()
    wrapped = [wrap(note, width - 0.1, NOTE_SIZE) for note in notes if note]
    if not wrapped:
        return
    old = [text for text in figure.texts if text.get_gid() == _FOOTNOTE]
    lines = "\n".join([*(text.get_text() for text in old), *wrapped])
    for text in old:
        text.remove()
    strip = notes_height([lines], width) / height
    figure.text(
        4.0 / 72.0 / width,
        4.0 / 72.0 / height,
        lines,
        size=NOTE_SIZE,
        color=GREY,
        va="bottom",
        linespacing=1.25,
        parse_math=False,
        gid=_FOOTNOTE,
    )
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0.0, strip, 1.0, 1.0 - strip))


def legend_above(figure: Figure, handles: Sequence[Artist], columns: int) -> None:
    """Put the legend above the panels, where it covers nothing; nothing where it has no entry."""
    if not handles:
        return
    room = figure.get_figwidth() / columns - _HANDLE
    for handle in handles:
        handle.set_label(wrap(str(handle.get_label()), room, LEGEND_SIZE))
    legend = figure.legend(
        handles=list(handles), loc="outside upper left", ncols=columns, borderpad=0.1
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
