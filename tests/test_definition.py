"""Fit definitions: every key is read and used or refused, and writing loses nothing."""

from __future__ import annotations

import copy
import string
import time
from contextlib import suppress
from dataclasses import replace
from datetime import date
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pkmodel.definition import DataSpec, Definition, dumps, read_definition, write_definition
from pkmodel.definition.reading import build_definition
from pkmodel.errors import DataError, ModelError, Problem
from pkmodel.models.model import Model, OmegaBlock, Options, Residual, Sigma, Theta
from pkmodel.models.prior import Prior, Priors
from pkmodel.models.structural import STRUCTURES
from pkmodel.shipped import shipped_fits

EVERY_KEY = """
title = "All of it"

[data]
file = "../data/x.csv"
units = { time = "h", amount = "ug", concentration = "pg/mL" }
columns = { DV = "conc", ID = "subject" }
where = "SD == 1"
lloq = 50
covariates = "locf"
allow = ["no_dose"]

[model]
structure = "one_compartment_oral"

[model.parameters]
CL = "cl * WT"
V = "v * WT"
KA = "ka"

[theta]
cl = { init = 0.005, lower = 0 }
v = { init = 1, lower = -inf, upper = 10.5 }
ka = { init = 0.0, lower = 0, fixed = true }

[omega]
CL = 0.1
V = { init = 0.2, fixed = true }
blocks = [ { parameters = ["KA"], matrix = [[0.3]], fixed = true } ]
distribution = { CL = "lognormal", V = "normal" }
occasion = { CL = 0.05, blocks = [ { parameters = ["V", "KA"], matrix = [[0.1], [0.05, 0.1]] } ] }

[residual]
additive = 0.1
power = { init = 0.3, fixed = true }
exponent = 0.5
combine = "sd"

[groups]
age = "AGE"
unit = "month"
cuts = { infant = [0, 2], child = [2, 7], adult = [18, inf] }
bsa = { weight = "WT", height = "HT", formula = "mosteller" }

[fit]
method = "laplace"
interaction = false
censoring = "m1"
covariance = "none"
starts = 3
seed = 7
max_evaluations = 50
"""

