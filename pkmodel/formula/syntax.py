"""From the text of a formula to a tree of numbers, names and calls.

A whitelist: what is not named here is refused, with the place in the text. Nothing is evaluated
but arithmetic on constants, and the size of a text and the depth of its tree are limited.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from keyword import iskeyword
from math import isfinite

import numpy as np

from pkmodel.errors import ModelError, Problem
from pkmodel.formula.blocks import BLOCKS, Block
from pkmodel.formula.rules import RULES
from pkmodel.formula.tree import Call, Name, Node, Number, height
from pkmodel.suggestion import suggest

MAX_LENGTH = 2000
MAX_DEPTH = 100

FUNCTIONS = {
    "exp": (1, 1),
    "log": (1, 1),
    "log10": (1, 1),
    "sqrt": (1, 1),
    "abs": (1, 1),
    "min": (2, MAX_DEPTH),
    "max": (2, MAX_DEPTH),
    "where": (3, 3),
    **{name: block.bounds for name, block in BLOCKS.items()},
}
"""Least and largest number of arguments of each function."""

_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_FOREIGN = re.compile(r"[^A-Za-z0-9_ +\-*/().,<>=!]")
_REMEDIES = {
    "^": "write `**` for a power",
    "&": "write `and`",
    "|": "write `or`",
    "~": "write `not`",
    "'": "text has no place in a formula",
    '"': "text has no place in a formula",
    "[": "write round brackets",
    "{": "write round brackets",
    "#": "comments stand outside the quotes",
    "%": "there is no remainder and no percent",
    ";": "a formula is one expression",
    ":": "a formula is one expression",
}
_KNOWN = "+ - * / **, comparisons with and, or, not inside where(), " + ", ".join(FUNCTIONS)


@dataclass(frozen=True)
class BlockUse:
    """A block where it stands in a formula.

    Attributes
    ----------
    block : Block
    text : str
        As written.
    arguments : mapping of str to Node
        What was put in, by the name of the argument.
    """

    block: Block
    text: str
    arguments: Mapping[str, Node] = field(hash=False)


class _Fault(Exception):
    """What is wrong, and the column where."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


def read_tree(text: str, place: str) -> tuple[Node, tuple[BlockUse, ...]]:
    """Read a formula.

    Parameters
    ----------
    text : str
        The formula, on one line or several.
    place : str
        Where it stands, for messages.

    Returns
    -------
    tree : Node
        With the blocks written out.
    uses : tuple of BlockUse
        The blocks, in the order in which they end.

    Raises
    ------
    ModelError
        The text is not a formula; says at which character and what was expected.
    """
    if not isinstance(text, str):
        raise ModelError(Problem(f"a formula is a text, not {type(text).__name__}", place))
    if len(text) > MAX_LENGTH:
        message = f"the formula has {len(text)} characters; at most {MAX_LENGTH} are read"
        raise ModelError(Problem(message, place))
    line = re.sub(r"[\t\r\n]", " ", text).strip()
    reader = _Reader(line)
    try:
        tree = reader.read()
    except _Fault as fault:
        raise ModelError(Problem(_pointed(fault, line), place)) from None
    return tree, tuple(reader.uses)


def _pointed(fault: _Fault, line: str) -> str:
    """Show the part of the line where a fault is, with a caret below it."""
    column = min(max(fault.column, 0), len(line))
    first = max(0, column - 50)
    shown = ascii(line[first : column + 30])[1:-1]
    caret = " " * len(ascii(line[first:column])[1:-1])
    return f"character {column + 1}: {fault}\n      {shown}\n      {caret}^"


