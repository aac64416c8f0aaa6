"""The joint density of data and random effects at given effects, of every subject."""

from __future__ import annotations

import numpy as np

from pkmodel._jit import allocating_kernel
from pkmodel.kernels.events import Steps
from pkmodel.kernels.likelihood import Individual, Population, Rows, conditional, predict_rows
from pkmodel.kernels.predict import predict_subject
from pkmodel.kernels.subject import Psi, make_work
from pkmodel.kernels.types import Vector


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
    most = 0
    for i in range(u.shape[0]):
        most = max(most, steps.first[i + 1] - steps.first[i])
    work = make_work(most, n, psi.direction.shape[2])
    zero, eta = np.zeros(n), np.zeros(n)
    frozen = np.zeros(0)
    for i in range(u.shape[0]):
        if not interaction:
            predict_rows(predict, steps, psi, rows, i, zero, 2, work)
            frozen = work.f[: steps.first[i + 1] - steps.first[i]].copy()
        individual = Individual(predict, steps, psi, rows, population, frozen, i)
        for k in range(u.shape[1]):
            value[i, k] = conditional(
                individual, u[i, k], eta, work, work.vector[0], work.matrix[0], work.matrix[1]
            )


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
    _joint(predict_subject.address, steps, psi, rows, population, interaction, u, value)
