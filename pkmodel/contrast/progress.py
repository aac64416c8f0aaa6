"""How far a comparison has come, told in lines."""

from __future__ import annotations

from collections.abc import Callable

from pkmodel.estimate.maximum_likelihood import Progress

Say = Callable[[str], None]


def silent(text: str) -> None:
    """Tell nobody."""


def within_part(say: Say, part: str) -> Say:
    """Return what tells lines of a part, with its name before them.

    Examples
    --------
    >>> within_part(print, "model 2 of 5")("refit 3")
    model 2 of 5, refit 3
    """
    return lambda text: say(f"{part}, {text}")


def search_line(say: Say) -> Progress:
    """Return what tells a line of each evaluation of a search."""

    def tell(start: int, count: int, value: float) -> None:
        say(f"evaluation {count}: objective {value:.3f}")

    return tell
