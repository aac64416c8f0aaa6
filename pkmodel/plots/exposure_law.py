"""How steady-state concentrations of persons vary by a fit: percentiles without random numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from pkmodel.plots.typical import transform, typical_parameter
from pkmodel.result import Fit

Vector = NDArray[np.float64]

_LARGEST_LOG = 100.0


@dataclass(frozen=True)
class ExposureLaw:
    """How Css of persons varies: CL is normal on a transformed scale.

    Attributes
    ----------
    supply : array (n,)
        Css times CL.
    typical, centre : array (n,)
        CL, and its place on the transformed scale.
    deviation : float
    distribution : str
    """

    supply: Vector
    typical: Vector
    centre: Vector
    deviation: float
    distribution: str

    @classmethod
    def of(cls, fit: Fit, people: pd.DataFrame, rate: Vector) -> ExposureLaw:
        """Return the law of persons at given rates."""
        typical = typical_parameter(fit, "CL", people)["CL"].to_numpy(dtype=float)
        distribution = fit.model.distribution.get("CL", "lognormal")
        return cls(
            supply=fit.problem.dataset.units.scale * rate,
            typical=typical,
            centre=transform(typical, distribution)[0],
            deviation=float(np.sqrt(_variance(fit))),
            distribution=distribution,
        )

    def percentile(self, share: float, inside: NDArray[np.bool_]) -> float:
        """Find the Css that this share of some persons has at most; NaN where there are none.

        Infinite where more than the rest have no positive clearance, as a normal law allows.
        """
        if not inside.any():
            return np.nan
        css = self.supply[inside] / self.typical[inside]
        if self.deviation == 0.0:
            return float(np.quantile(css, share))

        def excess(log_css: float) -> float:
            needed, _ = transform(self.supply[inside] / np.exp(log_css), self.distribution)
            below = norm.sf(np.nan_to_num(needed, nan=np.inf), self.centre[inside], self.deviation)
            return float(np.mean(below)) - share

        low, high = float(np.log(css.min())), float(np.log(css.max()))
        while excess(low) > 0.0:
            low -= 1.0
        while excess(high) < 0.0:
            high += 1.0
            if high > _LARGEST_LOG:
                return np.inf
        return float(np.exp(brentq(excess, low, high, xtol=1e-12)))


def _variance(fit: Fit) -> float:
    """Variance of CL between subjects and, where the model has it, occasions."""
    omega = np.diag(fit.problem.packing.unpack(fit.estimate.x).omega)
    effects = fit.problem.effects
    return sum(
        float(omega[k]) for k, e in enumerate(effects) if e.parameter == "CL" and e.occasion <= 1
    )
