"""The priors of a model in words: of which parameter, which distribution, declared or default."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.correlation_prior import CorrelationPrior, correlation_priors
from pkmodel.bayes.default_priors import complete, has_correlations
from pkmodel.bayes.family import density, middle
from pkmodel.models.model import Model
from pkmodel.models.prior import Prior, Priors


@dataclass(frozen=True)
class BoundedPrior:
    """A prior and the bounds of its parameter, which cut it off."""

    prior: Prior
    lower: float = -inf
    upper: float = inf

    @property
    def bounds(self) -> tuple[float, float]:
        """Lower and upper one."""
        return self.lower, self.upper

    @property
    def support(self) -> tuple[float, float]:
        """Where the prior is: between the bounds, and those of its family."""
        is_positive = self.prior.family == "lognormal" or self.prior.family.startswith("half")
        return max(self.lower, 0.0) if is_positive else self.lower, self.upper

    def middle(self, mass: float) -> tuple[float, float]:
        """Find between what so much of the mass lies; see `family.middle`."""
        return middle(self.prior, mass, *self.bounds)

    def density(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the density; see `family.density`."""
        return density(self.prior, values, *self.bounds)

    def __str__(self) -> str:
        lower, upper = self.bounds
        if self.prior.family == "lognormal" and lower <= 0.0:
            lower = -inf
        if isfinite(lower) and isfinite(upper):
            return f"{self.prior} between {lower:g} and {upper:g}"
        if isfinite(lower):
            return f"{self.prior} above {lower:g}"
        return f"{self.prior} below {upper:g}" if isfinite(upper) else str(self.prior)


MarginalPrior = BoundedPrior | CorrelationPrior
"""The prior of one number."""


def marginal_priors(model: Model) -> dict[str, MarginalPrior]:
    """Return the prior of every free parameter of a model, and of every correlation."""
    return {**bounded_priors(model), **correlation_priors(model)}


def bounded_priors(model: Model) -> dict[str, BoundedPrior]:
    """Return the prior of every free parameter of a model, but that of the correlations."""
    limits = {f"theta {t.name}": (t.lower, t.upper) for t in model.theta}
    return {
        name: BoundedPrior(prior, *limits.get(name, ()))
        for name, prior in complete(model).by_name.items()
    }


@dataclass(frozen=True)
class ToldPrior:
    """A prior in words.

    Attributes
    ----------
    name : str
        Of its parameter: ``theta <name>``, ``sd of omega <parameter>``,
        ``sd of occasion <parameter>``, ``sigma <name>``, ``correlations``.
    text : str
        Its family with its numbers, on the parameter's own scale, and the bounds of the parameter
        where they cut it off.
    is_default : bool
        The definition declares none.
    """

    name: str
    text: str
    is_default: bool


def told_priors(model: Model) -> list[ToldPrior]:
    """Say the prior of every free parameter of a model.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of ToldPrior

    Examples
    --------
    >>> import pkmodel as pk
    >>> for told in told_priors(pk.read_definition("phenobarbital").model)[2:4]:
    ...     print(told.name, "~", told.text, told.is_default)
    theta v_apgr ~ normal(mean 0.1, sd 5) above -0.99 True
    sd of omega CL ~ half-normal(scale 1) True
    """
    declared, used = model.priors or Priors(), complete(model)
    out = [
        ToldPrior(name, str(bounded), name not in declared.by_name)
        for name, bounded in bounded_priors(model).items()
    ]
    if has_correlations(model):
        out.append(ToldPrior("correlations", f"LKJ({used.lkj:g})", declared.lkj is None))
    return out
