"""The integral over a subject's effects by nodes about the mode, and what its gradient needs.

With u* the mode of l(u), half of -2 log joint density, and H = R R' its exact curvature there,
nodes u_k = u* + C z_k, C = R^-T, with log weights a_k give (Liu and Pierce 1994,
10.1093/biomet/81.3.624; Pinheiro and Bates 1995, 10.1080/10618600.1995.10474663)

    A = -2 log sum_k exp(a_k - l(u_k)) + log|H|,

by Gauss-Hermite quadrature (a_k = log w_k + z_k' z_k / 2; one node is Laplace's approximation) or
by importance sampling of a density q (a_k = -log q(z_k) - log K - n log(2 pi) / 2).

With omega_k each node's share of the sum, g_k the slope of l there and C C' = H^-1, the nodes
moving with mode and curvature,

    dA = 2 sum omega_k d_p l(u_k) + gbar . du* + <C M C', dH>,   gbar = 2 sum omega_k g_k,

with T = 2 sum omega_k z_k (C' g_k)', and M = 1 - (F + F') / 2, F the lower triangle of T with its
diagonal halved. An exact integral has T = 2 and M = 0; for a single node at the mode M = 1. The
first term is what Fisher's identity has as the expected gradient of the complete data, so that
the optimum is where EM by these nodes ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.joint import joint_slopes
from pkmodel.kernels.likelihood import Individual
from pkmodel.kernels.small_matrix import apply_transposed, backward, forward
from pkmodel.kernels.subject import Work
from pkmodel.kernels.terms import Nodes
from pkmodel.kernels.types import Vector


class Average(NamedTuple):
    """Derivatives of a subject's objective as averages over its nodes.

    Attributes
    ----------
    by_direction : array (m,)
        At fixed nodes u_k: in the directions, the shifts of the effects first.
    by_sigma : array (3,)
        At fixed nodes: in the residual coefficients.
    by_factor : array (n, n)
        At fixed nodes: in L, Omega = L L'.
    by_mode : array (n,)
        In a shift of all nodes: gbar.
    middle : array (n, n)
        M, where the derivative in H is R^-T M R^-1.
    slope : array (m,)
    slope_by_sigma : array (3,)
    vector : array (4, n)
        Scratch.
    """

    by_direction: NDArray[np.float64]
    by_sigma: NDArray[np.float64]
    by_factor: NDArray[np.float64]
    by_mode: NDArray[np.float64]
    middle: NDArray[np.float64]
    slope: NDArray[np.float64]
    slope_by_sigma: NDArray[np.float64]
    vector: NDArray[np.float64]


@allocating_kernel
def make_average(n: int, m: int) -> Average:
    """Allocate room for averages over the nodes of one subject at a time."""
    return Average(
        np.zeros(m),
        np.zeros(3),
        np.zeros((n, n)),
        np.zeros(n),
        np.zeros((n, n)),
        np.zeros(m),
        np.zeros(3),
        np.zeros((4, n)),
    )


@kernel
def take_mode(u: Vector, by_direction: Vector, average: Average) -> None:
    """Let the mode be the only node: derivatives of 2 l there, but those in sigma left at zero.

    Parameters
    ----------
    u : array (n,)
        The mode.
    by_direction : array (m,)
        Derivative of 2 l in the directions.
    """
    n = u.size
    for z in range(by_direction.size):
        average.by_direction[z] = by_direction[z]
    for k in range(3):
        average.by_sigma[k] = 0.0
    for a in range(n):
        average.by_mode[a] = 0.0
        for b in range(n):
            average.by_factor[a, b] = by_direction[a] * u[b]
            average.middle[a, b] = 1.0 if a == b else 0.0


@kernel
def _clear(average: Average, deviation: Vector) -> None:
    n = average.by_mode.size
    for z in range(average.by_direction.size):
        average.by_direction[z] = 0.0
    for k in range(3):
        average.by_sigma[k] = 0.0
    for a in range(n):
        average.by_mode[a] = 0.0
        for b in range(n):
            average.by_factor[a, b] = average.middle[a, b] = 0.0
    for r in range(deviation.size):
        deviation[r] = 0.0


@kernel
def _scale(share: float, average: Average, deviation: Vector) -> None:
    """Multiply all sums over nodes."""
    n = average.by_mode.size
    for z in range(average.by_direction.size):
        average.by_direction[z] *= share
    for k in range(3):
        average.by_sigma[k] *= share
    for a in range(n):
        average.by_mode[a] *= share
        for b in range(n):
            average.by_factor[a, b] *= share
            average.middle[a, b] *= share
    for r in range(deviation.size):
        deviation[r] *= share


@kernel
def _add(
    weight: float, z: Vector, u: Vector, factor: Vector, lower: Vector, average: Average
) -> None:
    """Add a node's derivatives, `middle` standing for T / 2 meanwhile."""
    n = u.size
    slope, g, turned = average.slope, average.vector[2], average.vector[3]
    for d in range(slope.size):
        average.by_direction[d] += weight * slope[d]
    for k in range(3):
        average.by_sigma[k] += weight * average.slope_by_sigma[k]
    apply_transposed(factor, n, slope, g)
    for a in range(n):
        g[a] += u[a]
        average.by_mode[a] += weight * g[a]
    forward(lower, n, g, turned)
    for a in range(n):
        for b in range(n):
            average.by_factor[a, b] += weight * slope[a] * u[b]
            average.middle[a, b] += weight * z[a] * turned[b]


