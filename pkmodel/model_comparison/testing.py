"""Every pair of fits: tested where one model is nested in the other, else why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pkmodel.model_comparison.judgement import Judgement
from pkmodel.model_comparison.likelihood_ratio import Law, law_of
from pkmodel.model_comparison.nesting import NotShown, restriction

REVERSED = 1e-3
"""An exact objective of the larger model this much above the smaller one's is remarked on."""


@dataclass(frozen=True)
class LikelihoodRatio:
    """A test of a model against a larger one, or why there is none.

    Attributes
    ----------
    smaller, larger : str
        Names of the fits.
    statistic : float
        Exact objective of the smaller minus that of the larger, each at its own estimates.
    error : float
        Of the statistic: that of quadrature, or the Monte Carlo error.
    own_statistic : float
        The same by the method's own objectives; NaN where the methods differ.
    law : Law or None
        None where there is no test.
    p : float
        Probability of such a statistic where the smaller model is true; NaN without a test.
    held : tuple of str
        Parameters of the larger model that the smaller holds.
    note : str
        Why there is no test, or what to mind.
    """

    smaller: str
    larger: str
    statistic: float
    error: float
    own_statistic: float
    law: Law | None
    p: float
    held: tuple[str, ...]
    note: str


def likelihood_ratios(
    judgements: Mapping[str, Judgement], *, nested: bool
) -> tuple[LikelihoodRatio, ...]:
    """Test every pair of fits.

    Parameters
    ----------
    judgements : mapping of str to Judgement
        By the names of the fits.
    nested : bool
        Whether the user says that of each pair the model with fewer parameters is nested in the
        other, where that cannot be shown.

    Returns
    -------
    tuple of LikelihoodRatio
    """
    pairs = combinations(judgements.items(), 2)
    return tuple(_test(_ordered(one, two), nested) for one, two in pairs)


Named = tuple[str, Judgement]


def _ordered(one: Named, two: Named) -> tuple[Named, Named]:
    return (two, one) if two[1].size < one[1].size else (one, two)


def _test(pair: tuple[Named, Named], nested: bool) -> LikelihoodRatio:
    (smaller, small), (larger, large) = pair
    own = np.nan
    if small.fit.method == large.fit.method:
        own = small.fit.objective - large.fit.objective
    law, held, note = _law(small, large, nested)
    statistic = small.objective - large.objective
    p = np.nan
    if law is not None:
        p = law.tail(statistic)
        note = "; ".join(part for part in (note, _remark(statistic, small, large, law)) if part)
    error = float(np.hypot(small.error, large.error))
    return LikelihoodRatio(smaller, larger, statistic, error, own, law, p, held, note)


def _law(
    small: Judgement, large: Judgement, nested: bool
) -> tuple[Law | None, tuple[str, ...], str]:
    """Return the law of the statistic, what is held, and what to mind; or why there is none."""
    for judgement in (small, large):
        if judgement.fit.posterior is not None:
            return None, (), "no test: a posterior has no maximum"
        if not judgement.is_maximum:
            return None, (), f"no test: a fit is {judgement.fit.status}"
    try:
        found = restriction(small.judge, large.judge)
    except NotShown as reason:
        if nested and large.size > small.size:
            note = f"nested by your word only ({reason}), and no parameter at its bound"
            return Law(((large.size - small.size, 1.0),)), (), note
        return None, (), f"nesting not shown: {reason}"
    if not found.size:
        return None, (), "the same model"
    held = (*found.inside, *found.boundary, *found.at_zero)
    return law_of(found), held, ""


def _remark(statistic: float, small: Judgement, large: Judgement, law: Law) -> str:
    """Say what makes a test doubtful."""
    error = float(np.hypot(small.error, large.error))
    out = []
    if law.is_bound:
        out.append("p is an upper bound")
    if statistic < -REVERSED - 2.0 * error:
        out.append("the larger model fits worse, so its estimates are not the best")
    low, high = (f"{law.tail(statistic + sign * 2.0 * error):.2g}" for sign in (1.0, -1.0))
    if low != high:
        out.append(f"p {low} to {high} by the error of the exact objectives")
    return "; ".join(out)
