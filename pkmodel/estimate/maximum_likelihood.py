"""Maximum likelihood over the population parameters, for every method with an exact gradient."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.bfgs import Ending, Minimum, Point, minimise
from pkmodel.estimate.boundary import at_boundary
from pkmodel.estimate.first_steps import WIDE, approach, come_near, widen
from pkmodel.estimate.flip_flop import exchanged
from pkmodel.estimate.orders import Orders
from pkmodel.estimate.sampling import Sampling
from pkmodel.packing import pack_factor
from pkmodel.problem import LOOSE, TIGHT, Evaluation, Problem

Vector = NDArray[np.float64]
Progress = Callable[[int, int, float], None]


class Step(NamedTuple):
    """One evaluation on the way of a search.

    Attributes
    ----------
    start, evaluation : int
    phase : str
        ``"first steps"``, by EM and from widened variances, or ``"search"``.
    likelihood : str
    objective, gradient_norm : float
    """

    start: int
    evaluation: int
    phase: str
    likelihood: str
    objective: float
    gradient_norm: float


FIRST_STEPS, SEARCH = "first steps", "search"
"""Phases."""

PROMISED_DECREASE = 1e-7
"""Converged where no more than this of the objective is to be gained."""

PROMISED_TO_NEIGHBOUR = 1e-5
"""The same where a search goes on from a neighbouring optimum, for differences of objectives."""

NEIGHBOUR_EVALUATIONS = 40
"""Most evaluations of such a search, of which a few suffice."""

SAME_OBJECTIVE = 1e-2
SCATTER = 0.7

MODERATE = 0.3
"""Standard deviation from which a vanished variance is tried again."""

FIRST_LIKELIHOOD = "focei"
"""The likelihood of the first steps, whatever the method: its modes follow the data from afar."""

ERROR_GROWTH = 1.4
GROWTHS = 6
"""Where the start is not defined, residual errors grow by this, in logarithms, so many times."""


@dataclass(frozen=True)
class Start:
    """How one start ended."""

    objective: float
    ending: str
    evaluations: int


@dataclass(frozen=True)
class Estimate:
    """The best point found.

    Attributes
    ----------
    x : array (size,)
        Packed parameters.
    final : Evaluation
        At `x`, with modes searched from zero.
    ending : str
        Of `Ending`, or ``"interrupted"``.
    decrease : float
        What the objective could still fall by, as far as the search could tell.
    cold_gap : float
        Objective with modes from zero minus that of the search.
    starts : tuple of Start
        By exact methods with their objectives by Laplace, from whose best the search goes on.
    trace : list of Step
    sampling : Sampling or None
        Where the estimation was by draws.
    orders : Orders or None
        Where the objective is by quadrature.
    """

    x: Vector
    final: Evaluation
    ending: str
    decrease: float
    cold_gap: float
    evaluations: int
    starts: tuple[Start, ...]
    trace: list[Step] = field(repr=False)
    sampling: Sampling | None = field(default=None, repr=False)
    orders: Orders | None = None

    @property
    def agree(self) -> int:
        """Starts that ended at the best objective."""
        best = min((s.objective for s in self.starts), default=np.inf)
        return sum(s.objective - best < SAME_OBJECTIVE for s in self.starts)


class _Walk:
    """Evaluations of one fit: warm modes, the trace, and the best point so far."""

    def __init__(self, problem: Problem, progress: Progress | None) -> None:
        self.problem = problem
        self.progress = progress
        self.trace: list[Step] = []
        self.best: Point | None = None
        self.near: Vector | None = None
        self.begin(0)

    def begin(self, start: int) -> None:
        self.start = start
        self.count = 0
        self.turn_to(self.problem)

    def turn_to(self, likelihood: Problem, phase: str = SEARCH) -> None:
        """Evaluate this likelihood from now on, with cold modes at first."""
        self.likelihood, self.phase = likelihood, phase
        self.modes: Vector | None = None
        self.lowest = np.inf

    def evaluate(self, x: Vector) -> Evaluation:
        evaluation = self.likelihood.evaluate(x, self.modes, tolerance=LOOSE)
        self.count += 1
        value = evaluation.objective
        norm = float(np.linalg.norm(evaluation.gradient))
        method = self.likelihood.options.method
        self.trace.append(Step(self.start, self.count, self.phase, method, value, norm))
        if value < self.lowest:
            self.lowest = value
            self.modes = evaluation.terms.eta
            self.near = x
        if self.progress is not None:
            self.progress(self.start, len(self.trace), value)
        return evaluation

    def __call__(self, x: Vector) -> Point:
        return self.point(x, self.evaluate(x))

    def point(self, x: Vector, evaluation: Evaluation) -> Point:
        """Return a point of the method's own likelihood."""
        outer = np.einsum("ni,nj->ij", evaluation.by_subject, evaluation.by_subject)
        point = Point(x.copy(), evaluation.objective, evaluation.gradient, 0.5 * outer)
        if self.best is None or point.value < self.best.value:
            self.best = point
        return point


