"""Exposure by group, and whether groups compare: what ``pkmodel compare-groups`` has written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pkmodel.exposure.metric import METRICS
from pkmodel.plots.exposure_by_group import exposure_plot
from pkmodel.plots.forest import KINDS, forest_plot
from pkmodel.plots.style import in_print
from pkmodel.report.content import Items, Part, Section, Table, Text, table
from pkmodel.report.drawing import draw
from pkmodel.report.number import Number, fixed, interval, number, percent
from pkmodel.report.run_folder import Run
from pkmodel.report.subjects import Subjects
from pkmodel.units import Units

DRAWN = ("CSS", "CL_BSA", "CL")
"""Metrics that are drawn by group: the first two that the run has."""
VERDICTS = (
    "Equivalent: the interval lies inside the margin; not equivalent: wholly outside; "
    "inconclusive: neither, or an end is not known."
)


def group_section(run: Run, subjects: Subjects, is_virtual: bool) -> Section | None:
    """Tabulate and draw exposure and contrasts; nothing where the run has none of them."""
    parts: list[Part] = []
    if run.groups is not None:
        parts += _summaries(run, run.groups)
    if run.exposure is not None and subjects.group_names:
        parts += _exposure_picture(run, run.exposure, subjects, is_virtual)
    if run.contrasts:
        parts += _contrasts(run.contrasts, is_virtual)
    if not parts:
        return None
    return Section("groups", f"Exposure by {subjects.group_title}", tuple(parts))


def _units(run: Run) -> Units:
    return Units(
        **{kind: run.document["units"][kind] for kind in ("time", "amount", "concentration")}
    )


def _title(metric: str, units: Units, has_bsa: bool) -> str:
    """Write a metric in words with its unit; one that is not known here by its name."""
    if metric not in METRICS:
        return metric
    known = METRICS[metric]
    unit = known.unit(units, has_bsa)
    return in_print(f"{known.title}, {unit}" if unit else known.title)


def _kind(name: str) -> str:
    return KINDS[name][1] if name in KINDS else name


# -- summaries ----------------------------------------------------------------------------------


def _summaries(run: Run, groups: pd.DataFrame) -> Iterator[Table]:
    """Yield the table of exposure by group of each kind of value."""
    units = _units(run)
    for kind, rows in groups.groupby("kind", sort=False):
        has_bsa = "CL_BSA" in set(rows["metric"])
        yield table(
            f"Exposure by group: {_kind(str(kind))}",
            (
                "metric",
                "group",
                "n",
                "mean ± SD",
                "median (range)",
                "geometric mean (CV %)",
                "5th to 95th percentile",
            ),
            _summary_rows(rows, units, has_bsa),
            "llrrrrr",
            "CV of the geometric mean: 100 √(exp(s²) − 1), s the SD of the logarithms. Percentiles "
            "by linear interpolation.",
        )


def _summary_rows(rows: pd.DataFrame, units: Units, has_bsa: bool) -> Iterator[tuple[str, ...]]:
    """Write a row for each metric and group; a metric is named in its first row."""
    before = ""
    for row in rows.to_dict("records"):
        title = _title(str(row["metric"]), units, has_bsa)
        yield ("" if title == before else title, str(row["group"]), *_summary_cells(row))
        before = title


def _summary_cells(row: dict[Any, Any]) -> tuple[str, ...]:
    missing = row.get("n_missing") or 0.0
    unknown = f" ({number(missing)} unknown)" if missing > 0.0 else ""
    return (
        number(row["n"]) + unknown,
        _with(row["mean"], " ± ", row["sd"]),
        _bracketed(row["median"], interval(row["min"], row["max"])),
        _bracketed(row["geometric_mean"], fixed(row["geometric_cv"], 0)),
        interval(row["p05"], row["p95"]),
    )


def _with(middle: Number, sign: str, width: Number) -> str:
    return number(middle) + (f"{sign}{number(width)}" if number(width) else "")


def _bracketed(middle: Number, spread: str) -> str:
    return number(middle) + (f" ({spread})" if spread else "")


def _exposure_picture(
    run: Run, exposure: pd.DataFrame, subjects: Subjects, is_virtual: bool
) -> Iterator[Part]:
    metrics = [name for name in DRAWN if name in exposure and exposure[name].notna().any()][:2]
    if metrics and "GROUP" in exposure:
        plot = exposure_plot(
            exposure,
            _units(run),
            is_virtual=is_virtual,
            metrics=metrics,
            order=subjects.group_names,
        )
        yield draw(plot, "Exposure of each subject by the model, by group.")


# -- contrasts ----------------------------------------------------------------------------------


def _contrasts(contrasts: list[dict[str, Any]], is_virtual: bool) -> Iterator[Part]:
    """Yield the forest plot, the table of ratios, what was tested besides, and the warnings."""
    known = [row for row in contrasts if row["metric"] in METRICS and row["kind"] in KINDS]
    if known:
        plot = forest_plot(known, is_virtual=is_virtual)
        yield draw(plot, "Ratios to the reference group with their intervals, against the margin.")
    yield table(
        "Ratios to the reference group",
        (
            "metric",
            "group / reference",
            "from",
            "adjusted for",
            "n / n",
            "ratio",
            "interval",
            "margin",
            "p (Holm)",
            "verdict",
        ),
        [_contrast_row(row) for row in contrasts],
        "llllrrrrrl",
        f"{_levels(contrasts)} {VERDICTS} p of the two one-sided tests, adjusted by Holm for the "
        "groups of a metric.",
    )
    shares = [row for row in contrasts if row.get("share")]
    if shares:
        yield _shares(shares)
    tests = [row for row in contrasts if row.get("likelihood_ratio")]
    if tests:
        yield _likelihood_ratio_tests(tests)
    warned = [(_name(row), text) for row in contrasts for text in row["warnings"]]
    if warned:
        yield Text("Warnings of these comparisons:")
        yield Items(tuple(dict.fromkeys(warned)))


def _levels(contrasts: list[dict[str, Any]]) -> str:
    levels = sorted({row["level"] for row in contrasts})
    return "Intervals: " + " and ".join(percent(level) for level in levels) + "."


def _name(row: dict[str, Any]) -> str:
    adjustment = _adjustment(row)
    given = f", adjusted for {adjustment}" if adjustment else ""
    return f"{row['metric']}, {row['group']} / {row['reference']}, {_kind(row['kind'])}{given}"


def _adjustment(row: dict[str, Any]) -> str:
    said = row.get("adjustment") or ""
    return "" if said == "none" else str(said)


def _contrast_row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["metric"],
        f"{row['group']} / {row['reference']}",
        _kind(row["kind"]),
        _adjustment(row),
        f"{number(row['n'])} / {number(row['n_reference'])}",
        fixed(row["ratio"], 3),
        _ends(row["lower"], row["upper"]),
        interval(*row["margin"]),
        _p_value(row.get("p_holm")),
        row["verdict"] or "",
    )


def _ends(lower: Number, upper: Number) -> str:
    """Write the ends of a ratio's interval; one that is not known is said to be so."""
    if lower is None and upper is None:
        return "not known"
    return f"{fixed(lower, 3) or 'not known'} to {fixed(upper, 3) or 'not known'}"


