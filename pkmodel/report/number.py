"""How numbers are written on the page; one that is not known is empty."""

from __future__ import annotations

from math import isfinite

Number = float | None

DIGITS = 4
WHOLE = 10.0**DIGITS
LARGEST = 1e7
TO = "\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}"


def number(value: Number) -> str:
    """Write four significant digits, and all digits before the point.

    Examples
    --------
    >>> number(0.00469555), number(12345.6), number(3.0), number(1e-9), number(None)
    ('0.004696', '12346', '3', '1e-09', '')
    """
    if value is None or not isfinite(value):
        return ""
    return f"{value:.0f}" if WHOLE <= abs(value) < LARGEST else f"{value:.{DIGITS}g}"


def fixed(value: Number, decimals: int) -> str:
    """Write so many decimals.

    Examples
    --------
    >>> fixed(586.2759, 3), fixed(None, 3)
    ('586.276', '')
    """
    return "" if value is None or not isfinite(value) else f"{value:.{decimals}f}"


def percent(share: Number, decimals: int = 0) -> str:
    """Write a fraction in percent.

    Examples
    --------
    >>> percent(0.137, 1), percent(None)
    ('13.7 %', '')
    """
    return "" if share is None or not isfinite(share) else f"{100.0 * share:.{decimals}f} %"


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


def count(value: int, noun: str) -> str:
    """Count things.

    Examples
    --------
    >>> count(1, "subject"), count(2, "subject")
    ('1 subject', '2 subjects')
    """
    return f"{value} {noun}" if value == 1 else f"{value} {noun}s"


def listed(names: list[str], shown: int = 10) -> str:
    """Name the first few.

    Examples
    --------
    >>> listed(["1", "2", "3"], shown=2)
    '1, 2 and 1 more'
    """
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
