"""Whether estimates can be what was looked for, or the search has run away.

An optimum may lie at values that nobody would use: where the data do not determine a parameter it
runs off while the objective hardly changes, and the search may still end at a point where no
gradient is left. The limits are wide; within them an estimate may be wrong all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pkmodel.diagnostics.parameters import Parameter
from pkmodel.estimate.pooled import log_misfit
from pkmodel.models.model import Model
from pkmodel.number import number
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

FARTHEST = 1e4
"""Times or parts of its initial value that a typical value may have come to."""

OUT_OF_RANGE = 10.0
"""Factor between typical predictions and observations that few initial values are off by."""

NEARLY_ALL = 0.95
"""Share of the observations that counts as all, for some rows are odd in any data."""

LARGEST_RSE = 100.0
"""Percent, of a parameter that is above zero by its nature."""

WIDEST = 4.0
"""Variance of a log-normal effect: 95 % of subjects are within a factor of 50 either way."""

LARGEST_ERROR = 1.0
"""Standard deviation of a residual over the prediction, or on the log scale."""

RELATIVE = ("proportional", "lognormal")


def implausible_start(problem: Problem) -> list[str]:
    """Say that the initial values predict something else than what was observed.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    list of str
        A warning where next to all typical predictions at the initial values are on one side of
        their observations, by more than a factor of `OUT_OF_RANGE`.
    """
    misfit = log_misfit(problem, problem.packing.initial())
    if not misfit.size:
        return []
    limit = np.log(OUT_OF_RANGE)
    sides = {"above": np.mean(misfit > limit), "below": np.mean(misfit < -limit)}
    return [
        f"typical predictions at the initial values are {side} the observations by more than a "
        f"factor of {OUT_OF_RANGE:g}, nearly all of them: are DV and AMT in the units that [data] "
        "units says, and the initial values in [theta] in L and L per unit of time?"
        for side, share in sides.items()
        if share >= NEARLY_ALL
    ]


def implausible_estimates(
    problem: Problem, x: Vector, parameters: Mapping[str, Mapping[str, Parameter]]
) -> list[str]:
    """Name estimates that are not to be believed without a second look.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Packed estimates.
    parameters : mapping of str to mapping of str to Parameter
        Of the same estimates, by kind and name.

    Returns
    -------
    list of str
        One warning for each of: a median typical value `FARTHEST` times its initial one, or as
        much smaller; a relative standard error above `LARGEST_RSE` percent of a theta with a
        lower bound of zero or more, a variance or a residual error; a log-normal variance above
        `WIDEST`; a relative residual error above `LARGEST_ERROR`. What is fixed is not judged,
        nor the error of what is at a boundary.
    """
    out = []
    far = _far(problem, x)
    if far:
        out.append(
            f"far from the initial values: typical {', '.join(far)}; either those were in other "
            "units than the data, or the search has run away: judge by what is known of the drug"
        )
    vague = _vague(problem.model, parameters)
    if vague:
        out.append(
            f"relative standard error above {LARGEST_RSE:.0f} %: {', '.join(vague)}; the data "
            "hardly determine this: simplify the model, or fix it to what is known"
        )
    wide = _wide(problem.model, parameters)
    if wide:
        out.append(
            f"log-normal variance above {WIDEST:g}, more than a factor of 50 either way: "
            f"{', '.join(wide)}; no such spread is known of people: do not use it"
        )
    noisy = [
        f"sigma {name} = {entry.estimate:.4g}"
        for name, entry in parameters["sigma"].items()
        if name in RELATIVE and not entry.fixed and entry.estimate > LARGEST_ERROR
    ]
    if noisy:
        out.append(
            f"{', '.join(noisy)}: the error is larger than the prediction, so the model does not "
            "describe the data"
        )
    return out


def _far(problem: Problem, x: Vector) -> list[str]:
    """Name the structural parameters whose typical values have moved too far."""
    before, after = (
        np.median(problem.typical_values(problem.packing.unpack(at).theta), axis=0)
        for at in (problem.packing.initial(), x)
    )
    out = []
    for p, name in enumerate(problem.structure.parameters):
        if before[p] <= 0.0 or problem.model.distribution.get(name, "lognormal") != "lognormal":
            continue
        if not before[p] / FARTHEST <= after[p] <= before[p] * FARTHEST:
            out.append(f"{name} = {after[p]:.4g}, initially {before[p]:.4g}")
    return out


def _vague(model: Model, parameters: Mapping[str, Mapping[str, Parameter]]) -> list[str]:
    """Name what is above zero by its nature and has a standard error larger than itself."""
    positive = {theta.name for theta in model.theta if theta.lower >= 0.0}
    return [
        f"{kind} {name} {number(round(entry.rse))} %"
        for kind, entries in parameters.items()
        for name, entry in entries.items()
        if entry.rse > LARGEST_RSE
        and not entry.note
        and (name in positive if kind == "theta" else "," not in name)
    ]


def _wide(model: Model, parameters: Mapping[str, Mapping[str, Parameter]]) -> list[str]:
    return [
        f"{kind} {name} = {entry.estimate:.4g}"
        for kind in ("omega", "occasion")
        for name, entry in parameters[kind].items()
        if "," not in name
        and not entry.fixed
        and entry.estimate > WIDEST
        and model.distribution.get(name, "lognormal") == "lognormal"
    ]