def scattered(problem: Problem, x: Vector, number: int) -> Vector:
    """Return packed start `number`: 0 is `x`, the rest are scattered about it."""
    if number == 0:
        return x
    rng = np.random.default_rng([problem.options.seed, number])
    width = SCATTER * np.ones_like(x)
    for k, i in enumerate(problem.packing.theta):
        theta = problem.model.theta[i]
        if not np.isfinite(theta.lower) and not np.isfinite(theta.upper):
            width[k] = SCATTER * max(abs(float(x[k])), 0.1)
    return np.asarray(x + width * rng.normal(size=x.size))


def growing_error(problem: Problem, x: Vector) -> Iterator[Vector]:
    """Yield `x`, then the same with ever larger residual errors."""
    for number in range(GROWTHS):
        moved = x.copy()
        moved[problem.packing.sigma_part] += number * ERROR_GROWTH
        yield moved


def _one_start(walk: _Walk, x: Vector, number: int) -> Minimum | None:
    """Run one start about `x`, and again where its end is doubtful; None if undefined."""
    walk.begin(number)
    limit = walk.problem.options.max_evaluations
    minimum = _search(walk, scattered(walk.problem, x, number), WIDE, limit // 2)
    return None if minimum is None else _doubted(walk, minimum, limit)


def _doubted(walk: _Walk, minimum: Minimum, limit: int) -> Minimum:
    """Search again from elsewhere where an end is doubtful; return the better one."""
    for other in (revive, _from_the_other_side):
        moved = other(walk.problem, minimum)
        if moved is None or walk.count >= limit:
            continue
        again = _search(walk, moved, MODERATE, limit)
        if again is not None and again.point.value < minimum.point.value - SAME_OBJECTIVE:
            minimum = again
    if minimum.ending is Ending.EXHAUSTED and walk.count < limit:
        return _descend(walk, minimum.point, limit)
    return minimum


def _from_the_other_side(problem: Problem, minimum: Minimum) -> Vector | None:
    return exchanged(problem, minimum.point.x)


def _search(walk: _Walk, x: Vector, width: float, limit: int) -> Minimum | None:
    """Take first steps from `x`, with effects at least that wide, then descend to an optimum."""
    first_steps = walk.problem.with_method(FIRST_LIKELIHOOD)
    walk.turn_to(first_steps, FIRST_STEPS)
    for start in growing_error(first_steps, come_near(first_steps, widen(first_steps, x, width))):
        first = walk.evaluate(start)
        if np.isfinite(first.objective):
            break
    else:
        return None
    budget = limit - walk.count
    near, evaluation = approach(walk.evaluate, first_steps, start, first, budget)
    if walk.problem.options.method == FIRST_LIKELIHOOD:
        walk.phase = SEARCH
        return _descend(walk, walk.point(near, evaluation), limit)
    walk.turn_to(walk.problem)
    point = walk(near)
    return _descend(walk, point, limit) if np.isfinite(point.value) else None


def _descend(
    walk: _Walk, point: Point, limit: int, tolerance: float = PROMISED_DECREASE
) -> Minimum:
    return minimise(walk, point, tolerance=tolerance, evaluations=lambda: walk.count, limit=limit)


def revive(problem: Problem, minimum: Minimum) -> Vector | None:
    """Return the point with every vanished variance made moderate; None if there is none.

    A variance that ran to zero on the way cannot come back by descent, for the objective is flat
    there: it is believed only where the search from a moderate value ends no better. A search
    that did not converge is taken up again with all variances of effects moderate.
    """
    x = minimum.point.x
    names = set(at_boundary(problem, x))
    if minimum.ending is not Ending.CONVERGED:
        for part in problem.packing.block_parts:
            names |= set(problem.packing.names[part])
    moved = with_moderate_variances(problem, x, names)
    return None if np.array_equal(moved, x) else moved


def with_moderate_variances(problem: Problem, x: Vector, names: Collection[str]) -> Vector:
    """Return `x` with every block of Omega that holds one of `names` made moderate.

    A residual coefficient of these names goes to its initial value.
    """
    packing = problem.packing
    moved = x.copy()
    for block, part in zip(packing.blocks, packing.block_parts, strict=True):
        if set(names) & set(packing.names[part]):
            moved[part] = pack_factor(MODERATE * np.eye(len(block.parameters)))
    initial = packing.initial()
    for place in range(packing.sigma_part.start, x.size):
        if packing.names[place] in names:
            moved[place] = initial[place]
    return moved


def maximise(
    problem: Problem, progress: Progress | None = None, *, start: Vector | None = None
) -> Estimate | None:
    """Search the population parameters of the smallest objective.

    Parameters
    ----------
    problem : Problem
    progress : callable, optional
        Told the start, the number of evaluations and the objective after each.
    start : array (size,), optional
        Packed parameters to begin with, instead of the model's initial values.

    Returns
    -------
    Estimate or None
        None where the likelihood is not defined at any start. After an interrupt from the
        keyboard the best point so far, with ``ending == "interrupted"``.
    """
    walk = _Walk(problem, progress)
    x = problem.packing.initial() if start is None else start
    minima: list[Minimum] = []
    starts: list[Start] = []
    try:
        for number in range(problem.options.starts):
            minimum = _one_start(walk, x, number)
            if minimum is None:
                starts.append(Start(np.inf, "undefined", walk.count))
                continue
            minima.append(minimum)
            starts.append(Start(minimum.point.value, minimum.ending, walk.count))
    except KeyboardInterrupt:
        if walk.near is None:
            raise
        point = walk.best or walk.point(walk.near, problem.evaluate(walk.near, tolerance=LOOSE))
        minima = [Minimum(point, Ending.INTERRUPTED, np.inf)]
    if not minima:
        return None
    best = min(minima, key=lambda m: m.point.value)
    return _estimate(walk, best, tuple(starts))


def uninterrupted(estimate: Estimate | None) -> Estimate | None:
    """Return what a search found, for which no use is while it is not at its end.

    Raises
    ------
    KeyboardInterrupt
        It was interrupted.
    """
    if estimate is not None and estimate.ending == Ending.INTERRUPTED:
        raise KeyboardInterrupt
    return estimate


def resume(
    problem: Problem,
    x: Vector,
    eta: Vector,
    progress: Progress | None = None,
    evaluations: int = NEIGHBOUR_EVALUATIONS,
) -> Estimate | None:
    """Search on from a point near an optimum, as that of a neighbouring model: no first steps.

    A variance that has vanished there is moderate at the start, for descent cannot bring it back.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Packed parameters.
    eta : array (subjects, effects)
        Modes near those at `x`.
    progress : callable, optional
        As for `maximise`.
    evaluations : int
        Most evaluations of the search where no variance has vanished.

    Returns
    -------
    Estimate or None
        None where the likelihood is not defined at `x`.
    """
    walk = _Walk(problem, progress)
    walk.modes = eta
    limit = problem.options.max_evaluations
    moved = with_moderate_variances(problem, x, at_boundary(problem, x))
    if not np.array_equal(moved, x):
        minimum = _search(walk, moved, MODERATE, limit)
    else:
        point = walk(x)
        if not np.isfinite(point.value):
            return None
        minimum = _descend(walk, point, evaluations, PROMISED_TO_NEIGHBOUR)
        if minimum.ending is Ending.CONVERGED:
            minimum = _doubted(walk, minimum, limit)
    if minimum is None:
        return None
    return _estimate(walk, minimum, (Start(minimum.point.value, minimum.ending, walk.count),))


def _estimate(walk: _Walk, best: Minimum, starts: tuple[Start, ...]) -> Estimate:
    """Evaluate the best point again with modes from zero."""
    final = walk.problem.evaluate(best.point.x, tolerance=TIGHT)
    return Estimate(
        x=best.point.x,
        final=final,
        ending=str(best.ending),
        decrease=best.decrease,
        cold_gap=final.objective - best.point.value,
        evaluations=len(walk.trace),
        starts=starts,
        trace=walk.trace,
    )


def decrease_inside(problem: Problem, estimate: Estimate, hessian: Vector, out: set[str]) -> float:
    """Return what the objective could still fall by with the parameters `out` held still."""
    inside = [k for k, name in enumerate(problem.packing.names) if name not in out]
    gradient = estimate.final.gradient[inside]
    values, vectors = np.linalg.eigh(hessian[np.ix_(inside, inside)])
    along = vectors.T @ gradient
    if np.any((values <= 0.0) & (np.abs(along) > 1e-4)):
        return np.inf
    kept = values > 0.0
    return float(0.5 * np.sum(along[kept] ** 2 / values[kept]))


def polish(problem: Problem, estimate: Estimate, hessian: Vector) -> Estimate:
    """Take one Newton step with the true Hessian where that lowers the objective."""
    try:
        np.linalg.cholesky(hessian)
    except np.linalg.LinAlgError:
        return estimate
    step = -np.linalg.solve(hessian, estimate.final.gradient)
    decrease = -0.5 * float(estimate.final.gradient @ step)
    if not np.max(np.abs(step)) < 1.0:
        return estimate
    final = problem.evaluate(estimate.x + step, tolerance=TIGHT)
    if not final.objective < estimate.final.objective:
        return replace(estimate, decrease=decrease)
    is_done = decrease < 1e-3 and estimate.ending == Ending.STALLED
    return replace(
        estimate,
        x=estimate.x + step,
        final=final,
        decrease=decrease if decrease > 1e-3 else 0.0,
        ending=str(Ending.CONVERGED) if is_done else estimate.ending,
    )
