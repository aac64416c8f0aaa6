"""The priors of a model: those declared, and weak defaults for all other free parameters."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, sqrt

from pkmodel.models.model import Model, OmegaBlock, Sigma, Theta
from pkmodel.models.prior import Prior, Priors

DEFAULT_LKJ = 2.0
"""Correlations near -1 and 1 are a little less likely than others."""

WIDE = 2.0
"""Standard deviation of the logarithm: 95 % between a fiftieth and fifty times the median."""


def complete(model: Model) -> Priors:
    """Return a prior for every free parameter of a model.

    Parameters
    ----------
    model : Model

    Returns
    -------
    Priors
        Fixed parameters have none.
    """
    declared = model.priors or Priors()
    theta = {t.name: declared.theta.get(t.name, _theta(t)) for t in model.theta if not t.fixed}
    sigma = {
        s.name: declared.sigma.get(s.name, _sigma(s)) for s in model.residual.sigmas if not s.fixed
    }
    return Priors(
        theta=theta,
        omega=_effects(model, declared.omega, occasion=False),
        occasion=_effects(model, declared.occasion, occasion=True),
        sigma=sigma,
        lkj=DEFAULT_LKJ if declared.lkj is None else declared.lkj,
    )


def has_correlations(model: Model) -> bool:
    """Tell whether a free block of Omega has correlations, which `Priors.lkj` is about."""
    return any(len(b.parameters) > 1 for b in model.omega if not b.fixed)


def _theta(theta: Theta) -> Prior:
    """Lognormal about the initial value of what is positive, flat between two bounds."""
    if isfinite(theta.lower) and isfinite(theta.upper):
        return Prior("flat")
    if theta.lower >= 0.0:
        return Prior("lognormal", (theta.init, WIDE))
    return Prior("normal", (theta.init, 5.0 * max(1.0, abs(theta.init))))


def _effects(model: Model, declared: Mapping[str, Prior], *, occasion: bool) -> dict[str, Prior]:
    return {
        name: declared.get(name, _deviation(model, block, k))
        for block in model.omega
        if block.occasion == occasion and not block.fixed
        for k, name in enumerate(block.parameters)
    }


def _deviation(model: Model, block: OmegaBlock, k: int) -> Prior:
    """Half-normal: of scale 1 on a log or logit scale, else five times the initial deviation."""
    if model.distribution.get(block.parameters[k], "lognormal") == "normal":
        return Prior("half_normal", (5.0 * sqrt(block.matrix[k][k]),))
    return Prior("half_normal", (1.0,))


def _sigma(sigma: Sigma) -> Prior:
    """Half-normal of scale 1 for relative errors, lognormal about the initial value for others."""
    if sigma.name in ("proportional", "lognormal"):
        return Prior("half_normal", (1.0,))
    return Prior("lognormal", (sigma.init, WIDE))
