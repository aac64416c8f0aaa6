"""The text of a comparison of groups: exposure as papers print it, then ratios and verdicts.

Formats only; every number comes from the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from rich.console import Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pkmodel.comparability import Comparability
from pkmodel.contrast.record import Contrast
from pkmodel.contrast.summaries import SummaryComparison
from pkmodel.evidence import in_words, kinds_note
from pkmodel.exposure.metric import METRICS
from pkmodel.number import UNKNOWN, level, percent, probability, ratio, short

MARKS = {"equivalent": "green", "not equivalent": "bold red", "inconclusive": "yellow"}
HEADLINE = ("CSS", "CL_BSA")
"""Metrics that are printed; all of them are in the files."""


def comparability_summary(found: Comparability) -> RenderableType:
    """Return the comparison, ready for a rich console."""
    metrics = _printed(found)
    blocks: list[RenderableType] = [_header(found)]
    blocks += [_exposure(found, metric) for metric in metrics]
    blocks.append(_ratios(found, metrics))
    shares = _shares(found, metrics)
    if shares:
        blocks.append(Group(Text(_band_title(found), style="bold"), *(Text(t) for t in shares)))
    notes = _notes(found, metrics)
    if notes:
        lines = [Padding(Text(f"- {text}"), (0, 0, 0, 2)) for text in notes]
        blocks.append(Group(Text("notes", style="bold yellow"), *lines))
    spaced = [part for block in blocks for part in (block, Text(""))]
    return Group(*spaced[:-1])


def _printed(found: Comparability) -> list[str]:
    """Return the headline metrics that are there, else clearance and volume, else what is there."""
    known = _with_values(found)
    choices = ([name for name in names if name in known] for names in (HEADLINE, ("CL", "V")))
    return next((some for some in choices if some), known)


def _with_values(found: Comparability) -> list[str]:
    """Return the metrics of which some subject has a value."""
    return list(dict.fromkeys(found.summary["metric"][_has_values(found)]))


def _header(found: Comparability) -> RenderableType:
    counts = ", ".join(
        f"{name} {int((found.groups.code == k).sum())}" for k, name in enumerate(found.groups.names)
    )
    lines = [Text(f"Exposure by {found.groups.title}", style="bold")]
    if found.is_virtual:
        lines.append(Text("VIRTUAL: simulated subjects, none of a patient", style="bold magenta"))
    lines.append(Text(f"subjects: {counts}"))
    lines.append(Text(found.groups.source, style="dim"))
    if found.bsa_source:
        lines.append(Text(f"body surface: {found.bsa_source}", style="dim"))
    has_plateau = "CSS" in _with_values(found)
    plateau = found.rule if has_plateau else "none, for no subject has an infusion with a plateau"
    lines.append(Text(f"plateau samples: {plateau}", style="dim"))
    return Group(*lines)


def _table(header: Iterable[str], left: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for k, name in enumerate(header):
        is_number = k >= left
        justify: JustifyMethod = "right" if is_number else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=is_number)
    return table


def _exposure(found: Comparability, metric: str) -> RenderableType:
    unit = found.units.get(metric, "")
    title = f"{METRICS[metric].title}{f' ({unit})' if unit else ''}"
    header = ("group", "", "n", "mean ± SD", "median (range)", "geo. mean (CV)", "5th-95th")
    table = _table(header, left=2)
    rows = found.summary[(found.summary["metric"] == metric) & _has_values(found)]
    for name in found.groups.names:
        of_group = rows[rows["group"] == name]
        for k, row in enumerate(of_group.to_dict("records")):
            table.add_row(name if k == 0 else "", in_words(str(row["kind"])), *_cells(row))
        for row in _published(found, name, metric):
            table.add_row("", Text(f"published: {row['source']}", style="cyan"), *_cells(row))
    return Group(Text(title, style="bold"), table)


def _has_values(found: Comparability) -> pd.Series[Any]:
    """Tell which rows are of a metric and kind of which some subject has a value."""
    counts = found.summary.groupby(["metric", "kind"])["n"].transform("sum")
    return counts > 0


def _published(found: Comparability, group: str, metric: str) -> list[dict[Any, Any]]:
    table = found.published
    return table[(table["group"] == group) & (table["metric"] == metric)].to_dict("records")


def _cells(row: Mapping[Any, Any]) -> tuple[str, ...]:
    """Format one summary; what is not known is left empty."""

    def number(name: str) -> str:
        return short(row.get(name))

    count = row.get("n")
    n = "" if count is None or pd.isna(count) else f"{int(count)}"
    cv = number("geometric_cv")
    return (
        n,
        _joined(number("mean"), " ± ", number("sd")),
        _joined(number("median"), " (", _joined(number("min"), "-", number("max")), ")"),
        _joined(number("geometric_mean"), " (", f"{cv} %" if cv else "", ")"),
        _joined(number("p05"), "-", number("p95")),
    )


def _joined(first: str, between: str, second: str, end: str = "") -> str:
    return f"{first}{between}{second}{end}" if first and second else first


def _ratios(found: Comparability, metrics: list[str]) -> RenderableType:
    low, high = found.margin
    title = f"Ratio to {found.reference}, margin {low:g} to {high:g}"
    header = ["metric", "group", "", "adjusted for", "ratio", "interval", "verdict"]
    has_draws = any(probability(c.probability) for c in found.contrasts)
    table = _table([*header, "in margin"] if has_draws else header, left=4)
    empty, order = _without_values(found), list(METRICS)
    shown = sorted(
        (c for c in found.contrasts if _is_shown(c, metrics) and (c.metric, c.kind) not in empty),
        key=lambda c: (order.index(c.metric), found.groups.names.index(c.group)),
    )
    before: tuple[str, str] = ("", "")
    for c in shown:
        here = (c.metric, c.group)
        names = tuple(new if here != before else "" for new in here)
        before = here
        table.add_row(
            *names,
            in_words(c.kind),
            c.adjustment,
            ratio(c.ratio) or UNKNOWN,
            _interval(c),
            _verdict(c),
            *((probability(c.probability),) if has_draws else ()),
        )
    notes = [_multiplicity(found, shown), kinds_note(c.kind for c in shown)]
    if has_draws:
        notes.append("in margin: the posterior probability that the ratio lies inside the margin")
    return Group(
        Text(title, style="bold"), table, *(Text(f"{note}.", style="dim") for note in notes)
    )


def _band_title(found: Comparability) -> str:
    return f"Share inside the 5th to 95th percentiles of {found.reference}, exact 90 % interval"


def _shares(found: Comparability, metrics: list[str]) -> list[str]:
    """Say for each printed metric how much of each group lies in the reference's central range."""
    lines = []
    for metric, kind in ((m, k) for m in metrics for k in ("individual", "noncompartmental")):
        parts = [
            f"{c.group} {c.share.inside} of {c.share.n} "
            f"({percent(c.share.lower, 1)} to {percent(c.share.upper, 1)})"
            for c in found.contrasts
            if (c.metric, c.kind) == (metric, kind) and c.share is not None and c.share.n
        ]
        if parts:
            lines.append(f"{metric}, {in_words(kind)}: {'; '.join(parts)}")
    return lines


