"""Each fault of a model is named with its place, what was expected, and what exists."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from pkmodel.definition import check_model, option_problems
from pkmodel.errors import ModelError
from pkmodel.models.model import Model, OmegaBlock, Options, Residual, Sigma, Theta

CL, V = Theta("cl", 0.1, lower=0.0), Theta("v", 1.0, lower=0.0)
SOUND = Model(
    structure="one_compartment",
    parameters={"CL": "cl * WT", "V": "v * WT"},
    theta=(CL, V),
    omega=(OmegaBlock(("CL", "V"), ((0.1, 0.05), (0.05, 0.1))),),
    residual=Residual((Sigma("proportional", 0.2),)),
)


def faults(**changes) -> list[str]:
    """Return the problems of the sound model after some changes."""
    try:
        check_model(replace(SOUND, **changes))
    except ModelError as error:
        return [str(problem) for problem in error.problems]
    return []


def with_theta(**changes) -> list[str]:
    return faults(theta=(replace(CL, **changes), V))


def with_block(matrix, parameters=("CL", "V"), **changes) -> list[str]:
    return faults(omega=(OmegaBlock(parameters, matrix, **changes),))


def with_sigmas(combine="variance", **values) -> list[str]:
    sigmas = tuple(Sigma(name, value) for name, value in values.items())
    return faults(residual=Residual(sigmas, combine))


def test_a_sound_model_has_no_faults():
    assert faults() == []


SOUND_CHANGES = [
    {"omega": (OmegaBlock(("CL",), ((0.1,),)),)},
    {"omega": (OmegaBlock(("CL",), ((0.1,),)), OmegaBlock(("CL",), ((0.1,),), occasion=True))},
    {"omega": (OmegaBlock(("V",), ((1e-8,),), fixed=True),)},
    {"distribution": {"CL": "normal", "V": "logitnormal"}},
    {"theta": (replace(CL, init=0.0, fixed=True), V)},
    {"theta": (replace(CL, init=1, lower=-inf, upper=2), V)},
    {"theta": (replace(CL, init=np.float64(0.3)), V)},
    {"residual": Residual((Sigma("lognormal", 0.3),))},
    {"residual": Residual((Sigma("additive", 1.0), Sigma("proportional", 0.1)), "sd")},
    {"residual": Residual((Sigma("power", 0.3), Sigma("exponent", 0.5, fixed=True)))},
    {"residual": Residual((Sigma("additive", 1), Sigma("power", 0.3), Sigma("exponent", 0.5)))},
]


@pytest.mark.parametrize("change", SOUND_CHANGES)
def test_sound_variations(change):
    assert faults(**change) == []


def test_all_faults_come_in_one_pass():
    found = faults(
        parameters={"CL": "cl ^ 2", "VC": "v"},
        theta=(replace(CL, init=-1.0), V),
        omega=(OmegaBlock(("CL", "Q"), ((1.0, 2.0), (2.0, 1.0))),),
        residual=Residual(()),
        distribution={"CL": "gamma"},
    )
    assert [fault.split(": ")[0] for fault in found] == [
        "[model.parameters] V",
        "[model.parameters]",
        "[model.parameters] CL",
        "[theta] cl",
        "[omega] CL, Q",
        "[omega] CL, Q",
        "[omega] distribution CL",
        "[residual]",
    ]


FAULTS = {
    "unknown structure": (
        lambda: faults(structure="one_compartment_orall"),
        "[model] structure: 'one_compartment_orall' does not exist "
        "(did you mean `one_compartment_oral`? known: one_compartment, one_compartment_oral)",
    ),
    "structure of no type": (lambda: faults(structure=["x"]), "[model] structure: ['x'] does not"),
    "parameter missing": (
        lambda: faults(structure="one_compartment_oral"),
        '[model.parameters] KA: one_compartment_oral needs a formula for it, such as KA = "ka"',
    ),
    "parameter unknown": (
        lambda: faults(parameters={**SOUND.parameters, "Cl": "cl"}),
        "[model.parameters]: one_compartment has no parameter 'Cl' (did you mean `CL`? "
        "known: CL, V)",
    ),
    "formula at fault": (
        lambda: faults(parameters={"CL": "cl * WT ^ 0.75", "V": "v"}),
        "[model.parameters] CL: character 9: `^` is not known in a formula: write `**`",
    ),
    "formula of no text": (
        lambda: faults(parameters={"CL": 3.0, "V": "v * cl"}),
        "[model.parameters] CL: a formula is a text, not float",
    ),
    "formula with a parameter": (
        lambda: faults(parameters={"CL": "cl", "V": "v * CL"}),
        "[model.parameters] V: `CL` is a parameter; formulas are made of thetas and covariates",
    ),
    "no theta": (lambda: faults(theta=()), "[theta]: a model needs at least one theta"),
    "theta unused": (
        lambda: faults(
            theta=(CL, V, Theta("v_apgr", 0.1)), parameters={"CL": "cl*v", "V": "v_apg"}
        ),
        "[model.parameters] V: v_apg in the formula of V is no theta; did you mean v_apgr, "
        "which no formula uses? If v_apg is a column of the data, remove v_apgr",
    ),
    "theta unused beside a covariate": (
        lambda: faults(
            theta=(CL, V, Theta("v_apgr", 0.1)),
            parameters={"CL": "cl", "V": "v * where(APGR < 5, 2, 1)"},
        ),
        "[theta] v_apgr: no formula uses it; use it or remove it "
        "(did you mean `APGR`? other names in formulas: APGR)",
    ),
    "theta in conditions only": (
        lambda: faults(
            theta=(CL, V, Theta("limit", 2.0)),
            parameters={"CL": "cl * where(AGE < limit, 0.5, 1)", "V": "v"},
        ),
        "[theta] limit: only conditions use it, so no gradient can estimate it; say fixed = true",
    ),
    "theta twice": (
        lambda: faults(theta=(CL, CL, V)),
        "[theta] cl: declared twice; give each theta one entry",
    ),
    "theta with a bad name": (
        lambda: with_theta(name="cl-1"),
        "[theta] cl-1: 'cl-1' cannot stand in a formula; use A-Z, a-z, 0-9 and _",
    ),
    "theta named by a reserved word": (
        lambda: with_theta(name="lambda"),
        "[theta] lambda: lambda is a reserved word of formulas; choose another name",
    ),
    "theta named like a function": (
        lambda: with_theta(name="max"),
        "[theta] max: max is a function of formulas; choose another name",
    ),
    "init outside": (
        lambda: with_theta(init=-1.0),
        "[theta] cl: init (-1) is outside its bounds, 0 to inf",
    ),
    "init on a bound": (
        lambda: with_theta(init=0.0),
        "[theta] cl: init (0) lies on a bound; move it inside, or say fixed = true",
    ),
    "init fixed outside": (
        lambda: with_theta(init=3.0, upper=2.0, fixed=True),
        "[theta] cl: init (3) is outside its bounds, 0 to 2",
    ),
    "init infinite": (
        lambda: with_theta(init=inf),
        "[theta] cl: init must be a finite number, not inf",
    ),
    "init nan": (lambda: with_theta(init=nan), "[theta] cl: init must be a number, not nan"),
    "init a text": (lambda: with_theta(init="1"), "[theta] cl: init must be a number, not '1'"),
    "init a truth": (lambda: with_theta(init=True), "[theta] cl: init must be a number, not True"),
    "bound nan": (lambda: with_theta(upper=nan), "[theta] cl: upper must be a number, not nan"),
    "bounds crossed": (
        lambda: with_theta(lower=2.0, upper=1.0),
        "[theta] cl: lower (2) must be below upper (1)",
    ),
    "bounds equal": (
        lambda: with_theta(lower=2.0, upper=2.0),
        "[theta] cl: lower (2) must be below upper (2)",
    ),
    "no random effect": (
        lambda: faults(omega=()),
        "[omega]: a model needs at least one random effect, such as CL = 0.1",
    ),
    "effect on nothing": (
        lambda: with_block(((0.1,),), ("KA",)),
        "[omega] KA: the structure has no parameter 'KA' (known: CL, V, blocks",
    ),
    "effect with a slip": (
        lambda: with_block(((0.1,),), ("Cl",)),
        "[omega] Cl: the structure has no parameter 'Cl' (did you mean `CL`?",
    ),
    "effect twice": (
        lambda: faults(omega=(*SOUND.omega, OmegaBlock(("V",), ((0.1,),)))),
        "[omega] V: V already has a variance; name it in one entry or block",
    ),
    "effect twice in a block": (
        lambda: with_block(((1.0, 0.1), (0.1, 1.0)), ("CL", "CL")),
        "[omega] CL, CL: CL already has a variance",
    ),
    "block of nothing": (lambda: with_block((), ()), "a block needs at least one parameter"),
    "variance zero": (
        lambda: with_block(((0.0,),), ("CL",)),
        "[omega] CL: the variance of CL is 0; it must be above 0 (leave the entry out",
    ),
    "variance negative": (
        lambda: with_block(((-0.1,),), ("CL",), fixed=True),
        "[omega] CL: the variance of CL is -0.1; it must be above 0",
    ),
    "variance nan": (
        lambda: with_block(((nan,),), ("CL",)),
        "[omega] CL: every entry of the matrix must be a finite number",
    ),
    "variance a text": (
        lambda: with_block((("0.1",),), ("CL",)),
        "[omega] CL: every entry of the matrix must be a finite number",
    ),
    "occasion variance negative": (
        lambda: with_block(((-0.1,),), ("CL",), occasion=True),
        "[omega] occasion CL: the variance of CL is -0.1",
    ),
    "matrix ragged": (
        lambda: with_block(((0.1, 0.2), (0.1,))),
        "[omega] CL, V: the matrix of 2 parameters needs rows of length 1, 2 (lower triangle) "
        "or 2 rows of 2; its rows have length 2, 1",
    ),
    "matrix asymmetric": (
        lambda: with_block(((0.1, 0.02), (0.03, 0.1))),
        "[omega] CL, V: the matrix is not symmetric: the covariance of CL and V is 0.03 and 0.02",
    ),
    "matrix indefinite": (
        lambda: with_block(((0.1, 0.2), (0.2, 0.1))),
        "[omega] CL, V: the matrix is not positive definite; the correlation of CL and V is 2: "
        "make the covariances smaller",
    ),
    "matrix singular": (
        lambda: with_block(((0.1, 0.1), (0.1, 0.1))),
        "the correlation of CL and V is 1: make the covariances smaller",
    ),
    "matrix overflowing": (
        lambda: with_block(((1e-300, 1e300), (1e300, 1e-300))),
        "[omega] CL, V: the matrix is not positive definite",
    ),
    "distribution unknown": (
        lambda: faults(distribution={"CL": "log-normal"}),
        "[omega] distribution CL: 'log-normal' is not known (did you mean `lognormal`? "
        "known: lognormal, normal, logitnormal)",
    ),
    "distribution of nothing": (
        lambda: faults(distribution={"VV": "normal"}),
        "[omega] distribution VV: the structure has no parameter 'VV' (did you mean `V`?",
    ),
    "distribution without effect": (
        lambda: faults(omega=(OmegaBlock(("CL",), ((0.1,),)),), distribution={"V": "normal"}),
        "[omega] distribution V: V has no random effect, so this says nothing; remove it",
    ),
    "no residual": (
        lambda: with_sigmas(),
        "[residual]: a model needs a residual error; known: additive, proportional, power",
    ),
    "residual unknown": (
        lambda: with_sigmas(proportinal=0.1),
        "[residual]: there is no 'proportinal' error (did you mean `proportional`?",
    ),
    "residual twice": (
        lambda: faults(residual=Residual((Sigma("additive", 1.0), Sigma("additive", 2.0)))),
        "[residual]: additive is declared twice",
    ),
    "lognormal with another": (
        lambda: with_sigmas(lognormal=0.1, additive=1.0),
        "[residual]: lognormal stands alone; remove it or additive",
    ),
    "power with proportional": (
        lambda: with_sigmas(power=0.1, exponent=0.5, proportional=0.1),
        "[residual]: proportional is power with exponent 1; keep one of them",
    ),
    "power alone": (
        lambda: with_sigmas(power=0.1),
        "[residual]: power needs an exponent: exponent = 0.5 (kept), or { init = 0.5, fixed",
    ),
    "exponent alone": (
        lambda: with_sigmas(additive=0.1, exponent=0.5),
        "[residual]: exponent goes with power only; write power = 0.3 or remove it",
    ),
    "combine unknown": (
        lambda: with_sigmas("variances", additive=0.1, proportional=0.1),
        "[residual]: combine = 'variances' is not known (did you mean `variance`? "
        "known: variance, sd)",
    ),
    "combine of one": (
        lambda: with_sigmas("sd", additive=0.1),
        "[residual]: combine joins two errors, and there is only one; remove it",
    ),
    "sigma zero": (
        lambda: with_sigmas(additive=0.0),
        "[residual] additive: init is 0; a standard deviation must be above 0 (leave it out",
    ),
    "sigma negative": (
        lambda: with_sigmas(proportional=-0.1),
        "[residual] proportional: init is -0.1; a standard deviation must be above 0",
    ),
    "sigma nan": (
        lambda: with_sigmas(proportional=nan),
        "[residual] proportional: init must be a finite number, not nan",
    ),
    "exponent negative": (
        lambda: with_sigmas(power=0.3, exponent=-1.0),
        "[residual] exponent: init is -1; an exponent must be above 0",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(name):
    find, expected = FAULTS[name]
    found = find()
    assert any(expected in fault for fault in found), found


ONE_FAULT = set(FAULTS) - {
    "structure of no type",
    "parameter unknown",
    "parameter missing",
    "theta with a bad name",
    "theta named by a reserved word",
    "theta named like a function",
    "effect twice in a block",
    "residual unknown",
}


@pytest.mark.parametrize("name", sorted(ONE_FAULT))
def test_one_fault_is_reported_once(name):
    assert len(FAULTS[name][0]()) == 1


OPTION_FAULTS = [
    (
        {"method": "foci"},
        "[fit] method: 'foci' does not exist (did you mean `focei`?",
    ),
    (
        {"method": "nut"},
        "[fit] method: 'nut' does not exist (did you mean `nuts`?",
    ),
    ({"method": 3}, "[fit] method: 3 does not exist"),
    ({"censoring": "m4"}, "[fit] censoring: 'm4' is not known (known: m3, m1)"),
    ({"covariance": "R"}, "[fit] covariance: 'R' is not known (did you mean `r`?"),
    ({"starts": 0}, "[fit] starts: expected a whole number from 1 on, got 0"),
    ({"seed": -1}, "[fit] seed: expected a whole number from 0 on, got -1"),
    ({"max_evaluations": 1.5}, "[fit] max_evaluations: expected a whole number from 1 on, got 1.5"),
    ({"interaction": True}, '[fit] interaction: goes with method = "laplace" only'),
]


@pytest.mark.parametrize(("change", "expected"), OPTION_FAULTS)
def test_option_fault(change, expected):
    (problem,) = option_problems(replace(Options(), **change))
    assert str(problem).startswith(expected)


def test_sound_options():
    for method in ("fo", "foce", "focei", "laplace"):
        assert option_problems(Options(method)) == []
    assert option_problems(Options("laplace", interaction=False)) == []
