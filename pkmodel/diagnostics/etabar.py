"""Whether the random effects have mean zero, as the model says: NONMEM's ETABAR.

The mean over subjects of the conditional modes, its standard error (their standard deviation with
divisor n, over the root of n), and the two-sided P value of a normal law for a true mean of zero.
What NONMEM 7.4 to 7.6 printed, from which the divisor and the law are read, is in
tests/reference/etabar.csv; the meaning is in NONMEM's online help, entry "etabar".
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from pkmodel.number import p_value
from pkmodel.problem import Evaluation, Problem

Vector = NDArray[np.float64]

SIGNIFICANT = 0.05
RELEVANT = 0.1
"""Share of the standard deviation of the effect."""


@dataclass(frozen=True)
class EtaBar:
    """The mean of a random effect over subjects.

    Attributes
    ----------
    mean, se, p : float
        NaN where nothing can be said: no mode was found, or the effects do not differ.
    n : int
        Subjects whose mode was found.
    differs : bool
        Whether p is below `SIGNIFICANT` and the mean beyond `RELEVANT` standard deviations of the
        effect, by Omega: small enough a mean does no harm however sure it is.
    """

    mean: float
    se: float
    p: float
    n: int
    differs: bool


def eta_bar(eta: Vector, variance: float) -> EtaBar:
    """Test whether a random effect has mean zero.

    Parameters
    ----------
    eta : array (n,)
        Modes.
    variance : float
        Of the effect, by Omega.

    Returns
    -------
    EtaBar

    Examples
    --------
    >>> found = eta_bar(np.array([0.1, 0.3, 0.2, 0.4]), 0.09)
    >>> round(found.mean, 3), round(found.se, 4), round(found.p, 6), found.differs
    (0.25, 0.0559, 8e-06, True)
    """
    n = eta.size
    if n == 0:
        return EtaBar(float("nan"), float("nan"), float("nan"), 0, False)
    mean, se = float(np.mean(eta)), float(np.std(eta)) / sqrt(n)
    if se == 0.0:
        return EtaBar(mean, se, float("nan"), n, False)
    p = erfc(abs(mean) / se / sqrt(2.0))
    return EtaBar(mean, se, p, n, p < SIGNIFICANT and abs(mean) > RELEVANT * sqrt(variance))


def eta_bars(problem: Problem, x: Vector, final: Evaluation) -> dict[str, EtaBar]:
    """Test each random effect between subjects.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
    final : Evaluation
        At `x`.

    Returns
    -------
    dict of str to EtaBar
        By structural parameter. Effects between occasions are left out: where a subject lacks an
        occasion its mode is zero and says nothing.
    """
    found = final.terms.status == 0
    omega = problem.packing.unpack(x).omega
    return {
        e.parameter: eta_bar(final.terms.eta[found, k], float(omega[k, k]))
        for k, e in enumerate(problem.effects)
        if e.occasion == 0
    }


LOPSIDED = "does not fit, or each subject's mode is off the middle of a lopsided law"
CAUSES = "the model, its distribution or the approximation of the likelihood does not fit"
EXACT_CAUSES = f"the model or its distribution {LOPSIDED}"
BAYES_CAUSES = f"the model, its distribution or a prior {LOPSIDED}"
"""What may put the mean of an effect off: by methods that approximate the likelihood, by others,
and by full Bayes."""


def biased_effects(bars: dict[str, EtaBar], causes: str = CAUSES) -> list[str]:
    """Warn of effects whose mean differs from zero, and say what may be the cause."""
    named = [
        f"{name} {bar.mean:+.3g} (P {p_value(bar.p)})" for name, bar in bars.items() if bar.differs
    ]
    if not named:
        return []
    return [
        f"the mean of the random effects is not zero: {', '.join(named)}; typical values are not "
        f"those of the middle subject: {causes}"
    ]