SHORT = """
[model]
structure = "one_compartment"
[model.parameters]
CL = "cl"
V = "v"
[theta]
cl = { init = 1 }
v = { init = 1 }
[omega]
CL = 0.1
[residual]
additive = 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("definitions").resolve()


@pytest.fixture
def read(folder):
    """Return a function that reads a definition from its text."""

    def run(text: str | bytes) -> Definition:
        path = folder / "mine.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_definition(path)

    return run


@pytest.fixture
def refused(read):
    """Return a function that gives the problems of a text, and the whole message."""

    def run(text: str | bytes) -> list[str]:
        with pytest.raises(ModelError) as caught:
            read(text)
        assert "mine.toml" in str(caught.value)
        return [str(problem) for problem in caught.value.problems]

    return run


# -- what is read -------------------------------------------------------------------------------


def test_every_key_is_read(read, folder):
    assert read(EVERY_KEY) == Definition(
        title="All of it",
        data=DataSpec(
            file=folder.parent / "data" / "x.csv",
            units={"time": "h", "amount": "ug", "concentration": "pg/mL"},
            columns={"DV": "conc", "ID": "subject"},
            where="SD == 1",
            lloq=50.0,
            covariates="locf",
            allow=("no_dose",),
        ),
        model=Model(
            structure="one_compartment_oral",
            parameters={"CL": "cl * WT", "V": "v * WT", "KA": "ka"},
            theta=(
                Theta("cl", 0.005, 0.0, inf),
                Theta("v", 1.0, -inf, 10.5),
                Theta("ka", 0.0, 0.0, inf, fixed=True),
            ),
            omega=(
                OmegaBlock(("CL",), ((0.1,),)),
                OmegaBlock(("V",), ((0.2,),), fixed=True),
                OmegaBlock(("KA",), ((0.3,),), fixed=True),
                OmegaBlock(("CL",), ((0.05,),), occasion=True),
                OmegaBlock(("V", "KA"), ((0.1, 0.05), (0.05, 0.1)), occasion=True),
            ),
            residual=Residual(
                (Sigma("additive", 0.1), Sigma("power", 0.3, True), Sigma("exponent", 0.5, True)),
                combine="sd",
            ),
            distribution={"CL": "lognormal", "V": "normal"},
        ),
        options=Options("laplace", False, "m1", "none", 3, 7, 50),
        groups={
            "age": "AGE",
            "unit": "month",
            "cuts": {"infant": (0.0, 2.0), "child": (2.0, 7.0), "adult": (18.0, inf)},
            "bsa": {"weight": "WT", "height": "HT", "formula": "mosteller"},
        },
    )


def test_defaults(read, folder):
    definition = read(SHORT)
    assert definition.title == "mine"
    assert definition.data is None
    assert definition.options == Options()
    assert definition.groups is None
    assert definition.path == folder / "mine.toml"
    assert definition.model.theta[0] == Theta("cl", 1.0, -inf, inf, fixed=False)


def test_a_full_matrix_and_a_lower_triangle_are_the_same(read):
    block = 'blocks = [{{ parameters = ["CL", "V"], matrix = {} }}]'
    texts = [
        SHORT.replace("CL = 0.1", block.format(matrix))
        for matrix in ("[[0.1], [0.02, 0.3]]", "[[0.1, 0.02], [0.02, 0.3]]")
    ]
    assert read(texts[0]) == read(texts[1])


@pytest.mark.parametrize(
    ("exponent", "fixed"),
    [("0.5", True), ("{ init = 0.5 }", True), ("{ init = 0.5, fixed = false }", False)],
)
def test_an_exponent_is_kept_unless_said_otherwise(read, exponent, fixed):
    definition = read(SHORT.replace("additive = 1", f"power = 1\nexponent = {exponent}"))
    assert definition.model.residual.sigmas[1] == Sigma("exponent", 0.5, fixed)


def test_groups_by_scheme(read):
    definition = read(SHORT + '[groups]\nage = "AGE"\nscheme = "ich_e11"\nbsa = "BSA"\n')
    assert definition.groups == {"age": "AGE", "unit": "year", "scheme": "ich_e11", "bsa": "BSA"}


@pytest.mark.parametrize("name", shipped_fits())
def test_shipped_definitions_are_found_by_name(name, tmp_path):
    definition = read_definition(name)
    assert definition.data is not None
    assert definition.data.file.is_file()
    write_definition(definition, tmp_path / "again.toml")
    assert read_definition(tmp_path / "again.toml") == definition


def test_byte_order_mark_and_windows_line_ends_are_harmless(read):
    text = SHORT.replace("\n", "\r\n").encode()
    assert read(b"\xef\xbb\xbf" + text) == read(SHORT)


def test_a_data_file_is_looked_for_beside_the_definition(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "x.toml").write_text('[data]\nfile = "../x.csv"\n' + SHORT)
    assert read_definition(deep / "x.toml").data.file == tmp_path.resolve() / "a" / "x.csv"


def test_data_are_read_as_declared(tmp_path):
    rows = ["subject,TIME,AMT,DV,SD", "1,0,100,.,1", "1,1,0,5,1", "2,0,100,.,0", "2,1,0,4,0"]
    (tmp_path / "x.csv").write_text("\n".join(rows) + "\n")
    data = '[data]\nfile = "x.csv"\ncolumns = { ID = "subject" }\nwhere = "SD == 1"\n'
    (tmp_path / "x.toml").write_text(data + SHORT)
    table = read_definition(tmp_path / "x.toml").data.read("one_compartment")
    assert table.n_subjects == 1
    assert table.n_observations == 1


def test_an_absent_data_file_is_answered_with_those_beside_it(tmp_path):
    (tmp_path / "pheno.csv").write_text("x")
    with pytest.raises(DataError, match=r"\[data\] file: there is no file .*did you mean `pheno.c"):
        DataSpec(tmp_path / "phenno.csv").read("one_compartment")
    with pytest.raises(DataError, match=r"\[data\] file: there is no folder"):
        DataSpec(tmp_path / "nowhere" / "x.csv").read("one_compartment")


# -- what is refused ------------------------------------------------------------------------------

SHAPE_FAULTS = [
    ("titel = 3", "unknown key titel (did you mean `title`? known: title, data, model"),
    ("title = 3", "title: expected a text, got 3"),
    ("[data]", "[data] file: missing; expected the name of the data file"),
    ("data = 3", "[data]: expected a table [data], got 3"),
    ('[data]\nfile = ""', "[data] file: expected the name of the data file"),
    ('[data]\nfile = "a\\u0000b"', "[data] file: the name holds characters that no file"),
    ('[data]\nfile = "x"\nfiel = "y"', "[data]: unknown key fiel (did you mean `file`?"),
    ('[data]\nfile = "x"\nunits = { time = "h" }', "[data] units amount: missing; expected"),
    ('[data]\nfile = "x"\nunits = "h"', "[data] units: expected a table { time = "),
    (
        '[data]\nfile = "x"\nunits = { time = "hh", amount = "mg", concentration = "mg/L" }',
        "[data] units time: 'hh' is an unknown unit; did you mean `h`?",
    ),
    ('[data]\nfile = "x"\nlloq = "50"', "[data] lloq: expected a positive concentration, got"),
    ('[data]\nfile = "x"\nlloq = 0', "[data] lloq: expected a positive concentration, got 0"),
    ('[data]\nfile = "x"\nlloq = nan', "[data] lloq: expected a positive concentration, got nan"),
    ('[data]\nfile = "x"\ncovariates = "nocp"', "'nocp' is not known (did you mean `nocb`?"),
    ('[data]\nfile = "x"\ncovariates = 1', "[data] covariates: 1 is not known (known: nocb, locf)"),
    ('[data]\nfile = "x"\ncolumns = { DV = 3 }', "[data] columns DV: expected standard names and"),
    ('[data]\nfile = "x"\nallow = "no_dose"', "[data] allow: expected faults to tolerate"),
    ('[data]\nfile = "x"\nwhere = true', "[data] where: expected a condition on columns"),
    ('[groups]\nscheme = "ich_e11"', "[groups] age: missing; expected the column"),
    ('[groups]\nage = "AGE"', "[groups]: give one of scheme"),
    ('[groups]\nage = "A"\nscheme = "ich_e11"\ncuts = { a = [0, 1] }', "[groups]: give one of"),
    ('[groups]\nage = "A"\nscheme = "ich11"', "(did you mean `ich_e11`? known: ich_e11, blina"),
    ('[groups]\nage = "A"\nscheme = "ich_e11"\nunit = "years"', "(did you mean `year`? known"),
    (
        '[groups]\nage = "A"\nscheme = "ich_e11"\nreference = "kid"',
        "[groups] reference: 'kid' is no group (known: newborn",
    ),
    (
        '[groups]\nage = "A"\nscheme = "ich_e11"\nmargin = [0.8, 0.9]',
        "[groups] margin: expected [low, high] with 0 < low < 1 < high",
    ),
    (
        '[groups]\nage = "A"\nscheme = "ich_e11"\nweight = "W"\n'
        'bsa = { weight = "W", height = "H", formula = "boyd" }',
        "[groups] weight: bsa names a weight already",
    ),
    ('[groups]\nage = "A"\ncuts = {}', "[groups] cuts: no group is given"),
    ('[groups]\nage = "A"\ncuts = { a = [2, 1] }', "[groups] cuts a: expected [lower, upper]"),
    ('[groups]\nage = "A"\ncuts = { a = [0, nan] }', "[groups] cuts a: expected [lower, upper]"),
    ('[groups]\nage = "A"\ncuts = { a = [1] }', "[groups] cuts a: expected [lower, upper] with"),
    ('[groups]\nage = "A"\ncuts = { a = [0, 3], b = [2, 4] }', "[groups] cuts: a and b overlap"),
    ('[groups]\nage = "A"\nscheme = "ich_e11"\nbsa = {}', "[groups] bsa: weight and height and f"),
    ('[groups]\nage = "A"\nscheme = "ich_e11"\nbsa = 3', "[groups] bsa: expected a column or {"),
    (
        '[groups]\nage = "A"\nscheme = "ich_e11"\nbsa = { column = "B", weight = "W" }',
        "[groups] bsa: give a column or weight, not both",
    ),
    (
        '[groups]\nage = "A"\nscheme = "ich_e11"\n'
        'bsa = { weight = "W", height = "H", formula = "mostler" }',
        "[groups] bsa formula: the text 'mostler' is not known (did you mean `mosteller`?",
    ),
    ("[prior]", '[prior]: goes with method = "nuts" only; remove it'),
    ('[fit]\nmethod = "nuts"\n[prior]\nlkj = 0', "[prior] lkj: expected a positive number, got 0"),
    (
        '[fit]\nmethod = "nuts"\n[prior]\nlkj = 1',
        "[prior] lkj: the model has no correlated effects",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.theta]\nc = "flat"',
        "[prior] theta c: 'c' is no such parameter of the model (did you mean `cl`?",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.theta]\ncl = { normal = [1] }',
        "[prior] theta cl: normal takes [mean, sd], got 1 number",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.theta]\ncl = { normal = [1, -1] }',
        "[prior] theta cl: sd of normal must be positive, not -1",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.theta]\ncl = { lognormal = [1, 1] }',
        "[prior] theta cl: lognormal needs a parameter that cannot be negative; say lower = 0",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.theta]\ncl = {}',
        "[prior] theta cl: give one distribution, not none",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.theta]\ncl = { normal = [0, 1], flat = true }',
        "[prior] theta cl: give one distribution, not normal and flat",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.theta]\ncl = "wide"',
        "[prior] theta cl: expected a table such as { lognormal = ",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.omega]\nCL = { normal = [0, 1] }',
        "[prior] omega CL: 'normal' is no distribution of this parameter (",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.omega]\nCL = { half_normals = 1 }',
        "[prior] omega CL: unknown key half_normals (did you mean `half_normal`? known: "
        "half_normal, half_t, lognormal, flat)",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.theta]\ncl = { cauchy = 1 }',
        "[prior] theta cl: unknown key cauchy (known: normal, lognormal, student_t, flat)",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.omega]\nV = { half_normal = 1 }',
        "[prior] omega V: 'V' is no such parameter of the model (known: CL)",
    ),
    (
        '[fit]\nmethod = "nuts"\n[prior.sigma]\nadditive = { half_t = [3, 0] }',
        "[prior] sigma additive: scale of half_t must be positive, not 0",
    ),
    ('[fit]\nmethod = "nut"', "[fit] method: 'nut' does not exist (did you mean `nuts`?"),
    ('[fit]\nmethod = "FOCEI"', "[fit] method: 'FOCEI' does not exist (did you mean `focei`?"),
    ('[fit]\nmethods = "fo"', "[fit]: unknown key methods (did you mean `method`? known: method"),
    ("starts = 5", "unknown key starts (did you mean fit.starts? known: title"),
    ('units = "mg"', "unknown key units (did you mean data.units?"),
    ("[fit]\nlloq = 5", "[fit]: unknown key lloq (did you mean data.lloq? known: method"),
    ("[fit]\nseed = 1.0", "[fit] seed: expected a whole number from 0 on, got 1.0"),
    ("[fit]\nseed = -1", "[fit] seed: expected a whole number from 0 on, got -1"),
    ("[fit]\nseed = 99999999999999999999", "[fit] seed: expected a whole number from 0 on"),
    ("[fit]\nstarts = 0", "[fit] starts: expected a whole number from 1 on, got 0"),
    ("[fit]\nmax_evaluations = true", "[fit] max_evaluations: expected a whole number"),
    ('[fit]\ncensoring = "m4"', "[fit] censoring: 'm4' is not known (known: m3, m1)"),
    ('[fit]\ncovariance = "sandwhich"', "[fit] covariance: 'sandwhich' is not known (did you"),
    ("[fit]\ncovariance = false", "[fit] covariance: expected"),
    ("[fit]\ninteraction = true", "[fit] interaction: goes with method"),
    ("[fit]\norder = 7", '[fit] order: goes with method = "agq" only; remove it'),
    ("[fit]\nchains = 2", '[fit] chains: goes with method = "saem" or method = "nuts" only'),
    ('[fit]\ntarget = "both"', "[fit] target"),
    ('[fit]\nmethod = "focei"\ninteraction = false', "[fit] interaction: goes with method"),
    ('[fit]\nmethod = "nuts"\nstarts = 3', "[fit] starts: nuts has chains instead; remove it"),
    (
        '[fit]\nmethod = "nuts"\nmax_evaluations = 50',
        "[fit] max_evaluations: nuts has draws and tune instead; remove it",
    ),
    ('[fit]\nmethod = "nuts"\ncovariance = "r"', "[fit] covariance: errors of nuts are those of"),
]


def test_misplaced_priors_are_said_before_what_is_wrong_in_them(refused):
    entries = "[prior.theta]\ncl = { gamma = [1, 2] }\nc = { normal = [0, 1], flat = true }"
    problems = refused(f"{SHORT}[fit]\nmethod = 'focei'\n{entries}")
    assert problems[0] == '[prior]: goes with method = "nuts" only; remove it'
    places = [text.split(":")[0] for text in problems[1:]]
    assert places == ["[prior] theta cl", "[prior] theta c", "[prior] theta c"]
    assert "'c' is no such parameter" in problems[-1]


def test_numbers_of_priors_are_judged_whatever_else_is_wrong(refused):
    """Names too, where the table of the parameters has no fault."""
    entries = [
        "[fit]\nmethod = 'nuts'",
        "[groups]\nage = 1",
        "[prior.theta]\ncl = { normal = [1, -1] }\nc = { lognormal = [1] }",
        "[prior.omega]\nCL = { half_t = [0, -2] }\nW = { half_normal = 1 }",
        "[prior.sigma]\nadditive = { half_normal = -1 }",
    ]
    found = "\n".join(refused(SHORT + "\n".join(entries)))
    for text in (
        "[groups] age: expected",
        "[prior] theta cl: sd of normal must be positive, not -1",
        "[prior] theta c: lognormal takes [median, log sd], got 1 number",
        "[prior] theta c: 'c' is no such parameter",
        "[prior] omega CL: df of half_t must be positive, not 0",
        "[prior] omega CL: scale of half_t must be positive, not -2",
        "[prior] omega W: 'W' is no such parameter",
        "[prior] sigma additive: scale of half_normal must be positive, not -1",
    ):
        assert text in found
    theta = SHORT.replace("init = 1", "init = 'x'") + "\n".join(entries)
    assert "sd of normal must be positive" in "\n".join(refused(theta))


@pytest.mark.parametrize(("addition", "expected"), SHAPE_FAULTS)
def test_faults_of_additional_tables(refused, addition, expected):
    is_top = not addition.startswith("[")
    (problem,) = [
        fault
        for fault in refused(addition + SHORT if is_top else SHORT + addition)
        if expected in fault
    ]
    assert problem


CHANGED = [
    ('structure = "one_compartment"', "", "[model] structure: missing; expected the name of a"),
    ('"one_compartment"', '"two"', "[model] structure: 'two' does not exist (known: one_comp"),
    ('CL = "cl"', "CL = 3", '[model.parameters] CL: expected formulas in quotes, such as CL = "'),
    ('CL = "cl"', 'CL = "cl *"', "[model.parameters] CL: character 5: not a formula"),
    ('CL = "cl"', 'CL = "cl"\nQ = "v"', "[model.parameters]: one_compartment has no parameter 'Q'"),
    ("cl = { init = 1 }", "cl = 1", "[theta] cl: expected a table such as { init = 0.1, lower"),
    ("cl = { init = 1 }", "cl = {}", "[theta] cl init: missing; expected the initial value"),
    ("cl = { init = 1 }", 'cl = { init = "1" }', "[theta] cl init: expected the initial value"),
    ("cl = { init = 1 }", "cl = { init = inf }", "[theta] cl init: expected the initial value"),
    ("cl = { init = 1 }", "cl = { init = 1, lower = nan }", "[theta] cl: lower must be a number"),
    ("cl = { init = 1 }", "cl = { init = 1, fix = true }", "(did you mean `fixed`? known: init"),
    ("cl = { init = 1 }", "cl = { init = 1, fixed = 1 }", "[theta] cl fixed: expected true or f"),
    ("cl = { init = 1 }", "cl = { init = 1 }\nc = { init = 1 }", "[theta] c: no formula uses it"),
    ("CL = 0.1", 'CL = "0.1"', "[omega] CL: expected a number or { init = 0.1, fixed = true }"),
    ("CL = 0.1", "CL = { init = 0.1, fixd = true }", "[omega] CL: unknown key fixd (did you me"),
    ("CL = 0.1", "CL = nan", "[omega] CL init: expected the initial value, a number, got nan"),
    ("CL = 0.1", "CL = 0.1\nblock = []", "got an empty array (did you mean `blocks`? other keys"),
    ("CL = 0.1", "CL = 0.1\nCl = 1", "[omega] Cl: the structure has no parameter 'Cl' (did you"),
    ("CL = 0.1", "CL = 0.1\nblocks = 3", "[omega] blocks: expected an array of a table {"),
    ("CL = 0.1", "blocks = [3]", '[omega] blocks entry 1: expected a table { parameters = ["CL"'),
    (
        "CL = 0.1",
        'blocks = [{ parameters = ["CL"], matrix = [["a"]] }]',
        "[omega] blocks entry 1 matrix entry 1 entry 1: expected rows of numbers",
    ),
    (
        "CL = 0.1",
        'blocks = [{ parameters = ["CL"] }]',
        "[omega] blocks entry 1 matrix: missing; expected rows of numbers",
    ),
    ("CL = 0.1", "CL = 0.1\noccasion = { V = -1 }", "[omega] occasion V: the variance of V is -1"),
    ("CL = 0.1", "CL = 0.1\noccasion = 3", "[omega] occasion: expected a table of variances"),
    ("CL = 0.1", 'CL = 0.1\ndistribution = { CL = "log" }', "[omega] distribution CL: 'log' is n"),
    ("additive = 1", "", "[residual]: a model needs a residual error; known: additive"),
    ("additive = 1", "aditive = 1", "[residual]: unknown key aditive (did you mean `additive`?"),
    ("additive = 1", "additive = true", "[residual] additive: expected a number or { init"),
    ("additive = 1", 'additive = 1\ncombine = "variance"', "combine joins two errors, and there"),
    ("additive = 1", 'additive = 1\ncombine = "sum"', "[residual] combine: the text 'sum' is not"),
]


@pytest.mark.parametrize(("old", "new", "expected"), CHANGED)
def test_faults_of_the_tables_of_the_model(refused, old, new, expected):
    problems = refused(SHORT.replace(old, new, 1))
    assert len(problems) == 1
    assert expected in problems[0]


@pytest.mark.parametrize("table", ["model", "theta", "omega", "residual"])
def test_a_missing_table_is_named_with_an_example(table, folder):
    raw = {
        "model": {"structure": "one_compartment", "parameters": {"CL": "cl", "V": "v"}},
        "theta": {"cl": {"init": 1}, "v": {"init": 1}},
        "omega": {"CL": 0.1},
        "residual": {"additive": 1},
    }
    del raw[table]
    with pytest.raises(ModelError) as caught:
        build_definition(raw, folder / "x.toml")
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"[{table}]: this table is missing; write [{table}] with")


def test_an_empty_file_names_the_four_tables_it_needs(refused):
    assert [problem.split(":")[0] for problem in refused("")] == [
        "[model]",
        "[theta]",
        "[omega]",
        "[residual]",
    ]


def test_faults_of_shape_and_of_sense_come_in_one_pass(read):
    text = """
        titel = "x"
        [data]
        units = { time = "h", amount = "mg" }
        lloq = -1
        [model]
        structure = "one_compartment"
        [model.parameters]
        CL = "cl * WT ^ 2"
        V = 3
        [theta]
        cl = { init = -1, lower = 0 }
        v = { init = 1, lowr = 0 }
        [omega]
        CL = -1
        block = [3]
        [residual]
        power = 0.1
        [fit]
        method = "nut"
        seed = 1.5
        """
    with pytest.raises(ModelError) as caught:
        read(text)
    message = str(caught.value)
    assert message.splitlines()[0].endswith("mine.toml: 13 problems")
    for words in [
        "unknown key titel (did you mean `title`?",
        "[data] file: missing",
        "[data] units concentration: missing",
        "[data] lloq: expected a positive concentration",
        "[model.parameters] V: expected formulas in quotes",
        "[model.parameters] CL: character 9: `^` is not known",
        "[theta] v: unknown key lowr (did you mean `lower`?",
        "[theta] cl: init (-1) is outside its bounds",
        "[omega] block: expected a number",
        "[omega] CL: the variance of CL is -1",
        "[residual]: power needs an exponent",
        "[fit] method: 'nut' does not exist",
        "[fit] seed: expected a whole number",
    ]:
        assert words in message


def test_hundreds_of_faults_are_counted_not_listed(refused):
    text = SHORT + "[fit]\n" + "\n".join(f"k{i} = 1" for i in range(200))
    problems = refused(text)
    assert len(problems) == 31
    assert problems[-1] == "and 170 more faults of this kind"


BROKEN_TOML = [
    ('CL = "cl"', "CL = cl * WT", "Invalid value (at line 5, column 6); texts and formulas stand"),
    ('CL = "cl"', 'CL = "cl', "Illegal character"),
    ('CL = "cl"', 'CL = "cl"\nCL = "v"', "Cannot overwrite a value"),
    ("[theta]", "[theta", "Expected ']' at the end of a table declaration (at line 7"),
    ("[theta]", "[model]", "Cannot declare ('model',) twice (at line 7"),
    ("additive = 1", "additive = 0,1", "Expected newline or end of document"),
    ("additive = 1", "additive = 1979-13-45", "not valid TOML"),
    ("additive = 1", "additive = 9" + "9" * 5000, "a number or date is out of range"),
    ("additive = 1", "additive = " + "[" * 5000, "nested too deeply"),
    ("additive = 1", "additive = " + "{a=" * 3000, "nested too deeply"),
    ("additive = 1", "a." * 4000 + "a = 1", "[residual]: unknown key a"),
    ("additive = 1", "a." * 6000 + "a = 1", "has 12005 characters; at most 10000"),
    ("additive = 1", 'x = """', "not valid TOML"),
    ("additive = 1", "additive = 1\x00", "not valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "expected"), BROKEN_TOML)
def test_broken_toml(refused, old, new, expected):
    begin = time.perf_counter()
    problems = refused(SHORT.replace(old, new, 1))
    assert time.perf_counter() - begin < 5.0
    assert any(expected in problem for problem in problems), problems
    assert all(len(problem) < 400 for problem in problems)


def test_broken_toml_shows_the_line_with_a_caret(refused):
    (problem,) = refused(SHORT.replace('CL = "cl"', "CL = cl * WT"))
    assert problem.splitlines()[1:] == ["      CL = cl * WT", "           ^"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'title = "\xff"', "not UTF-8 text: byte 0xff at line 1; save it as UTF-8"),
        ('title = "x"'.encode("utf-16"), "not UTF-8 text: byte 0xff at line 1"),
        (b"x" * 200_000, "more than 100000 bytes"),
        (b"\x00\x01\x02", "not valid TOML"),
        (b"ID,TIME,DV\n1,0,3\n", "not valid TOML"),
    ],
)
def test_files_that_are_no_toml(refused, content, expected):
    (problem,) = refused(content)
    assert expected in problem


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("phenobarbitol", "phenobarbitol: there is no such file (did you mean `phenobarbital`?"),
        ("nowhere/phenobarbital.toml", "(did you mean `phenobarbital`? shipped definitions"),
        ("a\x00b", "a\\x00b: there is no such file"),
        ("x" * 5000, "there is no such file"),
        ("", "this is a folder"),
        ("/dev/zero", "there is no such file"),
    ],
)
def test_files_that_are_not_there(name, expected):
    with pytest.raises(ModelError) as caught:
        read_definition(name)
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_missing_file_is_answered_with_those_beside_it(tmp_path):
    (tmp_path / "mine.toml").write_text(SHORT)
    with pytest.raises(ModelError, match=r"did you mean `mine\.toml`"):
        read_definition(tmp_path / "mime.toml")
    with pytest.raises(ModelError, match="this is a folder"):
        read_definition(tmp_path)


