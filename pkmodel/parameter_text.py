"""The table of estimates in the summary, from a fit's document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import exp, sqrt
from typing import Any

from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text

from pkmodel.number import interval, number, percent, tenths
from pkmodel.posterior_text import COLUMNS, posterior_row

Document = Mapping[str, Any]

FITTED = ("parameter", "estimate", "RSE %", "95 % interval", "initial", "")
LARGEST_CV_VARIANCE = 5.0
UNBOUNDED = 10_000
"""Columns of a screen on which every table fits."""


@dataclass(frozen=True)
class ParameterTable:
    """The estimates; where a row would be too long for the screen, notes stand below the names."""

    document: Document

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the table out."""
        names = COLUMNS if self.document.get("posterior") else FITTED
        rows = list(_rows(self.document))
        table = _table(names, rows)
        if (
            console.measure(table, options=options.update_width(UNBOUNDED)).maximum
            <= options.max_width
        ):
            yield table
        else:
            yield _table(names[:-1], [_with_note_below(row) for row in rows])


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    """Tabulate; columns that nothing fills are left out, and only names are ever broken."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    kept = [k for k in range(len(names)) if any(row[k] for row in rows)]
    for k in kept:
        justify: JustifyMethod = "right" if k and names[k] else "left"
        table.add_column(names[k], justify=justify, no_wrap=k > 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[k]) for k in kept))
    return table


def _with_note_below(row: tuple[str, ...]) -> tuple[str, ...]:
    name, *told, note = row
    return (f"{name}\n  {note}" if note else name, *told)


def _rows(document: Document) -> Iterator[tuple[str, ...]]:
    for kind in ("theta", "omega", "occasion", "sigma"):
        for name, entry in document[kind].items():
            notes = (_scale(document, kind, name), "fixed" if entry["fixed"] else "", entry["note"])
            label = f"{kind} {name}"
            told: tuple[str, ...] = (
                number(entry["estimate"]),
                tenths(entry["rse"]),
                interval(entry["lower"], entry["upper"]),
                "" if document["status"] == "evaluated" else number(entry["init"]),
            )
            if document.get("posterior"):
                told = posterior_row(document, label, entry)
            yield label, *told, ", ".join(note for note in notes if note)


def _scale(document: Document, kind: str, name: str) -> str:
    """Say a variance as a CV or SD, a covariance as a correlation, and which sigmas are SDs."""
    if kind == "theta" or name == "exponent":
        return ""
    if kind == "sigma":
        return "SD"
    entries = document[kind]
    value = entries[name]["estimate"]
    if "," in name:
        first, second = name.split(",")
        product = entries[first]["estimate"] * entries[second]["estimate"]
        return f"correlation {value / sqrt(product):.2f}" if product > 0.0 else ""
    if document.get("distribution", {}).get(name) == "lognormal" and value < LARGEST_CV_VARIANCE:
        return f"CV {percent(sqrt(exp(value) - 1.0))}"
    return f"SD {number(sqrt(value))}"
