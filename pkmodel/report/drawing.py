"""From a figure to a picture that stands inside the page."""

from __future__ import annotations

import warnings
from base64 import b64encode
from io import BytesIO

from pkmodel.plots.style import Plot, house_style
from pkmodel.report.content import Picture

SALT = "pkmodel"
"""With it the names inside a drawing, and so the page, are the same each time."""


def draw(plot: Plot, caption: str) -> Picture:
    """Return a plot as a vector drawing in a data URI.

    The page shows it as an image: nothing in it can run or be clicked, whatever its texts say.

    Parameters
    ----------
    plot : Plot
    caption : str
    """
    import matplotlib as mpl

    out = BytesIO()
    with house_style(), mpl.rc_context({"svg.hashsalt": SALT}), warnings.catch_warnings():
        # texts are kept as texts, so that the reader's fonts, not matplotlib's, have to have them
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        plot.figure.savefig(out, format="svg", metadata={"Date": None})
    source = "data:image/svg+xml;base64," + b64encode(out.getvalue()).decode("ascii")
    return Picture(caption, source, float(plot.figure.get_size_inches()[0]))
