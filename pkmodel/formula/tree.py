"""The tree of a formula: numbers, names and calls."""

from __future__ import annotations

from dataclasses import dataclass

from pkmodel.formula.rules import CONDITIONS


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A theta or a covariate."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A rule of `pkmodel.formula.rules` on its arguments."""

    rule: str
    arguments: tuple[Node, ...]

    @property
    def is_condition(self) -> bool:
        """Tell whether the result is true or false."""
        return self.rule in CONDITIONS


Node = Number | Name | Call


def height(tree: Node) -> int:
    """Count the calls on the longest way from the top to a leaf."""
    return 1 + max(map(height, tree.arguments)) if isinstance(tree, Call) else 0
