"""The package's predictions against concentrations known to 12 digits, and against NONMEM's.

Out of scope here: lag time (E04) and bioavailability (E05), which no structural model has, and the
derived quantities and covariate tables (D, C).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import reference_cases
from pkmodel.dataset import read_dataset
from pkmodel.prediction import predict

HERE = Path(__file__).parent / "reference"
OUT_OF_SCOPE = ("E04", "E05", "D01", "D02", "C01", "C02")


def histories() -> list[dict[str, str]]:
    with (HERE / "analytic.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["case_id"] not in OUT_OF_SCOPE]


CASES = [pytest.param(row, id=row["case_id"]) for row in histories()]


def frame_of(records: list[dict[str, float]]) -> pd.DataFrame:
    """Make a data set of event records; the observed values do not matter."""
    names = ("TIME", "AMT", "RATE", "EVID", "II", "ADDL", "SS")
    frame = pd.DataFrame([{name: r.get(name, 0) for name in names} for r in records])
    return frame.assign(ID=1, CMT=1, DV=np.arange(1.0, len(frame) + 1), MDV=frame["EVID"].ne(0) * 1)


def is_varying(inputs: dict[str, object]) -> bool:
    return isinstance(inputs["CL"], str)


@pytest.mark.parametrize("row", CASES)
def test_concentrations(row: dict[str, str]) -> None:
    inputs, expected = json.loads(row["inputs_json"]), json.loads(row["expected_json"])
    records = inputs["records"]
    rule = inputs.get("convention", "NOCB").lower()
    dataset = read_dataset(frame_of(records), covariates=rule)
    clearance = (
        np.array([r["CL"] for r in records])
        if is_varying(inputs)
        else max(float(inputs["CL"]), 1e-100)  # a log parameter; K01 has none
    )
    found = predict(dataset, "one_compartment", {"CL": clearance, "V": float(inputs["V"])})
    wanted = np.array(expected["conc"])[dataset.is_observation]
    np.testing.assert_allclose(found, wanted, rtol=float(row["rel_tol"]), atol=0)


WITH_DERIVATIVES = [
    pytest.param(row, id=row["case_id"])
    for row in histories()
    if "dC_dCL" in json.loads(row["expected_json"])
]


@pytest.mark.parametrize("row", WITH_DERIVATIVES)
def test_derivatives(row: dict[str, str]) -> None:
    """Each to the tolerance of its row, relative to the larger of itself and the concentration:
    beyond that a derivative is what is left of a difference."""
    inputs, expected = json.loads(row["inputs_json"]), json.loads(row["expected_json"])
    dataset = read_dataset(frame_of(inputs["records"]))
    values = {"CL": float(inputs["CL"]), "V": float(inputs["V"])}
    f, slope = predict(dataset, "one_compartment", values, derivatives=True)
    for i, name in enumerate(("CL", "V")):
        wanted = np.array(expected[f"dC_d{name}"])[dataset.is_observation] * values[name]
        size = np.maximum(np.abs(wanted), f)
        assert np.all(np.abs(slope[:, i] - wanted) <= float(row["rel_tol"]) * size), name


# --- NONMEM's predictions ------------------------------------------------------------------------

RATES = {"CL": 1.1, "V": 20.0, "KA": 1.5}
PRINTED = 6e-5  # five digits
RECORD = ["ID", "TIME", "AMT", "RATE", "EVID", "CMT", "II", "ADDL", "SS"]


def nonmem_table(name: str) -> pd.DataFrame | None:
    path = reference_cases.data_file(name)
    return None if path is None else pd.read_csv(path)


def is_plain(rows: pd.DataFrame) -> bool:
    """Tell whether no dose has a lag time, a bioavailability or a modelled rate.

    Lag time and bioavailability belong to compartment 2.
    """
    doses = rows[rows["EVID"].isin([1, 4])]
    central = doses[doses["CMT"] == 2]
    plain_central = (central["LAGT"] == 0) & (central["BIOAV"] == 1)
    return bool((doses["RATE"] >= 0).all() and plain_central.all())


def is_expressible(rows: pd.DataFrame) -> bool:
    """Tell whether `rewritten` gives records that mean the same without lag time.

    Not where a lag exceeds the interval at steady state, nor where lagged doses are added to it:
    NONMEM's numbers are then negative or jump.
    """
    lagged = rows[(rows["CMT"] == 2) & (rows["LAGT"] > 0) & rows["EVID"].isin([1, 4])]
    steady = lagged[lagged["SS"] > 0]
    return bool((steady["LAGT"] <= steady["II"]).all() and (steady["SS"] == 1).all())


def rewritten(rows: pd.DataFrame) -> pd.DataFrame:
    """Write lag time, bioavailability and modelled durations as ordinary records.

    A lagged dose comes later; at steady state with a lag, the dose before it is the first. Time
    starts at 100, so that there is a time before the first record.
    """
    central = (rows["CMT"] == 2) & rows["EVID"].isin([1, 4])
    lag = rows["LAGT"].where(central, 0.0)
    steady = (lag > 0) & (rows["SS"] > 0)
    amount = rows["AMT"] * rows["BIOAV"].where(central, 1.0)
    rate = rows["RATE"].mask(central & (rows["RATE"] == -2), amount / rows["DUR2"])
    time = 100.0 + rows["TIME"] + lag - rows["II"].where(steady, 0.0)
    changed = rows.assign(TIME=time, AMT=amount, RATE=rate, ADDL=rows["ADDL"] + steady)
    return changed.sort_values("TIME", kind="stable")


def scenarios(only: Callable[[pd.DataFrame], bool]) -> list:
    found = []
    for name in ("nmtest_events", "nmtest_events_unusual"):
        table = nonmem_table(name)
        groups = [] if table is None else table.groupby("ID", sort=False)
        found += [pytest.param(rows, id=f"{name}-{i}") for i, rows in groups if only(rows)]
    return found or [pytest.param(None, marks=pytest.mark.skip("the data are not at hand"))]


def observed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the records, with some observation wherever NONMEM predicts between doses."""
    counter = np.arange(1.0, len(rows) + 1)
    return rows[RECORD].assign(DV=counter, MDV=rows["EVID"].ne(0) * 1)


def assert_as_nonmem(rows: pd.DataFrame) -> None:
    dataset = read_dataset(observed(rows), structure="one_compartment_oral")
    found = 1000 * predict(dataset, "one_compartment_oral", RATES)
    wanted = rows["CP_NONMEM"].to_numpy()[dataset.is_observation]
    np.testing.assert_allclose(found, wanted, rtol=PRINTED, atol=0)


@pytest.mark.parametrize("rows", scenarios(is_plain))
def test_events_as_nonmem_sees_them(rows: pd.DataFrame) -> None:
    assert_as_nonmem(rows)


@pytest.mark.parametrize("rows", scenarios(lambda r: is_expressible(r) and not is_plain(r)))
def test_lag_and_bioavailability_written_as_records(rows: pd.DataFrame) -> None:
    assert_as_nonmem(rewritten(rows))


def test_covariates_that_change_at_every_record() -> None:
    rows = nonmem_table("nmtest_timevarying")
    if rows is None:
        pytest.skip("the data are not at hand")
    dataset = read_dataset(observed(rows), structure="one_compartment_oral")
    clearance = 1.1 * (rows["WT"].to_numpy() / 70) ** 0.75
    found = 1000 * predict(dataset, "one_compartment_oral", {**RATES, "CL": clearance})
    wanted = rows["CP_NONMEM"].to_numpy()[dataset.is_observation]
    np.testing.assert_allclose(found, wanted, rtol=PRINTED, atol=0)
