"""A formula that has been read, and the names it uses.

Which names are thetas and which covariates is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pkmodel.formula.syntax import BlockUse, read_tree
from pkmodel.formula.tree import Call, Name, Node


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
    blocks : tuple of BlockUse
        The covariate blocks that it uses; the tree has them written out.
    """

    text: str
    place: str
    tree: Node = field(repr=False)
    names: frozenset[str]
    smooth_names: frozenset[str]
    blocks: tuple[BlockUse, ...] = ()


def parse_formula(text: str, place: str) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text : str
        Names, numbers, ``+ - * / **``, functions ``exp log log10 sqrt abs min max`` and
        ``where(condition, a, b)`` with comparisons, ``and``, ``or``, ``not`` in the condition, and
        the covariate blocks of `pkmodel.formula.blocks`.
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
    tree, blocks = read_tree(text, place)
    return formula_of(tree, text, place, blocks)


def formula_of(
    tree: Node, text: str, place: str = "", blocks: tuple[BlockUse, ...] = ()
) -> Formula:
    """Make a formula of a tree, or of a part of one.

    Parameters
    ----------
    tree : Node
    text, place : str
        For messages.
    blocks : tuple of BlockUse
        The blocks written out in the tree.

    Returns
    -------
    Formula
    """
    smooth = frozenset(_names(tree, conditions=False))
    return Formula(text, place, tree, frozenset(_names(tree)), smooth, blocks)


def _names(node: Node, conditions: bool = True) -> Iterator[str]:
    if isinstance(node, Name):
        yield node.name
    elif isinstance(node, Call) and (conditions or not node.is_condition):
        for argument in node.arguments:
            yield from _names(argument, conditions)
