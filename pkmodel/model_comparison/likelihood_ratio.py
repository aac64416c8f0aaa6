"""Tests of a model against a larger one by the ratio of their likelihoods.

Where the smaller model holds a variance at zero, the edge of what is possible, the statistic is no
chi-square but a mixture of them (chi-bar-square), and a test that takes it for one is too strict.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import chi2

from pkmodel.model_comparison.nesting import Restriction


@dataclass(frozen=True)
class Law:
    """The law of the statistic where the smaller model is true: a mixture of chi-squares.

    Attributes
    ----------
    weights : tuple of (int, float)
        Degrees of freedom and weight of each part.
    is_bound : bool
        Whether the true mixture, whose weights are not known, has no larger tail than this one.
    """

    weights: tuple[tuple[int, float], ...]
    is_bound: bool = False

    def tail(self, statistic: float) -> float:
        """Probability of a statistic at least as large.

        Examples
        --------
        >>> round(Law(((0, 0.5), (1, 0.5))).tail(2.7055), 4)
        0.05
        >>> Law(((0, 0.5), (1, 0.5))).tail(0.0)
        1.0
        """
        if statistic <= 0.0:
            return 1.0
        return float(sum(w * chi2.sf(statistic, df) for df, w in self.weights if df > 0))

    def __str__(self) -> str:
        parts = [
            f"chi2({df})" if weight == 1.0 else f"{weight:g} chi2({df})"
            for df, weight in self.weights
        ]
        return ("at most " if self.is_bound else "") + " + ".join(parts)


def law_of(restriction: Restriction) -> Law:
    """Return the law of the likelihood-ratio statistic.

    Parameters
    ----------
    restriction : Restriction

    Returns
    -------
    Law
        With one variance at zero an equal mixture of two chi-squares, with and without a degree
        of freedom for it; each also counts the parameters inside their bounds and the covariances
        that vanish with the variance. With several at zero the weights depend on the data; in any
        such mixture even and odd degrees of freedom weigh a half each, so that the equal mixture
        of the two largest bounds the tail.

    References
    ----------
    Self and Liang (1987) J. Am. Stat. Assoc. 82, 605-610, 10.1080/01621459.1987.10478472.
    Stram and Lee (1994) Biometrics 50, 1171-1177, 10.2307/2533455.
    Silvapulle and Sen (2005) Constrained Statistical Inference, 10.1002/9781118165614 (weights).

    Examples
    --------
    >>> str(law_of(Restriction(("theta b",), (), ())))
    'chi2(1)'
    >>> str(law_of(Restriction((), ("omega V",), ("omega CL,V",))))
    '0.5 chi2(1) + 0.5 chi2(2)'
    """
    if not restriction.boundary:
        return Law(((restriction.size, 1.0),))
    mixture = ((restriction.size - 1, 0.5), (restriction.size, 0.5))
    return Law(mixture, is_bound=len(restriction.boundary) > 1)
