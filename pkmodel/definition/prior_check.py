"""Whether the priors of a model make sense: known names, known families, sound numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pkmodel.definition.option_check import FULL_BAYES
from pkmodel.definition.real import is_finite
from pkmodel.errors import Problem
from pkmodel.models.model import Model, OmegaBlock, Residual, Theta
from pkmodel.models.prior import FAMILIES, POSITIVE, SD_FAMILIES, THETA_FAMILIES, Prior, Priors
from pkmodel.suggestion import label, quoted, suggest

MISPLACED = f'goes with method = "{FULL_BAYES}" only; remove it'


def prior_problems(
    priors: Priors | None,
    theta: tuple[Theta, ...],
    omega: tuple[OmegaBlock, ...],
    residual: Residual,
) -> list[Problem]:
    """Check the priors of a model against its parameters."""
    if priors is None:
        return []
    return [
        *_theta_problems(priors.theta, theta),
        *_table_problems("omega", priors.omega, _effects(omega, occasion=False)),
        *_table_problems("occasion", priors.occasion, _effects(omega, occasion=True)),
        *_table_problems("sigma", priors.sigma, {s.name: s.fixed for s in residual.sigmas}),
        *_lkj_problems(priors.lkj, omega),
    ]


def model_prior_problems(model: Model) -> list[Problem]:
    """Check the priors of a whole model."""
    return prior_problems(model.priors, model.theta, model.omega, model.residual)


def _effects(omega: tuple[OmegaBlock, ...], *, occasion: bool) -> dict[str, bool]:
    """Parameters with effects, and whether their variances are fixed."""
    return {p: b.fixed for b in omega if b.occasion == occasion for p in b.parameters}


def _theta_problems(table: Mapping[str, Prior], thetas: tuple[Theta, ...]) -> Iterator[Problem]:
    bounds = {theta.name: theta for theta in thetas}
    for name, prior in table.items():
        place = _place("theta", name)
        faults = _name_faults(name, {t.name: t.fixed for t in thetas})
        faults = faults or _family_faults(prior, THETA_FAMILIES)
        if not faults and prior.family == "lognormal" and bounds[name].lower < 0.0:
            faults = [
                f"lognormal needs a parameter that cannot be negative; say lower = 0 of {name}"
            ]
        yield from (Problem(fault, place) for fault in faults)


def _table_problems(
    kind: str, table: Mapping[str, Prior], known: Mapping[str, bool]
) -> Iterator[Problem]:
    for name, prior in table.items():
        faults = _name_faults(name, known) or _family_faults(prior, SD_FAMILIES)
        yield from (Problem(fault, _place(kind, name)) for fault in faults)


def _place(kind: str, name: str) -> str:
    return f"[prior] {kind} {label(name)}"


def _name_faults(name: str, known: Mapping[str, bool]) -> list[str]:
    if name not in known:
        return [f"{quoted(name)} is no such parameter of the model ({suggest(str(name), known)})"]
    return [f"{name} is fixed, so it has no prior; remove it"] if known[name] else []


def _family_faults(prior: Prior, families: tuple[str, ...]) -> list[str]:
    if prior.family not in families:
        hint = suggest(str(prior.family), families)
        return [f"{quoted(prior.family)} is no distribution of this parameter ({hint})"]
    wanted = FAMILIES[prior.family]
    if len(prior.numbers) != len(wanted):
        told = f"[{', '.join(wanted)}]" if len(wanted) != 1 else wanted[0]
        return [f"{prior.family} takes {told or 'no number'}, got {len(prior.numbers)} numbers"]
    faults = []
    for what, value in zip(wanted, prior.numbers, strict=True):
        if not is_finite(value):
            faults.append(f"{what} of {prior.family} must be a finite number, not {quoted(value)}")
        elif what in POSITIVE and not value > 0.0:
            faults.append(f"{what} of {prior.family} must be positive, not {value:g}")
    return faults


def _lkj_problems(lkj: float | None, omega: tuple[OmegaBlock, ...]) -> Iterator[Problem]:
    if lkj is None:
        return
    if not is_finite(lkj) or not lkj > 0.0:
        yield Problem(f"expected a positive number, got {quoted(lkj)}", "[prior] lkj")
    elif not any(len(b.parameters) > 1 and not b.fixed for b in omega):
        message = "the model has no correlated effects to estimate; remove it, or write a block"
        yield Problem(message, "[prior] lkj")
