"""Priors that are flat without bounds: no distributions, so that there may be no posterior."""

from __future__ import annotations

from math import isfinite

from pkmodel.bayes.told_priors import bounded_priors
from pkmodel.models.model import Model


def improper_priors(model: Model) -> list[str]:
    """Name the parameters whose prior is flat where they have not two bounds."""
    return [
        name
        for name, bounded in bounded_priors(model).items()
        if bounded.prior.family == "flat" and not all(map(isfinite, bounded.bounds))
    ]


def improper_prior_warning(model: Model) -> list[str]:
    """Say that a posterior by such priors need not exist.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import pkmodel as pk
    >>> priors = pk.Priors(omega={"CL": pk.Prior("flat")})
    >>> model = replace(pk.read_definition("phenobarbital").model, priors=priors)
    >>> print(improper_prior_warning(model)[0].partition(":")[0])
    flat without bounds, and so improper, is the prior of sd of omega CL
    """
    names = improper_priors(model)
    if not names:
        return []
    return [
        f"flat without bounds, and so improper, is the prior of {', '.join(names)}: the posterior "
        "exists only if the data bound it by themselves, which the draws cannot show; give bounds "
        "to a theta, or a weak prior such as half_normal to a standard deviation"
    ]