def _p_value(p: Number) -> str:
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else fixed(p, 3)


def _shares(rows: list[dict[str, Any]]) -> Table:
    cells = [
        (
            row["metric"],
            f"{row['group']} / {row['reference']}",
            _kind(row["kind"]),
            f"{row['share']['inside']} of {row['share']['n']}",
            percent(row["share"]["share"], 1),
            f"{percent(row['share']['lower'], 1)} to {percent(row['share']['upper'], 1)}",
            interval(*row["share"]["band"]),
        )
        for row in rows
    ]
    return table(
        "Share inside the reference group's 5th to 95th percentile",
        ("metric", "group / reference", "from", "inside", "share", "exact interval", "band"),
        list(dict.fromkeys(cells)),
        "lllrrrr",
        "The band is taken as known.",
    )


def _likelihood_ratio_tests(rows: list[dict[str, Any]]) -> Table:
    cells = [
        (
            row["metric"],
            f"{row['group']} / {row['reference']}",
            _adjustment(row),
            fixed(row["likelihood_ratio"]["statistic"], 2),
            str(row["likelihood_ratio"]["df"]),
            _p_value(row["likelihood_ratio"]["p_value"]),
            row.get("others") or "",
        )
        for row in rows
    ]
    return table(
        "Likelihood ratio tests that a ratio is 1, inside the model",
        ("metric", "group / reference", "adjusted for", "χ²", "df", "p", "other parameters"),
        cells,
        "lllrrrl",
    )
