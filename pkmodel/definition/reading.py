"""From the file of a fit definition to its record, every fault found in one pass."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

from pkmodel.definition.group_check import group_problems
from pkmodel.definition.model_check import (
    formula_problems,
    known_parameters,
    name_problems,
    structure_problems,
    theta_problems,
    use_problems,
)
from pkmodel.definition.option_check import FULL_BAYES, OWNERS, by_method, option_problems
from pkmodel.definition.prior_check import MISPLACED, place_of, prior_problems
from pkmodel.definition.random_effect_check import distribution_problems, omega_problems
from pkmodel.definition.record import DataSpec, Definition
from pkmodel.definition.residual_check import IDLE_COMBINE, SIGMAS, residual_problems
from pkmodel.definition.schema import (
    DataSection,
    DistributionSection,
    Document,
    EffectsSection,
    GroupsSection,
    ModelSection,
    NumberSection,
    OmegaSection,
    PriorSection,
    ResidualSection,
    ThetaSection,
)
from pkmodel.definition.shape import check_shape
from pkmodel.definition.source import find_definition, read_document
from pkmodel.errors import ModelError, Problem
from pkmodel.models.model import Model, OmegaBlock, Options, Residual, Sigma, Theta
from pkmodel.models.prior import ALLOWED, FAMILIES, Prior, Priors, prior_faults
from pkmodel.units import read_units

_REQUIRED = {
    "model": 'write [model] with structure = "one_compartment"',
    "theta": "write [theta] with, for example, cl = { init = 0.1, lower = 0 }",
    "omega": "write [omega] with, for example, CL = 0.1",
    "residual": "write [residual] with, for example, proportional = 0.2",
}


def read_definition(path: str | Path, *, method: str | None = None) -> Definition:
    """Read a fit definition.

    Parameters
    ----------
    path : str or Path
        A TOML file, or the bare name of a shipped definition.
    method : str, optional
        The method that will be asked for in place of the file's own. The file is judged by it, and
        may say what it has no use for; the record holds what the file says.

    Returns
    -------
    Definition

    Raises
    ------
    ModelError
        With every fault found, and its place in the file.

    Examples
    --------
    >>> read_definition("phenobarbital").model.parameters["CL"]
    'cl * WT'
    """
    file = find_definition(path)
    return build_definition(read_document(file), file, method=method)


def build_definition(
    raw: Mapping[str, Any], path: Path, *, method: str | None = None
) -> Definition:
    """Check a parsed document and make its record.

    Parameters
    ----------
    raw : mapping
        As parsed from TOML.
    path : Path
        The file; names the source, and its folder is where relative data files are looked for.
    method : str, optional
        As for `read_definition`.

    Returns
    -------
    Definition

    Raises
    ------
    ModelError
        With every fault found.
    """
    shape = check_shape(raw, Document, _REQUIRED)
    document = shape.document
    theta = _thetas(document.theta or {})
    omega = effect_blocks(document.omega) if document.omega is not None else ()
    residual = residual_error(document.residual or ResidualSection())
    options = Options(**document.fit.model_dump()) if document.fit is not None else Options()
    problems = [
        *(_misplaced_priors(document, options, shape.incomplete) if method is None else []),
        *shape.problems,
        *_data_problems(document.data),
        *_structure_problems(document.model, theta, shape.incomplete),
        *_effect_problems(document, theta, omega, shape.incomplete),
        *_residual_problems(document.residual, residual, shape.incomplete),
        *_option_problems(options, method, shape.incomplete),
        *_prior_problems(document, theta, omega, residual, shape.incomplete),
        *(group_problems(document.groups) if "groups" not in shape.incomplete else []),
    ]
    if problems or document.model is None or document.omega is None:
        raise ModelError(problems, str(path))
    model = Model(
        structure=document.model.structure,
        parameters=document.model.parameters,
        theta=theta,
        omega=omega,
        residual=residual,
        distribution=document.omega.distribution,
        priors=None if document.prior is None else _priors(document.prior),
    )
    return Definition(
        title=path.stem if document.title is None else document.title,
        data=_data(document.data, path) if document.data is not None else None,
        model=model,
        options=options,
        groups=_groups(document.groups, path) if document.groups is not None else None,
        path=path,
    )


def _structure_problems(
    table: ModelSection | None, theta: tuple[Theta, ...], incomplete: frozenset[str]
) -> list[Problem]:
    """Check structure and formulas; whether all is there and used, only where all could be read."""
    if table is None:
        return []
    known = known_parameters(table.structure)
    problems = [*structure_problems(table.structure), *formula_problems(table.parameters)]
    if "model" not in incomplete:
        problems += name_problems(table.structure, table.parameters)
    if not incomplete & {"model", "theta"}:
        problems += use_problems(table.parameters, theta, known or ())
    return problems


def _effect_problems(
    document: Document,
    theta: tuple[Theta, ...],
    omega: tuple[OmegaBlock, ...],
    incomplete: frozenset[str],
) -> list[Problem]:
    """Check thetas and random effects; a table with entries left out may be empty."""
    known = known_parameters(document.model.structure) if document.model is not None else None
    problems: list[Problem] = []
    if theta or "theta" not in incomplete:
        problems += theta_problems(theta)
    if omega or "omega" not in incomplete:
        problems += omega_problems(omega, known)
    if document.omega is not None and "omega" not in incomplete:
        problems += distribution_problems(document.omega.distribution, omega, known)
    return problems


def _residual_problems(
    table: ResidualSection | None, residual: Residual, incomplete: frozenset[str]
) -> list[Problem]:
    if "residual" in incomplete:
        return []
    problems = residual_problems(residual)
    terms = [sigma.name for sigma in residual.sigmas if sigma.name != "exponent"]
    if table is not None and table.combine == "variance" and len(terms) < 2:
        problems.append(Problem(IDLE_COMBINE, "[residual]"))
    return problems


def _option_problems(
    options: Options, method: str | None, incomplete: frozenset[str]
) -> list[Problem]:
    """Check the options; where the method may be what is left out, without what depends on it.

    A method that takes the place of the file's own is judged where it is used.
    """
    problems = option_problems(by_method(options, method))
    if method is not None:
        problems = [problem for problem in problems if problem.place != "[fit] method"]
    if "fit" in incomplete:
        places = {f"[fit] {key}" for key in OWNERS}
        problems = [problem for problem in problems if problem.place not in places]
    return problems


def _misplaced_priors(
    document: Document, options: Options, incomplete: frozenset[str]
) -> list[Problem]:
    """Refuse priors for a method that has no use for any; this comes before what is in them."""
    if document.prior is None or "fit" in incomplete or options.method == FULL_BAYES:
        return []
    return [Problem(MISPLACED, "[prior]")]


def _prior_problems(
    document: Document,
    theta: tuple[Theta, ...],
    omega: tuple[OmegaBlock, ...],
    residual: Residual,
    incomplete: frozenset[str],
) -> list[Problem]:
    """Check the numbers of all priors, and the rest where their parameters could be read."""
    if document.prior is None:
        return []
    may_be_left_out = "prior" in incomplete
    problems = [
        Problem(fault, place_of(kind, name))
        for kind in ALLOWED
        for name, entry in getattr(document.prior, kind).items()
        if _families(entry) or not may_be_left_out
        for fault in _entry_faults(entry)
    ]
    return problems + prior_problems(
        _prior_tables(document.prior),
        document.prior.lkj,
        None if "theta" in incomplete else theta,
        None if "omega" in incomplete else omega,
        None if "residual" in incomplete else residual,
    )


def _entry_faults(entry: DistributionSection) -> list[str]:
    families = _families(entry)
    if len(families) != 1:
        return [f"give one distribution, not {_listed(entry)}"]
    return prior_faults(families[0], _numbers(entry, families[0]))


def _families(entry: DistributionSection) -> list[str]:
    return [name for name in FAMILIES if getattr(entry, name) is not None]


def _listed(entry: DistributionSection) -> str:
    return " and ".join(_families(entry)) or "none"


def _priors(table: PriorSection) -> Priors:
    """Make priors that have no fault."""
    kinds = {
        kind: {name: _prior(entry) for name, entry in getattr(table, kind).items()}
        for kind in ALLOWED
    }
    return Priors(**kinds, lkj=table.lkj)


def _prior_tables(table: PriorSection) -> dict[str, dict[str, Prior | None]]:
    """Make the priors by kind and name; None of those with a fault."""
    return {
        kind: {
            name: None if _entry_faults(entry) else _prior(entry)
            for name, entry in getattr(table, kind).items()
        }
        for kind in ALLOWED
    }


def _prior(entry: DistributionSection) -> Prior:
    (family,) = _families(entry)
    return Prior(family, _numbers(entry, family))


def _numbers(entry: DistributionSection, family: str) -> tuple[float, ...]:
    value = getattr(entry, family)
    if family == "flat":
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def _thetas(table: Mapping[str, ThetaSection]) -> tuple[Theta, ...]:
    return tuple(
        Theta(
            name,
            entry.init,
            -inf if entry.lower is None else entry.lower,
            inf if entry.upper is None else entry.upper,
            entry.fixed,
        )
        for name, entry in table.items()
    )


def effect_blocks(table: OmegaSection) -> tuple[OmegaBlock, ...]:
    """Make the blocks of random effects, those between occasions last."""
    between = _effects(table, occasion=False)
    return between if table.occasion is None else between + _effects(table.occasion, occasion=True)


def _effects(table: EffectsSection, *, occasion: bool) -> tuple[OmegaBlock, ...]:
    single = [
        OmegaBlock((name,), ((entry.init,),), bool(entry.fixed), occasion)
        for name, entry in table.variances.items()
    ]
    blocks = [
        OmegaBlock(tuple(entry.parameters), _full_matrix(entry.matrix), entry.fixed, occasion)
        for entry in table.blocks
    ]
    return (*single, *blocks)


def _full_matrix(rows: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """Complete a lower triangle; leave any other shape as it is, for the check to judge."""
    n = len(rows)
    if [len(row) for row in rows] != list(range(1, n + 1)):
        return tuple(tuple(row) for row in rows)
    return tuple(tuple(rows[max(i, j)][min(i, j)] for j in range(n)) for i in range(n))


def residual_error(table: ResidualSection) -> Residual:
    """Make the residual error."""
    entries = {name: getattr(table, name) for name in SIGMAS}
    sigmas = [_sigma(name, entry) for name, entry in entries.items() if entry is not None]
    return Residual(tuple(sigmas), table.combine or "variance")


def _sigma(name: str, entry: NumberSection) -> Sigma:
    """Make a coefficient; an exponent is kept unless the file says otherwise."""
    return Sigma(name, entry.init, name == "exponent" if entry.fixed is None else entry.fixed)


def _data_problems(table: DataSection | None) -> list[Problem]:
    if table is None:
        return []
    problems = []
    if not table.file.isprintable():
        problems.append(Problem("the name holds characters that no file name has", "[data] file"))
    if table.units is not None:
        try:
            read_units(table.units.model_dump())
        except ModelError as error:
            problems += [_in_data(problem) for problem in error.problems]
    return problems


def _in_data(problem: Problem) -> Problem:
    return Problem(problem.message, f"[data] {problem.place.replace(',', '')}")


def _data(table: DataSection, path: Path) -> DataSpec:
    file = os.path.normpath(path.parent.resolve() / table.file)
    return DataSpec(
        file=Path(file),
        units=table.units.model_dump() if table.units is not None else None,
        columns=table.columns,
        where=table.where,
        lloq=table.lloq,
        covariates=table.covariates,
        allow=tuple(table.allow),
    )


def _groups(table: GroupsSection, path: Path) -> dict[str, object]:
    groups = table.model_dump(exclude_none=True)
    if table.margin is not None:
        groups["margin"] = tuple(table.margin)
    if table.published is not None:
        groups["published"] = os.path.normpath(path.parent.resolve() / table.published)
    if table.cuts is not None:
        groups["cuts"] = {name: (low, high) for name, (low, high) in table.cuts.items()}
    if table.bsa is not None and table.bsa.column is not None:
        groups["bsa"] = table.bsa.column
    return groups
