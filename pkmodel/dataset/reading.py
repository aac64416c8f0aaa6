"""Read a data table: every fault is found in one pass and reported with its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pkmodel.dataset.column_checks import check_columns
from pkmodel.dataset.events import read_events
from pkmodel.dataset.faults import TOLERABLE, Faults
from pkmodel.dataset.header import STANDARD, read_header
from pkmodel.dataset.raw_table import without_blank_rows
from pkmodel.dataset.record import Dataset
from pkmodel.dataset.row_filter import check_names, parse_filter
from pkmodel.dataset.source import read_source
from pkmodel.dataset.subject_checks import check_subjects
from pkmodel.dataset.table import Bools, Table, keep_rows, read_table, report_bad_cells
from pkmodel.errors import DataError, Problem, within
from pkmodel.models.structural import STRUCTURES
from pkmodel.suggestion import label, quoted, suggest
from pkmodel.units import read_units

if TYPE_CHECKING:
    import pandas as pd

RULES = ("nocb", "locf")


def read_dataset(
    source: str | Path | pd.DataFrame,
    *,
    units: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    where: str | None = None,
    lloq: float | None = None,
    covariates: str = "nocb",
    structure: str = "one_compartment",
    allow: Sequence[str] = (),
) -> Dataset:
    """Read and check a NONMEM-style data table.

    Columns ``ID TIME DV AMT`` are needed; ``RATE DUR EVID MDV CMT II ADDL SS CENS LIMIT OCC`` take
    their usual defaults; all others are covariates. ``.``, empty and ``NA`` are missing. A column
    ``LLOQ`` is a covariate, and uncensored observations below it are faults. ``RATE`` and ``DUR``
    may both be given if they agree within 1 percent. Censored observations have DV at the limit; a
    finite ``LIMIT`` on them asks for an interval, which is not supported.

    Parameters
    ----------
    source : str, Path or pandas.DataFrame
        CSV or parquet file, or a DataFrame.
    units : mapping of str to str, optional
        ``time``, ``amount`` and ``concentration``.
    columns : mapping of str to str, optional
        Standard name = name in the file.
    where : str, optional
        Keep only rows where this holds, such as ``"SD == 1"``; applied before all checks of rows.
    lloq : float, optional
        Limit of quantification where the table has no column CENS: observations below it are
        censored at it.
    covariates : str
        How covariates hold between rows: ``"nocb"`` (NONMEM's rule) or ``"locf"``.
    structure : str
        Structural model, whose compartments CMT may name.
    allow : sequence of str
        Faults that become warnings: ``no_dose``, ``no_observations``, ``duplicate_observations``,
        ``zero_dose``, ``limit``, and ``implausible_size``, which `pkmodel.subjects` looks for.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        With every fault found, by subject, line and column.
    ModelError
        A unit is unknown or of the wrong kind.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"ID": 1, "TIME": [0, 2], "AMT": [25, 0], "DV": [None, 17.3]})
    >>> read_dataset(table).n_observations
    1
    """
    _check_options(columns, lloq, covariates, structure, allow)
    checked_units = read_units(units)
    columns = columns or {}
    raw, blank = without_blank_rows(read_source(source, columns.get("ID", "ID")))
    header = read_header(raw.names, columns, needs_doses="no_dose" not in allow)
    if not {"ID", "TIME", "DV"} <= set(header.names) or (blank and not raw.line.size):
        raise DataError([*header.problems, *raw.problems, *blank], raw.source)
    table = read_table(raw, header.names)
    with within(raw.source):
        table, excluded, undecided = _filter(table, where)
    faults = Faults(table.ids, table.subject, table.line, dict(table.columns), allow)
    faults.problems += [*header.problems, *raw.problems, *blank, *undecided]
    faults.warnings += header.warnings
    whole = not raw.problems and ("AMT" in header.names or "no_dose" in allow)
    report_bad_cells(table, faults)
    check_columns(table, faults)
    events = read_events(table, STRUCTURES[structure], lloq, faults)
    check_subjects(table, events, faults, whole=whole)
    if faults.problems:
        raise DataError(faults.problems, raw.source)
    return Dataset(
        source=raw.source,
        sha256=raw.sha256,
        ids=table.ids,
        subject=table.subject,
        row=table.line,
        time=table.columns["TIME"],
        **vars(events),
        covariates={n: v for n, v in table.columns.items() if n not in STANDARD},
        units=checked_units,
        covariate_rule=covariates,
        excluded=excluded,
        warnings=tuple(faults.warnings + _general_warnings(table, units)),
        text=table.text,
        allow=tuple(allow),
    )


def _check_options(
    columns: Mapping[str, str] | None,
    lloq: float | None,
    covariates: str,
    structure: str,
    allow: Sequence[str],
) -> None:
    problems = []
    if columns is not None and not isinstance(columns, Mapping):
        problems.append(Problem("expected standard name = name in the file", "columns"))
    if lloq is not None and not (isinstance(lloq, int | float) and isfinite(lloq)):
        problems.append(Problem(f"{quoted(lloq)} is not a finite number", "lloq"))
    if covariates not in RULES:
        known = suggest(str(covariates), RULES, "rules")
        problems.append(Problem(f"no rule {quoted(covariates)}; {known}", "covariates"))
    if structure not in STRUCTURES:
        known = suggest(str(structure), STRUCTURES, "structures")
        problems.append(Problem(f"no structure {quoted(structure)}; {known}", "structure"))
    problems += _allow_problems(allow)
    if problems:
        raise DataError(problems)


def _allow_problems(allow: object) -> list[Problem]:
    if isinstance(allow, str):
        known = f"; {suggest(allow, TOLERABLE)}" if allow not in TOLERABLE else ""
        return [Problem(f'expected a list: say allow = ["{label(allow)}"]{known}', "allow")]
    if not isinstance(allow, Collection):
        return [Problem(f"expected a list of names, got {quoted(allow)}", "allow")]
    return [
        Problem(f"{quoted(name)} is not known; {suggest(str(name), TOLERABLE)}", "allow")
        for name in allow
        if not isinstance(name, str) or name not in TOLERABLE
    ]


def _filter(table: Table, where: str | None) -> tuple[Table, dict[str, int], list[Problem]]:
    """Keep the rows where a condition holds; rows it cannot decide are problems."""
    if where is None:
        return table, {}, []
    condition = parse_filter(where)
    known = dict(table.columns)
    text = dict(table.text)
    if table.ids.dtype.kind == "i":
        labels = np.append(table.ids.astype(float), np.nan)
        known["ID"] = labels[table.subject]
    else:
        text["ID"] = ", ".join(quoted(str(label)) for label in table.ids[:3])
    check_names(condition, known, text)
    keep, unknown = condition(known, table.line.size)
    problems = _undecided(table, condition.names, unknown, where)
    if not problems and not keep.any():
        raise DataError(Problem(f"no row is left of {keep.size}", f"where {quoted(where)}"))
    excluded = {f"where {where}": int(np.count_nonzero(~(keep | unknown)))}
    return keep_rows(table, keep | unknown), excluded, problems


def _undecided(table: Table, names: Sequence[str], unknown: Bools, where: str) -> list[Problem]:
    if not unknown.any():
        return []
    faults = Faults(table.ids, table.subject, table.line, {})
    message = f"missing, so that {quoted(where)} cannot be decided; fill it in"
    faults.rows(unknown, " or ".join(names), message.replace("{", "{{").replace("}", "}}"))
    return faults.problems


def _general_warnings(table: Table, units: Mapping[str, str] | None) -> list[str]:
    warnings = []
    if units is None:
        warnings.append(
            "no units declared: amounts, volumes and concentrations taken as consistent"
        )
    warnings += [
        f"column {name} holds text ({seen}) and cannot be a covariate"
        for name, seen in table.text.items()
    ]
    return warnings
