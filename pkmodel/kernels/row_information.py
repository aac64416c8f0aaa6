"""What the rows of each subject tell of the directions, at given effects: expected information."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel
from pkmodel.kernels.events import Steps
from pkmodel.kernels.likelihood import Population, Rows, predict_rows, row_terms, row_variance
from pkmodel.kernels.predict import predict_subject
from pkmodel.kernels.residual import IGNORED
from pkmodel.kernels.subject import Psi, make_work
from pkmodel.kernels.types import Vector


@allocating_kernel
def _row_information(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    eta: Vector,
    out: Vector,
) -> None:
    n, m = psi.effects, psi.direction.shape[2]
    subjects = eta.shape[0]
    most = 0
    for i in range(subjects):
        most = max(most, steps.first[i + 1] - steps.first[i])
    work = make_work(most, n, m)
    nothing = np.zeros(0)
    for i in range(subjects):
        predict_rows(predict, steps, psi, rows, i, eta[i], 2, work)
        begin = steps.first[i]
        for j in range(steps.first[i + 1] - begin):
            status = rows.status[begin + j]
            if status == IGNORED:
                continue
            f = work.f[j]
            variances = row_variance(rows.combine, population.sigma, nothing, j, f)
            weight = row_terms(status, rows.y[begin + j], f, variances)[4]
            for a in range(m):
                for b in range(m):
                    out[i, a, b] += weight * work.f1[j, a] * work.f1[j, b]


def row_information(
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    eta: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Add to `out` (subjects, m, m) the rows' information on the directions, in half of -2 log l.

    Parameters
    ----------
    eta : array (subjects, n)
    """
    _row_information(predict_subject.address, steps, psi, rows, population, eta, out)
