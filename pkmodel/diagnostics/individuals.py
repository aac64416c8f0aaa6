"""One row per subject: modes, individual parameters, objective, covariates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.problem import Evaluation, Problem

Vector = NDArray[np.float64]


def effect_label(parameter: str, occasion: int) -> str:
    """Name the column of an effect."""
    return f"ETA_{parameter}" if occasion == 0 else f"ETA_{parameter}_OCC{occasion}"


def individual_parameters(
    problem: Problem, x: Vector, eta: Vector, rows: NDArray[np.int64] | None = None
) -> dict[str, Vector]:
    """Structural parameters at given effects, without effects of occasions.

    Parameters
    ----------
    problem : Problem
    x : array (..., size)
        Packed parameters, of one point or of many.
    eta : array (..., n, effects)
        At each of them.
    rows : array (n,), optional
        Rows of the data whose covariates count; the first of each subject if absent.

    Returns
    -------
    dict of str to array (..., n)
    """
    rows = problem.start[:-1] if rows is None else rows
    places = rows if problem.varies else problem.dataset.subject[rows]
    points, which = np.unique(x.reshape(-1, x.shape[-1]), axis=0, return_inverse=True)
    mu = np.stack([problem.typical(problem.packing.unpack(one).theta)[0][places] for one in points])
    mu = mu[which].reshape(*x.shape[:-1], *mu.shape[1:])
    shape = np.broadcast_shapes(mu.shape[:-1], eta.shape[:-1])
    out = {}
    for p, name in enumerate(problem.structure.parameters):
        psi = np.broadcast_to(mu[..., p], shape).copy()
        for k in _effects_of(problem, name):
            psi += eta[..., k]
        distribution = problem.model.distribution.get(name, "lognormal")
        if distribution == "lognormal":
            with np.errstate(over="ignore"):
                out[name] = np.exp(psi)
        elif distribution == "logitnormal":
            out[name] = 1.0 / (1.0 + np.exp(-psi))
        else:
            out[name] = psi
    return out


def _effects_of(problem: Problem, parameter: str) -> list[int]:
    """Columns of eta that move a parameter between subjects."""
    return [
        k for k, e in enumerate(problem.effects) if e.parameter == parameter and e.occasion == 0
    ]


def log_slopes(problem: Problem, values: Mapping[str, Vector]) -> Vector:
    """Slopes of the logarithms of the structural parameters in the effects.

    Parameters
    ----------
    problem : Problem
    values : mapping of str to array (n,)
        From `individual_parameters`.

    Returns
    -------
    array (n, parameters, effects)
    """
    count = next(iter(values.values())).size
    out = np.zeros((count, len(values), len(problem.effects)))
    for p, (name, value) in enumerate(values.items()):
        distribution = problem.model.distribution.get(name, "lognormal")
        by_psi = {
            "lognormal": np.ones_like(value),
            "logitnormal": 1.0 - value,
            "normal": 1.0 / value,
        }[distribution]
        for k in _effects_of(problem, name):
            out[:, p, k] = by_psi
    return out


def individuals_table(
    problem: Problem, x: Vector, evaluation: Evaluation, more: Mapping[str, object]
) -> pd.DataFrame:
    """Tabulate the subjects.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
    evaluation : Evaluation
    more : mapping of str to array (subjects,)
        Further columns.

    Returns
    -------
    DataFrame
        ID, ETA_<parameter>..., SE_ETA_<parameter>... (square roots of the conditional variances),
        the parameters, OFV, MODE ("found" or "failed"), `more`, and the first value of each
        covariate, as ``<name>_DATA`` where the name is taken.
    """
    terms = evaluation.terms
    table: dict[str, object] = {"ID": problem.dataset.ids}
    labels = [effect_label(e.parameter, e.occasion) for e in problem.effects]
    for k, label in enumerate(labels):
        table[label] = terms.eta[:, k]
    table.update(individual_parameters(problem, x, terms.eta))
    table["OFV"] = terms.objective + problem.own_scale
    for k, label in enumerate(labels):
        table[f"SE_{label}"] = np.sqrt(terms.covariance[:, k, k])
    table["MODE"] = np.where(terms.status == 0, "found", "failed")
    table.update(more)
    for name, values in problem.dataset.covariates.items():
        table[f"{name}_DATA" if name in table else name] = values[problem.start[:-1]]
    return pd.DataFrame(table)
