"""The integral over a subject's effects by nodes about the mode, and what its gradient needs.

With u* the mode of l(u), half of -2 log joint density, and H = R R' its exact curvature there,
nodes u_k = u* + C z_k, C = R^-T, with log weights a_k give (Liu and Pierce 1994,
10.1093/biomet/81.3.624; Pinheiro and Bates 1995, 10.1080/10618600.1995.10474663)

    A = -2 log sum_k exp(a_k - l(u_k)) + log|H|,

by Gauss-Hermite quadrature (a_k = log w_k + t_k' t_k / 2 + the log of dz/dt, in the stretched nodes
z(t) of `nodes`; one node is Laplace's approximation).

With omega_k each node's share of the sum, g_k the slope of l there and C C' = H^-1, the nodes
moving with mode and curvature,

    dA = 2 sum omega_k d_p l(u_k) + gbar . du* + <C M C', dH>,   gbar = 2 sum omega_k g_k,

with T = 2 sum omega_k z_k (C' g_k)', and M = 1 - (F + F') / 2, F the lower triangle of T with its
diagonal halved. An exact integral has T = 2 and M = 0; for a single node at the mode M = 1. The
first term is what Fisher's identity has as the expected gradient of the complete data, so that
the optimum is where EM by these nodes ends.

Importance sampling draws u_k from the mixture of Student's t about the mode, of density |R| t(v)
with v = R'(u - u*), and, with a share d, of the prior phi(u) (Hesterberg 1995,
10.1080/00401706.1995.10484303): no weight can be larger than 1 / d times the largest likelihood,
whatever the posterior looks like. Then a_k = -log K - n log(2 pi) / 2 - log q_k with
q_k = (1 - d) t(v_k) + d phi(u_k) / |R|. With r_k the first part's share of q_k, the above holds for
draws about the mode with g_k - (1 - r_k) u_k instead of g_k; draws from the prior stay where they
are as the mode moves, and have v_k for z_k, h_k = -r_k t'(v_k) / t(v_k) for C' g_k and R h_k for
g_k; and M = sum omega_k r_k - (F + F') / 2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.joint import joint_slopes
from pkmodel.kernels.likelihood import Individual
from pkmodel.kernels.small_matrix import (
    apply,
    apply_transposed,
    backward,
    forward,
    log_determinant,
)
from pkmodel.kernels.subject import Work
from pkmodel.kernels.terms import Nodes
from pkmodel.kernels.types import Vector

LOG_T = np.log(0.375)
"""Of the density of Student's t with 4 degrees of freedom at zero."""

LOG_ROOT_2_PI = 0.5 * np.log(2.0 * np.pi)


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
    vector : array (5, n)
        The node's u, eta, v, and the slopes g and C' g.
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
        np.zeros((5, n)),
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
def _place(z: Vector, is_prior: bool, mode: Vector, lower: Vector, average: Average) -> None:
    """Write a node's u and v = R'(u - u*)."""
    n = mode.size
    u, v = average.vector[0], average.vector[2]
    if is_prior:
        for a in range(n):
            u[a] = z[a]
            v[a] = z[a] - mode[a]
        apply_transposed(lower, n, v, v)
    else:
        backward(lower, n, z, u)
        for a in range(n):
            u[a] += mode[a]
            v[a] = z[a]


@kernel
def _proposal(u: Vector, v: Vector, log_root: float, defensive: float) -> tuple[float, float]:
    """Return log q of a draw, and the share r of Student's t in it; `log_root` is log|R|."""
    n = u.size
    student = np.log(1.0 - defensive) + n * LOG_T
    prior = np.log(defensive) - n * LOG_ROOT_2_PI - log_root
    for a in range(n):
        student -= 2.5 * np.log1p(0.25 * v[a] * v[a])
        prior -= 0.5 * u[a] * u[a]
    larger = max(student, prior)
    log_q = larger + np.log(np.exp(student - larger) + np.exp(prior - larger))
    return log_q, np.exp(student - log_q)


@kernel
def _add(
    weight: float, own: float, is_prior: bool, factor: Vector, lower: Vector, average: Average
) -> None:
    """Add a node's derivatives, `middle` standing for T / 2 meanwhile; `own` is its r."""
    slope, vector = average.slope, average.vector
    u, v, g, turned = vector[0], vector[2], vector[3], vector[4]
    n = u.size
    for d in range(slope.size):
        average.by_direction[d] += weight * slope[d]
    for k in range(3):
        average.by_sigma[k] += weight * average.slope_by_sigma[k]
    if is_prior:
        for a in range(n):
            turned[a] = own * 5.0 * v[a] / (4.0 + v[a] * v[a])
        apply(lower, n, turned, g)
    else:
        apply_transposed(factor, n, slope, g)
        for a in range(n):
            g[a] += own * u[a]
        forward(lower, n, g, turned)
    for a in range(n):
        average.by_mode[a] += weight * g[a]
        for b in range(n):
            average.by_factor[a, b] += weight * slope[a] * u[b]
            average.middle[a, b] += weight * v[a] * turned[b]


@kernel
def _turn(own: float, average: Average) -> None:
    """Make M of T, which `middle` holds; `own` is the sum of omega_k r_k."""
    n, middle = average.by_mode.size, average.middle
    for a in range(n):
        for b in range(a):
            middle[a, b] *= -0.5
            middle[b, a] = middle[a, b]
        middle[a, a] = own - 0.5 * middle[a, a]


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
    which = nodes.chosen[individual.number % nodes.chosen.size]
    begin, end = nodes.first[which], nodes.first[which + 1]
    z, is_prior, log_weight = nodes.z[begin:end], nodes.is_prior[begin:end], nodes.log_weight
    u, eta, v = average.vector[0], average.vector[1], average.vector[2]
    count, replicates = end - begin, deviation.size
    log_root = 0.5 * log_determinant(lower, mode.size)
    top = -np.inf
    total = squares = owned = 0.0
    _clear(average, deviation)
    for k in range(count):
        _place(z[k], is_prior[k], mode, lower, average)
        value = joint_slopes(individual, u, eta, work, average.slope, average.slope_by_sigma)
        level, own = log_weight[begin + k] - value, 1.0
        if nodes.is_drawn:
            log_q, own = _proposal(u, v, log_root, nodes.defensive)
            level -= log_q
        if not level > -np.inf:
            continue
        if level > top:
            share = np.exp(top - level)
            _scale(share, average, deviation)
            total *= share
            owned *= share
            squares *= share * share
            top = level
        weight = np.exp(level - top)
        if not weight > 0.0:
            continue
        total += weight
        owned += weight * own
        squares += weight * weight
        if replicates > 0:
            deviation[k * replicates // count] += weight
        _add(weight, own, is_prior[k], individual.population.factor, lower, average)
    if not total > 0.0:
        return np.inf, 0.0
    _scale(2.0 / total, average, deviation)
    _turn(owned / total, average)
    for r in range(replicates):
        deviation[r] = 0.5 * deviation[r] * replicates - 1.0
    return -(top + np.log(total)), total * total / (squares * count)