# -- round trip -------------------------------------------------------------------------------

names = st.text(string.ascii_letters + "_", min_size=1, max_size=6).map(lambda s: "x" + s)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
positive = st.floats(1e-6, 1e6)
variances = st.floats(1e-4, 1e4)


@st.composite
def thetas(draw, name: str) -> Theta:
    init = draw(st.floats(-1e6, 1e6))
    lower = draw(st.just(-inf) | st.floats(0.1, 1e3).map(lambda gap: init - gap))
    upper = draw(st.just(inf) | st.floats(0.1, 1e3).map(lambda gap: init + gap))
    return Theta(name, init, lower, upper, draw(st.booleans()))


@st.composite
def blocks(draw, carried: list[str], occasion: bool) -> tuple[OmegaBlock, ...]:
    """Share some parameters among single variances and blocks."""
    left, made = list(carried), []
    while left:
        size = draw(st.integers(1, len(left)))
        part, left = left[:size], left[size:]
        root = np.sqrt([draw(variances) for _ in part])
        shrink = draw(st.floats(-0.4, 0.9)) if size > 1 else 0.0
        matrix = np.outer(root, root) * (shrink + (1 - shrink) * np.eye(size))
        rows = tuple(
            tuple(float(matrix[max(i, j), min(i, j)]) for j in range(size)) for i in range(size)
        )
        made.append(OmegaBlock(tuple(part), rows, draw(st.booleans()), occasion))
    return tuple(made)


