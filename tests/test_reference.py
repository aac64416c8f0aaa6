"""The engine against published numbers, through the public interface only.

The cases are in `reference_cases`; a case whose data are not at hand is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
import reference_cases
from reference_cases import FITS, POINTS, Fitted, Model, Point, Values

Evaluated = Callable[[Point], pk.Fit]
Estimated = Callable[[Fitted], pk.Fit]


def grouped(cases: list, *, only: Callable = lambda case: True) -> list:
    """Keep all tests of one case in one worker, where its fit is cached."""
    return [
        pytest.param(case, id=case.name, marks=pytest.mark.xdist_group(case.name))
        for case in cases
        if only(case)
    ]


def data_or_skip(model: Model, folder: Path) -> Path:
    path = reference_cases.prepared(model, folder)
    if path is None:
        pytest.skip(f"{model.dataset} is not at hand")
    return path


@pytest.fixture(scope="session")
def evaluated(define: Callable, scratch: Path) -> Evaluated:
    @cache
    def run(name: str) -> pk.Fit:
        point = next(p for p in POINTS if p.name == name)
        data = data_or_skip(point.model, scratch)
        text = reference_cases.definition_text(
            point.model, point.values, point.method, data, point.interaction, point.order
        )
        return pk.evaluate(define(name, text))

    return lambda point: run(point.name)


@pytest.fixture(scope="session")
def estimated(define: Callable, scratch: Path) -> Estimated:
    @cache
    def run(name: str) -> pk.Fit:
        case = next(f for f in FITS if f.name == name)
        data = data_or_skip(case.model, scratch)
        text = reference_cases.definition_text(case.model, case.start, case.method, data)
        return pk.fit(define(f"fit-{name}", text), covariance=case.covariance)

    return lambda case: run(case.name)


# --- at stated parameters ------------------------------------------------------------------------


@pytest.mark.parametrize("point", grouped(POINTS))
def test_objective_at_stated_parameters(point: Point, evaluated: Evaluated) -> None:
    found = getattr(evaluated(point), point.scale)
    assert found == pytest.approx(point.expected, rel=0, abs=point.tolerance), point.source


def individual_tolerances(point: Point) -> tuple[float, float]:
    """Return the tolerances of random effects and of objectives from the row of the file."""
    row = next(
        r
        for r in reference_cases.rows()
        if r["value"] == f"individual/{point.individual}.csv" and not r["quantity"].endswith("OFV")
    )
    numbers = [float(x) for x in re.findall(r"\d+e-\d+", row["tolerance"])]
    return numbers[0], numbers[-1]


def eta_columns(table: pd.DataFrame, method: str) -> list[str]:
    """Return the columns of the random effects, however the file names them."""
    if method == "fo" or (method == "laplace" and "ETA_FOCEI" in table):
        return []  # FO's are not printed, and nor are Laplace's where other methods are
    suffix = f"_{method.upper()}"
    pattern = rf"ETA\(?\d?\)?({suffix})?$"
    found = [name for name in table if re.match(pattern, name)]
    return [name for name in found if name.endswith(suffix)] or [
        name for name in found if "FOCE" not in name
    ]


WITH_INDIVIDUALS = grouped(POINTS, only=lambda point: point.individual)


@pytest.mark.parametrize("point", WITH_INDIVIDUALS)
def test_individual_objectives(point: Point, evaluated: Evaluated) -> None:
    found, table = joined(point, evaluated)
    _, tolerance = individual_tolerances(point)
    objective = found["OFV"].to_numpy()
    if point.scale == "objective_log":  # the file is of log DV, the individuals are of DV
        predictions = evaluated(point).predictions
        logs = np.log(predictions["DV"]).groupby(predictions["ID"], sort=False).sum()
        objective = objective - 2 * logs.to_numpy()
    np.testing.assert_allclose(objective, table[point.column], rtol=0, atol=tolerance)


@pytest.mark.parametrize("point", grouped(POINTS))
def test_individual_objectives_sum_to_the_objective(point: Point, evaluated: Evaluated) -> None:
    fit = evaluated(point)
    assert fit.individuals["OFV"].sum() == pytest.approx(fit.objective, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("point", WITH_INDIVIDUALS)
def test_individual_modes(point: Point, evaluated: Evaluated) -> None:
    found, table = joined(point, evaluated)
    columns = eta_columns(table, point.method)
    if not columns:
        pytest.skip("the source prints no modes of this method")
    tolerance, _ = individual_tolerances(point)
    for effect, column in zip(effects(point.model), columns, strict=True):
        np.testing.assert_allclose(found[f"ETA_{effect}"], table[column], rtol=0, atol=tolerance)


WITH_VARIANCES = grouped(
    POINTS,
    only=lambda point: point.individual.startswith(("acop", "pheno_real", "mapbayr", "ferx")),
)


@pytest.mark.parametrize("point", WITH_VARIANCES)
def test_conditional_variances(point: Point, evaluated: Evaluated) -> None:
    """NONMEM's ETC: the inverse of the curvature; 6 digits are printed (worst 5.6e-6)."""
    found, table = joined(point, evaluated)
    for k, effect in enumerate(effects(point.model), start=1):
        variance = found[f"SE_ETA_{effect}"] ** 2
        np.testing.assert_allclose(variance, table[f"ETC({k},{k})"], rtol=1e-5)


