"""How numbers are written on the screen and on the page; one that is not known is empty."""

from __future__ import annotations

from math import isfinite

Number = float | None

DIGITS = 4
WHOLE = 10.0**DIGITS
LARGEST = 1e7
LONGEST = 1e15
UNKNOWN = "not known"


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


def interval(lower: Number, upper: Number) -> str:
    """Write the ends of an interval; nothing unless both are known.

    Examples
    --------
    >>> interval(0.0043012, 0.0051257), interval(None, 1.0)
    ('0.004301 to 0.005126', '')
    """
    ends = number(lower), number(upper)
    return " to ".join(ends) if all(ends) else ""


def short(value: Number) -> str:
    """Write three significant digits as papers print exposure, and all before the point.

    Examples
    --------
    >>> short(706.2), short(0.89), short(1234.5), short(0.0), short(None)
    ('706', '0.890', '1234', '0', '')
    """
    if value is None or not isfinite(value):
        return ""
    if value == 0.0 or not 1e-4 <= abs(value) < LARGEST:
        return f"{value:.3g}"
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}"
    return text.rstrip(".")


def ratio(value: Number) -> str:
    """Write a ratio to three decimals, so that 1.254 is seen to be beyond a margin of 1.25.

    Examples
    --------
    >>> ratio(1.2541), ratio(0.8), ratio(0.01234), ratio(float("nan"))
    ('1.254', '0.800', '0.0123', '')
    """
    if value is None or not isfinite(value):
        return ""
    return f"{value:.3f}" if 0.1 <= value < 1000.0 else f"{value:.3g}"


def fixed(value: Number, decimals: int) -> str:
    """Write so many decimals; what has more than fifteen digits before the point, shortened.

    Examples
    --------
    >>> fixed(586.2759, 3), fixed(4.332e59, 3), fixed(None, 3)
    ('586.276', '4.332e+59', '')
    """
    if value is None or not isfinite(value):
        return ""
    return f"{value:.{decimals}f}" if abs(value) < LONGEST else f"{value:.{DIGITS}g}"


def tenths(value: Number) -> str:
    """Write one decimal; from ten thousand on as `number` does.

    Examples
    --------
    >>> tenths(45.71), tenths(55745564631.6), tenths(None)
    ('45.7', '5.575e+10', '')
    """
    return fixed(value, 1) if value is None or abs(value) < WHOLE else number(value)


def r_hat(value: Number) -> str:
    """Write an R-hat; below 1 it is noise of the estimator and means 1.

    Examples
    --------
    >>> r_hat(0.9987), r_hat(1.01234), r_hat(None)
    ('1.000', '1.012', '')
    """
    return fixed(None if value is None else max(value, 1.0), 3)


def effective(size: Number) -> str:
    """Write a number of effective draws, or that draws are too few to tell it.

    Examples
    --------
    >>> effective(1234.5), effective(None)
    ('1234', 'too few to tell')
    """
    return fixed(size, 0) or "too few to tell"


def percent(share: Number, decimals: int = 0) -> str:
    """Write a fraction in percent.

    Examples
    --------
    >>> percent(0.137, 1), percent(None)
    ('13.7 %', '')
    """
    if share is None or not isfinite(share):
        return ""
    return f"{fixed(100.0 * share, decimals)} %"


def p_value(p: Number) -> str:
    """Write a P value to three decimals, and a smaller one as such.

    Examples
    --------
    >>> p_value(0.0432), p_value(2e-7), p_value(None)
    ('0.043', '< 0.001', '')
    """
    return "< 0.001" if p is not None and p < 0.001 else fixed(p, 3)


def probability(value: Number) -> str:
    """Write a probability in percent; one near 0 or 1 by its bound.

    Examples
    --------
    >>> probability(0.9312), probability(1.0), probability(0.0004), probability(None)
    ('93.1 %', '>99.9 %', '<0.1 %', '')
    """
    if value is None or not isfinite(value):
        return ""
    if value > 0.999:
        return ">99.9 %"
    return "<0.1 %" if value < 0.001 else percent(value, 1)


def level(value: float) -> str:
    """Write the level of an interval in percent, with decimals where it has some.

    Examples
    --------
    >>> level(0.9), level(1.0 - 0.1 / 3.0)
    ('90 %', '96.67 %')
    """
    return f"{100.0 * value:.4g} %"


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
