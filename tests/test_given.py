"""What is handed to a fit from Python is used as declared, or refused with what is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from pkmodel.definition import given_data, given_options, given_threads
from pkmodel.errors import PkmodelError
from pkmodel.models.model import Options
from pkmodel.shipped import shipped_data

DEFINITION = pk.read_definition("phenobarbital")
FILE = shipped_data()["phenobarbital"].file
TABLE = pd.read_csv(FILE, na_values=["."])


def declare(**changes: object) -> pk.Definition:
    assert DEFINITION.data is not None
    return replace(DEFINITION, data=replace(DEFINITION.data, **changes))


def test_a_frame_is_read_as_the_definition_declares():
    """Each key of [data] but the file changes what is read."""
    units = {"time": "h", "amount": "mg", "concentration": "ug/L"}
    definition = declare(
        units=units,
        columns={"DV": "CONC"},
        where="ID > 3",
        lloq=15.0,
        covariates="locf",
        allow=("no_observations",),
    )
    table = TABLE.rename(columns={"DV": "CONC"})
    table = table[~((table["ID"] == 4) & (table["AMT"].fillna(0) == 0))]
    data = given_data(definition, table)
    assert data.units.scale == 1000.0
    assert data.n_subjects == 56
    assert data.excluded == {"where ID > 3": int((table["ID"] <= 3).sum())}
    assert data.n_censored == (table["CONC"][(table["ID"] > 3) & table["CONC"].gt(0)] < 15).sum()
    assert data.covariate_rule == "locf"
    assert any("allowed: subjects without observations" in w for w in data.warnings)


def test_a_frame_gives_the_objective_of_the_file():
    whole = pk.evaluate("phenobarbital")
    assert pk.evaluate(DEFINITION, TABLE).objective == whole.objective
    grams = declare(units={"time": "h", "amount": "g", "concentration": "g/L"})
    assert pk.evaluate(grams, TABLE).objective == pytest.approx(whole.objective, rel=1e-9)
    wrong = declare(units={"time": "h", "amount": "ug", "concentration": "mg/L"})
    assert abs(pk.evaluate(wrong, TABLE).objective - whole.objective) > 100


def test_what_is_asked_counts_before_what_is_said_to_another_method():
    """Draws of the definition are not those of a method without; draws that are asked for are."""
    sampled = replace(DEFINITION, options=Options("imp", draws=500))
    assert given_options(sampled, method="saem").draws is None
    assert given_options(sampled, draws=700).draws == 700
    assert given_options(sampled, method="nuts", chains=3, draws=70) == Options(
        "nuts", chains=3, draws=70
    )
    with pytest.raises(pk.ModelError, match=r"^draws: goes with method = \"imp\" or .*remove it$"):
        given_options(sampled, method="saem", draws=70)
    with pytest.raises(pk.ModelError, match=r"^chains: expected a whole number from 1 on, got 0$"):
        given_options(sampled, method="nuts", chains=0)


@pytest.mark.parametrize(("draws", "is_warned"), [(1, True), (35, True), (36, False)])
def test_draws_too_few_to_tell_their_error_are_warned_of(draws, is_warned):
    few = replace(DEFINITION, options=Options("imp", draws=draws))
    warnings = " ".join(pk.evaluate(few, TABLE).warnings)
    assert ("cannot tell how far the objective is off by chance" in warnings) == is_warned


def test_a_dataset_must_be_in_the_declared_units():
    same = {"time": "hr", "amount": "mg", "concentration": "ug/mL"}
    data = pk.read_dataset(FILE, units=same)
    assert given_data(DEFINITION, data) is data
    assert given_data(declare(units=None), data) is data
    other = pk.read_dataset(FILE, units={**same, "amount": "ug"})
    with pytest.raises(pk.DataError, match=r"declares hr, ug and ug/mL, .* definition h, mg and"):
        pk.fit(DEFINITION, other)
    with pytest.raises(pk.DataError, match="the Dataset declares no units"):
        pk.fit(DEFINITION, pk.read_dataset(FILE))


@pytest.mark.parametrize("name", ["phenobarbital", Path("phenobarbital"), str(DEFINITION.path)])
def test_a_definition_may_be_named(name):
    assert pk.evaluate(name).title == DEFINITION.title


WRONG = {
    "covariance capital": ({"covariance": "R"}, "covariance: 'R' is not known (did you mean `r`?"),
    "covariance unknown": ({"covariance": "foo"}, "known: sandwich, r, s, none"),
    "covariance number": ({"covariance": 1}, "covariance: 1 is not known"),
    "starts none": ({"starts": 0}, "starts: expected a whole number from 1 on, got 0"),
    "starts true": ({"starts": True}, "starts: expected a whole number from 1 on, got True"),
    "starts half": ({"starts": 1.5}, "starts: expected a whole number"),
    "seed": ({"seed": -1}, "seed: expected a whole number from 0 on, got -1"),
    "seed text": ({"seed": "1"}, "seed: expected a whole number from 0 on, got '1'"),
    "threads": ({"threads": 0}, "threads: expected a whole number from 1 on, got 0"),
    "threads text": ({"threads": "2"}, "threads: expected a whole number from 1 on, got '2'"),
    "threads true": ({"threads": True}, "threads: expected a whole number from 1 on, got True"),
    "method": ({"method": "FOCEI"}, "method: 'FOCEI' does not exist (did you mean `focei`?"),
    "path as data": ({"data": "x.csv"}, "pkmodel.read_dataset('x.csv', units=...)"),
    "Path as data": ({"data": Path("x.csv")}, "pkmodel.read_dataset('x.csv', units=...)"),
    "dict as data": ({"data": {"ID": [1]}}, "type dict; expected a Dataset or a pandas DataFrame"),
    "no model": ({"model": 3}, "model of type int; expected a Definition"),
    "no such name": ({"model": "phenobarb"}, "did you mean `phenobarbital`?"),
    "options starts": (
        {"model": replace(DEFINITION, options=Options(starts=0))},
        "[fit] starts: expected a whole number from 1 on, got 0",
    ),
    "options interaction": (
        {"model": replace(DEFINITION, options=Options(interaction="no"))},
        "[fit] interaction: expected true or false, got 'no'",
    ),
    "options censoring": (
        {"model": replace(DEFINITION, options=Options(censoring="m4"))},
        "[fit] censoring: 'm4' is not known",
    ),
}


@pytest.mark.parametrize(("changes", "expected"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_used_is_refused(changes, expected):
    with pytest.raises(PkmodelError) as caught:
        pk.fit(**{"model": DEFINITION, **changes})
    assert expected in str(caught.value)


def test_evaluate_refuses_the_same():
    for changes in ({"threads": 0}, {"method": "foci"}, {"data": "x.csv"}):
        with pytest.raises(PkmodelError):
            pk.evaluate(DEFINITION, **changes)


def test_what_is_asked_replaces_what_is_declared():
    declared = replace(DEFINITION, options=Options("laplace", interaction=False, covariance="r"))
    options = given_options(declared, method="foce", seed=np.int64(7), starts=2)
    assert options == Options("foce", covariance="r", seed=7, starts=2)
    assert type(options.seed) is int
    assert given_options(declared, covariance=False).covariance == "none"
    assert given_options(declared).interaction is False
    assert given_threads(np.int64(2)) == 2


def model(formula: str, distribution: str = "lognormal", **init: float) -> pk.Model:
    thetas = {"cl": 0.01, "v": 1.0, **init}
    return pk.Model(
        "one_compartment",
        {"CL": formula, "V": "v"},
        tuple(pk.Theta(name, value) for name, value in thetas.items()),
        (pk.OmegaBlock(("CL",), ((0.1,),)),),
        pk.Residual((pk.Sigma("additive", 0.2),)),
        {"CL": distribution},
    )


INVALID = {
    "logarithm": (
        model("cl * WT ** 0.75"),
        "WT = -70, cl = 0.01 in line 4 of DataFrame (line = position of the row + 2), subject 2, "
        "makes CL = cl * WT ** 0.75 = nan; CL must be > 0",
    ),
    "negative": (model("cl * WT"), "makes CL = cl * WT = -0.7; CL must be > 0"),
    "share": (
        model("cl * AGE", "logitnormal"),
        "AGE = 200, cl = 0.01 in line 2 of DataFrame (line = position of the row + 2), subject 1, "
        "makes CL = cl * AGE = 2 (and 2 more subjects); CL must be between 0 and 1",
    ),
    "no covariate": (
        model("cl", cl=-0.1),
        "cl = -0.1 in line 2 of DataFrame (line = position of the row + 2), subject 1, "
        "makes CL = cl = -0.1 (and 2 more subjects); CL must be > 0",
    ),
}


@pytest.mark.parametrize(("study", "expected"), INVALID.values(), ids=INVALID)
def test_an_invalid_typical_value_names_what_makes_it(study, expected):
    table = pd.DataFrame(
        {
            "ID": [1, 1, 2, 2, 3, 3],
            "TIME": [0.0, 1.0] * 3,
            "AMT": [10.0, 0.0] * 3,
            "DV": [0.0, 2.0] * 3,
            "WT": [70.0, 70, -70, -70, 80, 80],
            "AGE": [200.0] * 6,
        }
    )
    with pytest.raises(pk.FitError) as caught:
        pk.evaluate(study, table)
    assert expected in str(caught.value)
    assert "0 others" not in str(caught.value)
