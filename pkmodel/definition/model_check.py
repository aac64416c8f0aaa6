"""Whether a population model makes sense in itself, before any data: all its faults in one pass.

Names in formulas that are no theta are taken for covariates; the data will tell about those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from keyword import iskeyword
from math import isfinite

from pkmodel.definition.prior_check import model_prior_problems
from pkmodel.definition.random_effect_check import distribution_problems, omega_problems
from pkmodel.definition.residual_check import residual_problems
from pkmodel.errors import ModelError, Problem
from pkmodel.formula import Formula, parse_formula
from pkmodel.formula.syntax import FUNCTIONS
from pkmodel.models.model import Model, Theta
from pkmodel.models.real import is_real
from pkmodel.models.structural import STRUCTURES
from pkmodel.suggestion import label, quoted, suggest


def check_model(model: Model) -> None:
    """Raise all faults of a model that can be seen without data.

    Parameters
    ----------
    model : Model

    Raises
    ------
    ModelError
        With one problem for each fault, and its place as in a fit definition.

    Examples
    --------
    >>> from pkmodel.models.model import Model, Residual
    >>> check_model(Model("two_compartment", {}, (), (), Residual(())))
    Traceback (most recent call last):
        ...
    pkmodel.errors.ModelError: [model] structure: ...
    """
    problems = [
        *structure_problems(model.structure),
        *name_problems(model.structure, model.parameters),
        *formula_problems(model.parameters),
        *theta_problems(model.theta),
        *use_problems(model.parameters, model.theta, known_parameters(model.structure) or ()),
        *omega_problems(model.omega, known_parameters(model.structure)),
        *distribution_problems(model.distribution, model.omega, known_parameters(model.structure)),
        *residual_problems(model.residual),
        *model_prior_problems(model),
    ]
    if problems:
        raise ModelError(problems)


def known_parameters(structure: str) -> tuple[str, ...] | None:
    """Return the parameters of a structure, None if there is no such structure."""
    spec = STRUCTURES.get(structure) if isinstance(structure, str) else None
    return spec.parameters if spec else None


def structure_problems(structure: str) -> list[Problem]:
    """Check the name of the structural model."""
    if known_parameters(structure):
        return []
    message = f"{quoted(structure)} does not exist ({suggest(str(structure), STRUCTURES)})"
    return [Problem(message, "[model] structure")]


def name_problems(structure: str, parameters: Mapping[str, str]) -> list[Problem]:
    """Check that every structural parameter has a formula, and nothing else has."""
    known = known_parameters(structure) or tuple(parameters)
    return [
        *(_missing(p, structure) for p in known if p not in parameters),
        *(_unknown(p, structure, known) for p in parameters if p not in known),
    ]


def formula_problems(parameters: Mapping[str, str]) -> list[Problem]:
    """Check that every formula can be read."""
    return _read_formulas(parameters)[1]


def _missing(parameter: str, structure: str) -> Problem:
    message = f'{structure} needs a formula for it, such as {parameter} = "{parameter.lower()}"'
    return Problem(message, f"[model.parameters] {parameter}")


def _unknown(parameter: str, structure: str, known: Sequence[str]) -> Problem:
    message = f"{structure} has no parameter {quoted(parameter)} ({suggest(parameter, known)})"
    return Problem(message, "[model.parameters]")


def _read_formulas(parameters: Mapping[str, str]) -> tuple[dict[str, Formula], list[Problem]]:
    formulas: dict[str, Formula] = {}
    problems: list[Problem] = []
    for name, text in parameters.items():
        try:
            formulas[name] = parse_formula(text, f"[model.parameters] {label(name)}")
        except ModelError as error:
            problems += error.problems
    return formulas, problems


def theta_problems(thetas: Sequence[Theta]) -> list[Problem]:
    """Check names, initial values and bounds."""
    if not thetas:
        return [Problem("a model needs at least one theta", "[theta]")]
    problems = []
    seen: set[str] = set()
    for theta in thetas:
        place = f"[theta] {label(theta.name)}"
        messages = [_name_fault(theta.name), *_value_faults(theta)]
        if theta.name in seen:
            messages.append("declared twice; give each theta one entry")
        seen.add(theta.name)
        problems += [Problem(message, place) for message in messages if message]
    return problems


def _name_fault(name: str) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return f"{quoted(name)} cannot stand in a formula; use A-Z, a-z, 0-9 and _, no digit first"
    if iskeyword(name):
        return f"{name} is a reserved word of formulas; choose another name"
    if name in FUNCTIONS:
        return f"{name} is a function of formulas; choose another name"
    return ""


def _value_faults(theta: Theta) -> list[str]:
    values = {"init": theta.init, "lower": theta.lower, "upper": theta.upper}
    wrong = [key for key, value in values.items() if not is_real(value)]
    if wrong:
        return [f"{key} must be a number, not {quoted(values[key])}" for key in wrong]
    if not isfinite(theta.init):
        return [f"init must be a finite number, not {theta.init}"]
    if theta.lower >= theta.upper:
        return [f"lower ({theta.lower:g}) must be below upper ({theta.upper:g})"]
    if not theta.lower <= theta.init <= theta.upper:
        bounds = f"{theta.lower:g} to {theta.upper:g}"
        return [f"init ({theta.init:g}) is outside its bounds, {bounds}"]
    if not theta.fixed and theta.init in (theta.lower, theta.upper):
        return [f"init ({theta.init:g}) lies on a bound; move it inside, or say fixed = true"]
    return []


def use_problems(
    parameters: Mapping[str, str], thetas: Sequence[Theta], structural: Sequence[str]
) -> list[Problem]:
    """Check that formulas use every theta, and no structural parameter."""
    formulas, faults = _read_formulas(parameters)
    if faults:
        return []
    declared = {theta.name for theta in thetas}
    problems = [
        Problem(
            f"`{name}` is a parameter; formulas are made of thetas and covariates", formula.place
        )
        for formula in formulas.values()
        for name in sorted(formula.names & set(structural) - declared)
    ]
    blamed = _misspelt(formulas, declared)
    problems += blamed.values()
    used = {name for formula in formulas.values() for name in formula.names}
    smooth = {name for formula in formulas.values() for name in formula.smooth_names}
    for theta in thetas:
        if theta.name in blamed:
            continue
        if theta.name not in used:
            others = suggest(str(theta.name), sorted(used - declared), "other names in formulas")
            message = f"no formula uses it; use it or remove it ({others})"
        elif theta.name not in smooth and not theta.fixed:
            message = "only conditions use it, so no gradient can estimate it; say fixed = true"
        else:
            continue
        problems.append(Problem(message, f"[theta] {label(theta.name)}"))
    return problems


def _misspelt(formulas: Mapping[str, Formula], declared: set[str]) -> dict[str, Problem]:
    """Find names in formulas that are nearly that of a theta no formula uses, by that theta.

    Capitals count, so that a covariate APGR is not taken for a theta v_apgr.
    """
    used = {name for formula in formulas.values() for name in formula.names}
    found: dict[str, Problem] = {}
    for parameter, formula in formulas.items():
        for name in sorted(formula.names - declared):
            idle = sorted(theta for theta in declared - used - set(found) if isinstance(theta, str))
            for theta in get_close_matches(name, idle, n=1):
                message = (
                    f"{name} in the formula of {parameter} is no theta; did you mean {theta}, "
                    f"which no formula uses? If {name} is a column of the data, remove {theta}"
                )
                found[theta] = Problem(message, formula.place)
    return found
