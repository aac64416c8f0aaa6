"""Whether the random effects of a model make sense: names, matrices, distributions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pkmodel.errors import Problem
from pkmodel.models.model import DISTRIBUTIONS, OmegaBlock
from pkmodel.models.real import is_finite
from pkmodel.suggestion import label, quoted, suggest

_SMALLEST_EIGENVALUE = 1e-10
_KEYS = ("blocks", "distribution", "occasion")


def omega_problems(omega: Sequence[OmegaBlock], known: Sequence[str] | None) -> list[Problem]:
    """Check all blocks of Omega.

    Parameters
    ----------
    omega : sequence of OmegaBlock
    known : sequence of str or None
        The structural parameters; None leaves the names unchecked.

    Returns
    -------
    list of Problem
    """
    if not omega:
        message = "a model needs at least one random effect, such as CL = 0.1"
        return [Problem(message, "[omega]")]
    return [*_name_problems(omega, known), *(p for block in omega for p in _matrix_problems(block))]


def _place(block: OmegaBlock) -> str:
    table = "[omega] occasion" if block.occasion else "[omega]"
    return f"{table} {', '.join(label(p) for p in block.parameters)}"


def _name_problems(omega: Sequence[OmegaBlock], known: Sequence[str] | None) -> Iterator[Problem]:
    seen: set[tuple[str, bool]] = set()
    for block in omega:
        for name in block.parameters:
            if known is not None and name not in known:
                hint = suggest(str(name), [*known, *_KEYS])
                yield Problem(
                    f"the structure has no parameter {quoted(name)} ({hint})", _place(block)
                )
            elif (name, block.occasion) in seen:
                message = (
                    f"{label(name)} already has a variance; name it in one entry or block only"
                )
                yield Problem(message, _place(block))
            seen.add((name, block.occasion))


def _matrix_problems(block: OmegaBlock) -> list[Problem]:
    return [Problem(message, _place(block)) for message in _matrix_faults(block)]


def _matrix_faults(block: OmegaBlock) -> list[str]:
    n = len(block.parameters)
    if n == 0:
        return ["a block needs at least one parameter"]
    if len(block.matrix) != n or any(len(row) != n for row in block.matrix):
        lengths = ", ".join(str(len(row)) for row in block.matrix) or "none"
        triangle = ", ".join(str(k + 1) for k in range(n)) if n < 6 else f"1 to {n}"
        return [
            f"the matrix of {n} parameters needs rows of length {triangle} (lower triangle) "
            f"or {n} rows of {n}; its rows have length {lengths}"
        ]
    if not all(is_finite(value) for row in block.matrix for value in row):
        return ["every entry of the matrix must be a finite number"]
    return _covariance_faults(block)


def _covariance_faults(block: OmegaBlock) -> list[str]:
    matrix = np.array(block.matrix, dtype=float)
    wrong = [
        f"the variance of {label(name)} is {value:g}; it must be above 0 "
        "(leave the entry out for a parameter without random effect)"
        for name, value in zip(block.parameters, np.diag(matrix), strict=True)
        if value <= 0
    ]
    if wrong:
        return wrong
    pairs = [
        (i, j)
        for i in range(len(matrix))
        for j in range(i)
        if not np.isclose(matrix[i, j], matrix[j, i], rtol=1e-12, atol=0.0)
    ]
    if pairs:
        i, j = pairs[0]
        names = f"{label(block.parameters[j])} and {label(block.parameters[i])}"
        values = f"{matrix[i, j]:g} and {matrix[j, i]:g}"
        return [f"the matrix is not symmetric: the covariance of {names} is {values}"]
    return _definiteness_faults(block.parameters, matrix)


def _definiteness_faults(names: Sequence[str], matrix: np.ndarray) -> list[str]:
    with np.errstate(all="ignore"):
        scale = np.sqrt(np.diag(matrix))
        correlation = matrix / scale / scale[:, None]
    np.fill_diagonal(correlation, 1.0)
    is_finite_matrix = bool(np.isfinite(correlation).all())
    if is_finite_matrix and np.linalg.eigvalsh(correlation)[0] > _SMALLEST_EIGENVALUE:
        return []
    strongest = np.abs(np.tril(correlation, -1))
    i, j = divmod(int(np.argmax(strongest)), len(names))
    shown = f"the correlation of {label(names[j])} and {label(names[i])} is {correlation[i, j]:.3g}"
    return [f"the matrix is not positive definite; {shown}: make the covariances smaller"]


def distribution_problems(
    distribution: Mapping[str, str], omega: Sequence[OmegaBlock], known: Sequence[str] | None
) -> list[Problem]:
    """Check the distributions of the parameters."""
    carried = [p for block in omega for p in block.parameters]
    problems = []
    for name, kind in distribution.items():
        place = f"[omega] distribution {label(name)}"
        if kind not in DISTRIBUTIONS:
            message = f"{quoted(kind)} is not known ({suggest(str(kind), DISTRIBUTIONS)})"
            problems.append(Problem(message, place))
        if known is not None and name not in known:
            message = f"the structure has no parameter {quoted(name)} ({suggest(name, known)})"
            problems.append(Problem(message, place))
        elif name not in carried:
            message = f"{label(name)} has no random effect, so this says nothing; remove it"
            problems.append(Problem(message, place))
    return problems