@st.composite
def residuals(draw) -> Residual:
    terms = draw(
        st.sampled_from(
            [
                ("additive",),
                ("proportional",),
                ("lognormal",),
                ("power", "exponent"),
                ("additive", "proportional"),
                ("additive", "power", "exponent"),
            ]
        )
    )
    sigmas = tuple(Sigma(name, draw(positive), draw(st.booleans())) for name in terms)
    choices = ["variance", "sd"] if len({*terms} - {"exponent"}) > 1 else ["variance"]
    return Residual(sigmas, draw(st.sampled_from(choices)))


@st.composite
def priors(draw, theta, omega, residual) -> Priors:
    """Give some of the free parameters a prior."""
    sds = st.one_of(
        st.builds(Prior, st.just("half_normal"), st.tuples(positive)),
        st.builds(Prior, st.just("half_t"), st.tuples(positive, positive)),
        st.builds(Prior, st.just("lognormal"), st.tuples(positive, positive)),
        st.just(Prior("flat")),
    )
    real = st.floats(-1e6, 1e6)
    thetas_ = st.one_of(
        st.builds(Prior, st.just("normal"), st.tuples(real, positive)),
        st.builds(Prior, st.just("student_t"), st.tuples(positive, real, positive)),
        st.just(Prior("flat")),
    )

    def some(names: list[str], kind) -> dict[str, Prior]:
        kept = draw(st.sets(st.sampled_from(names))) if names else set()
        return {name: draw(kind) for name in sorted(kept)}

    blocks = {o: [b for b in omega if b.occasion == o and not b.fixed] for o in (False, True)}
    is_correlated = any(len(b.parameters) > 1 for b in omega if not b.fixed)
    return Priors(
        theta=some([t.name for t in theta if not t.fixed], thetas_),
        omega=some([p for b in blocks[False] for p in b.parameters], sds),
        occasion=some([p for b in blocks[True] for p in b.parameters], sds),
        sigma=some([s.name for s in residual.sigmas if not s.fixed], sds),
        lkj=draw(st.none() | positive) if is_correlated else None,
    )


