"""Exposure by group: by the model, without one where that was asked for, and as published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from pkmodel.comparability import side_by_side
from pkmodel.evidence import in_words, kinds_note
from pkmodel.exposure.metric import METRICS
from pkmodel.exposure.summary import group_summary
from pkmodel.grouping import Groups
from pkmodel.number import Number, fixed, number, short
from pkmodel.plots.exposure_by_group import exposure_plot
from pkmodel.plots.scatter import is_wide
from pkmodel.plots.style import in_print
from pkmodel.report.between import between
from pkmodel.report.content import Part, Section, Table, Text, table
from pkmodel.report.drawing import draw
from pkmodel.report.run_folder import Run
from pkmodel.report.subjects import Subjects
from pkmodel.units import Units

DRAWN = ("CSS", "CL_BSA", "CL")
"""Metrics that are drawn by group, and set beside each other: the first two that the run has."""
PLUS_MINUS = "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"
SUMMARY_NOTE = (
    "CV of the geometric mean: 100 √(exp(s²) − 1), s the SD of the logarithms. Percentiles by "
    "linear interpolation."
)


def exposure_section(run: Run, subjects: Subjects, is_virtual: bool) -> Section | None:
    """Draw and tabulate exposure by group; nothing where the run knows no groups."""
    parts: list[Part] = []
    if run.exposure is not None and _has_these_groups(run, subjects):
        parts += _picture(run, run.exposure, subjects, is_virtual)
    summary = run.groups
    if summary is None and run.exposure is not None and subjects.group_names:
        summary = _summary(run.exposure, subjects)
    if summary is not None:
        parts += _summaries(run, summary)
    if run.published is not None:
        parts.append(_published(run.published))
    if run.exposure is not None and run.noncompartmental is not None:
        parts += _beside(run, run.exposure, run.noncompartmental)
    if not parts:
        return None
    title = run.comparison["title"] if run.comparison else subjects.group_title
    return Section("exposure", f"Exposure by {title}", tuple(parts))


def _has_these_groups(run: Run, subjects: Subjects) -> bool:
    """Tell whether the groups that were compared, if any, are those of the subjects' table."""
    if run.comparison is None:
        return bool(subjects.group_names)
    return tuple(run.comparison["names"]) == subjects.group_names


def units_of(run: Run) -> Units:
    """Return the units of a run; the scale is not needed to write them."""
    units = run.document["units"]
    return Units(units["time"], units["amount"], units["concentration"])


def metric_title(metric: str, units: Units, has_bsa: bool) -> str:
    """Write a metric in words with its unit; one that is not known here by its name."""
    if metric not in METRICS:
        return metric
    unit = METRICS[metric].unit(units, has_bsa)
    return in_print(METRICS[metric].title + (f", {unit}" if unit else ""))


def _picture(
    run: Run, exposure: pd.DataFrame, subjects: Subjects, is_virtual: bool
) -> Iterator[Part]:
    metrics = _known(exposure)
    if not metrics:
        return
    plot = exposure_plot(
        exposure,
        units_of(run),
        is_virtual=is_virtual,
        metrics=metrics,
        order=subjects.group_names,
        published=() if run.published is None else run.published,
        is_log=any(is_wide(exposure[name].to_numpy(float)) for name in metrics),
    )
    yield draw(plot, "Exposure of each subject by the model, by group.")


def _known(exposure: pd.DataFrame) -> list[str]:
    return [name for name in DRAWN if name in exposure and exposure[name].notna().any()][:2]


# -- summaries ----------------------------------------------------------------------------------


def _summary(exposure: pd.DataFrame, subjects: Subjects) -> pd.DataFrame:
    """Summarise exposure by group as ``compare-groups`` does, of a run without groups.csv."""
    of = dict(zip(subjects.individuals["ID"], subjects.individuals["GROUP"].cat.codes, strict=True))
    code = exposure["ID"].map(of).to_numpy(np.int64)
    groups = Groups(subjects.group_title, subjects.group_names, code, "")
    return group_summary(exposure, groups, "individual")


