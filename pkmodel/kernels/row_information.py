"""What the rows of each subject tell of the directions, at given effects: expected information."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel
from pkmodel.kernels.events import Steps
from pkmodel.kernels.likelihood import Population, Rows, predict_rows, row_terms, row_variance
from pkmodel.kernels.predict import predict_range
from pkmodel.kernels.residual import CENSORED, IGNORED, variance_by_sigma
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
    by_direction: Vector,
    by_sigma: Vector,
) -> None:
    m = psi.direction.shape[2]
    subjects = eta.shape[0]
    work = make_work(steps, psi, 0, subjects)
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
                    by_direction[i, a, b] += weight * work.f1[j, a] * work.f1[j, b]
            for k in range(3):
                if rows.active[k] and status != CENSORED:
                    moved = variance_by_sigma(rows.combine, population.sigma, f, k)[0]
                    part = 0.5 * moved / variances[0]
                    by_sigma[i, 0, k] += part
                    by_sigma[i, 1, k] += 2.0 * part * part


def row_information(
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    eta: NDArray[np.float64],
    by_direction: NDArray[np.float64],
    by_sigma: NDArray[np.float64],
) -> None:
    """Write the rows' expected information on the directions and on the residual coefficients.

    Parameters
    ----------
    eta : array (subjects, n)
    by_direction : array (subjects, m, m)
        Zeros; written.
    by_sigma : array (subjects, 2, 3)
        Zeros; written: sums over the rows that are not censored of the relative slope of their
        standard deviation in each coefficient, and the information, twice its square.
    """
    address = predict_range.address
    _row_information(address, steps, psi, rows, population, eta, by_direction, by_sigma)
