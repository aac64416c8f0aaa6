"""A formula that has been read, and the names it uses.

Which names are thetas and which covariates is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pkmodel.formula.syntax import Call, Name, Node, read_tree


@dataclass(frozen=True)
class Formula:
    """A formula that has been read.

    Attributes
    ----------
    text : str
        As written.
    place : str
        Where it stands, for messages.
    tree : Node
    names : frozenset of str
        All names used, thetas and covariates.
    smooth_names : frozenset of str
        Those used outside conditions; the derivative in any other is zero everywhere.
    """

    text: str
    place: str
    tree: Node = field(repr=False)
    names: frozenset[str]
    smooth_names: frozenset[str]


def parse_formula(text: str, place: str) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text : str
        Names, numbers, ``+ - * / **``, functions ``exp log log10 sqrt abs min max`` and
        ``where(condition, a, b)`` with comparisons, ``and``, ``or``, ``not`` in the condition.
    place : str
        Where it stands, for messages.

    Returns
    -------
    Formula

    Raises
    ------
    ModelError
        The text is not a formula; says at which character and what was expected.

    Examples
    --------
    >>> sorted(parse_formula("cl * (WT / 70)**0.75", "CL").names)
    ['WT', 'cl']
    """
    tree = read_tree(text, place)
    names = frozenset(_names(tree))
    return Formula(text, place, tree, names, frozenset(_names(tree, conditions=False)))


def _names(node: Node, conditions: bool = True) -> Iterator[str]:
    if isinstance(node, Name):
        yield node.name
    elif isinstance(node, Call) and (conditions or not node.is_condition):
        for argument in node.arguments:
            yield from _names(argument, conditions)
