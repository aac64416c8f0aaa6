"""Whether the declaration of age groups makes sense."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import isnan

from pkmodel.definition.schema import BsaSection, GroupsSection
from pkmodel.errors import Problem


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
    if table.weight is not None and table.bsa is not None and table.bsa.weight is not None:
        problems.append(Problem("bsa names a weight already", "[groups] weight"))
    if table.bsa is not None:
        problems += [Problem(message, "[groups] bsa") for message in _bsa_faults(table.bsa)]
    return problems


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
