"""A condition on columns that keeps rows: comparisons with numbers, joined by and, or, not.

Parsed by a whitelist; free text is never evaluated. A comparison with a missing value is neither
true nor false, and a row whose outcome hangs on one is reported, not guessed.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import DataError, Problem
from pkmodel.suggestion import quoted, suggest

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

PLACE = "where"
LONGEST = 2000
DEEPEST = 50
FORM = 'expected comparisons of columns with numbers, such as "SD == 1 and not ID in (3, 7)"'

COMPARISONS: dict[type[ast.cmpop], Callable[[Floats, Floats], Bools]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class RowFilter:
    """A parsed condition.

    Attributes
    ----------
    text : str
    tree : ast.expr
    names : tuple of str
        Columns that it uses.
    """

    text: str
    tree: ast.expr
    names: tuple[str, ...]

    def __call__(self, columns: Mapping[str, Floats], n_rows: int) -> tuple[Bools, Bools]:
        """Return the rows that are kept, and those whose outcome hangs on a missing value."""
        true, false = _outcome(self.tree, columns, n_rows)
        return true, ~(true | false)


def parse_filter(text: str) -> RowFilter:
    """Parse a condition.

    Parameters
    ----------
    text : str

    Returns
    -------
    RowFilter

    Raises
    ------
    DataError
        It is not made of comparisons, ``and``, ``or``, ``not``, numbers and column names.

    Examples
    --------
    >>> parse_filter("SD == 1 and WT < 10").names
    ('SD', 'WT')
    """
    if not isinstance(text, str) or not text.strip():
        raise _refusal("the condition is empty")
    if len(text) > LONGEST:
        raise _refusal(f"the condition is longer than {LONGEST} characters")
    if _depth(text) > DEEPEST:
        raise _refusal(f"more than {DEEPEST} brackets inside each other")
    try:
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):
            tree = ast.parse(" ".join(text.split()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refusal(f"{quoted(text)} cannot be read{_spelling(text)}") from None
    try:
        names = tuple(dict.fromkeys(_condition_names(tree)))
    except RecursionError:
        raise _refusal("the condition is nested too deeply") from None
    return RowFilter(text, tree, names)


def check_names(
    row_filter: RowFilter, known: Mapping[str, object], text_columns: Mapping[str, str]
) -> None:
    """Raise a DataError for columns that do not exist or hold text."""
    problems = []
    for name in row_filter.names:
        if name in text_columns:
            problems.append(
                Problem(f"column {name} holds text ({text_columns[name]}), not numbers", PLACE)
            )
        elif name not in known:
            problems.append(Problem(f"no column {name}; {suggest(name, known, 'columns')}", PLACE))
    if problems:
        raise DataError(problems)


def _refusal(message: str) -> DataError:
    return DataError(Problem(f"{message}; {FORM}", PLACE))


def _depth(text: str) -> int:
    depth = deepest = 0
    for mark in text:
        depth += (mark in "([{") - (mark in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _spelling(text: str) -> str:
    if "=" in text.translate({ord(mark): None for mark in "<>!"}).replace("==", ""):
        return ": equality is written =="
    if "&" in text or "|" in text:
        return ": write and, or"
    if any(word in f" {text} " for word in (" AND ", " OR ", " NOT ")):
        return ": write and, or, not in small letters"
    return ""


def _condition_names(node: ast.expr) -> list[str]:
    match node:
        case ast.BoolOp(values=values):
            return [name for value in values for name in _condition_names(value)]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _condition_names(operand)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            names = _value_names(left)
            for op, right in zip(ops, rights, strict=True):
                names += (
                    _members(right) if isinstance(op, ast.In | ast.NotIn) else _value_names(right)
                )
                if not isinstance(op, (ast.In, ast.NotIn, *COMPARISONS)):
                    raise _refusal(f"{quoted(ast.unparse(node))} uses an unknown comparison")
            return names
    raise _refusal(f"{quoted(ast.unparse(node))} is not a comparison{_spelling(ast.unparse(node))}")


def _value_names(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    if _number(node) is None:
        raise _refusal(f"{quoted(ast.unparse(node))} is neither a column nor a number")
    return []


def _members(node: ast.expr) -> list[str]:
    if not isinstance(node, ast.Tuple | ast.List) or any(_number(e) is None for e in node.elts):
        raise _refusal(f"{quoted(ast.unparse(node))} is not a list of numbers such as (3, 7)")
    return []


def _number(node: ast.expr) -> float | None:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as operand):
            value = _number(operand)
            return None if value is None else -value
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            try:
                return float(value)
            except OverflowError:
                return None
    return None


def _outcome(node: ast.expr, columns: Mapping[str, Floats], n: int) -> tuple[Bools, Bools]:
    """Return where a condition is known to be true, and where it is known to be false."""
    match node:
        case ast.BoolOp(op=op, values=values):
            parts = [_outcome(value, columns, n) for value in values]
            both, either = np.logical_and.reduce, np.logical_or.reduce
            if isinstance(op, ast.And):
                return both([t for t, _ in parts]), either([f for _, f in parts])
            return either([t for t, _ in parts]), both([f for _, f in parts])
        case ast.UnaryOp(operand=operand):
            true, false = _outcome(operand, columns, n)
            return false, true
        case ast.Compare(left=left, ops=ops, comparators=rights):
            lefts = [left, *rights[:-1]]
            links = [
                _comparison(op, a, b, columns, n)
                for op, a, b in zip(ops, lefts, rights, strict=True)
            ]
            true = np.logical_and.reduce([t for t, _ in links])
            return true, np.logical_or.reduce([f for _, f in links])
    raise AssertionError(ast.dump(node))


def _comparison(
    op: ast.cmpop, left: ast.expr, right: ast.expr, columns: Mapping[str, Floats], n: int
) -> tuple[Bools, Bools]:
    a = _value(left, columns, n)
    known = ~np.isnan(a)
    if isinstance(op, ast.In | ast.NotIn):
        assert isinstance(right, ast.Tuple | ast.List)
        members = np.array([_number(e) for e in right.elts], dtype=np.float64)
        holds = np.isin(a, members, invert=isinstance(op, ast.NotIn))
    else:
        b = _value(right, columns, n)
        known &= ~np.isnan(b)
        holds = COMPARISONS[type(op)](a, b)
    return holds & known, ~holds & known


def _value(node: ast.expr, columns: Mapping[str, Floats], n: int) -> Floats:
    if isinstance(node, ast.Name):
        return columns[node.id]
    return np.full(n, _number(node))
