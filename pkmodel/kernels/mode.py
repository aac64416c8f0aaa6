"""The mode of a subject's random effects: Newton's method, safeguarded."""

from __future__ import annotations

import numpy as np

from pkmodel._jit import kernel
from pkmodel.kernels.events import Steps
from pkmodel.kernels.likelihood import Population, Rows, conditional
from pkmodel.kernels.small_matrix import cholesky, solve
from pkmodel.kernels.subject import Psi, Work
from pkmodel.kernels.types import Vector

FOUND, NOT_CONVERGED, UNDEFINED = 0, 1, 2
MAXIMUM_ITERATIONS = 100
LONGEST_STEP = 2.0


@kernel
def newton(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    frozen: Vector,
    subject: int,
    eta: Vector,
    tolerance: float,
    work: Work,
) -> tuple[int, float]:
    """Search the mode from `eta`, which is overwritten.

    Converged where the Newton decrement g' H^-1 g, in units of the log likelihood, is below
    `tolerance` and the exact Hessian H is positive definite. Steps use H, else the Gauss-Newton
    matrix, else, where one row outweighs all others beyond the digits of a number, its diagonal.
    Each step is capped, and halved until the objective falls.

    Returns
    -------
    status : int
    value : float
        Half of -2 log joint density at the mode; where it is found, `work` holds the predictions
        and the rows' terms there.
    """
    n = eta.size
    gradient, step, trial = work.vector[0], work.vector[1], work.vector[2]
    exact, gauss, lower = work.matrix[0], work.matrix[1], work.matrix[2]
    value = conditional(
        predict, steps, psi, rows, population, frozen, subject, eta, work, gradient, exact, gauss
    )
    if not np.isfinite(value):
        return UNDEFINED, value
    for _ in range(MAXIMUM_ITERATIONS):
        is_minimum = cholesky(exact, n, lower)
        if not is_minimum and not cholesky(gauss, n, lower):
            lower[:] = 0.0
            for a in range(n):
                lower[a, a] = np.sqrt(gauss[a, a])
        solve(lower, n, gradient, step)
        decrement = 0.0
        longest = 0.0
        for a in range(n):
            decrement += gradient[a] * step[a]
            longest = max(longest, abs(step[a]))
        if decrement <= tolerance:
            if is_minimum:
                return FOUND, value
            return NOT_CONVERGED, value
        fraction = min(1.0, LONGEST_STEP / longest)
        slack = 4e-15 * (1.0 + abs(value))
        has_fallen = False
        for _ in range(40):
            for a in range(n):
                trial[a] = eta[a] - fraction * step[a]
            new = conditional(
                predict,
                steps,
                psi,
                rows,
                population,
                frozen,
                subject,
                trial,
                work,
                gradient,
                exact,
                gauss,
            )
            if new <= value - 1e-4 * fraction * decrement + slack:
                has_fallen = True
                break
            fraction *= 0.5
        if not has_fallen:
            conditional(
                predict,
                steps,
                psi,
                rows,
                population,
                frozen,
                subject,
                eta,
                work,
                gradient,
                exact,
                gauss,
            )
            return (FOUND if is_minimum and decrement < 1e-9 else NOT_CONVERGED), value
        value = new
        for a in range(n):
            eta[a] = trial[a]
    return NOT_CONVERGED, value


@kernel
def find_mode(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    frozen: Vector,
    subject: int,
    eta: Vector,
    tolerance: float,
    work: Work,
) -> tuple[int, float]:
    """Search from `eta`, then from 0, then from one standard deviation to each side.

    Returns
    -------
    status : int
    value : float
    """
    n = eta.size
    status, value = newton(
        predict, steps, psi, rows, population, frozen, subject, eta, tolerance, work
    )
    if status == FOUND:
        return status, value
    trial = work.vector[6][:n]
    for attempt in range(2 * n + 1):
        trial[:] = 0.0
        if attempt > 0:
            a = (attempt - 1) // 2
            sign = 1.0 if attempt % 2 == 1 else -1.0
            trial[a] = sign * np.sqrt(population.omega[a, a])
        other, other_value = newton(
            predict, steps, psi, rows, population, frozen, subject, trial, tolerance, work
        )
        if other == FOUND:
            for a in range(n):
                eta[a] = trial[a]
            return other, other_value
    if status == NOT_CONVERGED:
        gradient, exact, gauss = work.vector[0], work.matrix[0], work.matrix[1]
        conditional(
            predict,
            steps,
            psi,
            rows,
            population,
            frozen,
            subject,
            eta,
            work,
            gradient,
            exact,
            gauss,
        )
    return status, value