@kernel
def _turn(average: Average) -> None:
    """Make M of T, which `middle` holds."""
    n, middle = average.by_mode.size, average.middle
    for a in range(n):
        for b in range(a):
            middle[a, b] *= -0.5
            middle[b, a] = middle[a, b]
        middle[a, a] = 1.0 - 0.5 * middle[a, a]


@kernel
def average_over_nodes(
    individual: Individual,
    nodes: Nodes,
    mode: Vector,
    lower: Vector,
    work: Work,
    average: Average,
    deviation: Vector,
) -> tuple[float, float]:
    """Average over the nodes about the mode; predictions in `work` are overwritten.

    Only with a residual variance that follows the effects.

    Parameters
    ----------
    mode : array (n,)
        In u.
    lower : array (n, n)
        R.
    average : Average
        Written.
    deviation : array (replicates,)
        Written: each part's integral relative to the whole one, less 1.

    Returns
    -------
    half : float
        Half of A - log|H|; infinite where no node has a density.
    share : float
        Effective number of nodes, as a share of their number.
    """
    n = mode.size
    which = individual.number % nodes.z.shape[0]
    z, log_weight = nodes.z[which], nodes.log_weight[which]
    u, eta = average.vector[0], average.vector[1]
    count, replicates = log_weight.size, deviation.size
    top = -np.inf
    total = squares = 0.0
    _clear(average, deviation)
    for k in range(count):
        backward(lower, n, z[k], u)
        for a in range(n):
            u[a] += mode[a]
        value = joint_slopes(individual, u, eta, work, average.slope, average.slope_by_sigma)
        level = log_weight[k] - value
        if not level > -np.inf:
            continue
        if level > top:
            share = np.exp(top - level)
            _scale(share, average, deviation)
            total *= share
            squares *= share * share
            top = level
        weight = np.exp(level - top)
        total += weight
        squares += weight * weight
        if replicates > 0:
            deviation[k * replicates // count] += weight
        _add(weight, z[k], u, individual.population.factor, lower, average)
    if not total > 0.0:
        return np.inf, 0.0
    _scale(2.0 / total, average, deviation)
    _turn(average)
    for r in range(replicates):
        deviation[r] = 0.5 * deviation[r] * replicates - 1.0
    return -(top + np.log(total)), total * total / (squares * count)
