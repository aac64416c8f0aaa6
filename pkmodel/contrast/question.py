"""What a model can be asked about groups: which parameter carries the ratio of a metric.

A metric is a product of powers of CL and V and of a factor of each subject. Put

    CL = size * (typical * ratio)^s            for a metric of CL alone, s = 1 or -1,
    V  = size * typical * ratio                for one of V,
    V  = size * typical * ratio * CL formula   for half-life,

with `size` the factor that turns the metric into the parameter: 1, BSA, (WT/70)^0.75 or the
subject's own rate of infusion. BSA and WT are those of each record, for children grow. Then the
ratio of the typical values of the metric is a theta. The same question with the model's own formula
in place of `size * typical` asks what is left of a difference when the model's covariates have had
their say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.exposure.metric import METRICS, Subject
from pkmodel.formula import parse_formula
from pkmodel.models.model import Model
from pkmodel.problem import Problem
from pkmodel.subjects import Subjects

Vector = NDArray[np.float64]

SAME = 1e-9
"""Sizes that differ by less than this, up to a common factor, ask the same."""


@dataclass(frozen=True)
class Question:
    """A ratio between groups, as a theta of an edited model.

    Attributes
    ----------
    metric, adjustment : str
    target : str
        The parameter that carries the ratio: ``"CL"`` or ``"V"``.
    sign : int
        Its power of the ratio.
    size : array (n_rows,) or None
        At each record, with geometric mean 1, NaN where unknown; None where the model's own formula
        stands.
    with_clearance : bool
        The typical CL of the subject is a factor as well.
    """

    metric: str
    adjustment: str
    target: str
    sign: int
    size: Vector | None
    with_clearance: bool

    @property
    def other(self) -> str:
        """The other one of CL and V."""
        return "V" if self.target == "CL" else "CL"

    def asks_the_same(self, other: Question) -> bool:
        """Tell whether the answer to another question is the answer to this, up to the sign."""
        if (self.target, self.with_clearance) != (other.target, other.with_clearance):
            return False
        if self.size is None or other.size is None:
            return self.size is other.size
        return bool(np.allclose(self.size, other.size, rtol=SAME, atol=0.0, equal_nan=True))


def questions(
    problem: Problem,
    x: Vector,
    table: pd.DataFrame,
    subjects: Subjects,
    metrics: Iterable[str] = METRICS,
) -> list[Question]:
    """List the questions that a model and an exposure table allow.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Packed parameters.
    table : DataFrame
        Model-based exposure, a row per subject: CL, V and metrics.
    subjects : Subjects
        Their sizes at each record.
    metrics : iterable of str

    Returns
    -------
    list of Question
        In the order of metrics; after CL and V the same adjusted by the model's covariates, where
        its formula has any.
    """
    out = []
    for metric in metrics:
        if metric not in table:
            continue
        out.append(_plain_question(problem, metric, table, subjects))
        formula = problem.model.parameters.get(metric)
        if formula is not None and _has_covariates(problem.model, formula):
            size = _size_of_formula(problem, x, metric)
            out.append(Question(metric, formula, metric, 1, size, False))
    return out


def _plain_question(
    problem: Problem, metric: str, table: pd.DataFrame, subjects: Subjects
) -> Question:
    spec, dataset = METRICS[metric], problem.dataset
    unknown = np.full(dataset.n_subjects, np.nan)
    rate = table["R0"].to_numpy(float) if "R0" in table else unknown
    at_record = Subject(
        scale=dataset.units.scale,
        rate=rate[dataset.subject],
        amount=unknown[dataset.subject],
        bsa=subjects.bsa,
        weight=subjects.weight,
    )
    factor = spec.factor(at_record)
    assert factor is not None, f"exposure has {metric}, and the size in it is not known"
    target, sign = ("V", spec.v) if spec.v else ("CL", spec.cl)
    size = _relative(factor**-sign)
    return Question(
        metric, adjustment_of(metric, table), target, sign, size, bool(spec.v and spec.cl)
    )


def _relative(size: Vector) -> Vector:
    """Divide by the geometric mean of the known ones."""
    known = size[np.isfinite(size)]
    return size / np.exp(np.mean(np.log(known))) if known.size else size


def adjustment_of(metric: str, table: pd.DataFrame) -> str:
    """Say what a metric is freed of by its definition.

    Parameters
    ----------
    metric : str
    table : DataFrame
        Exposure; per m2 where it has a column BSA.

    Examples
    --------
    >>> adjustment_of("CSS_DN", pd.DataFrame({"BSA": [0.3]}))
    'BSA'
    """
    known = {"CSS": "own rate", "CL_BSA": "BSA", "CL_70KG": "(WT/70)^0.75", "V_BSA": "BSA"}
    if metric == "CSS_DN":
        return "BSA" if "BSA" in table else "none"
    return known.get(metric, "none")


def _has_covariates(model: Model, formula: str) -> bool:
    thetas = {t.name for t in model.theta}
    return bool(parse_formula(formula, "").names - thetas)


def _size_of_formula(problem: Problem, x: Vector, parameter: str) -> Vector | None:
    """Return the size in a formula that is one free theta times a size; None for any other.

    Then the formula asks for a known size, and what asks for the same size has the same answer.
    """
    names = parse_formula(problem.model.parameters[parameter], "").names
    rest = [f for p, f in problem.model.parameters.items() if p != parameter]
    shared = set().union(*(parse_formula(f, "").names for f in rest))
    thetas = [k for k, t in enumerate(problem.model.theta) if t.name in names]
    is_lognormal = problem.model.distribution.get(parameter, "lognormal") == "lognormal"
    if len(thetas) != 1 or not is_lognormal:
        return None
    theta = problem.model.theta[thetas[0]]
    if theta.fixed or theta.name in shared:
        return None
    values = problem.packing.unpack(x).theta
    mu, jacobian = problem.typical(values)
    place = problem.structure.parameters.index(parameter)
    power = values[thetas[0]] * jacobian[:, place, thetas[0]]
    if not np.allclose(power, 1.0, atol=SAME):
        return None
    size = np.exp(mu[:, place])
    return _relative(size if problem.varies else size[problem.dataset.subject])
