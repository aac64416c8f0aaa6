"""The prior of one correlation of effects, where their correlation matrix has the LKJ distribution.

References
----------
Lewandowski, Kurowicka and Joe 2009, 10.1016/j.jmva.2009.04.008: of d effects and shape eta every
correlation r has (r + 1) / 2 ~ Beta(a, a), a = eta - 1 + d / 2, whatever its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, betaln, xlog1py

from pkmodel.bayes.default_priors import complete
from pkmodel.bayes.prior_scale import correlation_name
from pkmodel.models.model import Model

Vector = NDArray[np.float64]

LKJ = "lkj"
"""Name of the family in documents."""


@dataclass(frozen=True)
class CorrelationPrior:
    """The law of a correlation by an LKJ distribution.

    Attributes
    ----------
    shape : float
        Of the LKJ distribution, `Priors.lkj`.
    size : int
        Effects in the block.
    """

    shape: float
    size: int

    support = (-1.0, 1.0)

    def __str__(self) -> str:
        return f"LKJ({self.shape:g}), {self.size} effects"

    @property
    def _power(self) -> float:
        return self.shape - 1.0 + 0.5 * self.size

    def middle(self, mass: float) -> tuple[float, float]:
        """Find between what so much of the mass lies, with equal tails.

        Examples
        --------
        >>> low, high = CorrelationPrior(1.0, 2).middle(0.95)  # uniform
        >>> round(low, 6), round(high, 6)
        (-0.95, 0.95)
        """
        high = 1.0 - 2.0 * float(betaincinv(self._power, self._power, 0.5 * (1.0 - mass)))
        return -high, high

    def density(self, values: Vector) -> Vector:
        """Return the density; zero beyond -1 and 1."""
        inside = np.clip(values, -1.0, 1.0)
        power = self._power - 1.0
        with np.errstate(divide="ignore"):
            log = xlog1py(power, inside) + xlog1py(power, -inside)
        log -= betaln(self._power, self._power) + (2.0 * power + 1.0) * np.log(2.0)
        return np.where(np.abs(values) > 1.0, 0.0, np.exp(log))


def correlation_priors(model: Model) -> dict[str, CorrelationPrior]:
    """Return the prior of every correlation that is estimated, by its name.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import pkmodel as pk
    >>> block = pk.OmegaBlock(("CL", "V"), ((0.1, 0.05), (0.05, 0.1)))
    >>> model = replace(pk.read_definition("phenobarbital").model, omega=(block,))
    >>> for name, prior in correlation_priors(model).items():
    ...     print(name, "~", prior)
    correlation of omega CL,V ~ LKJ(2), 2 effects
    """
    return dict(_correlation_priors(model))


def _correlation_priors(model: Model) -> Iterator[tuple[str, CorrelationPrior]]:
    shape = complete(model).lkj
    assert shape is not None
    for block in model.omega:
        kind = "occasion" if block.occasion else "omega"
        for i, name in enumerate(block.parameters if not block.fixed else ()):
            for other in block.parameters[:i]:
                label = correlation_name(f"{kind} {other},{name}")
                yield label, CorrelationPrior(shape, len(block.parameters))
