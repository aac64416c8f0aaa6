"""Whether groups compare: ratios to the reference, verdicts, and what else was tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pkmodel.evidence import in_words, kinds_note
from pkmodel.exposure.metric import METRICS
from pkmodel.number import (
    UNKNOWN,
    Number,
    fixed,
    level,
    number,
    p_value,
    percent,
    probability,
    ratio,
)
from pkmodel.plots.forest import KINDS, forest_plot
from pkmodel.plots.style import in_print
from pkmodel.report.between import between, interval
from pkmodel.report.content import Items, Part, Section, Table, Text, table
from pkmodel.report.drawing import draw
from pkmodel.report.run_folder import Run
from pkmodel.report.subjects import Subjects

Contrast = dict[str, Any]

VERDICTS = (
    "Equivalent: the interval lies inside the margin; not equivalent: wholly outside; "
    "inconclusive: neither, or an end is not known."
)
PICTURE = "Ratios to the reference group with their intervals, against the margin"
OVER = "\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}"
MOST_ROWS = 24
"""Ratios in one picture, unless one metric alone has more."""


def contrast_section(run: Run, subjects: Subjects, is_virtual: bool) -> Section | None:
    """Draw and tabulate the contrasts of a run; nothing where it has none."""
    contrasts = run.contrasts
    if not contrasts:
        return None
    title = run.comparison["title"] if run.comparison else subjects.group_title
    parts: list[Part] = []
    if run.comparison:
        parts.append(Text(_asked(run.comparison)))
    compared = [row for row in contrasts if row["n"] != 0 or row["n_reference"] != 0]
    parts += _pictures(compared, is_virtual)
    if compared:
        parts.append(_ratios(compared))
    parts += _without_subjects([row for row in contrasts if row not in compared])
    parts += _besides(compared)
    parts += _warnings(compared)
    return Section("contrasts", f"Comparison by {title}", tuple(parts))


def _asked(comparison: dict[str, Any]) -> str:
    corrected = {
        "none": "each interval stands for itself",
        "bonferroni": "intervals of all groups hold together, by Bonferroni",
    }
    how = corrected.get(comparison["multiplicity"], comparison["multiplicity"])
    return (
        f"Reference: {comparison['reference']}. Margin: {interval(*comparison['margin'])}. "
        f"Level {level(comparison['level'])}; {how}."
    )


def _pictures(contrasts: list[Contrast], is_virtual: bool) -> Iterator[Part]:
    """Draw the ratios of as many metrics at once as go well into one picture."""
    drawn = [row for row in contrasts if row["metric"] in METRICS and row["kind"] in KINDS]
    sheets: list[list[Contrast]] = []
    for metric in METRICS:
        rows = [{**row, "warnings": []} for row in drawn if row["metric"] == metric]
        if sheets and len(sheets[-1]) + len(rows) <= MOST_ROWS:
            sheets[-1] += rows
        elif rows:
            sheets.append(rows)
    for k, rows in enumerate(sheets, start=1):
        which = f", {k} of {len(sheets)}" if len(sheets) > 1 else ""
        yield draw(forest_plot(rows, is_virtual=is_virtual), f"{PICTURE}{which}.")


def _without_subjects(contrasts: list[Contrast]) -> Iterator[Part]:
    """Name what was not compared, as no subject has a value of it."""
    for kind in dict.fromkeys(row["kind"] for row in contrasts):
        metrics = dict.fromkeys(row["metric"] for row in contrasts if row["kind"] == kind)
        yield Text(
            f"Not compared, {in_words(kind)}: no subject has a value of {', '.join(metrics)}."
        )


def _warnings(contrasts: list[Contrast]) -> Iterator[Part]:
    """List each warning once, with the comparisons that it is of."""
    of: dict[str, list[str]] = {}
    for row in contrasts:
        for text in row["warnings"]:
            of.setdefault(text, []).append(_name(row))
    if of:
        yield Text("Warnings of these comparisons:")
        yield Items(tuple((text, "; ".join(dict.fromkeys(names))) for text, names in of.items()))


# -- ratios -------------------------------------------------------------------------------------


def _ratios(contrasts: list[Contrast]) -> Table:
    header = (
        "group",
        "from",
        "adjusted for",
        "n / n",
        "ratio",
        "interval",
        "p (Holm)",
        "in margin",
        "verdict",
    )
    margins = " and ".join(sorted({interval(*row["margin"]) for row in contrasts}))
    levels = " and ".join(level(each) for each in sorted({row["level"] for row in contrasts}))
    references = " or ".join(dict.fromkeys(row["reference"] for row in contrasts))
    return table(
        f"Ratios to {references}",
        header,
        _by_metric(contrasts, _ratio_row),
        "lllrrrrrl",
        f"Intervals: {levels}; margin {margins}. {VERDICTS} p of the two one-sided tests, adjusted "
        f"by Holm for the groups of a metric. {_drawn(contrasts)}"
        f"{kinds_note(row['kind'] for row in contrasts)}.",
    )


def _drawn(contrasts: list[Contrast]) -> str:
    """Explain the column that draws from a posterior have."""
    if all(row.get("probability") is None for row in contrasts):
        return ""
    return "In margin: the posterior probability that the ratio lies inside the margin. "


def _by_metric(
    rows: list[Contrast], cells: Callable[[Contrast], tuple[str, ...]]
) -> Iterator[tuple[str, ...]]:
    """Write each metric, and below it its rows."""
    for metric in dict.fromkeys(row["metric"] for row in rows):
        yield (in_print(METRICS[metric].title) if metric in METRICS else metric,)
        yield from dict.fromkeys(cells(row) for row in rows if row["metric"] == metric)


def _adjustment(row: Contrast) -> str:
    said = row.get("adjustment") or ""
    return "" if said == "none" else str(said)


def _name(row: Contrast) -> str:
    given = f", adjusted for {_adjustment(row)}" if _adjustment(row) else ""
    return f"{row['metric']}, {row['group']} / {row['reference']}, {in_words(row['kind'])}{given}"


def _ratio_row(row: Contrast) -> tuple[str, ...]:
    return (
        row["group"],
        in_words(row["kind"]),
        _adjustment(row),
        f"{number(row['n'])}{OVER}{number(row['n_reference'])}",
        ratio(row["ratio"]) or UNKNOWN,
        _ends(row["lower"], row["upper"]),
        p_value(row.get("p_holm")),
        probability(row.get("probability")),
        row["verdict"] or "",
    )


def _ends(lower: Number, upper: Number) -> str:
    """Write the ends of a ratio's interval; one that is not known is said to be so."""
    if lower is None and upper is None:
        return UNKNOWN
    return between(ratio(lower) or UNKNOWN, ratio(upper) or UNKNOWN)


