"""One start of SAEM: where chains and parameters are, and all that was so far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.estimate.chains import (
    CURVATURE,
    Chains,
    acceptance,
    advance,
    carriers,
    mean_typical,
    renew,
    shifted,
)
from pkmodel.estimate.m_step import m_step
from pkmodel.estimate.maximum_likelihood import SEARCH, Progress, Step
from pkmodel.estimate.sampling import Averaged, Phase, Record
from pkmodel.kernels.metropolis import Averages, Moves
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

EXPLORING = Moves(1, together=1, single=0), Moves(1, together=0, single=1)
"""Moves of an iteration with an M-step, in turn."""

ADAPTATION = 0.6
"""Power of the iteration by which the scales of random walks follow what is accepted."""

MOVED = 0.2
"""Change of a packed parameter from which modes are searched anew."""

FARTHEST = 300.0
"""Where a packed parameter is larger the search is lost."""


class Run:
    """One start.

    Parameters
    ----------
    problem : Problem
    start : int
        Its number.
    x : array (size,)
        Packed parameters to begin with.
    chains : Chains
    progress : callable, optional

    Attributes
    ----------
    records : list of Record
        One for each iteration.
    trace : list
        As of `Estimate`, one for each search of the modes.
    accepted : list of array (3,)
        Acceptance by kind of move, one for each iteration.
    averaged : Averaged or None
        The outcome, once the averaging phase was reached.
    """

    def __init__(
        self, problem: Problem, start: int, x: Vector, chains: Chains, progress: Progress | None
    ) -> None:
        self.problem = problem
        self.start = start
        self.progress = progress
        self.x = x
        self.typical = mean_typical(problem, x)
        self.carriers = carriers(problem)
        self.chains = chains
        self.records: list[Record] = []
        self.trace: list[Step] = []
        self.accepted: list[Vector] = []
        self.averaged: Averaged | None = None
        self.is_lost = False
        self.renew()

    @property
    def is_over(self) -> bool:
        """Whether no iteration is left, or the likelihood has become undefined."""
        return self.is_lost or len(self.records) >= self.problem.options.max_evaluations

    def renew(self, *, from_chains: bool = False) -> None:
        """Search the modes anew: from the former ones, or from the means of the chains.

        The latter lead to the mode where the chains are, should there be several.
        """
        near = np.mean(self.chains.eta, axis=1) if from_chains else self.chains.centre
        self.chains = renew(self.problem, self.x, self.chains, near)
        self.rows = self.problem.row_information(self.x, self.chains.centre)
        laplace = self.chains.laplace
        norm = float(np.linalg.norm(laplace.gradient))
        count = len(self.records)
        self.trace.append(Step(self.start, count, SEARCH, CURVATURE, laplace.objective, norm))
        if self.progress is not None:
            self.progress(self.start, count, laplace.objective)

    def walk(self, moves: Moves, rate: float = 0.0) -> Averages:
        """Let the chains walk for one iteration; the scales of random walks follow by `rate`."""
        self.chains, averages = advance(self.problem, self.x, self.chains, moves, rate)
        self.accepted.append(acceptance(averages, moves))
        return averages

    def move(self, x: Vector, phase: Phase) -> None:
        """Go to `x`, with every subject's own parameters where they are, if it is defined."""
        typical = mean_typical(self.problem, x)
        if not np.all(np.abs(x) < FARTHEST) or not np.all(np.isfinite(typical)):
            self.is_lost = True
            return
        self.chains = shifted(self.chains, (self.typical - typical) @ self.carriers)
        self.x, self.typical = x, typical
        self.stay(phase)

    def stay(self, phase: Phase) -> None:
        """Record one more iteration at the same place."""
        self.records.append(Record(self.start, len(self.records) + 1, phase, self.x))

    def em(self, gain: float, least: float, phase: Phase) -> None:
        """Do one iteration with an M-step, of which a share is gone."""
        if np.max(np.abs(self.x - self.chains.at)) > MOVED:
            self.renew()
        averages = self.walk(
            EXPLORING[len(self.records) % 2], (len(self.records) + 1.0) ** -ADAPTATION
        )
        target = m_step(self.problem, self.x, averages, self.rows, least)
        self.move(self.x + gain * (target - self.x), phase)
