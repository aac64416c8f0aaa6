"""Stochastic approximation EM: effects drawn by Metropolis chains, parameters from their averages.

Three phases. Exploration: each iteration's draws make the next parameters in an M-step of step 1,
while simulated annealing lets variances shrink only slowly. Smoothing: the same with steps
k^-0.7. Averaging: the step of the M-step is that of Louis' information instead of the complete
one, which an M-step of EM stands for (Gu and Kong 1998, 10.1073/pnas.95.13.7270), so that what the
data do not tell of the effects no longer slows it, and the steps are 1/k: every parameter is then
the mean of as many Newton steps as there were iterations, and the scatter of these steps is its
Monte Carlo error. It ends where this error is small against the standard error, and where chains
and halves agree.

References
----------
Delyon, Lavielle and Moulines 1999, 10.1214/aos/1018031103 (convergence).
Kuhn and Lavielle 2005, 10.1016/j.csda.2004.07.002 (nonlinear mixed effects, chains, annealing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.boundary import at_boundary
from pkmodel.estimate.chains import (
    CURVATURE,
    Chains,
    acceptance,
    advance,
    carry_along,
    renew,
    start_chains,
)
from pkmodel.estimate.conditional_score import Transport, information, make_transport, scores
from pkmodel.estimate.first_steps import come_near, widen
from pkmodel.estimate.flip_flop import exchanged
from pkmodel.estimate.m_step import m_step
from pkmodel.estimate.maximum_likelihood import (
    Estimate,
    Progress,
    Start,
    Step,
    growing_error,
    scattered,
)
from pkmodel.estimate.sampling import Phase, Record, Sampling, monte_carlo_error, split_r_hat
from pkmodel.kernels.metropolis import Averages, Moves
from pkmodel.problem import TIGHT, Problem

Vector = NDArray[np.float64]

LEAST_CHAINS, SUBJECT_CHAINS = 2, 100
"""Two chains, more where there are fewer subjects: so many chains of subjects in all."""

EXPLORING = Moves(independent=1, together=1, single=1)
AVERAGING = Moves(independent=4, together=1, single=0)

ANNEALING = 0.9
"""Smallest factor of a variance from one iteration of exploration to the next."""

SMALLEST_FACTOR = 0.25
"""The same afterwards."""

WINDOW, LEAST_WINDOWS, MOST_WINDOWS = 20, 4, 10
"""Exploration ends where the means of two windows of iterations are alike."""

ALIKE = 1.0
"""Most difference of these means, in standard deviations within the windows."""

SMOOTHING, POWER = 40, 0.7
ADAPTATION = 0.6
"""Power of the iteration by which the scales of random walks follow, in the first two phases."""

FARTHEST = 300.0
"""Where a packed parameter is larger the search is lost."""

MOVED = 0.2
"""Change of a packed parameter from which modes are searched anew."""

BATCH = 20
"""Iterations at one point, for a Newton step."""

NEWTON_STEPS, LONGEST_STEP = 20, 1.0
NEAR = 0.3
"""Averaging begins where a Newton step is at most so many standard errors."""

PRECISION = 0.02
"""Wanted Monte Carlo error, in standard errors."""

LARGEST_R_HAT = 1.05
LEAST_AVERAGED = 2 * BATCH

BURN_IN = 5
"""Iterations of a batch before those that count."""

DRAWS = 2400
"""Draws of all subjects together that Louis' information is averaged over, at least 4 of each."""

LEAST_CURVATURE = 0.05
"""Of the information in the scale of its diagonal, in any direction."""