def summary_comparison(found: SummaryComparison) -> RenderableType:
    """Return a comparison of published groups, ready for a rich console."""
    header = ("metric", "group", "n", "mean ± SD", "geo. mean", "log-SD", "ratio", "interval")
    table = _table((*header, "verdict"), left=2)
    ratios = {(c.metric, c.group): c for c in found.contrasts}
    for row in found.table.to_dict("records"):
        c = ratios.get((row["metric"], row["group"]))
        table.add_row(
            f"{row['metric']}{f' ({row["unit"]})' if row['unit'] else ''}",
            row["group"],
            f"{int(row['n'])}",
            f"{short(row['mean'])} ± {short(row['sd'])}",
            short(row["geometric_mean"]),
            "" if pd.isna(row["log_sd"]) else f"{row['log_sd']:.3f}",
            *(("", "", "") if c is None else (ratio(c.ratio), _interval(c), c.verdict)),
        )
    low, high = found.contrasts[0].margin
    title = f"Published groups, ratio to {found.contrasts[0].reference}, margin {low:g} to {high:g}"
    intervals = f"{level(found.contrasts[0].level)} intervals"
    notes = [*found.notes, *(text for c in found.contrasts for text in c.warnings)]
    lines = [Padding(Text(f"- {text}"), (0, 0, 0, 2)) for text in dict.fromkeys(notes)]
    return Group(Text(title, style="bold"), table, Text(intervals, style="dim"), Text(""), *lines)


def _is_shown(c: Contrast, metrics: list[str]) -> bool:
    """Tell whether a contrast is printed: of a headline metric, or adjusted by the model itself.

    Not that of a group without subjects, which the header counts.
    """
    if c.n == 0:
        return False
    return _is_concerned(c, metrics)


def _is_concerned(c: Contrast, metrics: list[str]) -> bool:
    is_of_the_formula = c.kind == "model" and c.metric == "CL" and c.adjustment != "none"
    return c.metric in metrics or is_of_the_formula


def _verdict(c: Contrast) -> Text:
    """Write the verdict, or that there is nothing to judge by."""
    is_unknown = c.lower != c.lower and c.upper != c.upper
    return Text("no interval", style="dim") if is_unknown else Text(c.verdict, MARKS[c.verdict])


def _interval(c: Contrast) -> str:
    lower, upper = ratio(c.lower), ratio(c.upper)
    return f"{lower or UNKNOWN} to {upper or UNKNOWN}" if lower or upper else UNKNOWN


def _multiplicity(found: Comparability, shown: list[Contrast]) -> str:
    comparisons = len(found.groups.names) - 1
    intervals = f"{level(shown[0].level)} intervals" if shown else ""
    if found.multiplicity == "bonferroni":
        plural = "s" if comparisons > 1 else ""
        together = f"{level(found.level)} for {comparisons} comparison{plural}"
        return f"{intervals}, together {together} (Bonferroni)"
    if comparisons < 2:
        return intervals
    return (
        f"{intervals}, each for itself: that all {comparisons} groups are equivalent needs no "
        "correction (intersection-union); to pick out single ones read p_holm in contrasts.json"
    )


def _without_values(found: Comparability) -> set[tuple[str, str]]:
    """Metrics and kinds of which no subject has a value."""
    rows = found.summary[~_has_values(found)]
    return {
        (str(metric), str(kind)) for metric, kind in zip(rows["metric"], rows["kind"], strict=True)
    }


def _notes(found: Comparability, metrics: list[str]) -> list[str]:
    """Return each warning of the printed contrasts once, and what could not be computed at all."""
    empty = _without_values(found)
    texts = [
        f"{metric}, {in_words(kind)}: no subject has a value; noncompartmental.csv and samples.csv "
        "say why"
        for metric, kind in sorted(empty)
        if metric in metrics
    ]
    texts += found.assumed
    texts += [
        text
        for c in found.contrasts
        if _is_concerned(c, metrics) and (c.metric, c.kind) not in empty
        for text in c.warnings
    ]
    return list(dict.fromkeys(texts))