@st.composite
def models(draw, with_priors: bool = False) -> Model:
    structure = draw(st.sampled_from(sorted(STRUCTURES)))
    parameters = STRUCTURES[structure].parameters
    theta_names = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    formula = " + ".join(theta_names)
    carried = draw(st.lists(st.sampled_from(parameters), min_size=1, unique=True))
    changing = draw(st.lists(st.sampled_from(parameters), unique=True))
    kinds = st.sampled_from(["lognormal", "normal", "logitnormal"])
    theta = tuple(draw(thetas(name)) for name in theta_names)
    omega = draw(blocks(carried, occasion=False)) + draw(blocks(changing, occasion=True))
    residual = draw(residuals())
    return Model(
        structure=structure,
        parameters={p: draw(st.sampled_from([formula, f"({formula})\n* WT"])) for p in parameters},
        theta=theta,
        omega=omega,
        residual=residual,
        distribution={p: draw(kinds) for p in draw(st.sets(st.sampled_from(carried)))},
        priors=draw(priors(theta, omega, residual)) if with_priors else None,
    )


data_specs = st.builds(
    DataSpec,
    file=st.lists(
        st.text(string.ascii_letters + "é ._-", min_size=1, max_size=8).filter(
            lambda s: s not in (".", "..")
        ),
        min_size=1,
        max_size=3,
    ).map(lambda parts: Path("/", *parts)),
    units=st.none() | st.just({"time": "h", "amount": "mg", "concentration": "ug/mL"}),
    columns=st.none() | st.dictionaries(texts, texts, max_size=3),
    where=st.none() | texts,
    lloq=st.none() | positive,
    covariates=st.sampled_from(["nocb", "locf"]),
    allow=st.lists(texts, max_size=2).map(tuple),
)
methods = st.sampled_from(["fo", "foce", "focei", "laplace"])
options = st.builds(
    Options,
    method=methods,
    censoring=st.sampled_from(["m3", "m1"]),
    covariance=st.sampled_from(["sandwich", "r", "s", "none"]),
    starts=st.integers(1, 10_000),
    seed=st.integers(0, 2**63 - 1),
    max_evaluations=st.integers(1, 2**63 - 1),
) | st.builds(Options, method=st.just("laplace"), interaction=st.booleans())
groups = st.none() | st.sampled_from(
    [
        {"age": "AGE", "unit": "day", "scheme": "ich_e11"},
        {"age": "A B", "unit": "year", "cuts": {"a b": (0.0, 2.5), "ü": (2.5, inf)}, "bsa": "BSA"},
        {
            "age": "AGE",
            "unit": "week",
            "scheme": "blinatumomab_trials",
            "bsa": {"weight": "WT", "height": "HT", "formula": "haycock"},
        },
        {
            "age": "AGE",
            "unit": "year",
            "cuts": {"young": (0.0, 2.5), "old": (2.5, 18.0)},
            "bsa": "BSA",
            "weight": "WT",
            "reference": "old",
            "margin": (0.7, 1.43),
            "published": "/data/published.csv",
        },
    ]
)
definitions = st.builds(
    Definition,
    title=texts,
    data=st.none() | data_specs,
    model=models(),
    options=options,
    groups=groups,
) | st.builds(
    Definition,
    title=texts,
    data=st.none(),
    model=models(with_priors=True),
    options=st.builds(
        Options,
        method=st.just("nuts"),
        chains=st.none() | st.integers(1, 1000),
        tune=st.none() | st.integers(1, 10_000),
        draws=st.none() | st.integers(1, 10_000),
        target=st.sampled_from([None, "joint", "marginal"]),
    ),
)


