"""Ratios between groups of which only number, mean and SD are published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pkmodel.contrast.comparison import Comparison, given_comparison
from pkmodel.contrast.margin import DEFAULT_MARGIN
from pkmodel.contrast.ratio import LogMoments, published_moments
from pkmodel.contrast.record import Contrast
from pkmodel.contrast.welch import welch_contrast, with_holm
from pkmodel.errors import DataError, ModelError, Problem
from pkmodel.suggestion import suggest

NEEDED = ("group", "metric", "n", "mean", "sd")

EXPECTED = (
    f"expected a CSV of published summaries with the columns {', '.join(NEEDED)}, and unit where "
    "there is one: a row per group and metric"
)

ASSUMED = (
    "log-normal values are assumed: variance of logarithms ln(1 + (SD / mean)^2), geometric mean "
    "mean / sqrt(1 + (SD / mean)^2)"
)


@dataclass(frozen=True)
class SummaryComparison:
    """Published groups compared by their means and SDs.

    Attributes
    ----------
    table : DataFrame
        The rows used: group, metric, unit, n, mean, sd, geometric_mean, log_sd.
    contrasts : tuple of Contrast
        Of kind ``"summary"``.
    notes : tuple of str
        What was left out, and what is assumed.
    """

    table: pd.DataFrame
    contrasts: tuple[Contrast, ...]
    notes: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Write groups.csv and contrasts.json."""
        self.table.to_csv(folder / "groups.csv", index=False)
        text = json.dumps([c.to_dict() for c in self.contrasts], indent=2, ensure_ascii=False)
        (folder / "contrasts.json").write_text(text + "\n", encoding="utf-8")


def read_summaries(file: str | Path) -> pd.DataFrame:
    """Read a table of published summaries.

    Parameters
    ----------
    file : str or Path
        CSV with the columns `NEEDED`, and others that are kept.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        The file does not exist, is empty, or cannot be read as a table.
    """
    if not Path(file).is_file():
        raise DataError(f"there is no such file; {EXPECTED}", str(file))
    try:
        table = pd.read_csv(file)
    except pd.errors.EmptyDataError as error:
        raise DataError(f"the file is empty; {EXPECTED}", str(file)) from error
    except (ValueError, OSError) as error:
        raise DataError(f"cannot be read as a table: {error}; {EXPECTED}", str(file)) from error
    if table.empty:
        raise DataError(f"the file has a header and no rows; {EXPECTED}", str(file))
    return table


def compare_summaries(
    table: pd.DataFrame,
    *,
    reference: str | None = None,
    margin: Sequence[float] = DEFAULT_MARGIN,
    level: float = 0.90,
    multiplicity: str = "none",
    source: str = "",
) -> SummaryComparison:
    """Compare published groups, metric by metric.

    Parameters
    ----------
    table : DataFrame
        A row per group and metric: group, metric, n, mean, sd, and unit where there is one.
    reference : str, optional
        The group that others are compared with; the last one if absent.
    margin : (low, high)
        Ratios that count as equivalent.
    level : float
        Of the intervals.
    multiplicity : str
        ``"none"`` or ``"bonferroni"``.
    source : str
        Named in errors.

    Returns
    -------
    SummaryComparison

    Raises
    ------
    DataError
        With every fault of the table.
    ModelError
        What is asked cannot be answered.

    Examples
    --------
    >>> table = pd.DataFrame({"group": ["infants", "adults"], "metric": "CSS", "n": [30, 100],
    ...                       "mean": [706.0, 621.0], "sd": [194.0, 502.0]})
    >>> found = compare_summaries(table, reference="adults")
    >>> found.table["geometric_mean"].round(0).tolist(), found.table["log_sd"].round(3).tolist()
    ([681.0, 483.0], [0.27, 0.709])
    >>> found.contrasts[0].verdict
    'inconclusive'
    """
    rows, notes = _usable(table, source)
    moments = published_moments(rows["n"], rows["mean"], rows["sd"])
    rows = rows.assign(geometric_mean=np.exp(moments.mean), log_sd=np.sqrt(moments.variance))
    names = list(dict.fromkeys(rows["group"].astype(str)))
    chosen = reference if reference is not None else names[-1]
    if chosen not in names:
        raise ModelError(
            f"the reference {chosen!r} is no group; {suggest(chosen, names, 'groups')}"
        )
    contrasts: list[Contrast] = []
    for metric, part in rows.groupby("metric", sort=False):
        groups = list(part["group"].astype(str))
        if chosen not in groups or len(groups) < 2:
            notes.append(f"{metric}: nothing to compare, only {', '.join(groups)} has it")
            continue
        comparison = given_comparison(
            groups,
            np.zeros(0, dtype=np.int64),
            reference=chosen,
            margin=margin,
            level=level,
            multiplicity=multiplicity,
        )
        contrasts += _contrasts(comparison, part, str(metric))
    if not contrasts:
        raise DataError(["no metric is known of two groups", *notes], source)
    if reference is None:
        notes.append(f"no reference was declared: {chosen}, the last group, is taken")
    return SummaryComparison(rows, tuple(contrasts), (*notes, ASSUMED))


