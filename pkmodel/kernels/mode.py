"""The mode of a subject's random effects: Newton's method, safeguarded.

The search runs over u with eta = L u and Omega = L L', in which the curvature is at least one in
every direction, however near to singular Omega is. The iterates are those in eta.
"""

from __future__ import annotations

import numpy as np

from pkmodel._jit import kernel
from pkmodel.kernels.joint import joint_value
from pkmodel.kernels.likelihood import Individual, conditional
from pkmodel.kernels.small_matrix import apply, cholesky, eigen, forward, solve
from pkmodel.kernels.subject import COARSE, FINE, GRID_EFFECTS, Work
from pkmodel.kernels.types import Vector

FOUND, NOT_CONVERGED, UNDEFINED = 0, 1, 2
MAXIMUM_ITERATIONS = 100
MAXIMUM_HALVINGS = 40
LONGEST_STEP = 2.0

LAST_DIGITS = 1e-12
"""With a Newton decrement below this share of the objective its fall drowns in rounding error."""

LEAST_CURVATURE = 0.1
"""A curvature nearer to zero than this, in units of the prior's, makes no longer step."""

FARTHEST = 4.0
"""A cold search looks so many deviations far on a grid; other modes stood at 1 to 4 deviations, a
half to 2 wide, where one sample in a hundred is far from what the population has it."""

SAME_MODE = 1e-9
"""Two modes are the same where their objectives agree to this share."""

STAGNANT = 0.1
"""Newton's method squares such a decrement; one that does not fall by this is rounding error."""


@kernel
def _newton_step(
    factor: Vector, n: int, gradient: Vector, exact: Vector, work: Work
) -> tuple[bool, float, float]:
    """Write the step; return whether H is positive definite, the decrement, the longest part."""
    step, moved, lower = work.vector[1], work.vector[2], work.matrix[2]
    is_minimum = cholesky(exact, n, lower)
    if is_minimum:
        solve(lower, n, gradient, step)
    else:
        _step_by_size_of_curvature(exact, n, gradient, step, work)
    apply(factor, n, step, moved)
    decrement = 0.0
    longest = 0.0
    for a in range(n):
        decrement += gradient[a] * step[a]
        longest = max(longest, abs(moved[a]))
    return is_minimum, decrement, longest


@kernel
def _step_by_size_of_curvature(
    exact: Vector, n: int, gradient: Vector, step: Vector, work: Work
) -> None:
    """Solve with the eigenvalues of H made positive: short along curves, long along valleys."""
    turned, vectors = work.matrix[2], work.matrix[3]
    for a in range(n):
        step[a] = 0.0
        for b in range(n):
            turned[a, b] = exact[a, b]
    eigen(turned, n, vectors)
    for k in range(n):
        along = 0.0
        for a in range(n):
            along += vectors[a, k] * gradient[a]
        along /= max(abs(turned[k, k]), LEAST_CURVATURE)
        for a in range(n):
            step[a] += along * vectors[a, k]


@kernel
def newton(
    individual: Individual, u: Vector, eta: Vector, tolerance: float, work: Work
) -> tuple[int, float]:
    """Search the mode from `u`, which is overwritten, as `eta` is.

    Converged where the exact Hessian H is positive definite and the Newton decrement g' H^-1 g,
    in units of the log likelihood, is below `tolerance` or has come down to rounding error. Steps
    use H, with the absolute values of its eigenvalues where some are negative. Each step is capped
    in eta, and halved until the objective falls, as far as that can be told.

    Returns
    -------
    status : int
    value : float
        Half of -2 log joint density at the mode, without log|Omega|; `work` holds what
        `conditional` writes there.
    """
    n, factor = individual.psi.effects, individual.population.factor
    gradient, step = work.vector[0], work.vector[1]
    trial, trial_eta = work.vector[2], work.vector[3]
    exact, weights = work.matrix[0], work.matrix[1]
    value = conditional(individual, u, eta, work, gradient, exact, weights)
    if not np.isfinite(value):
        return UNDEFINED, value
    before = np.inf
    for _ in range(MAXIMUM_ITERATIONS):
        is_minimum, decrement, longest = _newton_step(factor, n, gradient, exact, work)
        is_last_digits = decrement < LAST_DIGITS * (1.0 + abs(value))
        if decrement <= tolerance or (is_last_digits and decrement > STAGNANT * before):
            return (FOUND if is_minimum else NOT_CONVERGED), value
        before = decrement
        share = min(1.0, LONGEST_STEP / longest)
        slack = np.inf if is_minimum and is_last_digits else 4e-15 * (1.0 + abs(value))
        has_fallen = False
        for _ in range(MAXIMUM_HALVINGS):
            for a in range(n):
                trial[a] = u[a] - share * step[a]
            new = conditional(individual, trial, trial_eta, work, gradient, exact, weights)
            if new <= value - 1e-4 * share * decrement + slack:
                has_fallen = True
                break
            share *= 0.5
        if not has_fallen:
            conditional(individual, u, eta, work, gradient, exact, weights)
            return (FOUND if is_minimum and decrement < 1e-9 else NOT_CONVERGED), value
        value = new
        for a in range(n):
            u[a] = trial[a]
            eta[a] = trial_eta[a]
    return NOT_CONVERGED, value


