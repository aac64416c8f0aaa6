"""Sums and products of long arrays, several numbers at a time."""

from __future__ import annotations

from pkmodel._jit import vector_kernel
from pkmodel.kernels.types import Vector


@vector_kernel
def copy(x: Vector, out: Vector) -> None:
    """Write x."""
    for i in range(out.size):
        out[i] = x[i]


@vector_kernel
def add(factor: float, x: Vector, out: Vector) -> None:
    """Add factor x."""
    for i in range(out.size):
        out[i] += factor * x[i]


@vector_kernel
def add_product(factor: float, x: Vector, y: Vector, out: Vector) -> None:
    """Add factor x y."""
    for i in range(out.size):
        out[i] += factor * x[i] * y[i]


@vector_kernel
def add_triple(factor: float, x: Vector, y: Vector, z: Vector, out: Vector) -> None:
    """Add factor x y z."""
    for i in range(out.size):
        out[i] += factor * x[i] * y[i] * z[i]


@vector_kernel
def total(x: Vector) -> float:
    """Sum of x."""
    out = 0.0
    for i in range(x.size):
        out += x[i]
    return out


@vector_kernel
def dot(x: Vector, y: Vector) -> float:
    """Sum of x y."""
    out = 0.0
    for i in range(x.size):
        out += x[i] * y[i]
    return out