class _Reader:
    """Turns the parsed text into the tree, checking each part."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.uses: list[BlockUse] = []

    def read(self) -> Node:
        if not self.line:
            raise _Fault("the formula is empty; write, for example, cl * WT", 0)
        foreign = _FOREIGN.search(self.line)
        if foreign:
            raise _Fault(_foreign_character(foreign.group()), foreign.start())
        return self._number(_parse(self.line), MAX_DEPTH)

    def _number(self, node: ast.expr, depth: int) -> Node:
        """Read an expression whose value is a number."""
        tree = self._any(node, depth)
        if isinstance(tree, Call) and tree.is_condition:
            message = "a condition is not a number; write where(condition, 1, 0)"
            raise _Fault(message, node.col_offset)
        return tree

    def _condition(self, node: ast.expr, depth: int) -> Node:
        tree = self._any(node, depth)
        if isinstance(tree, Call) and tree.is_condition:
            return tree
        message = f"expected a comparison, such as {self._source(node, 'SEX')} == 1"
        raise _Fault(message, node.col_offset)

    def _any(self, node: ast.expr, depth: int) -> Node:
        if depth <= 0:
            message = f"the formula is nested more than {MAX_DEPTH} deep; make it simpler"
            raise _Fault(message, node.col_offset)
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name():
                return self._name(node)
            case ast.BinOp():
                return self._operation(node, depth - 1)
            case ast.UnaryOp():
                return self._sign(node, depth - 1)
            case ast.Call():
                return self._call(node, depth - 1)
            case ast.Compare():
                return self._comparison(node, depth - 1)
            case ast.BoolOp():
                return self._junction(node, depth - 1)
        raise _Fault(_foreign_part(node), node.col_offset)

    def _constant(self, node: ast.Constant) -> Node:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            message = f"`{self._source(node, str(node.value))}` is not a number"
            raise _Fault(message, node.col_offset)
        try:
            value = float(node.value)
        except OverflowError:
            value = float("inf")
        return self._finite(value, node)

    def _name(self, node: ast.Name) -> Node:
        if node.id in FUNCTIONS:
            raise _Fault(f"`{node.id}` is a function: write {node.id}(...)", node.col_offset)
        return Name(node.id)

    def _operation(self, node: ast.BinOp, depth: int) -> Node:
        rule = _ARITHMETIC.get(type(node.op))
        if rule is None:
            shown = {ast.FloorDiv: "//", ast.RShift: ">>", ast.LShift: "<<"}.get(type(node.op), "")
            message = f"unknown operator `{shown}`; known: {_KNOWN}"
            raise _Fault(message, node.left.end_col_offset or node.col_offset)
        return self._apply(rule, node, self._numbers([node.left, node.right], depth))

    def _sign(self, node: ast.UnaryOp, depth: int) -> Node:
        if isinstance(node.op, ast.Not):
            return Call("not", (self._condition(node.operand, depth),))
        operand = self._number(node.operand, depth)
        if isinstance(node.op, ast.UAdd):
            return operand
        return self._apply("negative", node, (operand,))

    def _call(self, node: ast.Call, depth: int) -> Node:
        name = self._function(node)
        least, most = FUNCTIONS[name]
        if node.keywords or not least <= len(node.args) <= most:
            raise _Fault(_wrong_count(name, least, most), node.col_offset)
        if name in BLOCKS:
            return self._block(BLOCKS[name], node, depth)
        if name == "where":
            condition = self._condition(node.args[0], depth)
            return Call("where", (condition, *self._numbers(node.args[1:], depth)))
        return self._apply_repeatedly(name, node, self._numbers(node.args, depth))

    def _block(self, block: Block, node: ast.Call, depth: int) -> Node:
        """Read a block as its text with the arguments put in."""
        template = _template(block)
        given = self._numbers(node.args, depth - height(template))
        arguments: dict[str, Node] = {
            a.name: Number(a.default) for a in block.arguments if a.default is not None
        }
        arguments |= {a.name: tree for a, tree in zip(block.arguments, given, strict=False)}
        self.uses.append(BlockUse(block, self._source(node, block.name), arguments))
        return self._filled(template, arguments, node)

    def _filled(self, tree: Node, arguments: Mapping[str, Node], node: ast.Call) -> Node:
        if isinstance(tree, Name):
            return arguments[tree.name]
        if isinstance(tree, Number):
            return tree
        parts = tuple(self._filled(part, arguments, node) for part in tree.arguments)
        return self._apply(tree.rule, node, parts)

    def _function(self, node: ast.Call) -> str:
        if not isinstance(node.func, ast.Name):
            raise _Fault("only a function can be called; is a `*` missing?", node.col_offset)
        name = node.func.id
        if name not in FUNCTIONS:
            message = f"`{name}` is not a function ({suggest(name, FUNCTIONS)}); is a `*` missing?"
            raise _Fault(message, node.col_offset)
        return name

    def _comparison(self, node: ast.Compare, depth: int) -> Node:
        sides = self._numbers([node.left, *node.comparators], depth)
        links: list[Node] = []
        for operator, low, high in zip(node.ops, sides[:-1], sides[1:], strict=True):
            rule = _COMPARISONS.get(type(operator))
            if rule is None:
                message = "`in` and `is` are not comparisons; write < <= > >= == or !="
                raise _Fault(message, node.col_offset)
            links.append(Call(rule, (low, high)))
        return _joined("and", links)

    def _junction(self, node: ast.BoolOp, depth: int) -> Node:
        rule = "and" if isinstance(node.op, ast.And) else "or"
        return _joined(rule, [self._condition(value, depth) for value in node.values])

    def _numbers(self, nodes: list[ast.expr], depth: int) -> tuple[Node, ...]:
        return tuple(self._number(node, depth) for node in nodes)

    def _apply_repeatedly(self, rule: str, node: ast.expr, arguments: tuple[Node, ...]) -> Node:
        """Apply a rule of one or two arguments to one or more."""
        if len(arguments) < 3:
            return self._apply(rule, node, arguments)
        tree = arguments[0]
        for argument in arguments[1:]:
            tree = self._apply(rule, node, (tree, argument))
        return tree

    def _apply(self, rule: str, node: ast.expr, arguments: tuple[Node, ...]) -> Node:
        """Make a call, or its value where all arguments are constants."""
        numbers = [np.array(a.value) for a in arguments if isinstance(a, Number)]
        if len(numbers) < len(arguments):
            return Call(rule, arguments)
        with np.errstate(all="ignore"):
            return self._finite(float(RULES[rule](*numbers)), node)

    def _finite(self, value: float, node: ast.expr) -> Number:
        if not isfinite(value):
            message = f"`{self._source(node, '')[:40]}` is {value}, not a finite number"
            raise _Fault(message, node.col_offset)
        return Number(value)

    def _source(self, node: ast.expr, default: str) -> str:
        return ast.get_source_segment(self.line, node) or default


@cache
def _template(block: Block) -> Node:
    """Read the text of a block."""
    return _Reader(block.text).read()


def _wrong_count(name: str, least: int, most: int) -> str:
    if name in BLOCKS:
        count = f"{least}" if most == least else f"{least} or {most}"
        which = f": {BLOCKS[name].signature}; "
    else:
        count = f"{least}" if most == least else f"{least} or more"
        which = ", separated by commas, and "
    plural = "argument" if count == "1" else "arguments"
    return f"{name}() takes {count} {plural}{which}no keywords"


def _parse(line: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return ast.parse(line, mode="eval").body
    except SyntaxError as error:
        raise _syntax_fault(error, line) from None
    except (RecursionError, MemoryError, ValueError):
        raise _Fault("the formula is nested too deeply or has too long a number", 0) from None


def _syntax_fault(error: SyntaxError, line: str) -> _Fault:
    column = (error.offset or len(line) + 1) - 1
    for word in re.finditer(r"[A-Za-z_]\w*", line):
        if iskeyword(word.group()) and word.group() not in ("and", "or", "not"):
            message = f"`{word.group()}` is a reserved word and cannot stand here"
            return _Fault(message, word.start())
    if line.startswith("=", column):
        return _Fault("`=` cannot stand here; write `==` to compare", column)
    if "literal" in error.msg or error.msg == "invalid syntax":
        message = "not a formula; is a `*`, another operator or a bracket missing?"
        return _Fault(message, column)
    return _Fault(f"not a formula: {error.msg}", column)


def _joined(rule: str, links: list[Node]) -> Node:
    tree = links[0]
    for link in links[1:]:
        tree = Call(rule, (tree, link))
    return tree


def _foreign_character(character: str) -> str:
    is_plain = character.isprintable() and character.isascii()
    what = f"`{character}`" if is_plain else ascii(character)
    if character.isalnum():
        remedy = "names are made of A-Z, a-z, 0-9 and _; rename the column or theta"
    else:
        remedy = _REMEDIES.get(character, f"known: {_KNOWN}")
    return f"{what} is not known in a formula: {remedy}"


def _foreign_part(node: ast.expr) -> str:
    if isinstance(node, ast.IfExp):
        return "`if ... else` is not known in a formula; write where(condition, a, b)"
    if isinstance(node, ast.Attribute):
        return "a name has no parts; a `.` stands in numbers only"
    if isinstance(node, ast.Tuple):
        return "a formula is one expression, without commas outside functions"
    return f"not known in a formula; known: {_KNOWN}"
