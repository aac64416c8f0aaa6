"""The user's model with a ratio for each group in it, on the subjects that have one.

The group's code and the size at each record become covariates, the ratios thetas, under names
that nothing else has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.contrast.comparison import Comparison
from pkmodel.contrast.question import Question
from pkmodel.dataset.selection import select_subjects
from pkmodel.diagnostics.individuals import individual_parameters
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.formula import parse_formula
from pkmodel.models.model import Model, Theta
from pkmodel.problem import Problem

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class GroupModel:
    """An edited model on its data.

    Attributes
    ----------
    problem : Problem
    start : array (size,)
        Packed: what the user's fit found, and the ratios of its individual estimates.
    ratios : mapping of int to str
        Theta of each group beside the reference that has subjects.
    other_ratios : tuple of str
        Those on the other parameter.
    coefficients : int
        Free thetas in the typical value of the target.
    """

    problem: Problem
    start: Vector
    ratios: Mapping[int, str]
    other_ratios: tuple[str, ...]
    coefficients: int


def group_model(
    base: Problem,
    estimate: Estimate,
    question: Question,
    comparison: Comparison,
    kept: NDArray[np.bool_],
    *,
    free_other: bool,
) -> GroupModel:
    """Edit a model so that a question becomes its thetas.

    Parameters
    ----------
    base : Problem
        The user's model and data.
    estimate : Estimate
        Of it.
    question : Question
    comparison : Comparison
    kept : array (n_subjects,) of bool
        Subjects that have a group and a size.
    free_other : bool
        The other parameter has a ratio for each group as well; else its own formula alone.

    Returns
    -------
    GroupModel
    """
    names = _Names(base)
    code = comparison.code[kept]
    groups = [k for k in comparison.others if np.any(code == k)]
    column, size = names.new("GROUP_CODE"), names.new("SIZE")
    carrier = question.metric if question.with_clearance else question.target
    ratios = {k: names.new(f"ratio_{carrier}_{comparison.names[k]}") for k in groups}
    others = {k: names.new(f"ratio_{question.other}_{comparison.names[k]}") for k in groups}
    typical = names.new(f"typical_{carrier}")
    free_other = free_other and _is_free(base.model, base.model.parameters[question.other])

    formulas = dict(base.model.parameters)
    if free_other:
        factor = _by_group(column, others)
        formulas[question.other] = f"({formulas[question.other]}) * {factor}"
    own = f"({formulas[question.target]})" if question.size is None else f"{size} * {typical}"
    if question.with_clearance:
        own = f"({formulas['CL']}) * {own}"
    formulas[question.target] = f"{own} * {_by_group(column, ratios)}"

    dataset = select_subjects(base.dataset, kept)
    covariates = {column: code.astype(float)[dataset.subject]}
    if question.size is not None:
        covariates[size] = question.size[kept[base.dataset.subject]]
    new = [*ratios.values(), *(others.values() if free_other else ())]
    new += [] if question.size is None else [typical]
    model = _model(base.model, formulas, new)
    dataset = replace(dataset, covariates={**dataset.covariates, **covariates})
    problem = Problem(model, dataset, base.options, threads=base.threads)
    problem = problem.with_order(np.broadcast_to(base.orders, base.n_subjects)[kept])
    values = _first_values(base, estimate, question, kept, code, comparison.reference)
    known = {typical: values.get(comparison.reference, 0.0)}
    known |= {name: values[k] - known[typical] for k, name in ratios.items()}
    return GroupModel(
        problem=problem,
        start=_start(base, estimate, problem, known),
        ratios=ratios,
        other_ratios=tuple(others.values()) if free_other else (),
        coefficients=_coefficients(model, formulas, question),
    )


class _Names:
    """Names that are not taken yet by thetas and columns, made from those of groups."""

    def __init__(self, base: Problem) -> None:
        self.taken = {*base.theta_names, *base.dataset.covariates, *base.dataset.text}

    def new(self, wish: str) -> str:
        plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in wish)
        name, number = plain, 1
        while name in self.taken:
            number += 1
            name = f"{plain}_{number}"
        self.taken.add(name)
        return name


def _by_group(column: str, thetas: Mapping[int, str]) -> str:
    """Return the factor of each group: its theta, 1 for the reference."""
    text = "1"
    for k, theta in thetas.items():
        text = f"where({column} == {k}, {theta}, {text})"
    return text


def _is_free(model: Model, formula: str) -> bool:
    """Tell whether a formula has something to estimate."""
    fixed = {t.name for t in model.theta if t.fixed}
    thetas = {t.name for t in model.theta}
    return bool((parse_formula(formula, "").names & thetas) - fixed)


def _model(base: Model, formulas: Mapping[str, str], new: Iterable[str]) -> Model:
    """Return the model with other formulas, without thetas that none of them uses."""
    used = set().union(
        *(parse_formula(f, f"[model.parameters] {p}").names for p, f in formulas.items())
    )
    kept = [t for t in base.theta if t.name in used]
    return replace(
        base, parameters=formulas, theta=(*kept, *(Theta(name, 1.0, lower=0.0) for name in new))
    )


def _first_values(
    base: Problem,
    estimate: Estimate,
    question: Question,
    kept: NDArray[np.bool_],
    code: NDArray[np.int64],
    reference: int,
) -> dict[int, float]:
    """Mean logarithm of each group's `typical * ratio`, by the individual estimates."""
    values = individual_parameters(base, estimate.x, estimate.final.terms.eta)
    if question.size is None:
        typical = individual_parameters(base, estimate.x, np.zeros_like(estimate.final.terms.eta))
        known = values[question.target] / typical[question.target]
    else:
        known = values[question.target] / question.size[base.start[:-1]]
    if question.with_clearance:
        known = known / values["CL"]
    with np.errstate(invalid="ignore"):
        logs = np.nan_to_num(np.log(known[kept]))
    return {int(k): float(np.mean(logs[code == k])) for k in np.unique(code)}


def _start(
    base: Problem, estimate: Estimate, problem: Problem, known: Mapping[str, float]
) -> Vector:
    """Take the packed values of the same parameters over, and put the known logarithms in."""
    before = dict(zip(base.packing.names, estimate.x, strict=True))
    before |= {f"theta {name}": value for name, value in known.items()}
    initial = problem.packing.initial()
    return np.array(
        [before.get(name, x) for name, x in zip(problem.packing.names, initial, strict=True)]
    )


def _coefficients(model: Model, formulas: Mapping[str, str], question: Question) -> int:
    """Count the free thetas of the target's typical value, without those of CL in a half-life."""
    names = parse_formula(formulas[question.target], "").names
    if question.with_clearance:
        names -= parse_formula(formulas["CL"], "").names
    return sum(t.name in names and not t.fixed for t in model.theta)
