"""Whether the priors of a model go with it: known names, and families for their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pkmodel.definition.option_check import FULL_BAYES
from pkmodel.errors import Problem
from pkmodel.models.model import Model, OmegaBlock, Residual, Theta
from pkmodel.models.prior import ALLOWED, Prior, family_faults
from pkmodel.suggestion import label, quoted, suggest

Table = Mapping[str, Prior | None]
Tables = Mapping[str, Table]

MISPLACED = f'goes with method = "{FULL_BAYES}" only; remove it'


def prior_problems(
    tables: Tables,
    lkj: float | None,
    theta: tuple[Theta, ...] | None,
    omega: tuple[OmegaBlock, ...] | None,
    residual: Residual | None,
) -> list[Problem]:
    """Check priors against the parameters of a model.

    Parameters
    ----------
    tables : mapping of str to mapping of str to Prior or None
        By a key of `ALLOWED` and by parameter; None where its numbers are at fault.
    lkj : float or None
    theta, omega, residual
        None where these could not be read.
    """
    problems: list[Problem] = []
    if theta is not None:
        problems += _theta_problems(tables["theta"], theta)
    if omega is not None:
        problems += _table_problems("omega", tables["omega"], _effects(omega, occasion=False))
        problems += _table_problems("occasion", tables["occasion"], _effects(omega, occasion=True))
    if residual is not None:
        known = {s.name: s.fixed for s in residual.sigmas}
        problems += _table_problems("sigma", tables["sigma"], known)
    if omega is not None:
        problems += _lkj_problems(lkj, omega)
    return problems


def model_prior_problems(model: Model) -> list[Problem]:
    """Check the priors of a whole model."""
    priors = model.priors
    if priors is None:
        return []
    tables = {kind: getattr(priors, kind) for kind in ALLOWED}
    return prior_problems(tables, priors.lkj, model.theta, model.omega, model.residual)


def _effects(omega: tuple[OmegaBlock, ...], *, occasion: bool) -> dict[str, bool]:
    """Parameters with effects, and whether their variances are fixed."""
    return {p: b.fixed for b in omega if b.occasion == occasion for p in b.parameters}


def _theta_problems(table: Table, thetas: tuple[Theta, ...]) -> Iterator[Problem]:
    bounds = {theta.name: theta for theta in thetas}
    for name, prior in table.items():
        place = place_of("theta", name)
        faults = _name_faults(name, {t.name: t.fixed for t in thetas})
        if not faults and prior:
            faults = family_faults("theta", prior)
        if not faults and prior and prior.family == "lognormal" and bounds[name].lower < 0.0:
            faults = [
                f"lognormal needs a parameter that cannot be negative; say lower = 0 of {name}"
            ]
        yield from (Problem(fault, place) for fault in faults)


def _table_problems(kind: str, table: Table, known: Mapping[str, bool]) -> Iterator[Problem]:
    for name, prior in table.items():
        faults = _name_faults(name, known)
        if not faults and prior:
            faults = family_faults(kind, prior)
        yield from (Problem(fault, place_of(kind, name)) for fault in faults)


def place_of(kind: str, name: str) -> str:
    """Say where in a definition a prior stands."""
    return f"[prior] {kind} {label(name)}"


def _name_faults(name: str, known: Mapping[str, bool]) -> list[str]:
    if name not in known:
        return [f"{quoted(name)} is no such parameter of the model ({suggest(str(name), known)})"]
    return [f"{name} is fixed, so it has no prior; remove it"] if known[name] else []


def _lkj_problems(lkj: float | None, omega: tuple[OmegaBlock, ...]) -> Iterator[Problem]:
    if lkj is None:
        return
    if not any(len(b.parameters) > 1 and not b.fixed for b in omega):
        message = "the model has no correlated effects to estimate; remove it, or write a block"
        yield Problem(message, "[prior] lkj")
