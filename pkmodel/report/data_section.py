"""The data: what was observed, and who the subjects are, by group."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from pkmodel.number import count, number, percent
from pkmodel.report.between import interval
from pkmodel.report.content import Part, Section, Table, Text
from pkmodel.report.run_folder import Run
from pkmodel.report.subjects import Subjects

TAKEN = "_DATA"
"""End of the name of a covariate whose own name is that of a result, such as GROUP."""

FEW_VALUES = 5
"""A covariate with no more whole values than this is counted, not averaged."""


def data_section(run: Run, subjects: Subjects) -> Section:
    """Tabulate observations and demographics."""
    document = run.document
    parts: list[Part] = [
        Text(_source(document)),
        _observations(subjects, document["units"]),
    ]
    if subjects.covariates:
        parts.append(_demographics(subjects))
        parts.append(Text(_explained(document["covariates"], subjects.covariates)))
    else:
        parts.append(Text("The data have no covariates."))
    return Section("data", "Data", tuple(parts))


def _source(document: dict[str, Any]) -> str:
    units = document["units"]
    said = [f"Data file {Path(document['data']).name}."]
    if units["time"]:
        said.append(
            f"Time is in {units['time']}, amounts are in {units['amount']}, concentrations in "
            f"{units['concentration']}."
        )
    else:
        said.append("Units were not declared; the numbers are taken as consistent.")
    if document["n_censored"]:
        treated = {"m3": "enter as probabilities (M3)", "m1": "are left out of the fit (M1)"}
        how = treated.get(document["censoring"], f"are treated by {document['censoring']}")
        said.append(f"Observations below the limit of quantification {how}.")
    if document["covariate_rule"]:
        said.append(f"Covariates change in time by {document['covariate_rule'].upper()}.")
    for why, rows in document["excluded"].items():
        said.append(f"Left out: {count(rows, 'row')} {why}.")
    groups = document["groups"]
    if groups:
        said.append(f"Subjects by {groups['title']}: {groups['source'].rstrip('.')}.")
        if groups["bsa_source"]:
            said.append(f"Body surface area: {groups['bsa_source']}.")
    return " ".join(said)


# -- observations -------------------------------------------------------------------------------


def _observations(subjects: Subjects, units: dict[str, str]) -> Table:
    columns = [
        (name, _observed(rows, units)) for name, rows in subjects.parts(subjects.predictions)
    ]
    persons = dict(subjects.parts(subjects.individuals))
    for name, column in columns:
        column["subjects"] = str(len(persons[name]))
    return _by_group(
        "Observations",
        columns,
        ["subjects", *(row for row in columns[-1][1] if row != "subjects")],
        "Below quantification: rows with CENS = 1. Observations by subject and times: median "
        "(range).",
    )


def _observed(rows: pd.DataFrame, units: dict[str, str]) -> dict[str, str]:
    censored = rows["CENS"] == 1
    quantified = rows.loc[~censored, "DV"]
    by_subject = rows.groupby("ID", sort=False)
    all_censored = int(censored.groupby(rows["ID"]).all().sum())
    time = f" ({units['time']})" if units["time"] else ""
    concentration = f" ({units['concentration']})" if units["concentration"] else ""
    return {
        "observations": str(len(rows)),
        "by subject": _median_range(by_subject.size()),
        "quantified": str(len(quantified)),
        "below quantification": _share(int(censored.sum()), len(rows)),
        "subjects with none quantified": str(all_censored) if censored.any() else "0",
        f"quantified DV{concentration}": _median_range(quantified),
        f"time of last observation{time}": _median_range(by_subject["TIME"].max()),
    }


def _share(part: int, whole: int) -> str:
    return f"{part} ({percent(part / whole, 1)})" if whole else "0"


def _median_range(values: pd.Series) -> str:
    known = values.dropna()
    if not len(known):
        return ""
    return f"{number(known.median())} ({interval(known.min(), known.max())})"


def _by_group(
    caption: str, columns: list[tuple[str, dict[str, str]]], rows: list[str], note: str
) -> Table:
    """Set rows of texts beside each other, a column for each group."""
    return Table(
        caption,
        ("", *(name for name, _ in columns)),
        tuple((row, *(column.get(row, "") for _, column in columns)) for row in rows),
        "l" + "r" * len(columns),
        note,
    )


# -- demographics -------------------------------------------------------------------------------


def _demographics(subjects: Subjects) -> Table:
    everyone = subjects.individuals
    columns = [
        (name, {c: _described(rows[c], everyone[c]) for c in subjects.covariates})
        for name, rows in subjects.parts(everyone)
    ]
    title = f" by {subjects.group_title}" if subjects.group_names else ""
    return _by_group(
        f"Demographics{title}",
        columns,
        list(subjects.covariates),
        "Mean (SD), below it median (range); a covariate with few values by count. Values of a "
        "subject's first record.",
    )


def _explained(meanings: dict[str, str | None], shown: Iterable[str]) -> str:
    """Say what each covariate is, or that it is not known, and what a name with _DATA means."""
    said, unsaid = [], []
    for title in shown:
        name = title if title in meanings else title.split(" (")[0]
        column = name.removesuffix(TAKEN) if name not in meanings else name
        origin = f"the column {column} of the data" if column != name else ""
        meaning = meanings.get(column)
        if origin or meaning:
            said.append(f"{name}: {', '.join(text for text in (origin, meaning) if text)}.")
        if not meaning and title == name:
            unsaid.append(column)
    if unsaid:
        said.append(f"What is in {', '.join(unsaid)}, and in which unit, is not declared.")
    return " ".join(said)


def _described(values: pd.Series, everyone: pd.Series) -> str:
    """Describe a covariate in a group: by count where all subjects have few values of it."""
    known = values.dropna()
    missing = f"\nmissing {len(values) - len(known)}" if len(known) < len(values) else ""
    if not len(known):
        return f"none{missing}" if len(values) else ""
    if is_counted(everyone):
        levels = sorted(everyone.dropna().unique())
        lines = [
            f"{_level(level)}: {_share(int((known == level).sum()), len(known))}"
            for level in levels
        ]
        return "\n".join(lines) + missing
    spread = f" ({number(known.std())})" if len(known) > 1 else ""
    return f"{number(known.mean())}{spread}\n{_median_range(known)}{missing}"


def _level(level: object) -> str:
    return number(level) if isinstance(level, float) else str(level)


def is_counted(values: pd.Series) -> bool:
    """Tell whether a covariate has few whole values, or texts, and is therefore counted."""
    known = values.dropna()
    if known.dtype != float:
        return True
    return known.nunique() <= FEW_VALUES and bool((known % 1.0 == 0.0).all())
