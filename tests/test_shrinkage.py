"""Shrinkage against what NONMEM printed, and what the printed numbers say of its definition.

ETASHRINKSD is 1 - s / omega. From the random effects and the estimates of these runs it follows
that s is the standard deviation about the mean with n - 1 up to version 7.5.0, about the mean with
n in 7.5.1 (where $LDFOLD says so), and the root of the mean square in 7.6.0. EPSSHRINKSD is
1 - root mean square of the weighted residuals in all of them, without interaction weighted by the
variance at eta = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
import reference_cases
from reference_cases import POINTS, Point

TABLE = Path(__file__).parent / "reference" / "shrinkage.csv"
PRINTED = 1e-3  # percentage points; worst 6e-4, from estimates of 5 and 6 digits
LAST_BY_DEGREES_OF_FREEDOM = "7.5.0"
OURS = "7.6"  # the definition that the package reports


def printed(kind: str, *, since: str = "7") -> Iterator[object]:
    for row in pd.read_csv(TABLE, dtype={"parameter": str}, keep_default_na=False).itertuples():
        if row.kind == kind and row.version >= since:
            mark = pytest.mark.xdist_group(row.point)
            yield pytest.param(row, id=f"{row.point}-{row.parameter or kind}", marks=mark)


@pytest.fixture(scope="module")
def evaluated(define: Callable, scratch: Path) -> Callable[[str], tuple[Point, pk.Fit]]:
    @cache
    def run(name: str) -> tuple[Point, pk.Fit]:
        point = next(p for p in POINTS if p.name == name)
        data = reference_cases.prepared(point.model, scratch)
        if data is None:
            pytest.skip(f"{point.model.dataset} is not at hand")
        text = reference_cases.definition_text(point.model, point.values, point.method, data)
        return point, pk.evaluate(define(f"shrinkage-{name}", text))

    return run


def spread(eta: np.ndarray, version: str) -> float:
    if version <= LAST_BY_DEGREES_OF_FREEDOM:
        return float(np.std(eta, ddof=1))
    return float(np.std(eta)) if version == "7.5.1" else float(np.sqrt(np.mean(eta**2)))


@pytest.mark.parametrize("row", list(printed("eta")))
def test_eta_shrinkage_as_each_version_defines_it(row: pd.Series, evaluated: Callable) -> None:
    point, fit = evaluated(row.point)
    eta = fit.individuals[f"ETA_{row.parameter}"].to_numpy()
    omega = np.sqrt(point.values.omega[row.parameter])
    found = 100.0 * (1.0 - spread(eta, row.version) / omega)
    assert found == pytest.approx(row.percent, rel=0, abs=PRINTED)


@pytest.mark.parametrize("row", list(printed("eta", since=OURS)))
def test_eta_shrinkage_reported(row: pd.Series, evaluated: Callable) -> None:
    _, fit = evaluated(row.point)
    found = 100.0 * fit.to_dict()["shrinkage"]["eta"][row.parameter]
    assert found == pytest.approx(row.percent, rel=0, abs=PRINTED)


@pytest.mark.parametrize("row", list(printed("epsilon")))
def test_epsilon_shrinkage_reported(row: pd.Series, evaluated: Callable) -> None:
    _, fit = evaluated(row.point)
    found = 100.0 * fit.to_dict()["shrinkage"]["epsilon"]
    assert found == pytest.approx(row.percent, rel=0, abs=PRINTED)
