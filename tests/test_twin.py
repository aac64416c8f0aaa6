"""The twin against itself (three solutions of one model), published numbers and exact integrals."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import reference_cases
import twin_likelihood
from histories import random_history
from reference_cases import POINTS, Point
from twin import CENTRAL, FAST, Row, integrate, step, superpose

CLEARANCE, VOLUME, ABSORPTION = 1.3, 17.0, 0.9
ONE_OF_EACH_FAMILY = (
    "pheno_real_focei-at_final",
    "pheno_fo-",
    "psn_pheno_foce-at_final",
    "psn_pheno_add_fo-",
    "bauer504_t1-at_final",
    "nmw",
    "wang",
    "mapbayr",
    "nimotuzumab",
)


def largest_gap(one: list, other: list) -> float:
    """Return the largest difference relative to the largest value."""
    a, b = np.array([float(x) for x in one]), np.array([float(x) for x in other])
    return float(np.max(np.abs(a - b)) / np.max(np.abs(a)))


@pytest.mark.parametrize("oral", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_superposition_equals_stepping(seed: int, *, oral: bool) -> None:
    rows = random_history(np.random.default_rng(seed), oral=oral, with_steady_state=True)
    ka = ABSORPTION if oral else None
    n = len(rows)
    stepped = step(rows, [CLEARANCE] * n, [VOLUME] * n, [ka] * n if oral else None)
    assert largest_gap(superpose(rows, CLEARANCE, VOLUME, ka), stepped) < 1e-40


@pytest.mark.parametrize("rule", ["nocb", "locf"])
@pytest.mark.parametrize("seed", range(4))
def test_stepping_equals_the_differential_equations(seed: int, rule: str) -> None:
    rng = np.random.default_rng(100 + seed)
    rows = random_history(rng, oral=True, with_steady_state=False)
    typical = np.array([[CLEARANCE], [VOLUME], [ABSORPTION]])
    cl, v, ka = typical * np.exp(0.3 * rng.standard_normal((3, len(rows))))
    same_time = [j for j in range(1, len(rows)) if rows[j].time == rows[j - 1].time]
    for j in same_time:  # no interval ends or begins between records at one time
        cl[j], v[j], ka[j] = cl[j - 1], v[j - 1], ka[j - 1]
    stepped = step(rows, cl, v, ka, rule=rule)
    assert largest_gap(stepped, integrate(rows, cl, v, ka, rule=rule)) < 1e-10


def test_steady_state_equals_a_long_train_in_the_differential_equations() -> None:
    rows = [Row(0.0, 100.0, 100 / 9.5, 1, CENTRAL, 4.0, 2, 1), *(Row(t) for t in (0.0, 3.0, 14.0))]
    n = len(rows)
    solved = integrate(rows, [CLEARANCE] * n, [VOLUME] * n)
    assert largest_gap(superpose(rows, CLEARANCE, VOLUME), solved) < 1e-10


def test_equal_rates_of_absorption_and_elimination() -> None:
    rows = [Row(0.0, 100.0, 0.0, 1, 0), Row(2.0), Row(9.0)]
    k = CLEARANCE / VOLUME
    exact = [0.0, *(100 * k * t * np.exp(-k * t) / VOLUME for t in (2.0, 9.0))]
    assert largest_gap(superpose(rows, CLEARANCE, VOLUME, k), exact) < 1e-14


def test_plain_numbers_equal_50_digits() -> None:
    rows = random_history(np.random.default_rng(5), oral=True, with_steady_state=True)
    n = len(rows)
    values = [CLEARANCE] * n, [VOLUME] * n, [ABSORPTION] * n
    assert largest_gap(step(rows, *values), step(rows, *values, of=FAST)) < 1e-12


def analytic_cases() -> list:
    with (Path(__file__).parent / "reference" / "analytic.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if '"records"' in row["inputs_json"]]
    return [pytest.param(r, id=r["case_id"]) for r in rows if r["case_id"] not in ("E04", "E05")]


@pytest.mark.parametrize("row", analytic_cases())
def test_analytic_cases(row: dict[str, str]) -> None:
    inputs, expected = json.loads(row["inputs_json"]), json.loads(row["expected_json"])["conc"]
    records = inputs["records"]
    rows = [
        Row(*(r.get(name, 0) for name in ("TIME", "AMT", "RATE", "EVID")), CENTRAL,
            *(r.get(name, 0) for name in ("II", "ADDL", "SS")))
        for r in records
    ]  # fmt: skip
    varies = isinstance(inputs["CL"], str)
    cl = [r["CL"] if varies else inputs["CL"] for r in records]
    found = step(rows, cl, [inputs["V"]] * len(rows), rule=inputs.get("convention", "").lower())
    worst = float(row["rel_tol"])
    np.testing.assert_allclose([float(x) for x in found], expected, rtol=worst)


# --- objectives ----------------------------------------------------------------------------------

QUICK = [
    pytest.param(point, id=point.name)
    for point in POINTS
    if point.name.startswith(ONE_OF_EACH_FAMILY)
]


@pytest.mark.parametrize("point", QUICK)
def test_published_objectives(point: Point, tmp_path: Path) -> None:
    """That the definitions say what the source says, shown without the engine."""
    path = reference_cases.prepared(point.model, tmp_path)
    if path is None:
        pytest.skip(f"{point.model.dataset} is not at hand")
    text = reference_cases.definition_text(
        point.model, point.values, point.method, path, point.interaction
    )
    found = twin_likelihood.total(twin_likelihood.evaluate(text))
    assert found == pytest.approx(point.expected, rel=0, abs=point.tolerance)


EXACT = [
    ("wang_prop-at_fixed_parameters-focei", "wang_prop", "exact marginal"),
    ("wang_add-at_fixed_parameters-focei", "wang_add", "exact marginal"),
    ("wang_lnorm-at_fixed_parameters-focei", "wang_lnorm", "exact marginal"),
    ("pheno_focei-at_final_estimates-focei", "pheno_exact", ""),
]


@pytest.mark.parametrize(("name", "case", "method"), EXACT)
def test_exact_integrals(name: str, case: str, method: str, tmp_path: Path) -> None:
    point = next(p for p in POINTS if p.name == name)
    path = reference_cases.prepared(point.model, tmp_path)
    assert path is not None
    text = reference_cases.definition_text(point.model, point.values, "laplace", path)
    found = twin_likelihood.total(twin_likelihood.evaluate(text, "exact"))
    row = reference_cases.find(case, "OFV", method)
    tolerance = reference_cases.number(row["tolerance"])
    assert found == pytest.approx(float(row["value"]), rel=0, abs=tolerance)


def test_laplace_is_exact_where_the_model_is_linear(tmp_path: Path) -> None:
    """The log of a bolus that hardly leaves is linear in the effect on log V."""
    path = tmp_path / "linear.csv"
    path.write_text("ID,TIME,AMT,DV,EVID,MDV\n1,0,1,0,1,1\n1,1,0,2.5,0,0\n1,2,0,2.2,0,0\n")
    text = f"""
[data]
file = '{path}'
[model.parameters]
CL = "1e-9"
V = "v"
[theta]
v = 0.4
[omega]
V = 0.05
[residual]
lognormal = 0.2
"""
    methods = ("fo", "foce", "focei", "laplace", "exact")
    found = [twin_likelihood.total(twin_likelihood.evaluate(text, m)) for m in methods]
    assert np.ptp(found) < 1e-9


def test_no_interaction_only_matters_where_the_variance_follows_the_prediction() -> None:
    additive = next(p for p in POINTS if p.name.startswith("wang_add-") and p.method == "laplace")
    path = reference_cases.data_file("wang2007")
    assert path is not None
    values = replace(additive).values
    texts = [
        reference_cases.definition_text(additive.model, values, "laplace", path, interaction)
        for interaction in (True, False)
    ]
    one, other = (twin_likelihood.total(twin_likelihood.evaluate(text)) for text in texts)
    assert one == pytest.approx(other, abs=1e-10)
