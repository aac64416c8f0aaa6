"""Whether the declaration of age groups makes sense."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import isnan

from pkmodel.covariates.age_group import SCHEMES
from pkmodel.definition.schema import BsaSection, GroupsSection
from pkmodel.errors import Problem
from pkmodel.suggestion import quoted, suggest


def group_problems(table: GroupsSection | None) -> list[Problem]:
    """Check the table of age groups."""
    if table is None:
        return []
    problems = []
    if (table.scheme is None) == (table.cuts is None):
        message = 'give one of scheme = "ich_e11" and cuts = { infant = [0, 2], ... }'
        problems.append(Problem(message, "[groups]"))
    if table.cuts is not None:
        problems += _cut_problems(table.cuts)
    problems += _comparison_problems(table)
    if table.weight is not None and table.bsa is not None and table.bsa.weight is not None:
        problems.append(Problem("bsa names a weight already", "[groups] weight"))
    if table.bsa is not None:
        problems += [Problem(message, "[groups] bsa") for message in _bsa_faults(table.bsa)]
    return problems


def _comparison_problems(table: GroupsSection) -> Iterator[Problem]:
    """Check what a comparison of the groups is asked for."""
    scheme = SCHEMES[table.scheme].groups if table.scheme is not None else ()
    names = [group.name for group in scheme] or list(table.cuts or {})
    if table.reference is not None and names and table.reference not in names:
        message = f"{quoted(table.reference)} is no group ({suggest(table.reference, names)})"
        yield Problem(message, "[groups] reference")
    margin = table.margin
    if margin is not None and not (len(margin) == 2 and 0.0 < margin[0] < 1.0 < margin[1]):
        yield Problem("expected [low, high] with 0 < low < 1 < high", "[groups] margin")
    if table.published is not None and not table.published.isprintable():
        message = "the name holds characters that no file name has"
        yield Problem(message, "[groups] published")


def _cut_problems(cuts: Mapping[str, Sequence[float]]) -> Iterator[Problem]:
    if not cuts:
        yield Problem("no group is given", "[groups] cuts")
    sound = {name: cut for name, cut in cuts.items() if _is_range(cut)}
    for name in cuts:
        if name not in sound:
            message = "expected [lower, upper] with 0 <= lower < upper"
            yield Problem(message, f"[groups] cuts {name}")
    for (one, (low, high)), (other, (start, end)) in combinations(sound.items(), 2):
        if max(low, start) < min(high, end):
            yield Problem(f"{one} and {other} overlap", "[groups] cuts")


def _is_range(cut: Sequence[float]) -> bool:
    return len(cut) == 2 and not any(isnan(value) for value in cut) and 0 <= cut[0] < cut[1]


def _bsa_faults(bsa: BsaSection) -> list[str]:
    parts = {"weight": bsa.weight, "height": bsa.height, "formula": bsa.formula}
    given = [key for key, value in parts.items() if value is not None]
    missing = [key for key in parts if key not in given]
    if bsa.column is not None:
        return [f"give a column or {', '.join(given)}, not both"] if given else []
    return [f"{' and '.join(missing)} missing; expected {BsaSection.expected}"] if missing else []
