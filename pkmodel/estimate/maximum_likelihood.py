"""Maximum likelihood over the population parameters, for every method with an exact gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.bfgs import Ending, Minimum, Point, minimise
from pkmodel.estimate.boundary import at_boundary
from pkmodel.estimate.flip_flop import exchanged
from pkmodel.estimate.pooled import pooled_start
from pkmodel.problem import LOOSE, TIGHT, Evaluation, Problem

Vector = NDArray[np.float64]

PROMISED_DECREASE = 1e-7
"""Converged where no more than this of the objective is to be gained."""

SAME_OBJECTIVE = 1e-2
SCATTER = 0.7

MODERATE = 0.3
COARSE_STEP = 1.4
COARSE_GAIN = 1.0
COARSE_PASSES = 6
"""Before the descent each coordinate is moved by a factor of four as long as that gains."""


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
    trace : list of (start, evaluation, objective, gradient norm)
    """

    x: Vector
    final: Evaluation
    ending: str
    decrease: float
    cold_gap: float
    evaluations: int
    starts: tuple[Start, ...]
    trace: list[tuple[int, int, float, float]] = field(repr=False)

    @property
    def agree(self) -> int:
        """Starts that ended at the best objective."""
        return sum(s.objective - self.final.objective < SAME_OBJECTIVE for s in self.starts)


class _Walk:
    """Evaluations of one fit: warm modes, the trace, and the best point so far."""

    def __init__(self, problem: Problem, progress: Callable[[int, float], None] | None) -> None:
        self.problem = problem
        self.progress = progress
        self.trace: list[tuple[int, int, float, float]] = []
        self.best: Point | None = None
        self.modes: Vector | None = None
        self.lowest = np.inf
        self.start = 0
        self.count = 0

    def begin(self, start: int) -> None:
        self.start = start
        self.modes = None
        self.lowest = np.inf
        self.count = 0

    def __call__(self, x: Vector) -> Point:
        evaluation = self.problem.evaluate(x, self.modes, tolerance=LOOSE)
        self.count += 1
        value = evaluation.objective
        norm = float(np.linalg.norm(evaluation.gradient))
        self.trace.append((self.start, self.count, value, norm))
        outer = np.einsum("ni,nj->ij", evaluation.by_subject, evaluation.by_subject)
        point = Point(x.copy(), value, evaluation.gradient, 0.5 * outer)
        if value < self.lowest:
            self.lowest = value
            self.modes = evaluation.terms.eta
        if self.best is None or value < self.best.value:
            self.best = point
        if self.progress is not None:
            self.progress(len(self.trace), value)
        return point


def scattered(problem: Problem, number: int) -> Vector:
    """Return packed start `number`: 0 is the initial value, the rest are scattered about it."""
    x = problem.packing.initial()
    if number == 0:
        return x
    rng = np.random.default_rng([problem.options.seed, number])
    width = SCATTER * np.ones_like(x)
    for k, i in enumerate(problem.packing.theta):
        theta = problem.model.theta[i]
        if not np.isfinite(theta.lower) and not np.isfinite(theta.upper):
            width[k] = SCATTER * max(abs(float(x[k])), 0.1)
    return np.asarray(x + width * rng.normal(size=x.size))


def _coarse(walk: _Walk, point: Point) -> Point:
    """Move to the right order of magnitude, one coordinate at a time, downhill.

    A start whose residual error is ten times too small would else be answered by variances and
    parameters that run away before the residual error can grow. Thetas move first: a residual
    error that grows to cover wrong thetas hides them for good.
    """
    is_theta = np.arange(point.x.size) < len(walk.problem.packing.theta)
    for _ in range(COARSE_PASSES):
        before = point
        for k in np.lexsort((-np.abs(point.gradient), ~is_theta)):
            while True:
                x = point.x.copy()
                x[k] -= COARSE_STEP * np.sign(point.gradient[k])
                trial = walk(x)
                if not trial.value < point.value - COARSE_GAIN:
                    break
                point = trial
        if point is before:
            break
    return point


def _growing_error(problem: Problem, x: Vector) -> Iterator[Vector]:
    """Yield `x`, then the same with ever larger residual errors."""
    for number in range(COARSE_PASSES):
        moved = x.copy()
        moved[x.size - len(problem.packing.sigma) :] += number * COARSE_STEP
        yield moved


