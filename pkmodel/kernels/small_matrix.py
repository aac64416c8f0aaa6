"""Linear algebra for the few random effects of a subject: plain loops on small arrays."""

from __future__ import annotations

import numpy as np

from pkmodel._jit import kernel
from pkmodel.kernels.types import Vector


@kernel
def cholesky(a: Vector, n: int, lower: Vector) -> bool:
    """Factor a = lower lower'; return whether `a` is positive definite. `lower` may be `a`."""
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
def forward(lower: Vector, n: int, b: Vector, x: Vector) -> None:
    """Solve lower x = b; x may be b."""
    for i in range(n):
        total = b[i]
        for k in range(i):
            total -= lower[i, k] * x[k]
        x[i] = total / lower[i, i]


@kernel
def backward(lower: Vector, n: int, b: Vector, x: Vector) -> None:
    """Solve lower' x = b; x may be b."""
    for i in range(n - 1, -1, -1):
        total = b[i]
        for k in range(i + 1, n):
            total -= lower[k, i] * x[k]
        x[i] = total / lower[i, i]


@kernel
def solve(lower: Vector, n: int, b: Vector, x: Vector) -> None:
    """Solve lower lower' x = b; x may be b."""
    forward(lower, n, b, x)
    backward(lower, n, x, x)


@kernel
def apply(factor: Vector, n: int, x: Vector, out: Vector) -> None:
    """Multiply a lower triangular matrix by a vector."""
    for a in range(n):
        total = 0.0
        for b in range(a + 1):
            total += factor[a, b] * x[b]
        out[a] = total


@kernel
def apply_transposed(factor: Vector, n: int, x: Vector, out: Vector) -> None:
    """Multiply the transpose of a lower triangular matrix by a vector; `out` may be `x`."""
    for a in range(n):
        total = 0.0
        for b in range(a, n):
            total += factor[b, a] * x[b]
        out[a] = total


@kernel
def whiten(a: Vector, factor: Vector, n: int, scratch: Vector, out: Vector) -> None:
    """Write 1 + factor' a factor, for a symmetric `a` and a lower triangular `factor`."""
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(j, n):
                total += a[i, k] * factor[k, j]
            scratch[i, j] = total
    for i in range(n):
        for j in range(i + 1):
            total = 1.0 if i == j else 0.0
            for k in range(i, n):
                total += factor[k, i] * scratch[k, j]
            out[i, j] = total
            out[j, i] = total


@kernel
def unwhiten(factor: Vector, lower: Vector, n: int, scratch: Vector, out: Vector) -> None:
    """Write factor (lower lower')^-1 factor', which is never worse than semidefinite.

    `scratch` is written with factor lower'^-1.
    """
    for i in range(n):
        forward(lower, n, factor[i], scratch[i])
        for j in range(i + 1):
            total = 0.0
            for k in range(n):
                total += scratch[i, k] * scratch[j, k]
            out[i, j] = total
            out[j, i] = total


@kernel
def sandwich(a: Vector, middle: Vector, n: int, scratch: Vector, out: Vector) -> None:
    """Write a middle a', for a symmetric `middle`."""
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(n):
                total += a[i, k] * middle[k, j]
            scratch[i, j] = total
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            for k in range(n):
                total += scratch[i, k] * a[j, k]
            out[i, j] = total
            out[j, i] = total


@kernel
def log_determinant(lower: Vector, n: int) -> float:
    """Logarithm of the determinant of lower lower'."""
    total = 0.0
    for i in range(n):
        total += np.log(lower[i, i])
    return 2.0 * total


SWEEPS = 30


@kernel
def eigen(a: Vector, n: int, vectors: Vector) -> None:
    """Diagonalise a symmetric matrix by Jacobi's rotations.

    `a` is overwritten; its diagonal holds the eigenvalues, the columns of `vectors` their vectors
    (Golub and Van Loan 2013, section 8.5).
    """
    for i in range(n):
        for j in range(n):
            vectors[i, j] = 1.0 if i == j else 0.0
    for _ in range(SWEEPS):
        outside = 0.0
        inside = 0.0
        for i in range(n):
            inside += a[i, i] * a[i, i]
            for j in range(i):
                outside += a[i, j] * a[i, j]
        if outside <= 1e-30 * inside:
            return
        for p in range(n - 1):
            for q in range(p + 1, n):
                _rotate(a, n, p, q, vectors)


@kernel
def _rotate(a: Vector, n: int, p: int, q: int, vectors: Vector) -> None:
    """Make a[p, q] zero."""
    if a[p, q] == 0.0:
        return
    ratio = (a[q, q] - a[p, p]) / (2.0 * a[p, q])
    tangent = 1.0 / (abs(ratio) + np.sqrt(1.0 + ratio * ratio))
    if ratio < 0.0:
        tangent = -tangent
    cosine = 1.0 / np.sqrt(1.0 + tangent * tangent)
    sine = tangent * cosine
    for k in range(n):
        left, right = a[k, p], a[k, q]
        a[k, p] = cosine * left - sine * right
        a[k, q] = sine * left + cosine * right
    for k in range(n):
        left, right = a[p, k], a[q, k]
        a[p, k] = cosine * left - sine * right
        a[q, k] = sine * left + cosine * right
    for k in range(n):
        left, right = vectors[k, p], vectors[k, q]
        vectors[k, p] = cosine * left - sine * right
        vectors[k, q] = sine * left + cosine * right
