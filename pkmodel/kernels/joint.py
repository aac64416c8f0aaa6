"""The joint density of data and random effects at given effects, and its exact slopes.

With z the directions (effects first), eta = L u and Omega = L L', half of -2 log joint density is

    l(u) = 1/2 sum_rows rho(f(eta, z), sigma) + 1/2 u' u,

without log|Omega|, which belongs to eta and not to u. Its slope in u is L' l_eta + u and that in
L at fixed u is l_eta u', with l_eta the rows' slope in a shift of the effects.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.events import Steps
from pkmodel.kernels.likelihood import Individual, Population, Rows, predict_rows, row_variance
from pkmodel.kernels.predict import predict_range
from pkmodel.kernels.residual import (
    CENSORED,
    IGNORED,
    mills,
)
from pkmodel.kernels.row_slopes import add_rows, along_directions
from pkmodel.kernels.small_matrix import apply
from pkmodel.kernels.subject import Psi, Work, make_work
from pkmodel.kernels.types import Vector


@kernel
def joint_value(individual: Individual, u: Vector, eta: Vector, work: Work) -> float:
    """Half of -2 log joint density at eta = L u; `eta` is written.

    Returns
    -------
    float
        Infinite where the model is not defined.
    """
    predict, steps, psi, rows, population, frozen, subject = individual
    n = psi.effects
    sigma, combine = population.sigma, rows.combine
    apply(population.factor, n, u, eta)
    predict_rows(predict, steps, psi, rows, subject, eta, 0, work)
    begin = steps.first[subject]
    count = steps.first[subject + 1] - begin
    observed, states, values = rows.y, rows.status, work.f
    total = 0.0
    for a in range(n):
        total += u[a] * u[a]
    for j in range(count):
        state = states[begin + j]
        if state == IGNORED:
            continue
        f = values[j]
        r = row_variance(combine, sigma, frozen, j, f)[0]
        e = observed[begin + j] - f
        if state == CENSORED:
            total -= 2.0 * mills(e / np.sqrt(r))[0]
        else:
            total += e * e / r + np.log(r)
    return 0.5 * total if np.isfinite(total) else np.inf


@kernel
def joint_slopes(
    individual: Individual,
    u: Vector,
    eta: Vector,
    work: Work,
    by_direction: Vector,
    by_sigma: Vector,
) -> float:
    """Half of -2 log joint density at eta = L u, and the rows' slopes.

    Only with a residual variance that follows the effects (`frozen` is empty).

    Parameters
    ----------
    eta : array (n,)
        Written.
    by_direction : array (m,)
        Written: slope of the rows' part in each direction, the shifts of the effects first.
    by_sigma : array (3,)
        Written: in the active residual coefficients.

    Returns
    -------
    float
        Infinite where the model is not defined.
    """
    predict, steps, psi, rows, population, _, subject = individual
    n = psi.effects
    apply(population.factor, n, u, eta)
    predict_rows(predict, steps, psi, rows, subject, eta, 1, work)
    begin = steps.first[subject]
    count = steps.first[subject + 1] - begin
    total = add_rows(rows, population.sigma, begin, count, work, by_sigma)
    along_directions(work, steps.first[subject : subject + 2], by_direction[:, np.newaxis])
    for a in range(n):
        total += u[a] * u[a]
    return 0.5 * total if np.isfinite(total) else np.inf


@allocating_kernel
def _joint(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    interaction: bool,
    u: Vector,
    value: Vector,
) -> None:
    n = psi.effects
    work = make_work(steps, psi, 0, u.shape[0])
    zero, eta = np.zeros(n), np.zeros(n)
    frozen = np.zeros(0)
    for i in range(u.shape[0]):
        if not interaction:
            predict_rows(predict, steps, psi, rows, i, zero, 0, work)
            frozen = work.f[: steps.first[i + 1] - steps.first[i]].copy()
        individual = Individual(predict, steps, psi, rows, population, frozen, i)
        for k in range(u.shape[1]):
            value[i, k] = joint_value(individual, u[i, k], eta, work)


def joint(
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    interaction: bool,
    u: Vector,
    value: Vector,
) -> None:
    """Write half of -2 log joint density, without log|Omega|.

    Parameters
    ----------
    interaction : bool
        The residual variance follows the effects, else it is that at eta = 0.
    u : array (subjects, draws, n)
        Effects eta = L u with Omega = L L'.
    value : array (subjects, draws)
        Written; infinite where the model is not defined.
    """
    _joint(predict_range.address, steps, psi, rows, population, interaction, u, value)


@allocating_kernel
def _slopes(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    u: Vector,
    value: Vector,
    by_direction: Vector,
    by_sigma: Vector,
) -> None:
    work = make_work(steps, psi, 0, u.shape[0])
    eta, nothing = np.zeros(psi.effects), np.zeros(0)
    for i in range(u.shape[0]):
        individual = Individual(predict, steps, psi, rows, population, nothing, i)
        for k in range(u.shape[1]):
            value[i, k] = joint_slopes(
                individual, u[i, k], eta, work, by_direction[i, k], by_sigma[i, k]
            )


def slopes(
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    u: NDArray[np.float64],
    value: NDArray[np.float64],
    by_direction: NDArray[np.float64],
    by_sigma: NDArray[np.float64],
) -> None:
    """Write half of -2 log joint density and the rows' slopes, with interaction.

    Parameters
    ----------
    u : array (subjects, draws, n)
    value : array (subjects, draws)
        Written, as by `joint`.
    by_direction : array (subjects, draws, m)
        Written.
    by_sigma : array (subjects, draws, 3)
        Written.
    """
    address = predict_range.address
    _slopes(address, steps, psi, rows, population, u, value, by_direction, by_sigma)
