"""Whether the logarithm of a formula is affine in the logarithms of some thetas and in others.

Decided by the formula's tree alone, so that a yes is a proof: products, quotients and powers are.
"""

from __future__ import annotations

from collections.abc import Collection

from pkmodel.formula.tree import Call, Name, Node, Number


def is_log_affine(tree: Node, logged: Collection[str], plain: Collection[str]) -> bool:
    """Tell whether log(formula) is affine in the logs of `logged` thetas and in `plain` ones.

    Parameters
    ----------
    tree : Node
    logged, plain : collection of str
        Thetas that vary; all other names are constants.

    Returns
    -------
    bool
        False where it cannot be told.

    Examples
    --------
    >>> from pkmodel.formula import parse_formula
    >>> tree = parse_formula("cl * (WT / 70)**b", "CL").tree
    >>> is_log_affine(tree, {"cl"}, {"b"}), is_log_affine(tree, {"b"}, {"cl"})
    (True, False)
    """
    if _is_constant(tree, logged, plain):
        return True
    if isinstance(tree, Name):
        return tree.name in logged
    if not isinstance(tree, Call):
        return False
    first, *rest = tree.arguments
    if tree.rule in ("*", "/"):
        return all(is_log_affine(part, logged, plain) for part in tree.arguments)
    if tree.rule == "sqrt":
        return is_log_affine(first, logged, plain)
    if tree.rule == "exp":
        return _is_affine(first, logged, plain)
    if tree.rule == "**":
        if _is_constant(first, logged, plain):
            return _is_affine(rest[0], logged, plain)
        return is_log_affine(first, logged, plain) and _is_constant(rest[0], logged, plain)
    if tree.rule == "where" and _is_constant(first, logged, plain):
        return all(is_log_affine(part, logged, plain) for part in rest)
    return False


def _is_affine(tree: Node, logged: Collection[str], plain: Collection[str]) -> bool:
    """Tell whether a formula is affine in the plain thetas."""
    if _is_constant(tree, logged, plain):
        return True
    if isinstance(tree, Name):
        return tree.name in plain
    if not isinstance(tree, Call):
        return False
    if tree.rule in ("+", "-", "negative"):
        return all(_is_affine(part, logged, plain) for part in tree.arguments)
    if tree.rule == "*":
        moving = [part for part in tree.arguments if not _is_constant(part, logged, plain)]
        return len(moving) == 1 and _is_affine(moving[0], logged, plain)
    if tree.rule == "/":
        first, second = tree.arguments
        return _is_affine(first, logged, plain) and _is_constant(second, logged, plain)
    return False


def _is_constant(tree: Node, logged: Collection[str], plain: Collection[str]) -> bool:
    if isinstance(tree, Number):
        return True
    if isinstance(tree, Name):
        return tree.name not in logged and tree.name not in plain
    return all(_is_constant(part, logged, plain) for part in tree.arguments)
