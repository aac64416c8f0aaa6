"""Linear algebra for the few random effects of a subject: plain loops on small arrays."""

from __future__ import annotations

import numpy as np

from pkmodel._jit import kernel
from pkmodel.kernels.types import Vector


@kernel
def cholesky(a: Vector, n: int, lower: Vector) -> bool:
    """Factor a = lower lower'; return whether `a` is positive definite."""
    for i in range(n):
        for j in range(i + 1):
            total = a[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                if not total > 1e-14 * abs(a[i, i]) or not total > 0.0:
                    return False
                lower[i, i] = np.sqrt(total)
            else:
                lower[i, j] = total / lower[j, j]
    return True


@kernel
def solve(lower: Vector, n: int, b: Vector, x: Vector) -> None:
    """Solve lower lower' x = b; x may be b."""
    for i in range(n):
        total = b[i]
        for k in range(i):
            total -= lower[i, k] * x[k]
        x[i] = total / lower[i, i]
    for i in range(n - 1, -1, -1):
        total = x[i]
        for k in range(i + 1, n):
            total -= lower[k, i] * x[k]
        x[i] = total / lower[i, i]


@kernel
def invert(lower: Vector, n: int, inverse: Vector) -> None:
    """Inverse of lower lower', whose columns are its rows."""
    for j in range(n):
        inverse[j] = 0.0
        inverse[j, j] = 1.0
        solve(lower, n, inverse[j], inverse[j])


@kernel
def log_determinant(lower: Vector, n: int) -> float:
    """Logarithm of the determinant of lower lower'."""
    total = 0.0
    for i in range(n):
        total += np.log(lower[i, i])
    return 2.0 * total
