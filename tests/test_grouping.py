"""What `[groups]` says of each subject, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from pkmodel.subjects import declared_subjects

UNITS = {"time": "h", "amount": "ug", "concentration": "pg/mL"}
GROUPS = {"age": "AGE", "unit": "month", "scheme": "ich_e11"}


def _data(**columns):
    count = len(next(iter(columns.values())))
    rows = pd.DataFrame(
        {
            "ID": np.repeat(np.arange(1, count + 1), 2),
            "TIME": np.tile([0.0, 24.0], count),
            "AMT": np.tile([6.0, 0.0], count),
            "RATE": np.tile([0.25, 0.0], count),
            "DV": np.tile([np.nan, 700.0], count),
        }
    )
    for name, values in columns.items():
        rows[name] = np.repeat(values, 2)
    return pk.read_dataset(rows, units=UNITS)


def test_groups_body_surface_and_weight_of_each_subject():
    data = _data(AGE=[0.5, 6.0, 30.0], WT=[4.0, 7.5, 13.0], HT=[54.0, 66.0, 92.0])
    bsa = {"weight": "WT", "height": "HT", "formula": "haycock"}
    more, subjects = declared_subjects(data, GROUPS | {"bsa": bsa})
    weight = subjects.weight_at(np.array([0, 2, 4]))
    expected = 0.024265 * np.array([54.0, 66.0, 92.0]) ** 0.3964 * weight**0.5378
    assert subjects.groups.labels.tolist() == ["newborn", "infant and toddler", "child"]
    assert weight.tolist() == [4.0, 7.5, 13.0]
    np.testing.assert_allclose(subjects.bsa, np.repeat(expected, 2), rtol=1e-14)
    np.testing.assert_array_equal(more.covariates["BSA"], subjects.bsa)
    assert subjects.bsa_source == "Haycock, from WT and HT"
    assert not subjects.is_virtual


def test_a_column_of_body_surface_is_used_as_it_is():
    data = _data(AGE=[6.0], S=[0.4])
    same, subjects = declared_subjects(data, GROUPS | {"bsa": "S"})
    assert same is data
    assert subjects.bsa.tolist() == [0.4, 0.4]
    assert subjects.bsa_source == "column S"
    assert subjects.weight is None
    assert subjects.weight_at(np.array([0])) is None


def test_weight_may_be_named_alone():
    _, subjects = declared_subjects(_data(AGE=[6.0], KG=[7.0]), GROUPS | {"weight": "KG"})
    assert subjects.weight.tolist() == [7.0, 7.0]


def test_without_a_declaration_nothing_is_known():
    data = _data(AGE=[6.0], VIRTUAL=[1])
    same, subjects = declared_subjects(data, None)
    assert same is data
    assert subjects.groups is None
    assert subjects.is_virtual


@pytest.mark.parametrize(
    ("columns", "declared", "message"),
    [
        (
            {"AGE": [12.0, 300.0], "WT": [70.0, 70.0]},
            {"weight": "WT", "cuts": {"all": (0.0, 400.0)}},
            r"subject 1, line 2, column WT: 70 kg at an age of 1 years, where 2\.4 to 40 kg",
        ),
        ({"AGE": [500.0]}, {}, r"subject 1, line 2, column AGE: this age is in none of the groups"),
        ({"AGE": [-1.0]}, {}, r"subject 1, line 2, column AGE: no age of a person in months"),
        ({"AGE": [np.nan]}, {}, r"subject 1, column AGE: AGE is used by \[groups\] and missing"),
        ({"AGED": [1.0]}, {}, r"no covariate AGE, which \[groups\] uses; did you mean `AGED`"),
        (
            {"AGE": [6.0], "S": [4.0]},
            {"bsa": "S"},
            r"column S: 4 m2 at an age of 0\.5 years, where 0\.\d+ to 1\.\d+ m2 are plausible",
        ),
        (
            {"AGE": [6.0], "H": [0.66], "W": [7.5]},
            {"bsa": {"weight": "W", "height": "H", "formula": "boyd"}},
            r"column H: 0\.66 cm at an age of 0\.5 years",
        ),
        (
            {"AGE": [6.0], "H": [66.0], "W": [7.5], "BSA": [0.4]},
            {"bsa": {"weight": "W", "height": "H", "formula": "boyd"}},
            r"\[groups\] bsa: the file has a column BSA and \[groups\] asks to compute it",
        ),
    ],
)
def test_faults_name_subject_line_and_column(columns, declared, message):
    base = GROUPS if "cuts" not in declared else {"age": "AGE", "unit": "month"}
    with pytest.raises(pk.DataError, match=message):
        declared_subjects(_data(**columns), base | declared)


def test_a_checked_extreme_can_be_let_through_with_a_warning(define, scratch):
    rows = pd.DataFrame(
        {"ID": 1, "TIME": [0.0, 24.0], "AMT": [6.0, 0.0], "RATE": [0.25, 0.0], "DV": [0.0, 700.0]}
    ).assign(AGE=240.0, WT=5.4, HT=62.8)
    declared = {"age": "AGE", "unit": "month", "cuts": {"all": (0.0, 400.0)}}
    declared |= {"bsa": {"weight": "WT", "height": "HT", "formula": "mosteller"}}
    with pytest.raises(pk.DataError, match=r'or say allow = \["implausible_size"\]') as caught:
        declared_subjects(pk.read_dataset(rows, units=UNITS), declared)
    assert len(caught.value.problems) == 2
    allowing = pk.read_dataset(rows, units=UNITS, allow=["implausible_size"])
    data, subjects = declared_subjects(allowing, declared)
    assert subjects.weight.tolist() == [5.4, 5.4]
    what = "allowed: a weight, height or body surface that hardly anybody of that age has"
    assert data.warnings[-2:] == (f"{what} (WT, line 2)", f"{what} (HT, line 2)")
    rows.to_csv(scratch / "small.csv", index=False)
    text = """
    data.file = "small.csv"
    data.units = { time = "h", amount = "ug", concentration = "pg/mL" }
    data.allow = ["implausible_size"]
    model = { structure = "one_compartment", parameters = { CL = "cl", V = "v" } }
    theta = { cl = { init = 0.4 }, v = { init = 2.0 } }
    omega = { CL = 0.1 }
    residual.proportional = 0.2
    [groups]
    age = "AGE"
    unit = "month"
    cuts = { all = [0, 400] }
    bsa = { weight = "WT", height = "HT", formula = "mosteller" }
    """
    assert f"{what} (WT, line 2)" in pk.evaluate(define("small", text)).warnings


def test_an_age_of_nobody_cannot_be_allowed():
    rows = pd.DataFrame({"ID": 1, "TIME": [0.0, 1.0], "AMT": [6.0, 0.0], "DV": [0.0, 7.0]})
    data = pk.read_dataset(rows.assign(AGE=-1.0), units=UNITS, allow=["implausible_size"])
    with pytest.raises(pk.DataError, match="no age of a person in months"):
        declared_subjects(data, GROUPS)


def test_all_faults_come_at_once():
    data = _data(AGE=[12.0, 12.0, 500.0], WT=[70.0, 0.1, 60.0])
    with pytest.raises(pk.DataError) as caught:
        declared_subjects(data, GROUPS | {"weight": "WT"})
    assert len(caught.value.problems) == 3


def test_a_declaration_from_python_is_checked_like_one_from_a_file():
    with pytest.raises(pk.ModelError, match=r"\[groups\] cuts: a and b overlap"):
        declared_subjects(
            _data(AGE=[6.0]), {"age": "AGE", "cuts": {"a": (0.0, 3.0), "b": (2.0, 4.0)}}
        )
