"""Stochastic approximation EM: effects drawn by Metropolis chains, parameters from their averages.

Three phases. Exploration: each iteration's draws make the next parameters in an M-step of step 1,
while simulated annealing lets variances shrink only slowly. Smoothing: the same with steps
k^-0.7. Averaging: `pkmodel.estimate.averaging`, until chains and halves agree and the Monte Carlo
error is small against the standard error.

References
----------
Delyon, Lavielle and Moulines 1999, 10.1214/aos/1018031103 (convergence).
Kuhn and Lavielle 2005, 10.1016/j.csda.2004.07.002 (mixed effects, chains, simulated annealing).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.averaging import average
from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.chains import start_chains
from pkmodel.estimate.first_steps import come_near, widen
from pkmodel.estimate.flip_flop import exchanged
from pkmodel.estimate.maximum_likelihood import (
    Estimate,
    Progress,
    Start,
    growing_error,
    scattered,
)
from pkmodel.estimate.saem_run import Run
from pkmodel.estimate.sampling import Phase, Record, Sampling, mean_where_known, unknown
from pkmodel.problem import TIGHT, Problem

Vector = NDArray[np.float64]

LEAST_CHAINS, SUBJECT_CHAINS = 2, 100
"""Two chains, more where there are fewer subjects: so many chains of subjects in all."""

ANNEALING = 0.9
"""Smallest factor of a variance from one iteration of exploration to the next."""

SMALLEST_FACTOR = 0.25
"""The same afterwards."""

WINDOW, LEAST_WINDOWS, MOST_WINDOWS = 10, 3, 20
"""Exploration ends where the means of two windows of iterations are alike."""

ALIKE = 1.5
"""Most difference of these means, in standard deviations within the windows; a steady drift has
3.5."""

SMOOTHING, POWER = 15, 0.7


def _explore(run: Run) -> None:
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


def _smooth(run: Run) -> None:
    for k in range(1, SMOOTHING + 1):
        if run.is_over:
            return
        run.em(k**-POWER, SMALLEST_FACTOR, Phase.SMOOTHING)


def _run_from(
    problem: Problem, x: Vector, start: int, progress: Progress | None, runs: list[Run]
) -> None:
    """Run one start about `x`, if the likelihood is defined there."""
    count = problem.options.chains or max(LEAST_CHAINS, -(-SUBJECT_CHAINS // problem.n_subjects))
    for near in growing_error(problem, x):
        chains = start_chains(problem, near, count, start)
        if chains is not None:
            run = Run(problem, start, near, chains, progress)
            runs.append(run)
            _explore(run)
            _smooth(run)
            average(run)
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
    runs: list[Run] = []
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


def _estimate(problem: Problem, runs: list[Run], ending: str) -> Estimate:
    """Evaluate the ends by the exact likelihood, at the modes where the chains are; choose."""
    finals = [problem.evaluate(run.x, run.chains.centre, tolerance=TIGHT) for run in runs]
    best = int(np.argmin([final.objective for final in finals]))
    run, final = runs[best], finals[best]
    cold = problem.evaluate(run.x, tolerance=TIGHT)
    starts = tuple(
        Start(f.objective, _ending(r), len(r.records)) for f, r in zip(finals, runs, strict=True)
    )
    return Estimate(
        x=run.x,
        final=final,
        ending=ending or _ending(run),
        decrease=np.inf,
        cold_gap=cold.objective - final.objective,
        evaluations=sum(len(r.records) for r in runs),
        starts=starts,
        trace=[step for r in runs for step in r.trace],
        sampling=_sampling(run, runs),
    )


def _ending(run: Run) -> str:
    is_settled = run.averaged is not None and run.averaged.is_settled
    return str(Ending.CONVERGED if is_settled else Ending.EXHAUSTED)


def _sampling(run: Run, runs: list[Run]) -> Sampling:
    return Sampling(
        chains=run.chains.eta.shape[1],
        iterations=len(run.records),
        acceptance=mean_where_known(run.accepted),
        averaged=run.averaged or unknown(run.x.size),
        records=[record for r in runs for record in r.records],
    )