def test_modes_of_monolix(evaluated: Evaluated) -> None:
    """The mode of the joint density is the same for every program; 6 digits are printed of
    parameters whose estimates are known to 15 (worst 4e-6)."""
    path = reference_cases.individual_file("monolix_theo")
    assert path is not None
    table = pd.read_csv(path)
    point = next(p for p in POINTS if p.name == "monolix_theo-focei")
    individuals = evaluated(point).individuals
    assert list(individuals["ID"]) == list(table["id"])
    for effect, name in {"CL": "Cl", "V": "V", "KA": "ka"}.items():
        wanted = table[f"eta_{name}_mode"]
        np.testing.assert_allclose(individuals[f"ETA_{effect}"], wanted, rtol=0, atol=1e-5)


def effects(model: Model) -> list[str]:
    return [name for name in model.omega if "," not in name]


def joined(point: Point, evaluated: Evaluated) -> tuple[pd.DataFrame, pd.DataFrame]:
    path = reference_cases.individual_file(point.individual)
    if path is None:
        pytest.skip(f"{point.individual} is not at hand")
    fit = evaluated(point)
    table = pd.read_csv(path)
    has_data = fit.individuals["ID"].isin(fit.predictions["ID"])
    assert list(fit.individuals["ID"][has_data]) == list(table["ID"])
    return fit.individuals[has_data], table


# Point, file, {our column: theirs}, and the relative tolerance stated for the file. Printed are 5
# digits of numbers that are themselves differences: hence an absolute part of the same size.
TABLES = [
    (
        "pheno_real_focei-at_final_estimates-focei",
        "pheno_real_focei_table",
        {"PRED": "PRED", "IPRED": "CIPREDI", "CWRES": "CWRES"},
        1e-3,
    ),
    (
        "wang_prop-at_fixed_parameters-focei",
        "wang_prop_nonmem_table",
        {"PRED": "PRED", "IPRED": "IPRE", "IRES": "IRES", "IWRES": "IWRES", "CWRES": "CWRES"},
        1e-3,
    ),
    (
        "nmw_theo_lapli-at_final_estimates-laplace",
        "nmw_theo_lapli_table",
        {"PRED": "PRED", "IPRED": "CIPREDI", "CWRES": "CWRES"},
        2e-3,
    ),
    ("nmw_theo_fo-at_final_estimates-fo", "nmw_theo_fo_table", {"PRED": "PRED"}, 2e-3),
    (
        "ferx_warfarin_foce-at_final_estimates-foce",
        "ferx_warfarin_foce_table",
        {"PRED": "PRED", "CWRES": "CWRES"},
        1e-7,
    ),
    (  # 6 digits of predictions, 6 to 9 of residuals; worst 6.4e-6
        "monolix_theo-focei",
        "monolix_theo_predictions",
        {"PRED": "popPred", "IPRED": "indivPred_mode", "IWRES": "indWRes_mode"},
        2e-5,
    ),
]