# -- what was tested besides --------------------------------------------------------------------


def _besides(contrasts: list[Contrast]) -> Iterator[Table]:
    shares = [row for row in contrasts if row.get("share")]
    if shares:
        yield table(
            "Share inside the reference group's 5th to 95th percentile",
            ("group", "from", "inside", "share", "exact interval", "band"),
            _by_metric(shares, _share_row),
            "llrrrr",
            "The band is taken as known.",
        )
    tests = [row for row in contrasts if row.get("likelihood_ratio")]
    if tests:
        yield table(
            "Likelihood ratio tests that a ratio is 1, inside the model",
            ("group", "adjusted for", "χ²", "df", "p", "other parameters"),
            _by_metric(tests, _test_row),
            "llrrrl",
        )


def _share_row(row: Contrast) -> tuple[str, ...]:
    share = row["share"]
    return (
        row["group"],
        in_words(row["kind"]),
        f"{share['inside']} of {share['n']}",
        percent(share["share"], 1),
        between(percent(share["lower"], 1), percent(share["upper"], 1)),
        interval(*share["band"]),
    )


def _test_row(row: Contrast) -> tuple[str, ...]:
    test = row["likelihood_ratio"]
    return (
        row["group"],
        _adjustment(row),
        fixed(test["statistic"], 2),
        str(test["df"]),
        p_value(test["p_value"]),
        row.get("others") or "",
    )