def _summaries(run: Run, summary: pd.DataFrame) -> Iterator[Part]:
    """Yield the table of each kind of value, and say of which metrics it has none."""
    units, has_bsa = units_of(run), "CL_BSA" in set(summary["metric"])
    for kind, rows in summary.groupby("kind", sort=False):
        counts = rows.groupby("metric", sort=False)["n"].sum()
        without = [str(name) for name in counts.index[counts == 0]]
        known = rows[~rows["metric"].isin(without)]
        if len(known):
            yield _summary_table(run, str(kind), known, units, has_bsa)
        if without:
            yield Text(
                f"{in_words(str(kind)).capitalize()}: no subject has a value of "
                f"{', '.join(without)}."
            )


def _summary_table(run: Run, kind: str, rows: pd.DataFrame, units: Units, has_bsa: bool) -> Table:
    header = (
        "group",
        "n",
        "mean ± SD",
        "median (range)",
        "geometric mean\n(CV %)",
        "5th to 95th\npercentile",
    )
    cells: list[tuple[str, ...]] = []
    for metric, some in rows.groupby("metric", sort=False):
        cells.append((metric_title(str(metric), units, has_bsa),))
        cells += [(str(row["group"]), *_cells(row)) for row in some.to_dict("records")]
    rule = f" Plateau samples: {run.comparison['rule']}." if run.comparison else ""
    note = SUMMARY_NOTE + (rule if kind == "noncompartmental" else "")
    note += f" {kinds_note([kind])}."
    return table(f"Exposure by group, {in_words(kind)}", header, cells, "lrrrrr", note)


def _cells(row: dict[Any, Any]) -> tuple[str, ...]:
    missing = row.get("n_missing")
    unknown = f"\n{number(missing)}\N{NO-BREAK SPACE}unknown" if missing and missing > 0.0 else ""
    return (
        number(row.get("n")) + unknown,
        _with(row.get("mean"), row.get("sd")),
        _bracketed(row.get("median"), between(short(row.get("min")), short(row.get("max")))),
        _bracketed(row.get("geometric_mean"), short(row.get("geometric_cv"))),
        between(short(row.get("p05")), short(row.get("p95"))),
    )


def _with(middle: Number, width: Number) -> str:
    return short(middle) + (f"{PLUS_MINUS}{short(width)}" if short(width) else "")


def _bracketed(middle: Number, spread: str) -> str:
    return short(middle) + (f" ({spread})" if spread else "")


def _published(published: pd.DataFrame) -> Table:
    """Tabulate what was published of groups of the same names."""
    cells: list[tuple[str, ...]] = []
    for (metric, unit), some in published.groupby(["metric", "unit"], sort=False):
        title = METRICS[str(metric)].title if metric in METRICS else str(metric)
        cells.append((in_print(f"{title}, {unit}"),))
        cells += [
            (str(row["group"]), *_cells(row)[:3], str(row["source"]))
            for row in some.to_dict("records")
        ]
    header = ("group", "n", "mean ± SD", "median (range)", "source")
    return table("Published, of groups of these names", header, cells, "lrrrl")


# -- by the model and without one ---------------------------------------------------------------


def _beside(run: Run, exposure: pd.DataFrame, plain: pd.DataFrame) -> Iterator[Part]:
    """Yield for each subject the value by the model beside that without one."""
    both = side_by_side(exposure, plain)
    known = both[both["NONCOMPARTMENTAL"].notna()]
    metrics = [name for name in DRAWN if name in set(known["METRIC"])][:2]
    if not metrics:
        return
    titles = [metric_title(name, units_of(run), "CL_BSA" in exposure) for name in metrics]
    rows = {str(name): [*_pairs(some, metrics)] for name, some in known.groupby("ID", sort=False)}
    heads = [
        f"{name}\n{how}" for name in metrics for how in ("by the model", "without", "difference %")
    ]
    yield table(
        "Exposure of each subject by the model and without one",
        ("subject", *heads),
        [(name, *cells) for name, cells in rows.items()],
        "l" + "r" * len(heads),
        f"{'; '.join(f'{n}: {t}' for n, t in zip(metrics, titles, strict=True))}. Subjects with a "
        "value without a model. Difference: by the model over without a model, less 1.",
    )


def _pairs(both: pd.DataFrame, metrics: list[str]) -> Iterator[str]:
    """Write the two values of each metric of one subject, and their difference."""
    by_metric = {row["METRIC"]: row for row in both.to_dict("records")}
    for metric in metrics:
        row = by_metric.get(metric, {})
        yield short(row.get("MODEL"))
        yield short(row.get("NONCOMPARTMENTAL"))
        yield fixed(row.get("DIFFERENCE"), 1)
