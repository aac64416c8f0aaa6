"""The two ends of an interval on the page, which stay on one line."""

from __future__ import annotations

from pkmodel.number import Number, number

TO = "\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}"


def interval(lower: Number, upper: Number) -> str:
    """Write the two ends of an interval; nothing where one is not known.

    Examples
    --------
    >>> interval(0.0043, 0.0051).split(), interval(None, 1.0)
    (['0.0043', 'to', '0.0051'], '')
    """
    return between(number(lower), number(upper))


def between(lower: str, upper: str) -> str:
    """Join the two ends of an interval so that they stay on one line; nothing where one is empty.

    Examples
    --------
    >>> between("1", "2").split(), between("1", "")
    (['1', 'to', '2'], '')
    """
    return TO.join((lower, upper)) if lower and upper else ""
