"""How far a likelihood has to fall: from a deviance to a test and to the ends of an interval.

Where every subject tells its own parameter well, the logarithms of the parameters are a normal
linear model of n subjects with p coefficients. There a deviance D of one coefficient is
n ln(1 + t^2 / (n - p)) with Student's t on n - p degrees of freedom, exactly, and that of q
coefficients n ln(1 + q F / (n - p)). Chi-square is its limit for many subjects, and too narrow for
few: with 10 subjects and 2 coefficients an interval of 90 % covers 85 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import fdtrc, stdtr, stdtrit
from scipy.stats import chi2, norm

THRESHOLDS = ("t", "chi-square")


class Threshold(Protocol):
    """A reading of deviances."""

    @property
    def text(self) -> str:
        """Say what the deviance is compared with."""
        ...

    def root(self, deviance: float) -> float:
        """Return the statistic of one coefficient, without sign: nearly linear in it."""
        ...

    def quantile(self, level: float) -> float:
        """Return where the statistic ends a two-sided interval of this level."""
        ...

    def tail(self, root: float) -> float:
        """Return the probability of a statistic above a signed one."""
        ...

    def p_value(self, deviance: float, coefficients: int) -> float:
        """Return the probability of a larger deviance of so many coefficients that are zero."""
        ...


@dataclass(frozen=True)
class StudentThreshold:
    """Student's t and Fisher's F for `subjects` and `freedom` = subjects - coefficients."""

    subjects: int
    freedom: int

    @property
    def text(self) -> str:
        """Say what the deviance is compared with."""
        return f"t with {self.freedom} degrees of freedom"

    def root(self, deviance: float) -> float:
        """Return t."""
        return float(np.sqrt(self.freedom * np.expm1(max(deviance, 0.0) / self.subjects)))

    def quantile(self, level: float) -> float:
        """Return the two-sided quantile of t."""
        return float(stdtrit(self.freedom, 0.5 + 0.5 * level))

    def tail(self, root: float) -> float:
        """Return the upper tail of t."""
        return float(stdtr(self.freedom, -root))

    def p_value(self, deviance: float, coefficients: int) -> float:
        """Return the upper tail of F."""
        f = self.freedom / coefficients * np.expm1(max(deviance, 0.0) / self.subjects)
        return float(fdtrc(coefficients, self.freedom, f))


@dataclass(frozen=True)
class ChiSquareThreshold:
    """The limit for many subjects."""

    @property
    def text(self) -> str:
        """Say what the deviance is compared with."""
        return "chi-square"

    def root(self, deviance: float) -> float:
        """Return the square root of the deviance."""
        return float(np.sqrt(max(deviance, 0.0)))

    def quantile(self, level: float) -> float:
        """Return the two-sided quantile of a normal variable."""
        return float(norm.ppf(0.5 + 0.5 * level))

    def tail(self, root: float) -> float:
        """Return the upper tail of a normal variable."""
        return float(norm.sf(root))

    def p_value(self, deviance: float, coefficients: int) -> float:
        """Return the upper tail of chi-square."""
        return float(chi2.sf(max(deviance, 0.0), coefficients))