def table_columns() -> Iterator[object]:
    for name, file, columns, tolerance in TABLES:
        for ours, theirs in columns.items():
            yield pytest.param(
                name, file, ours, theirs, tolerance, id=f"{file}-{ours}",
                marks=pytest.mark.xdist_group(name),
            )  # fmt: skip


@pytest.mark.parametrize(("name", "file", "ours", "theirs", "tolerance"), list(table_columns()))
def test_tables_of_predictions(
    name: str, file: str, ours: str, theirs: str, tolerance: float, evaluated: Evaluated
) -> None:
    point = next(p for p in POINTS if p.name == name)
    path = reference_cases.individual_file(file)
    assert path is not None
    predictions = evaluated(point).predictions
    table = pd.read_csv(path)
    if len(table) > len(predictions):  # dose rows are printed too
        data = pd.read_csv(str(reference_cases.data_file(point.model.dataset)))
        table = table[(data["EVID"] == 0).to_numpy()]
    observed = table["CONC" if "CONC" in table else "DV"]
    np.testing.assert_allclose(predictions["DV"], observed, rtol=1e-4)
    np.testing.assert_allclose(predictions[ours], table[theirs], rtol=tolerance, atol=tolerance)


# --- fits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", grouped(FITS))
def test_fit_reaches_the_published_minimum(case: Fitted, estimated: Estimated) -> None:
    fit = estimated(case)
    assert fit.converged, fit.advice
    assert fit.objective <= case.expected + 1e-3, case.source
    assert fit.objective >= case.expected - case.tolerance, case.source


def on_published_scale(model: Model, fit: pk.Fit, what: str) -> dict[str, float]:
    """Return estimates or standard errors by symbol, on the scale of the source."""
    document = fit.to_dict()
    found = {symbol: document["theta"][name][what] for name, symbol in model.theta.items()}
    found |= {symbol: document["omega"][name][what] for name, symbol in model.omega.items()}
    for name, symbol in model.residual.items():
        deviation = document["sigma"][name]["estimate"]
        if symbol.endswith("^2"):
            is_error = what == "se"
            value = 2 * deviation * document["sigma"][name]["se"] if is_error else deviation**2
            found[symbol.removesuffix("^2")] = value
        else:
            found[symbol] = document["sigma"][name][what]
    return found


WITH_ESTIMATES = grouped(FITS, only=lambda case: case.estimates)
WITH_ERRORS = grouped(FITS, only=lambda case: case.errors)


def off_by(
    found: dict[str, float],
    expected: dict[str, tuple[float, float]],
    logs: tuple[str, ...] = (),
) -> list[str]:
    """List what is off; the relative tolerance of a logarithm is that of the parameter itself."""
    return [
        f"{symbol}: {found[symbol]:.6g}, published {value:.6g} (relative tolerance {tolerance:g})"
        for symbol, (value, tolerance) in expected.items()
        if not abs(found[symbol] - value) <= tolerance * (1 if symbol in logs else abs(value))
    ]


@pytest.mark.parametrize("case", WITH_ESTIMATES)
def test_estimates(case: Fitted, estimated: Estimated) -> None:
    found = on_published_scale(case.model, estimated(case), "estimate")
    assert off_by(found, case.estimates, case.model.logs) == []


@pytest.mark.parametrize("case", WITH_ERRORS)
def test_standard_errors(case: Fitted, estimated: Estimated) -> None:
    found = on_published_scale(case.model, estimated(case), "se")
    assert off_by(found, case.errors) == []


def test_every_case_is_covered_or_explained() -> None:
    covered = {p.name.split("-")[0] for p in POINTS} | {f.name for f in FITS}
    listed = {row["case_id"] for row in reference_cases.rows()}
    explained = {"wang_addmod"}
    left = {name for name in listed - covered if not name.endswith(("_saem", "_nlme"))}
    assert left == explained


def test_values_of_a_case_survive_writing() -> None:
    values = Values({"cl": 0.1}, {"CL": 0.2}, {"proportional": 0.3})
    text = reference_cases.definition_text(reference_cases.PHENO, values, "fo", Path("x.csv"))
    assert "cl = { init = 0.1, lower = 0 }" in text