def is_defined_near(problem: Problem, x: Vector) -> bool:
    """Tell whether the likelihood is defined at `x`, or where a start would be moved to."""
    return any(
        np.isfinite(problem.evaluate(y).objective)
        for start in (x, pooled_start(problem, x))
        for y in _growing_error(problem, start)
    )


def _first_point(walk: _Walk, x: Vector) -> Point | None:
    """Return the start, or what the logarithms of the data make of it where that is better."""
    given, pooled = walk(x), walk(pooled_start(walk.problem, x))
    if pooled.value < given.value - COARSE_GAIN:
        return pooled
    if np.isfinite(given.value):
        return given
    moved = (walk(y) for z in (given.x, pooled.x) for y in _growing_error(walk.problem, z))
    return next((point for point in moved if np.isfinite(point.value)), None)


def _one_start(walk: _Walk, number: int) -> Minimum | None:
    """Run one start; None where its first point is not defined."""
    walk.begin(number)
    first = _first_point(walk, scattered(walk.problem, number))
    if first is None:
        return None
    limit = walk.problem.options.max_evaluations
    minimum = _descend(walk, _coarse(walk, first), limit // 2)
    for other in (revive, exchanged):
        moved = other(walk.problem, minimum)
        if moved is None:
            continue
        again = _descend(walk, _coarse(walk, walk(moved)), limit)
        if again.point.value < minimum.point.value - SAME_OBJECTIVE:
            minimum = again
    if minimum.ending is Ending.EXHAUSTED and walk.count < limit:
        return _descend(walk, minimum.point, limit)
    return minimum


def _descend(walk: _Walk, point: Point, limit: int) -> Minimum:
    return minimise(
        walk, point, tolerance=PROMISED_DECREASE, evaluations=lambda: walk.count, limit=limit
    )


def revive(problem: Problem, minimum: Minimum) -> Vector | None:
    """Return the point with every vanished variance made moderate; None if there is none.

    A variance that ran to zero on the way cannot come back by descent, for the objective is flat
    there: it is believed only where the search from a moderate value ends no better. A search
    that did not converge is taken up again with all variances of effects moderate.
    """
    x = minimum.point.x
    boundary = set(at_boundary(problem, x))
    if minimum.ending is not Ending.CONVERGED:
        boundary |= {
            name for name in problem.packing.names if name.startswith(("omega", "occasion"))
        }
    moved = x.copy()
    k = len(problem.packing.theta)
    is_changed = False
    for block in problem.packing.blocks:
        size = len(block.parameters)
        entries = range(k, k + size * (size + 1) // 2)
        if boundary & {problem.packing.names[e] for e in entries}:
            is_changed = True
            for i in range(size):
                moved[k : k + i] = 0.0
                moved[k + i] = np.log(MODERATE)
                k += i + 1
        else:
            k = entries.stop
    for place in range(k, x.size):
        if problem.packing.names[place] in boundary:
            is_changed = True
            moved[place] = problem.packing.initial()[place]
    return moved if is_changed else None


def maximise(problem: Problem, progress: Callable[[int, float], None] | None = None) -> Estimate:
    """Search the population parameters of the smallest objective.

    Parameters
    ----------
    problem : Problem
    progress : callable, optional
        Told the number of evaluations and the objective after each.

    Returns
    -------
    Estimate
        Also after an interrupt from the keyboard, then with ``ending == "interrupted"``.
    """
    walk = _Walk(problem, progress)
    minima: list[Minimum] = []
    starts: list[Start] = []
    interrupted = False
    try:
        for number in range(problem.options.starts):
            minimum = _one_start(walk, number)
            if minimum is None:
                starts.append(Start(np.inf, "undefined", walk.count))
                continue
            minima.append(minimum)
            starts.append(Start(minimum.point.value, minimum.ending, walk.count))
    except KeyboardInterrupt:
        interrupted = True
        if walk.best is None:
            raise
    best = min(minima, key=lambda m: m.point.value, default=None)
    if best is None or (interrupted and walk.best is not None):
        point = walk.best
        ending = "interrupted" if interrupted else "undefined"
        decrease = np.inf
    else:
        point, ending, decrease = best.point, str(best.ending), best.decrease
    assert point is not None
    final = problem.evaluate(point.x, tolerance=TIGHT)
    return Estimate(
        x=point.x,
        final=final,
        ending=ending,
        decrease=decrease,
        cold_gap=final.objective - point.value,
        evaluations=len(walk.trace),
        starts=tuple(starts),
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