@given(definitions)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_round_trip(folder, definition):
    path = folder / "round.toml"
    write_definition(definition, path)
    assert read_definition(path) == definition


def test_the_data_file_is_written_relative_to_the_definition(tmp_path):
    spec = DataSpec(tmp_path.resolve() / "data" / "x.csv")
    definition = replace(read_definition("theophylline"), data=spec)
    assert 'file = "data/x.csv"' in dumps(definition, tmp_path)
    (tmp_path / "fits").mkdir()
    write_definition(definition, tmp_path / "fits" / "x.toml")
    assert 'file = "../data/x.csv"' in (tmp_path / "fits" / "x.toml").read_text()
    assert f'file = "{spec.file}"' in dumps(definition)


def test_a_model_with_faults_is_not_written(tmp_path):
    definition = read_definition("theophylline")
    broken = replace(definition, model=replace(definition.model, omega=()))
    with pytest.raises(ModelError, match="at least one random effect"):
        write_definition(broken, tmp_path / "x.toml")
    assert not (tmp_path / "x.toml").exists()


def test_what_cannot_be_written_is_said(tmp_path):
    definition = read_definition("theophylline")
    with pytest.raises(ModelError, match="cannot be written: No such file or directory"):
        write_definition(definition, tmp_path / "nowhere" / "x.toml")
    with pytest.raises(ModelError, match="half a character"):
        dumps(replace(definition, title="\ud800"))


