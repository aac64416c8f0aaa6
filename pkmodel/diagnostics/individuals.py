"""One row per subject: modes, individual parameters, objective, covariates."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.problem import Evaluation, Problem

Vector = NDArray[np.float64]


def effect_label(parameter: str, occasion: int) -> str:
    """Name the column of an effect."""
    return f"ETA_{parameter}" if occasion == 0 else f"ETA_{parameter}_OCC{occasion}"


def individual_parameters(problem: Problem, x: Vector, eta: Vector) -> dict[str, Vector]:
    """Structural parameters of each subject at its mode.

    Where a covariate changes in time, those of the subject's first row, without effects of
    occasions.
    """
    mu, _ = problem.typical(problem.packing.unpack(x).theta)
    if problem.varies:
        mu = mu[problem.start[:-1]]
    out = {}
    for p, name in enumerate(problem.structure.parameters):
        psi = mu[:, p].copy()
        for k, effect in enumerate(problem.effects):
            if effect.parameter == name and effect.occasion == 0:
                psi += eta[:, k]
        distribution = problem.model.distribution.get(name, "lognormal")
        if distribution == "lognormal":
            out[name] = np.exp(psi)
        elif distribution == "logitnormal":
            out[name] = 1.0 / (1.0 + np.exp(-psi))
        else:
            out[name] = psi
    return out


def individuals_table(problem: Problem, x: Vector, evaluation: Evaluation) -> pd.DataFrame:
    """Tabulate the subjects.

    Returns
    -------
    DataFrame
        ID, ETA_<parameter>..., SE_ETA_<parameter>... (square roots of the conditional variances),
        the parameters, OFV, MODE ("found" or "failed"), and the first value of each covariate.
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
    for name, values in problem.dataset.covariates.items():
        if name not in table:
            table[name] = values[problem.start[:-1]]
    return pd.DataFrame(table)
