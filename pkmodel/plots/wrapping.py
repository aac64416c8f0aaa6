"""Lines as long as there is room for them, by the widths of their letters."""

from __future__ import annotations

POINTS_PER_INCH = 72.0
_SPARE = 0.97
"""Share of the room that is used: on the screen letters stand at whole pixels."""


def wrap(text: str, inches: float, size: float) -> str:
    """Break a text into lines that fit.

    Parameters
    ----------
    text : str
        Line breaks in it stay; a word too long for a line stands alone.
    inches : float
        Room for a line.
    size : float
        Of the letters, points.

    Returns
    -------
    str

    Examples
    --------
    >>> wrap("clearance per m² of infants", 1.0, 10.0).splitlines()
    ['clearance per', 'm² of infants']
    """
    return "\n".join(line for part in text.split("\n") for line in _lines(part, inches, size))


def _lines(text: str, inches: float, size: float) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and text_width(longer, size) > _SPARE * inches:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def text_width(text: str, size: float) -> float:
    """Return the width of a line in the usual letters, inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    letters = FontProperties(size=size)
    points = text_to_path.get_text_width_height_descent(text, letters, ismath=False)[0]
    return float(points) / POINTS_PER_INCH