# -- anything may stand in the file ----------------------------------------------------------------

RAW: dict[str, Any] = {
    "title": "x",
    "data": {"file": "x.csv", "units": {"time": "h", "amount": "mg", "concentration": "mg/L"}},
    "model": {"structure": "one_compartment", "parameters": {"CL": "cl * WT", "V": "v"}},
    "theta": {"cl": {"init": 1.0, "lower": 0}, "v": {"init": 2, "fixed": True}},
    "omega": {
        "CL": 0.1,
        "blocks": [{"parameters": ["V"], "matrix": [[0.1]]}],
        "distribution": {"CL": "normal"},
        "occasion": {"CL": {"init": 0.1, "fixed": True}},
    },
    "residual": {"additive": 0.1, "proportional": {"init": 0.1}, "combine": "sd"},
    "groups": {"age": "AGE", "cuts": {"a": [0, 1]}, "bsa": {"weight": "WT"}},
    "fit": {"method": "focei", "seed": 1, "interaction": None},
}
del RAW["fit"]["interaction"]
WORDS = [
    *("title", "data", "model", "theta", "omega", "residual", "groups", "fit", "init", "lower"),
    *("CL", "V", "KA", "cl", "blocks", "matrix", "variances", "occasion", "distribution", "column"),
    *("power", "exponent", "lognormal", "method", "interaction", "", " ", "a.b", "[key]", "\x00"),
]
scalars = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=5),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.booleans(),
    st.just(date(2020, 1, 1)),
    st.sampled_from([0, 1, -1, 10**400, "cl * WT", "cl ^ 2", "cl * CL", "inf"]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=4,
)


