"""The derivative of a subject's objective in the Cholesky factor of Omega."""

from __future__ import annotations

from pkmodel._jit import kernel
from pkmodel.kernels.small_matrix import backward
from pkmodel.kernels.types import Vector


@kernel
def add_curvature_by_factor(
    weights: Vector, root: Vector, middle: Vector, lower: Vector, n: int, row: Vector, out: Vector
) -> None:
    """Add the derivative in L of a function of the curvature H = 1 + L' W L = R R', at given W.

    A function that moves by the sum of (R^-T M R^-1) * dH moves by that of 2 W L R^-T M R^-1 * dL.

    Parameters
    ----------
    weights : array (n, n)
        W.
    root : array (n, n)
        L R^-T.
    middle : array (n, n)
        M, symmetric; the identity for log|H|.
    lower : array (n, n)
        R.
    row : array (2, n)
        Scratch.
    """
    left, right = row[0], row[1]
    for a in range(n):
        for b in range(n):
            left[b] = 0.0
            for c in range(n):
                left[b] += weights[a, c] * root[c, b]
        for b in range(n):
            right[b] = 0.0
            for c in range(n):
                right[b] += left[c] * middle[c, b]
        backward(lower, n, right, right)
        for b in range(n):
            out[a, b] += 2.0 * right[b]


@kernel
def add_outer(sign: float, x: Vector, y: Vector, n: int, out: Vector) -> None:
    """Add sign x y' to `out`."""
    for a in range(n):
        for b in range(n):
            out[a, b] += sign * x[a] * y[b]