class _Run:
    """One start: where the chains and the parameters are, and all that was so far."""

    def __init__(
        self, problem: Problem, start: int, x: Vector, chains: Chains, progress: Progress | None
    ) -> None:
        self.problem = problem
        self.start = start
        self.progress = progress
        self.x = x
        self.chains = chains
        self.records: list[Record] = []
        self.trace: list[Step] = []
        self.accepted: list[Vector] = []
        self.averaged: _Averaged | None = None
        self.is_lost = False
        self.renew()

    @property
    def is_over(self) -> bool:
        """Whether no iteration is left, or the likelihood has become undefined."""
        return self.is_lost or len(self.records) >= self.problem.options.max_evaluations

    def renew(self) -> None:
        """Search the modes anew."""
        self.chains = renew(self.problem, self.x, self.chains)
        self.rows = self.problem.row_information(self.x, self.chains.centre)
        laplace = self.chains.laplace
        norm = float(np.linalg.norm(laplace.gradient))
        count = len(self.records)
        self.trace.append((self.start, count, CURVATURE, laplace.objective, norm))
        if self.progress is not None:
            self.progress(self.start, count, laplace.objective)

    def walk(self, moves: Moves, rate: float = 0.0) -> Averages:
        self.chains, averages = advance(self.problem, self.x, self.chains, moves, rate)
        self.accepted.append(acceptance(averages, moves))
        return averages

    def move(self, x: Vector, phase: Phase) -> None:
        """Go to `x`, with every subject's own parameters where they are, if it is defined."""
        mu, _ = self.problem.typical(self.problem.packing.unpack(x).theta)
        if not np.all(np.abs(x) < FARTHEST) or not np.all(np.isfinite(mu)):
            self.is_lost = True
            return
        self.chains = carry_along(self.problem, self.chains, self.x, x)
        self.x = x
        self.records.append(Record(self.start, len(self.records) + 1, phase, x))

    def em(self, gain: float, least: float, phase: Phase) -> None:
        """Do one iteration with an M-step, of which a share is gone."""
        if np.max(np.abs(self.x - self.chains.at)) > MOVED:
            self.renew()
        averages = self.walk(EXPLORING, (len(self.records) + 1.0) ** -ADAPTATION)
        target = m_step(self.problem, self.x, averages, self.rows, least)
        self.move(self.x + gain * (target - self.x), phase)


@dataclass(frozen=True)
class _Averaged:
    """The outcome of averaging."""

    error: Vector
    r_hat: Vector
    information: Vector
    is_settled: bool


def _explore(run: _Run) -> None:
    for number in range(1, MOST_WINDOWS + 1):
        for _ in range(WINDOW):
            run.em(1.0, ANNEALING, Phase.EXPLORATION)
            if run.is_over:
                return
        if number >= LEAST_WINDOWS and _are_alike(run.records):
            return


def _are_alike(records: list[Record]) -> bool:
    """Tell whether the last two windows of iterations have the same means."""
    last = np.array([r.x for r in records[-2 * WINDOW :]]).reshape(2, WINDOW, -1)
    apart = np.abs(np.diff(np.mean(last, axis=1), axis=0)[0])
    return bool(np.all(apart <= ALIKE * np.sqrt(np.mean(np.var(last, axis=1), axis=0))))


def _smooth(run: _Run) -> None:
    for k in range(1, SMOOTHING + 1):
        if run.is_over:
            return
        run.em(k**-POWER, SMALLEST_FACTOR, Phase.SMOOTHING)


def _average(run: _Run) -> None:
    """Go on by Newton steps, then average them."""
    for _ in range(NEWTON_STEPS):
        if run.is_over:
            return
        transport, matrix, score = _batch(run)
        inverse = _inverse(run, matrix)
        step = -inverse @ score
        deviation = np.sqrt(np.diag(inverse))
        step *= min(1.0, LONGEST_STEP / np.max(np.abs(step), initial=1e-300))
        run.move(run.x + step, Phase.AVERAGING)
        if np.all(np.abs(step) <= NEAR * deviation):
            run.averaged = _mean_of_steps(run, transport, matrix, inverse)
            return


def _batch(run: _Run) -> tuple[Transport, Vector, Vector]:
    """Draw at one point: the transport there, the information and the score."""
    run.renew()
    transport = make_transport(run.problem, run.x, run.chains)
    total = np.zeros_like(run.x)
    kept = []
    for number in range(BURN_IN + BATCH):
        averages = run.walk(AVERAGING)
        run.move(run.x, Phase.AVERAGING)
        if number < BURN_IN:
            continue
        total += np.sum(np.mean(scores(run.problem, run.x, averages, transport), axis=1), axis=0)
        kept.append(run.chains.eta)
    eta = np.concatenate(kept, axis=1)
    wanted = int(np.clip(DRAWS // run.problem.n_subjects, 4, eta.shape[1]))
    eta = eta[:, np.linspace(0, eta.shape[1] - 1, wanted).astype(int)]
    u = np.linalg.solve(transport.factor, eta.reshape(-1, eta.shape[2]).T).T.reshape(eta.shape)
    return transport, information(run.problem, run.x, u, transport), total / BATCH


def _inverse(run: _Run, matrix: Vector) -> Vector:
    """Inverse of the information, positive; zero for parameters at a boundary."""
    names = run.problem.packing.names
    held = at_boundary(run.problem, run.x)
    inside = [k for k, name in enumerate(names) if name not in held]
    kept = matrix[np.ix_(inside, inside)]
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(kept)), 1e-8))
    values, vectors = np.linalg.eigh(kept * np.outer(scale, scale))
    part = (vectors / np.maximum(np.abs(values), LEAST_CURVATURE)) @ vectors.T
    out = np.zeros_like(matrix)
    out[np.ix_(inside, inside)] = part * np.outer(scale, scale)
    return out


