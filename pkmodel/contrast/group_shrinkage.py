"""Shrinkage of the random effects about the means of their groups.

Where groups differ and the model does not know of them, its variance between subjects swells by
the difference, and the usual shrinkage sinks: it falls silent just where ratios of individual
estimates mislead. So the mean of each group is taken out first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.contrast.comparison import Comparison
from pkmodel.diagnostics.shrinkage import absent_effects, eta_shrinkage
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.problem import Problem

Vector = NDArray[np.float64]


def group_shrinkage(
    problem: Problem, estimate: Estimate, comparison: Comparison
) -> dict[str, float]:
    """Return the shrinkage of each effect: the usual one, or that about group means if larger.

    A mode is eta = B y, with y what the subject's own data say and B = 1 - c / omega^2, c being
    the conditional variance. Of y the variance within groups is omega_w^2 + s^2, of which the
    data's s^2 = c / B is known; the shrinkage is 1 - sqrt(omega_w^2 / (omega_w^2 + s^2)), on the
    scale of standard deviations as the usual one.

    Parameters
    ----------
    problem : Problem
    estimate : Estimate
    comparison : Comparison

    Returns
    -------
    dict of str to float
        By parameter with an effect between subjects that is not fixed at next to nothing, a
        fraction; 1 where the spread within groups is no more than the data's error.

    References
    ----------
    Savic and Karlsson 2009, 10.1208/s12248-009-9133-0 (the usual one).
    """
    terms = estimate.final.terms
    omega = problem.packing.unpack(estimate.x).omega
    usual = eta_shrinkage(terms.eta, omega)
    variances = np.diag(omega)
    kept = (comparison.code >= 0) & ~np.isin(np.arange(problem.n_subjects), problem.failed(terms))
    code, absent = comparison.code[kept], absent_effects(problem.model)
    return {
        effect.parameter: max(
            float(usual[k]),
            _about_means(
                terms.eta[kept, k], terms.covariance[kept, k, k], float(variances[k]), code
            ),
        )
        for k, effect in enumerate(problem.effects)
        if effect.occasion == 0 and effect.parameter not in absent
    }


def _about_means(
    mode: Vector, conditional: Vector, variance: float, code: NDArray[np.int64]
) -> float:
    own = 1.0 - conditional / max(variance, 1e-300)
    known = own > 1e-6
    groups = np.unique(code[known])
    freedom = int(np.sum(known)) - groups.size
    if freedom < 1:
        return 1.0
    weight, told, code = own[known], mode[known] / own[known], code[known]
    total = 0.0
    for k in groups:
        here = code == k
        mean = np.average(told[here], weights=weight[here])
        total += float(np.sum(weight[here] * (told[here] - mean) ** 2))
    spread = total / float(np.sum(weight)) * (freedom + groups.size) / freedom
    error = float(np.average(conditional[known] / weight, weights=weight))
    between = max(spread - error, 0.0)
    return float(1.0 - np.sqrt(between / (between + error))) if spread > 0.0 else 1.0
