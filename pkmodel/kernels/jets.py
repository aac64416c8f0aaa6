"""Truncated Taylor expansions ("jets") of quantities of a subject in its directions z.

The first `n` directions are random effects, the rest are other parameters. A jet holds the value,
all first derivatives, the second derivatives of an effect with any direction, and the third
derivatives of two effects with any direction: all that exact gradients of the marginal likelihood
need. It is stored flat: 1, m, (from order 2 on) n * m and (order 3) n * n * m numbers.
"""

from __future__ import annotations

from pkmodel._jit import kernel
from pkmodel.kernels.types import Vector


@kernel
def length(n: int, m: int, order: int) -> int:
    """Numbers in a jet of `n` effects among `m` directions."""
    return 1 + m + (n * m if order > 1 else 0) + (n * n * m if order > 2 else 0)


@kernel
def multiply_add(x: Vector, y: Vector, n: int, m: int, order: int, out: Vector) -> None:
    """Add x * y to `out`."""
    out[0] += x[0] * y[0]
    for a in range(m):
        out[1 + a] += x[1 + a] * y[0] + x[0] * y[1 + a]
    if order < 2:
        return
    second = 1 + m
    for a in range(n):
        for b in range(m):
            p = second + a * m + b
            out[p] += x[p] * y[0] + x[1 + a] * y[1 + b] + x[1 + b] * y[1 + a] + x[0] * y[p]
    if order < 3:
        return
    third = second + n * m
    for a in range(n):
        for b in range(n):
            ab = second + a * m + b
            for c in range(m):
                ac = second + a * m + c
                bc = second + b * m + c
                p = third + (a * n + b) * m + c
                out[p] += (
                    x[p] * y[0]
                    + x[ab] * y[1 + c]
                    + x[ac] * y[1 + b]
                    + x[bc] * y[1 + a]
                    + x[1 + a] * y[bc]
                    + x[1 + b] * y[ac]
                    + x[1 + c] * y[ab]
                    + x[0] * y[p]
                )


@kernel
def compose(u: Vector, x: Vector, n: int, m: int, order: int, out: Vector) -> None:
    """Write u(x) for a function with derivatives u[0..3] at x[0]."""
    out[0] = u[0]
    for a in range(m):
        out[1 + a] = u[1] * x[1 + a]
    if order < 2:
        return
    second = 1 + m
    for a in range(n):
        for b in range(m):
            p = second + a * m + b
            out[p] = u[1] * x[p] + u[2] * x[1 + a] * x[1 + b]
    if order < 3:
        return
    third = second + n * m
    for a in range(n):
        for b in range(n):
            ab = second + a * m + b
            for c in range(m):
                ac = second + a * m + c
                bc = second + b * m + c
                p = third + (a * n + b) * m + c
                out[p] = (
                    u[1] * x[p]
                    + u[2] * (x[ab] * x[1 + c] + x[ac] * x[1 + b] + x[bc] * x[1 + a])
                    + u[3] * x[1 + a] * x[1 + b] * x[1 + c]
                )


@kernel
def compose_two(u: Vector, x: Vector, y: Vector, n: int, m: int, order: int, out: Vector) -> None:
    """Write u(x, y) with u = (u, x, y, xx, xy, yy, xxx, xxy, xyy, yyy) derivatives."""
    out[0] = u[0]
    for a in range(m):
        out[1 + a] = u[1] * x[1 + a] + u[2] * y[1 + a]
    if order < 2:
        return
    second = 1 + m
    for a in range(n):
        for b in range(m):
            p = second + a * m + b
            xa, xb, ya, yb = x[1 + a], x[1 + b], y[1 + a], y[1 + b]
            out[p] = (
                u[1] * x[p]
                + u[2] * y[p]
                + u[3] * xa * xb
                + u[4] * (xa * yb + ya * xb)
                + u[5] * ya * yb
            )
    if order < 3:
        return
    third = second + n * m
    for a in range(n):
        for b in range(n):
            ab = second + a * m + b
            for c in range(m):
                ac = second + a * m + c
                bc = second + b * m + c
                p = third + (a * n + b) * m + c
                xa, xb, xc = x[1 + a], x[1 + b], x[1 + c]
                ya, yb, yc = y[1 + a], y[1 + b], y[1 + c]
                out[p] = (
                    u[1] * x[p]
                    + u[2] * y[p]
                    + u[3] * (x[ab] * xc + x[ac] * xb + x[bc] * xa)
                    + u[5] * (y[ab] * yc + y[ac] * yb + y[bc] * ya)
                    + u[4] * (x[ab] * yc + x[ac] * yb + x[bc] * ya)
                    + u[4] * (y[ab] * xc + y[ac] * xb + y[bc] * xa)
                    + u[6] * xa * xb * xc
                    + u[7] * (xa * xb * yc + xa * yb * xc + ya * xb * xc)
                    + u[8] * (xa * yb * yc + ya * xb * yc + ya * yb * xc)
                    + u[9] * ya * yb * yc
                )


@kernel
def copy(x: Vector, out: Vector) -> None:
    """Out = x, by a loop: assignment to a slice compiles the text of its error message."""
    for p in range(out.size):
        out[p] = x[p]


@kernel
def add_scaled(x: Vector, factor: float, out: Vector) -> None:
    """Add factor * x to `out`."""
    for p in range(out.size):
        out[p] += factor * x[p]