def _mean_of_steps(run: _Run, transport: Transport, matrix: Vector, inverse: Vector) -> _Averaged:
    """Average the ends of the Newton steps from each iteration, and go to their mean."""
    deviation = np.sqrt(np.diag(inverse))
    inside = deviation > 0.0
    ends: list[Vector] = []
    while True:
        by_subject = scores(run.problem, run.x, run.walk(AVERAGING), transport)
        ends.append(run.x - np.sum(by_subject, axis=0) @ inverse)
        run.move(np.mean(ends, axis=(0, 1)), Phase.AVERAGING)
        if len(ends) < LEAST_AVERAGED or len(ends) % BATCH:
            if not run.is_over:
                continue
        series = np.array(ends)
        error = monte_carlo_error(series, BATCH // 2)
        r_hat = split_r_hat(series)
        is_settled = bool(
            np.all(error[inside] <= PRECISION * deviation[inside])
            and np.all(r_hat[inside] <= LARGEST_R_HAT)
        )
        if is_settled or run.is_over:
            return _Averaged(error, r_hat, matrix, is_settled)


def _run_from(
    problem: Problem, x: Vector, start: int, progress: Progress | None, runs: list[_Run]
) -> None:
    """Run one start about `x`, if the likelihood is defined there."""
    count = problem.options.chains or max(LEAST_CHAINS, -(-SUBJECT_CHAINS // problem.n_subjects))
    for near in growing_error(problem, x):
        chains = start_chains(problem, near, count, start)
        if chains is not None:
            run = _Run(problem, start, near, chains, progress)
            runs.append(run)
            _explore(run)
            _smooth(run)
            _average(run)
            return


def saem(problem: Problem, progress: Progress | None = None) -> Estimate | None:
    """Estimate by stochastic approximation EM.

    Parameters
    ----------
    problem : Problem
        `max_evaluations` of its options is the largest number of iterations of a start.
    progress : callable, optional
        Told the start, the number of iterations and the Laplace objective, where modes are
        searched anew.

    Returns
    -------
    Estimate or None
        With its `sampling`. Where a search ended with absorption and elimination exchanged, the
        better one of it and a search from the other side. None where the likelihood is not
        defined at any start. After an interrupt from the keyboard the last point, with
        ``ending == "interrupted"``.
    """
    first = problem.packing.initial()
    runs: list[_Run] = []
    try:
        for number in range(problem.options.starts):
            x = scattered(problem, first, number)
            _run_from(problem, come_near(problem, widen(problem, x)), number, progress, runs)
        for number, run in enumerate(list(runs), problem.options.starts):
            moved = exchanged(problem, run.x)
            if moved is not None:
                _run_from(problem, moved, number, progress, runs)
    except KeyboardInterrupt:
        if not runs:
            raise
        return _estimate(problem, runs[-1:], str(Ending.INTERRUPTED))
    return _estimate(problem, runs, "") if runs else None


def _estimate(problem: Problem, runs: list[_Run], ending: str) -> Estimate:
    """Evaluate the ends exactly, and choose the best."""
    finals = [problem.evaluate(run.x, tolerance=TIGHT) for run in runs]
    best = int(np.argmin([final.objective for final in finals]))
    run, final = runs[best], finals[best]
    starts = tuple(
        Start(f.objective, _ending(r), len(r.records)) for f, r in zip(finals, runs, strict=True)
    )
    return Estimate(
        x=run.x,
        final=final,
        ending=ending or _ending(run),
        decrease=np.inf,
        cold_gap=0.0,
        evaluations=sum(len(r.records) for r in runs),
        starts=starts,
        trace=[step for r in runs for step in r.trace],
        sampling=_sampling(run, runs),
    )


def _ending(run: _Run) -> str:
    is_settled = run.averaged is not None and run.averaged.is_settled
    return str(Ending.CONVERGED if is_settled else Ending.EXHAUSTED)


def _sampling(run: _Run, runs: list[_Run]) -> Sampling:
    size = run.x.size
    unknown = np.full(size, np.nan)
    averaged = run.averaged or _Averaged(unknown, unknown, np.full((size, size), np.nan), False)
    return Sampling(
        chains=run.chains.eta.shape[1],
        iterations=len(run.records),
        acceptance=np.nanmean(run.accepted, axis=0),
        error=averaged.error,
        r_hat=averaged.r_hat,
        information=averaged.information,
        records=[record for r in runs for record in r.records],
    )
