"""What to tell somebody who wrote a name that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 30


def suggest(name: str, known: Iterable[str], what: str = "known") -> str:
    """Say which known name was probably meant, and list the known ones.

    Parameters
    ----------
    name : str
        The name that was not found.
    known : iterable of str
        The names that exist.
    what : str
        How the list is introduced.

    Returns
    -------
    str

    Examples
    --------
    >>> suggest("C", ["CL", "V"])
    'did you mean `CL`? known: CL, V'
    """
    names = list(known)
    if not names:
        return f"{what}: none"
    folded = {candidate.casefold(): candidate for candidate in reversed(names)}
    close = get_close_matches(name[:60].casefold(), folded, n=1, cutoff=0.6)
    meant = f"did you mean `{folded[close[0]]}`? " if close else ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{meant}{what}: {', '.join(names[:_SHOWN])}{more}"


def quoted(value: object) -> str:
    """Show a value of the user's in a message, cut to a readable length."""
    shown = ascii(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."


def label(name: object) -> str:
    """Name a place by a name of the user's: as it is, in quotes where it is no plain word."""
    is_plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name)
    return str(name) if is_plain else quoted(name)
