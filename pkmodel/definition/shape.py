"""A parsed document against its schema: every fault of shape, said with place and expectation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock_time
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pkmodel.definition.schema import DistributionSection, NumberSection, Section
from pkmodel.errors import Problem
from pkmodel.suggestion import label, quoted, suggest

_SHOWN = 30
_OMEGA_KEYS = ("blocks", "distribution", "occasion")


@dataclass(frozen=True)
class Shape[Document: Section]:
    """A document read by its schema.

    Attributes
    ----------
    document : Section
        Without the entries that have faults.
    incomplete : frozenset of str
        Tables that had such entries, or are missing.
    problems : tuple of Problem
    """

    document: Document
    incomplete: frozenset[str]
    problems: tuple[Problem, ...]


def check_shape[Document: Section](
    raw: Mapping[str, Any], schema: type[Document], required: Mapping[str, str]
) -> Shape[Document]:
    """Read a document by its schema.

    Parameters
    ----------
    raw : mapping
        As parsed from TOML.
    schema : type of Section
        Of the whole document; every table optional.
    required : mapping of str to str
        Tables that must be there, and what to write for each.

    Returns
    -------
    Shape
    """
    absent = [table for table in required if table not in raw]
    problems = [Problem(f"this table is missing; {required[t]}", f"[{t}]") for t in absent]
    faults = _faults(raw, schema)
    problems += [_problem(fault, schema) for fault in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        problems.append(Problem(f"and {len(faults) - _SHOWN} more faults of this kind"))
    incomplete = frozenset([*absent, *(str(fault["loc"][0]) for fault in faults)])
    sound = dict(raw)
    while faults:
        for fault in faults:
            sound = _without(sound, _culprit(fault))
        faults = _faults(sound, schema)
    return Shape(schema.model_validate(sound), incomplete, tuple(problems))


def _faults(raw: Mapping[str, Any], schema: type[Section]) -> list[ErrorDetails]:
    try:
        schema.model_validate(raw)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _culprit(fault: ErrorDetails) -> list[str | int]:
    """Name the entry to leave out so that a fault is gone."""
    path = _path(fault)
    return path[:-1] if fault["type"] == "missing" else path


def _path(fault: ErrorDetails) -> list[str | int]:
    """Return the path in the file, where variances stand beside the keys of their table."""
    path = list(fault["loc"])
    depth = 2 if path[:2] == ["omega", "occasion"] else 1
    if path[0] == "omega" and path[depth : depth + 1] == ["variances"]:
        del path[depth]
    return path


def _without(table: Mapping[str, Any], path: Sequence[str | int]) -> dict[str, Any]:
    """Leave out the entry at a path, or the whole entry on the way to it that is no table."""
    key = str(path[0])
    inner = table.get(key)
    rest = {other: value for other, value in table.items() if other != key}
    if len(path) > 1 and isinstance(inner, dict) and path[1] in inner:
        return rest | {key: _without(inner, path[1:])}
    return rest


def _problem(fault: ErrorDetails, schema: type[Section]) -> Problem:
    path = _path(fault)
    if fault["type"] == "extra_forbidden":
        owner, _ = _described(fault["loc"][:-1], schema)
        known = _known_keys(str(path[-1]), owner, schema)
        return Problem(f"unknown key {label(path[-1])} ({known})", _place_of(path[:-1], schema))
    owner, expected = _described(fault["loc"], schema)
    if fault["type"] == "missing":
        return Problem(f"missing; expected {expected}", _place_of(path, schema))
    message = f"expected {expected}, got {_shown(fault['input'])}"
    if owner is NumberSection and path[0] == "omega" and fault["type"] == "model_type":
        message += f" ({suggest(str(path[-1]), _OMEGA_KEYS, 'other keys')})"
    if fault["type"] == "literal_error":
        options = _options(fault["loc"], schema)
        message = f"{_shown(fault['input'])} is not known ({_suggested(fault['input'], options)})"
    return Problem(message, _place_of(path, schema))


def _known_keys(key: str, owner: type[BaseModel], schema: type[Section]) -> str:
    """List the keys of a table; first where in the file the unknown one exists, if it does."""
    known = suggest(key, _keys(owner))
    elsewhere = [
        f"{name}.{key}"
        for name, table in _tables(schema)
        if key in table.model_fields and table is not owner and key != "variances"
    ]
    return f"did you mean {' or '.join(elsewhere)}? {known}" if elsewhere else known


def _keys(owner: type[BaseModel]) -> list[str]:
    """List the keys that are allowed in a table; of a prior the families for its parameter."""
    if issubclass(owner, DistributionSection):
        return list(owner.allowed)
    return [key for key in owner.model_fields if key != "variances"]


def _tables(schema: type[Section]) -> list[tuple[str, type[BaseModel]]]:
    """List the tables of a document that have a schema of their own."""
    tables: list[tuple[str, type[BaseModel]]] = []
    for name, field in schema.model_fields.items():
        annotation = _without_none(field.annotation)
        if isinstance(annotation, type) and issubclass(annotation, Section):
            tables.append((name, annotation))
    return tables


def _suggested(value: object, options: Sequence[str]) -> str:
    return suggest(value if isinstance(value, str) else "", options)


def _described(path: Sequence[str | int], schema: type[Section]) -> tuple[type[BaseModel], str]:
    """Find the section that a path leads into, and what is expected where it ends."""
    owner: type[BaseModel] = schema
    expected = schema.expected
    for annotation, description in _walk(path, schema):
        expected = description or expected
        if isinstance(annotation, type) and issubclass(annotation, Section):
            owner, expected = annotation, annotation.expected
            if annotation.expected == Section.expected and description:
                expected = description
    return owner, expected


def _options(path: Sequence[str | int], schema: type[Section]) -> list[str]:
    annotation = [annotation for annotation, _ in _walk(path, schema)][-1]
    return [str(option) for option in get_args(annotation)]


def _walk(path: Sequence[str | int], schema: type[Section]) -> list[tuple[Any, str]]:
    """Follow a path through the schema: annotation and description at each step."""
    current: Any = schema
    steps = []
    for step in path:
        description = ""
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(step))
            if field is None:
                break
            current, description = _without_none(field.annotation), field.description or ""
        elif step == "[key]" or not get_args(current):
            break
        else:
            current = _without_none(get_args(current)[-1])
        steps.append((current, description))
    return steps


def _without_none(annotation: Any) -> Any:
    """Take X out of ``X | None``."""
    arguments = get_args(annotation)
    if NoneType in arguments:
        return next(argument for argument in arguments if argument is not NoneType)
    return annotation


def _place_of(path: Sequence[str | int], schema: type[Section]) -> str:
    """Name a place as a reader of the file would: ``[omega] CL``."""
    if not path:
        return ""
    if not _is_table(schema.model_fields[str(path[0])].annotation):
        return label(path[0])
    depth = 2 if list(path[:2]) == ["model", "parameters"] else 1
    table = f"[{'.'.join(label(step) for step in path[:depth])}]"
    steps = [f"entry {step + 1}" if isinstance(step, int) else label(step) for step in path[depth:]]
    return " ".join([table, *steps])


def _is_table(annotation: Any) -> bool:
    inner = _without_none(annotation)
    return get_origin(inner) is dict or (isinstance(inner, type) and issubclass(inner, Section))


def _shown(value: object) -> str:
    """Show a TOML value briefly."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array" if value else "an empty array"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date | clock_time):
        return f"the date or time {value}"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    return _number(value)


def _number(value: object) -> str:
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number that is too large"
    return quoted(value)
