"""The columns a data table may have, and which of a file's columns each of them is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pkmodel.errors import Problem
from pkmodel.suggestion import quoted, suggest

STANDARD = (
    "ID",
    "TIME",
    "AMT",
    "RATE",
    "DUR",
    "DV",
    "EVID",
    "MDV",
    "CMT",
    "II",
    "ADDL",
    "SS",
    "CENS",
    "LIMIT",
    "OCC",
)
SYNONYMS = {
    "ID": ("SUBJECT", "SUBJ", "SUBJID", "USUBJID", "PATIENT", "PAT", "CID", "NR"),
    "TIME": ("T", "HOURS", "HOUR", "TAFD", "TSFD", "DATETIME"),
    "DV": ("CONC", "CONCENTRATION", "CP", "C", "Y", "LEVEL"),
    "AMT": ("DOSE", "AMOUNT", "DOSAGE"),
}
"""How other programs and people often name the required columns."""

REQUIRED = ("ID", "TIME", "DV")
PLACE = "header"


@dataclass
class Header:
    """Names as the package knows them, one per column of the file; None for a column left out."""

    names: list[str | None]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_header(
    names: Sequence[str], columns: Mapping[str, str], *, needs_doses: bool = True
) -> Header:
    """Find the standard columns among those of a file.

    Parameters
    ----------
    names : sequence of str
        As in the file.
    columns : mapping of str to str
        Standard name = name in the file.
    needs_doses : bool
        A table without AMT is a fault.

    Returns
    -------
    Header
    """
    header = Header(list(names))
    _check_names(names, header)
    _apply_mapping(names, columns, header)
    _adopt_spellings(header)
    present = {name for name in header.names if name}
    required = (*REQUIRED, "AMT") if needs_doses else REQUIRED
    for name in required:
        if name not in present and name not in columns:
            free = [n for n in names if n and n not in STANDARD and n not in columns.values()]
            header.problems.append(Problem(_absence(name, free), PLACE))
    return header


def _absence(name: str, free: Sequence[str]) -> str:
    """Say that a column is missing, and which of those without a role it may be."""
    usual = [other for other in free if other.upper() in SYNONYMS[name]]
    meant = usual[0] if usual else name
    known = suggest(meant, free, "columns without a role")
    example = usual[0] if usual else "its name in the file"
    return (
        f'no column {name}; {known}. Rename a column, or say columns = {{ {name} = "{example}" }}'
    )


def _check_names(names: Sequence[str], header: Header) -> None:
    for position, name in enumerate(names, 1):
        if not name:
            header.problems.append(
                Problem("has no name; name it or delete the column", f"{PLACE}, column {position}")
            )
    for name, count in Counter(names).items():
        if name and count > 1:
            header.problems.append(
                Problem(
                    f"{count} columns have this name; rename or delete all but one",
                    f"{PLACE}, column {name}",
                )
            )
    if all(re.fullmatch(r"[-+\d.eE]+", name) for name in names):
        header.problems.append(
            Problem("the first line holds numbers; expected the names of the columns", PLACE)
        )


def _apply_mapping(names: Sequence[str], columns: Mapping[str, str], header: Header) -> None:
    taken: dict[str, str] = {}
    for standard, name in columns.items():
        place = f"columns, {standard}"
        if standard not in STANDARD:
            known = suggest(standard, STANDARD, "standard columns")
            header.problems.append(
                Problem(f"{quoted(standard)} is not a standard column; {known}", place)
            )
        elif name not in names:
            known = suggest(str(name), names, "columns of the file")
            header.problems.append(
                Problem(f"the file has no column {quoted(name)}; {known}", place)
            )
        elif name in taken:
            header.problems.append(
                Problem(f"{quoted(name)} is already given to {taken[name]}", place)
            )
        else:
            taken[name] = standard
    replaced = [n for n in taken.values() if n in names and n not in taken]
    for name in replaced:
        header.names[names.index(name)] = None
        header.warnings.append(
            f"column {name} of the file is not used: columns maps {name} to {columns[name]!r}"
        )
    for name, standard in taken.items():
        header.names[names.index(name)] = standard


def _adopt_spellings(header: Header) -> None:
    """Refuse `time` or `#ID` for TIME or ID, and read on as if they had been meant."""
    present = set(header.names)
    for k, name in enumerate(header.names):
        if name is None or name in STANDARD:
            continue
        meant = re.sub(r"[^A-Z0-9]", "", name.upper())
        if meant not in STANDARD:
            continue
        message = f"did you mean {meant}? Standard names are written in capital letters: rename it"
        if meant in present:
            message += f", because the file also has {meant}"
        else:
            message += f', or say columns = {{ {meant} = "{name}" }}'
            header.names[k] = meant
            present.add(meant)
        header.problems.append(Problem(message, f"{PLACE}, column {name}"))
