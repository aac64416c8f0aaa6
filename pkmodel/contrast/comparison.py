"""What is compared with what: the groups, their reference, the margin and the level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.contrast.margin import DEFAULT_MARGIN, Margin, given_level, given_margin
from pkmodel.contrast.multiplicity import given_multiplicity, interval_level
from pkmodel.errors import ModelError, Problem
from pkmodel.suggestion import quoted, suggest


@dataclass(frozen=True)
class Comparison:
    """A checked question.

    Attributes
    ----------
    names : tuple of str
        The groups.
    code : array (n_subjects,)
        Index of each subject's group; negative for a subject in none.
    reference : int
        Index of the reference group.
    margin : Margin
    level : float
        Of each interval, after any correction for their number.
    """

    names: tuple[str, ...]
    code: NDArray[np.int64]
    reference: int
    margin: Margin
    level: float

    @property
    def others(self) -> list[int]:
        """Indices of the groups beside the reference."""
        return [k for k in range(len(self.names)) if k != self.reference]


def given_comparison(
    names: Sequence[str],
    code: NDArray[np.int64],
    *,
    reference: str,
    margin: Margin | Sequence[float] = DEFAULT_MARGIN,
    level: float = 0.90,
    multiplicity: str = "none",
) -> Comparison:
    """Check a question.

    Parameters
    ----------
    names : sequence of str
        The groups.
    code : array (n_subjects,)
        Index of each subject's group; negative for a subject in none.
    reference : str
        Name of the group that the others are compared with.
    margin : (low, high)
        Ratios that still count as equivalent.
    level : float
        Of the intervals.
    multiplicity : str
        ``"none"``: each interval has the level; the claim that all groups are equivalent needs no
        more. ``"bonferroni"``: all intervals together have it.

    Returns
    -------
    Comparison

    Raises
    ------
    ModelError
        With every fault.

    Examples
    --------
    >>> comparison = given_comparison(("infant", "child"), np.array([0, 1]), reference="child")
    >>> comparison.reference, comparison.others
    (1, [0])
    """
    checks: tuple[Callable[[], object], ...] = (
        lambda: _check_reference(names, reference),
        lambda: given_margin(margin),
        lambda: given_level(level),
        lambda: given_multiplicity(multiplicity),
    )
    problems: list[Problem] = []
    for check in checks:
        try:
            check()
        except ModelError as error:
            problems += error.problems
    if problems:
        raise ModelError(problems)
    return Comparison(
        names=tuple(names),
        code=np.asarray(code, dtype=np.int64),
        reference=list(names).index(reference),
        margin=given_margin(margin),
        level=interval_level(level, len(names) - 1, multiplicity),
    )


def _check_reference(names: Sequence[str], reference: str) -> None:
    if len(names) < 2:
        only = f"there is only {quoted(names[0])}" if names else "there is none"
        raise ModelError(f"a comparison needs two groups or more; {only}")
    if reference not in names:
        known = suggest(str(reference), names, "groups")
        raise ModelError(f"the reference {quoted(reference)} is no group; {known}")
