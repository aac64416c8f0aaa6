"""Starting values ten times off must not matter: the published minimum is reached all the same.

Intravenous cases. Oral ones have a second optimum with absorption and elimination exchanged
(flip-flop), for theophylline even a lower one; there a fit must only be at an optimum or say that
it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from pathlib import Path

import pytest

import pkmodel as pk
import reference_cases
from reference_cases import FITS, Fitted, Values

FACTORS = [(10.0, 10.0), (0.1, 0.1), (10.0, 0.1), (0.1, 10.0)]
CLEARANCES, VOLUMES = ("cl", "lcl", "t1"), ("v", "lv", "t2")


def moved(case: Fitted, clearance: float, volume: float) -> Values:
    """Multiply the starting values of clearance and volume."""
    theta = dict(case.start.theta)
    is_log = case.model.parameters["CL"].startswith("exp(")
    for names, factor in ((CLEARANCES, clearance), (VOLUMES, volume)):
        name = next(n for n in theta if n in names)
        theta[name] = theta[name] + log(factor) if is_log else theta[name] * factor
    return Values(theta, case.start.omega, case.start.residual)


CASES = [
    pytest.param(case, *factors, id=f"{case.name}-{factors[0]:g}-{factors[1]:g}")
    for case in FITS
    for factors in FACTORS
    if "KA" not in case.model.parameters
]


@pytest.mark.parametrize(("case", "clearance", "volume"), CASES)
def test_published_minimum_from_ten_times_off(
    case: Fitted, clearance: float, volume: float, define: Callable, scratch: Path
) -> None:
    data = reference_cases.prepared(case.model, scratch)
    if data is None:
        pytest.skip(f"{case.model.dataset} is not at hand")
    values = moved(case, clearance, volume)
    text = reference_cases.definition_text(case.model, values, case.method, data)
    definition = define(f"poor-{case.name}-{clearance}-{volume}", text)
    fit = pk.fit(definition, covariance=False)
    assert fit.converged, fit.advice
    assert case.expected - case.tolerance <= fit.objective <= case.expected + 1e-3


def test_phenobarbital_from_where_others_end_far_away(define: Callable) -> None:
    """Additive error, correlated effects, variances of 1 and a residual deviation of 0.1."""
    path = reference_cases.data_file("phenobarbital")
    assert path is not None
    start = Values({"cl": 0.008, "v": 0.6}, {"CL": 1.0, "V": 1.0, "CL,V": 0.0}, {"additive": 0.1})
    text = reference_cases.definition_text(reference_cases.PHENO_BLOCK, start, "laplace", path)
    fit = pk.fit(define("poor-phenobarbital-additive", text))
    assert fit.converged, fit.advice
    assert fit.objective == pytest.approx(688.6, abs=0.05)  # TMB, Laplace, to the digits known
