"""Priors that lie far from the bounds or initial values of their parameters, or from the data."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtri

from pkmodel.bayes.diagnosis import INTERVAL, Diagnosis
from pkmodel.bayes.family import share_inside
from pkmodel.bayes.posterior import Posterior
from pkmodel.bayes.prior_scale import correlation_name, on_prior_scale
from pkmodel.bayes.told_priors import BoundedPrior, bounded_priors, marginal_priors
from pkmodel.errors import Problem as Fault
from pkmodel.models.model import Model
from pkmodel.number import interval, number
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

MASS = 0.999
"""What lies outside the middle of so much of a prior is far from it."""

TOLD = 0.95
"""Confidence with which the data alone tell a parameter from the middle of its prior."""


LEAST_INSIDE = 1e-9
"""So little of a prior between the bounds of its parameter, six deviations away, is a mistake: all
that is left is pressed against a bound. Beyond some eight deviations chains hardly move there."""


def excluded_priors(model: Model) -> list[Fault]:
    """Refuse priors that lie, but for next to nothing, beyond the bounds of their parameters.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of Problem
        With the place of the prior in a definition.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import pkmodel as pk
    >>> priors = pk.Priors(theta={"cl": pk.Prior("normal", (-40.0, 2.0))})
    >>> model = replace(pk.read_definition("phenobarbital").model, priors=priors)
    >>> print(str(excluded_priors(model)[0]).partition(";")[0])
    [prior] theta cl: its bounds leave 2.8e-89 of it, normal(mean -40, sd 2) above 0
    """
    return [
        Fault(
            f"its bounds leave {_small(share)} of it, {bounded}; nothing sensible can be drawn "
            "from that: check the numbers of the prior and its unit, or the bounds in [theta]",
            f"[prior] {name}",
        )
        for name, (bounded, share) in _cut_off(model).items()
        if share < LEAST_INSIDE
    ]


def _cut_off(model: Model) -> dict[str, tuple[BoundedPrior, float]]:
    """Find priors of which the bounds leave next to nothing, and how much.

    That is the tail from the nearest bound on: a wide prior is none the worse for narrow bounds.
    """
    shares = {}
    for name, bounded in bounded_priors(model).items():
        low, high = bounded.bounds
        tails = (share_inside(bounded.prior, *ends) for ends in ((low, np.inf), (-np.inf, high)))
        shares[name] = bounded, min(tails)
    return {name: told for name, told in shares.items() if told[1] < 1.0 - MASS}


def _small(share: float) -> str:
    return f"{share:.1e}" if share > 0.0 else "less than 1e-300"


def far_priors(model: Model) -> list[str]:
    """Warn of priors that hold the initial value, or the bounds, for next to impossible.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of str
        With parameter, prior, and the interval of its middle 99.9 % and the initial value, or how
        much of it lies between the bounds.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import pkmodel as pk
    >>> priors = pk.Priors(theta={"cl": pk.Prior("lognormal", (5.0, 0.5))})
    >>> model = replace(pk.read_definition("phenobarbital").model, priors=priors)
    >>> print(far_priors(model)[0].partition(",")[0])
    theta cl: its initial value 0.005 is below the middle 99.9 % of its prior
    """
    initial = _initial(model)
    beyond = [
        f"{name}: its bounds leave {_small(share)} of its prior, {bounded.prior}: one of the two "
        "may be wrong, or in another unit"
        for name, (bounded, share) in _cut_off(model).items()
    ]
    return beyond + [
        f"{name}: its initial value {initial[name]:.3g} is {where}: one of the two may be wrong, "
        "or in another unit"
        for name, (where, _) in _outside(model, initial).items()
    ]


def contradicted_priors(
    problem: Problem, posterior: Posterior, diagnosis: Diagnosis
) -> dict[str, str]:
    """Warn of every prior that the data contradict.

    Either the posterior, by its median, lies in the tail of the prior; or the largest likelihood
    does, and all priors together cost the likelihood more than chance would: so a prior too narrow
    to let go of its parameter is found as well. Of several in whose tails the largest likelihood
    lies those are meant that it tells apart from there, if there are any: sparse data often put
    the variance of an effect at zero, and would nearly as well have it elsewhere.

    Parameters
    ----------
    problem : Problem
    posterior : Posterior
    diagnosis : Diagnosis
        Of its draws.

    Returns
    -------
    dict of str to str
        By parameter.
    """
    names = list(problem.packing.names)
    draws = on_prior_scale(pd.DataFrame(diagnosis.natural.reshape(-1, len(names)), columns=names))
    out = {
        name: f"{name}: its posterior, {_told(draws[name])}, is {where}: {CONTRADICTION}"
        for name, (where, _) in _outside(problem.model, _medians(draws)).items()
    }
    if posterior.alone is None or not posterior.rise > chdtri(len(names), 1.0 - MASS):
        return out
    alone = _medians(
        on_prior_scale(pd.DataFrame([problem.packing.natural(posterior.alone)], columns=names))
    )
    outside = _outside(problem.model, alone)
    apart = _told_apart(problem, posterior.alone, {name: end for name, (_, end) in outside.items()})
    return {
        name: f"{name}: the data alone put it at {number(alone[name])}, which is "
        f"{outside[name][0]}, and priors raise the objective by {posterior.rise:.3g}: "
        f"{CONTRADICTION}"
        for name in apart or outside
    } | out


CONTRADICTION = (
    "data and prior contradict each other, and the estimates are a compromise; check the numbers "
    "of the prior and its unit, or widen it"
)


def _medians(draws: pd.DataFrame) -> dict[str, float]:
    return {str(name): float(drawn.median()) for name, drawn in draws.items()}


def _told(drawn: pd.Series[Any]) -> str:
    low, high = (float(drawn.quantile(share)) for share in INTERVAL)
    return f"median {number(float(drawn.median()))} (95 % {interval(low, high)})"


def _told_apart(problem: Problem, alone: Vector, ends: Mapping[str, float]) -> list[str]:
    """Name parameters that cannot be moved, each by itself, to an end without a loss of fit."""
    near = problem.with_method("focei")
    least = near.evaluate(alone).objective
    out = []
    for name, end in ends.items():
        label, value = _as_drawn(problem, alone, name, end)
        try:
            moved = problem.packing.moved(alone, label, value)
        except np.linalg.LinAlgError:  # the other correlations do not allow for it
            continue
        if not near.evaluate(moved).objective - least <= chdtri(1, 1.0 - TOLD):
            out.append(name)
    return out


def _as_drawn(problem: Problem, x: Vector, name: str, value: float) -> tuple[str, float]:
    """Name a parameter as draws have it: variance for deviation, covariance for correlation."""
    kind, of, label = name.rpartition(" of ")
    if not of:
        return name, value
    if kind == "sd":
        return label, value**2
    natural = dict(zip(problem.packing.names, problem.packing.natural(x), strict=True))
    effects, pair = label.split(" ", 1)
    ends = [natural[f"{effects} {end}"] for end in pair.split(",")]
    return label, value * sqrt(ends[0] * ends[1])


def _outside(model: Model, values: Mapping[str, float]) -> dict[str, tuple[str, float]]:
    """Tell of every value that its prior, within its bounds, holds for next to impossible.

    Returns
    -------
    dict of str to tuple
        Where it is, in words; the end of the middle of the prior that is nearest to it.
    """
    out = {}
    for name, prior in marginal_priors(model).items():
        value = values[name]
        low, high = prior.middle(MASS)
        if not low <= value <= high:
            side = "below" if value < low else "above"
            out[name] = (
                f"{side} the middle {100 * MASS:g} % of its prior, {prior}, which is "
                f"{low:.3g} to {high:.3g}",
                low if value < low else high,
            )
    return out


def _initial(model: Model) -> dict[str, float]:
    """Name initial values as the priors are."""
    out = {f"theta {t.name}": t.init for t in model.theta}
    for block in model.omega:
        kind = "sd of occasion" if block.occasion else "sd of omega"
        deviations = [sqrt(block.matrix[k][k]) for k in range(len(block.parameters))]
        for i, name in enumerate(block.parameters):
            out[f"{kind} {name}"] = deviations[i]
            for j, other in enumerate(block.parameters[:i]):
                pair = f"{kind.removeprefix('sd of ')} {other},{name}"
                correlation = block.matrix[i][j] / (deviations[i] * deviations[j])
                out[correlation_name(pair)] = correlation
    return out | {f"sigma {s.name}": s.init for s in model.residual.sigmas}
