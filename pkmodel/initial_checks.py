"""What is refused before a fit: priors and initial values of which nothing can come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.far_priors import excluded_priors
from pkmodel.definition import FULL_BAYES
from pkmodel.errors import FitError, ModelError
from pkmodel.formula import parse_formula
from pkmodel.problem import Problem


def check_priors(problem: Problem) -> None:
    """Refuse priors of which nothing can be drawn."""
    faults = excluded_priors(problem.model) if problem.options.method == FULL_BAYES else []
    if faults:
        raise ModelError(faults)


def check_typical(problem: Problem) -> None:
    """Refuse initial values at which a formula has no valid value, saying where."""
    theta = problem.packing.unpack(problem.packing.initial()).theta
    mu, _ = problem.typical(theta)
    values = problem.typical_values(theta)
    for p, name in enumerate(problem.structure.parameters):
        bad = np.flatnonzero(~np.isfinite(mu[:, p]))
        if bad.size:
            raise FitError(_invalid(problem, name, bad, float(values[bad[0], p])))


_RANGE = {"lognormal": "> 0", "logitnormal": "between 0 and 1", "normal": "finite"}


def _invalid(problem: Problem, name: str, bad: NDArray[np.int64], value: float) -> str:
    """Say which covariates and thetas make a typical value invalid, at its first place."""
    data, formula = problem.dataset, problem.model.parameters[name]
    rows = bad if problem.varies else problem.start[bad]
    row = int(rows[0])
    names = parse_formula(formula, name).names
    cause = [f"{c} = {data.covariates[c][row]:.6g}" for c in problem.covariates if c in names]
    cause += [f"{t.name} = {t.init:.6g}" for t in problem.model.theta if t.name in names]
    subjects = np.unique(data.subject[rows]).size
    others = f" (and {subjects - 1} more subject{'s' if subjects > 2 else ''})"
    wanted = _RANGE[problem.model.distribution.get(name, "lognormal")]
    return (
        f"{', '.join(cause)} in line {data.row[row]} of {data.source}, subject "
        f"{data.ids[data.subject[row]]}, makes {name} = {formula} = {value:.6g}"
        f"{others if subjects > 1 else ''}; {name} must be {wanted}: check the covariates and "
        "the initial values in [theta]"
    )


def undefined(problem: Problem) -> FitError:
    """Say for which subjects the likelihood is not defined at the initial values."""
    first = problem.evaluate(problem.packing.initial())
    failed = problem.dataset.ids[~np.isfinite(first.terms.objective)]
    listed = ", ".join(str(v) for v in failed[:10])
    return FitError(
        f"the likelihood of {failed.size} subjects is not defined at the initial values "
        f"(subjects {listed}{' ...' if failed.size > 10 else ''} of {problem.dataset.source}): "
        "check [theta], [omega] and [residual] against the units of the data"
    )
