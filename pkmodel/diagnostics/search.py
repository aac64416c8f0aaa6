"""The way of a search: one row for each evaluation, and for each iteration of SAEM."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pkmodel.estimate.maximum_likelihood import Estimate, Step
from pkmodel.problem import Problem


def trace_table(problem: Problem, estimate: Estimate) -> pd.DataFrame:
    """Tabulate every evaluation of a search, then that of the estimates.

    The first steps are by EM on FOCE-I for every method, and set out from variances of effects that
    are widened: the first objective is not that of the initial values. SAEM has no objective of its
    own, and its rows are the Laplace one wherever modes were searched. The last row has the modes
    searched from zero, after the last steps with the true Hessian, and is what a summary reports.

    Parameters
    ----------
    problem : Problem
    estimate : Estimate

    Returns
    -------
    DataFrame
        start, evaluation, phase (``"first steps"``, ``"search"``, ``"estimates"``), likelihood,
        objective, gradient_norm.
    """
    start, number = estimate.trace[-1][:2] if estimate.trace else (0, 0)
    final = estimate.final
    norm = float(np.linalg.norm(final.gradient))
    last = Step(start, number + 1, "estimates", problem.likelihood, final.objective, norm)
    return pd.DataFrame([*estimate.trace, last], columns=list(Step._fields))


def iterations_table(problem: Problem, estimate: Estimate) -> pd.DataFrame | None:
    """Tabulate the iterations of SAEM; None of other methods.

    Parameters
    ----------
    problem : Problem
    estimate : Estimate

    Returns
    -------
    DataFrame or None
        start, iteration, phase, and the free parameters on their own scale.
    """
    sampling = estimate.sampling
    if sampling is None:
        return None
    packing = problem.packing
    where = [(r.start, r.iteration, str(r.phase)) for r in sampling.records]
    values = [packing.natural(r.x) for r in sampling.records]
    table = pd.DataFrame(where, columns=["start", "iteration", "phase"])
    return table.join(pd.DataFrame(values, columns=list(packing.names)))