def _mutate(draw, node: Any) -> Any:
    """Change one thing somewhere below a node."""
    if not isinstance(node, dict | list) or not node or draw(st.integers(0, 5)) == 0:
        return draw(values)
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    key = draw(st.sampled_from(keys))
    action = draw(st.sampled_from(["into", "into", "into", "drop", "add", "rename"]))
    if action == "into" or isinstance(node, list):
        node[key] = _mutate(draw, node[key])
    elif action == "drop":
        del node[key]
    elif action == "add":
        node[draw(st.sampled_from(WORDS))] = draw(values)
    else:
        node[draw(st.sampled_from(WORDS))] = node.pop(key)
    return node


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_mutated_definition_is_read_or_a_model_error(data):
    raw = copy.deepcopy(RAW)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated = _mutate(data.draw, raw)
        raw = mutated if isinstance(mutated, dict) else raw
    definition, problems = _outcome(raw)
    assert (definition is None) == bool(problems)
    assert all(str(p).replace("\n", "").isprintable() for p in problems)
    assert _outcome(raw) == (definition, problems)


def _outcome(raw: dict[str, Any]) -> tuple[Definition | None, tuple[Problem, ...]]:
    try:
        return build_definition(raw, Path("/x.toml")), ()
    except ModelError as error:
        return None, error.problems


@given(st.text(max_size=200) | st.binary(max_size=200))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_file_is_refused_with_a_reason(folder, content):
    path = folder / "any.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "ignore"))
    with pytest.raises(ModelError):
        read_definition(path)


@given(st.data())
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_with_changed_bytes_is_read_or_a_model_error(folder, data):
    content = bytearray(EVERY_KEY.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path = folder / "changed.toml"
    path.write_bytes(bytes(content))
    with suppress(ModelError):
        read_definition(path)
