"""Priors that lie far from the initial values of their parameters, as by another unit."""

from __future__ import annotations

from math import sqrt

from pkmodel.bayes.default_priors import complete
from pkmodel.bayes.family import middle
from pkmodel.bayes.told_priors import told_priors
from pkmodel.models.model import Model

MASS = 0.999
"""What lies outside the middle of so much of a prior is far from it."""


def far_priors(model: Model) -> list[str]:
    """Warn of every prior that holds the initial value of its parameter for next to impossible.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of str
        With parameter, prior, the interval of its middle 99.9 %, and the initial value.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import pkmodel as pk
    >>> priors = pk.Priors(theta={"cl": pk.Prior("lognormal", (5.0, 0.5))})
    >>> model = replace(pk.read_definition("phenobarbital").model, priors=priors)
    >>> print(far_priors(model)[0].partition(",")[0])
    theta cl: its initial value 0.005 is below the middle 99.9 % of its prior
    """
    priors, initial = complete(model).by_name, _initial(model)
    out = []
    for told in told_priors(model):
        if told.name not in priors:
            continue
        value = initial[told.name]
        low, high = middle(priors[told.name], MASS)
        if not low <= value <= high:
            side = "below" if value < low else "above"
            out.append(
                f"{told.name}: its initial value {value:.3g} is {side} the middle {100 * MASS:g} % "
                f"of its prior, {told.text}, which is {low:.3g} to {high:.3g}: one of the two may "
                "be wrong, or in another unit"
            )
    return out


def _initial(model: Model) -> dict[str, float]:
    """Name initial values as the priors are."""
    out = {f"theta {t.name}": t.init for t in model.theta}
    for block in model.omega:
        kind = "sd of occasion" if block.occasion else "sd of omega"
        for k, name in enumerate(block.parameters):
            out[f"{kind} {name}"] = sqrt(block.matrix[k][k])
    return out | {f"sigma {s.name}": s.init for s in model.residual.sigmas}
