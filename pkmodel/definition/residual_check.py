"""Whether the residual error of a model makes sense: which terms go together, and their values."""

from __future__ import annotations

from collections.abc import Sequence

from pkmodel.errors import Problem
from pkmodel.models.model import Residual, Sigma
from pkmodel.models.real import is_finite
from pkmodel.suggestion import label, quoted, suggest

SIGMAS = ("additive", "proportional", "power", "exponent", "lognormal")
COMBINATIONS = ("variance", "sd")
IDLE_COMBINE = "combine joins two errors, and there is only one; remove it"
_TERMS = ("additive", "proportional", "power", "lognormal")
_PLACE = "[residual]"


def residual_problems(residual: Residual) -> list[Problem]:
    """Check the residual error."""
    names = [sigma.name for sigma in residual.sigmas]
    unknown = [
        Problem(f"there is no {quoted(name)} error ({suggest(str(name), SIGMAS)})", _PLACE)
        for name in names
        if name not in SIGMAS
    ]
    return [
        *unknown,
        *(Problem(message, _PLACE) for message in _combination_faults(names, residual.combine)),
        *(problem for sigma in residual.sigmas for problem in _sigma_problems(sigma)),
    ]


def _combination_faults(names: Sequence[str], combine: str) -> list[str]:
    terms = [name for name in _TERMS if name in names]
    faults = [f"{name} is declared twice" for name in SIGMAS if names.count(name) > 1]
    if not terms:
        faults.append(f"a model needs a residual error; known: {', '.join(_TERMS)}")
    if "lognormal" in names and len(terms) > 1:
        others = " and ".join(name for name in terms if name != "lognormal")
        faults.append(f"lognormal stands alone; remove it or {others}")
    if "power" in names and "proportional" in names:
        faults.append("proportional is power with exponent 1; keep one of them")
    if "power" in names and "exponent" not in names:
        faults.append(
            "power needs an exponent: exponent = 0.5 (kept), "
            "or { init = 0.5, fixed = false } (estimated)"
        )
    if "exponent" in names and "power" not in names:
        faults.append("exponent goes with power only; write power = 0.3 or remove it")
    if combine not in COMBINATIONS:
        hint = suggest(str(combine), COMBINATIONS)
        faults.append(f"combine = {quoted(combine)} is not known ({hint})")
    elif combine == "sd" and len(terms) < 2:
        faults.append(IDLE_COMBINE)
    return faults


def _sigma_problems(sigma: Sigma) -> list[Problem]:
    what = "an exponent" if sigma.name == "exponent" else "a standard deviation"
    if not is_finite(sigma.init):
        message = f"init must be a finite number, not {quoted(sigma.init)}"
    elif sigma.init <= 0:
        message = f"init is {sigma.init:g}; {what} must be above 0 (leave it out for none)"
    else:
        return []
    return [Problem(message, f"{_PLACE} {label(sigma.name)}")]
