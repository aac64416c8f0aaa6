"""What a page is made of: sections of texts, lists, tables and pictures. Plain texts, no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

WIDEST = 8.4
"""Inches; wider pictures are shrunk to this."""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Items:
    """A list; each item is its lead, which may be empty, and a text."""

    kind: ClassVar[str] = "items"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    caption : str
    header : tuple of str
        The first column names the rows.
    rows : tuple of tuple of str
        A cell may have several lines. A row of a single cell is a heading over those that follow.
    align : str
        ``l`` or ``r`` for each column.
    note : str
        Below the table.
    """

    kind: ClassVar[str] = "table"
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: str
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes
    ----------
    caption : str
    source : str
        The picture itself, as a data URI.
    width : float
        Its natural width, inches.
    """

    kind: ClassVar[str] = "picture"
    caption: str
    source: str
    width: float

    @property
    def share(self) -> int:
        """Its width in percent of the widest picture, so that all have letters of one size."""
        return round(min(100.0, 100.0 * self.width / WIDEST))


Part = Text | Items | Table | Picture


@dataclass(frozen=True)
class Section:
    """A section: its key in addresses, its title, what it holds."""

    key: str
    title: str
    parts: tuple[Part, ...]


def table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    align: str,
    note: str = "",
) -> Table:
    """Make a table, without the columns in which no row has anything.

    Examples
    --------
    >>> table("", ("name", "note", "n"), [("a", "", "1")], "llr").header
    ('name', 'n')
    """
    whole = Table(caption, tuple(header), tuple(tuple(row) for row in rows), align, note)
    if not whole.rows:
        return whole
    full = [row for row in whole.rows if len(row) == len(header)]
    kept = [k for k in range(len(header)) if k == 0 or any(row[k] for row in full)]
    return replace(
        whole,
        header=tuple(whole.header[k] for k in kept),
        rows=tuple(tuple(row[k] for k in kept if k < len(row)) for row in whole.rows),
        align="".join(align[k] for k in kept),
    )