@kernel
def _write_point(point: int, side: int, n: int, u: Vector) -> float:
    """Write a point of the grid in the first effects; return its distance from 0."""
    spacing, square = 2.0 * FARTHEST / (side - 1), 0.0
    for a in range(n):
        u[a] = 0.0
        if a < GRID_EFFECTS:
            u[a] = spacing * (point % side - side // 2)
            point //= side
        square += u[a] * u[a]
    return float(np.sqrt(square))


@kernel
def _is_lowest(point: int, side: int, effects: int, values: Vector) -> bool:
    """Tell whether no neighbour on the grid in so many effects, diagonal ones too, is as low."""
    if values[point] == np.inf:
        return False
    for step in range(3**effects):
        other, stride, is_inside = 0, 1, True
        for _ in range(effects):
            place = point // stride % side + step % 3 - 1
            is_inside = is_inside and 0 <= place < side
            other += stride * place
            stride *= side
            step //= 3
        if is_inside and other != point and values[other] <= values[point]:
            return False
    return True


@kernel
def _search_again(
    individual: Individual,
    status: int,
    value: float,
    u: Vector,
    eta: Vector,
    tolerance: float,
    work: Work,
) -> tuple[int, float]:
    """Search from the point in `work.vector[6]`; keep the mode in `u` unless it is higher."""
    other_u, other_eta = work.vector[6], work.vector[7]
    other, other_value = newton(individual, other_u, other_eta, tolerance, work)
    is_lower = status != FOUND or other_value < value - SAME_MODE * (1.0 + abs(value))
    if not (other == FOUND and is_lower):
        return status, value
    for a in range(individual.psi.effects):
        u[a] = other_u[a]
        eta[a] = other_eta[a]
    return other, other_value


@kernel
def _search_around(
    individual: Individual,
    status: int,
    value: float,
    u: Vector,
    eta: Vector,
    tolerance: float,
    work: Work,
) -> tuple[int, float]:
    """Search from the points of a grid that are lower than their neighbours; keep the lowest mode.

    Points next to the mode that is known, in `u`, lead there again and are left out, as the corners
    of the grid are.
    """
    n, start, values = individual.psi.effects, work.vector[6], work.grid
    side = FINE if n <= 2 else COARSE
    looked, spacing = min(n, GRID_EFFECTS), 2.0 * FARTHEST / (side - 1)
    points = side**looked
    for point in range(points):
        values[point] = np.inf
        if _write_point(point, side, n, start) <= FARTHEST + 1e-9:
            values[point] = joint_value(individual, start, work.vector[7], work)
    for point in range(points):
        if not _is_lowest(point, side, looked, values):
            continue
        _write_point(point, side, n, start)
        farthest = 0.0
        for a in range(n):
            farthest = max(farthest, abs(start[a] - u[a]))
        if status != FOUND or farthest > spacing:
            status, value = _search_again(individual, status, value, u, eta, tolerance, work)
    return status, value


@kernel
def find_mode(
    individual: Individual, eta: Vector, is_cold: bool, tolerance: float, u: Vector, work: Work
) -> tuple[int, float]:
    """Search from `eta`; where that fails, from 0, and from one standard deviation to each side.

    A cold search goes on from the points of a grid around 0 that are lower than their neighbours,
    for there may be other modes, and the lowest of all counts.

    Returns
    -------
    status : int
    value : float
        As of `newton`. Where the model is defined, `work` holds what `conditional` writes at `u`,
        with the Hessian and the rows' weights in the first two matrices.
    """
    n = individual.psi.effects
    forward(individual.population.factor, n, eta, u)
    status, value = newton(individual, u, eta, tolerance, work)
    if is_cold:
        status, value = _search_around(individual, status, value, u, eta, tolerance, work)
        if status == FOUND:
            conditional(individual, u, eta, work, work.vector[0], work.matrix[0], work.matrix[1])
    if status == FOUND:
        return status, value
    start = work.vector[6]
    for attempt in range(2 * n + 1):
        start[:] = 0.0
        if attempt > 0:
            start[(attempt - 1) // 2] = 1.0 if attempt % 2 == 1 else -1.0
        status, value = _search_again(individual, status, value, u, eta, tolerance, work)
        if status == FOUND:
            return status, value
    if status == NOT_CONVERGED:
        conditional(individual, u, eta, work, work.vector[0], work.matrix[0], work.matrix[1])
    return status, value