def _contrasts(comparison: Comparison, part: pd.DataFrame, metric: str) -> list[Contrast]:
    moments = [
        LogMoments(*(np.asarray(value) for value in row))
        for row in zip(
            part["n"].astype(np.int64),
            np.log(part["geometric_mean"]),
            part["log_sd"] ** 2,
            strict=True,
        )
    ]
    reference = moments[comparison.reference]
    return with_holm(
        [
            welch_contrast(
                comparison,
                k,
                (moments[k], reference),
                metric=metric,
                kind="summary",
                adjustment="none",
            )
            for k in comparison.others
        ]
    )


def _usable(table: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows that have a number, a mean and an SD, and name the others."""
    missing = [name for name in NEEDED if name not in table]
    if missing:
        known = suggest(missing[0], [str(c) for c in table.columns], "columns")
        message = f"no column {', '.join(missing)}; expected {', '.join(NEEDED)} ({known})"
        raise DataError(Problem(message, "header"), source)
    if "unit" not in table:
        table = table.assign(unit="")
    numbers = table[["n", "mean", "sd"]].apply(pd.to_numeric, errors="coerce")
    text = table[["n", "mean", "sd"]].notna() & numbers.isna()
    table = table.assign(**{str(name): numbers[name] for name in numbers})
    known = numbers.notna().all(axis=1)
    problems = [*_value_faults(table, text), *_double_rows(table[known]), *_units(table[known])]
    if problems:
        raise DataError(problems, source)
    if not known.any():
        raise DataError("no row has n, mean and sd", source)
    notes = [
        f"line {int(str(row.Index)) + 2} left out, without n, mean or sd: {row.group}, {row.metric}"
        for row in table[~known].itertuples()
    ]
    columns = ["group", "metric", "unit", "n", "mean", "sd"]
    return table.loc[known, columns].reset_index(drop=True), notes


def _value_faults(table: pd.DataFrame, text: pd.DataFrame) -> list[Problem]:
    problems = []
    for number, row in enumerate(table.to_dict("records")):
        place = f"line {number + 2}"
        problems += [
            Problem("not a number", f"{place}, column {name}")
            for name in text
            if bool(text[name].iloc[number])
        ]
        if row["n"] < 1 or (np.isfinite(row["n"]) and row["n"] % 1 != 0):
            problems.append(Problem(f"n = {row['n']:g} is no number of subjects", place))
        if row["mean"] <= 0:
            problems.append(Problem(f"mean = {row['mean']:g}; expected one above 0", place))
        if row["sd"] <= 0:
            message = "expected one above 0; leave it empty where it is not known"
            problems.append(Problem(f"sd = {row['sd']:g}; {message}", place))
    return problems


def _double_rows(table: pd.DataFrame) -> list[Problem]:
    double = table[table.duplicated(["group", "metric"])]
    return [
        Problem(
            f"{row.metric} of {row.group} stands there already; give each group one row per metric",
            f"line {int(str(row.Index)) + 2}",
        )
        for row in double.itertuples()
    ]


def _units(table: pd.DataFrame) -> list[Problem]:
    problems = []
    for metric, part in table.groupby("metric", sort=False):
        units = list(dict.fromkeys(part["unit"].fillna("").astype(str)))
        if len(units) > 1:
            problems.append(
                Problem(f"{metric} is in {' and in '.join(units)}; convert one of them")
            )
    return problems
