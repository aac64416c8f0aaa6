"""Covariate blocks: values and Jacobians against independent arithmetic, faults, use."""

from __future__ import annotations

import re
import time

import mpmath
import numpy as np
import pytest
from click.testing import CliRunner

import pkmodel as pk
from pkmodel.cli import main
from pkmodel.errors import ModelError
from pkmodel.formula import bind, parse_formula
from pkmodel.formula.block_check import argument_ranges, implausible_arguments
from pkmodel.formula.blocks import BLOCKS
from pkmodel.formula.syntax import MAX_DEPTH
from pkmodel.formula.tape import value_and_jacobian
from pkmodel.formula.tree import Call, Name
from pkmodel.marks import MARKS
from pkmodel.shipped import shipped_data
from twin_likelihood import FUNCTIONS as TWINS

PLACE = "[model.parameters] CL"
COVARIATES = {
    "WT": np.array([0.6, 3.4, 12.0, 70.0, 140.0]),
    "BSA": np.array([0.08, 0.21, 0.55, 1.73, 2.6]),
    "PMA": np.array([24.0, 40.0, 66.0, 300.0, 2000.0]),
    "AGE": np.array([-3.0, 0.0, 6.0, 60.0, 480.0]),
}
THETAS = ("a", "b", "c")
THETA = np.array([0.9, 0.62, 31.0])

# Text of a formula, and the same in numbers that may be complex, by the twins of the blocks.
USES = {
    "a * allometry(WT)": lambda e, f: e["a"] * f["allometry"](e["WT"]),
    "a * allometry(WT, b)": lambda e, f: e["a"] * f["allometry"](e["WT"], e["b"]),
    "allometry(WT + c, 1)": lambda e, f: f["allometry"](e["WT"] + e["c"], 1),
    "a * bsa_power(BSA, b)": lambda e, f: e["a"] * f["bsa_power"](e["BSA"], e["b"]),
    "bsa_power(BSA, b, 1.876)": lambda e, f: f["bsa_power"](e["BSA"], e["b"], 1.876),
    "bsa_power(BSA, 0.5, a)": lambda e, f: f["bsa_power"](e["BSA"], 0.5, e["a"]),
    "maturation_renal(PMA * a)": lambda e, f: f["maturation_renal"](e["PMA"] * e["a"]),
    "maturation_igg(AGE, b, c)": lambda e, f: f["maturation_igg"](e["AGE"], e["b"], e["c"]),
    "maturation_igg(AGE, 0.411, 62.3)": lambda e, f: f["maturation_igg"](e["AGE"], 0.411, 62.3),
    "a * allometry(WT, b) * maturation_renal(PMA)": lambda e, f: (
        e["a"] * f["allometry"](e["WT"], e["b"]) * f["maturation_renal"](e["PMA"])
    ),
    "allometry(allometry(WT, a) * c, b)": lambda e, f: f["allometry"](
        f["allometry"](e["WT"], e["a"]) * e["c"], e["b"]
    ),
}


def evaluated(text, theta=THETA, covariates=COVARIATES):
    rows = len(next(iter(covariates.values())))
    return value_and_jacobian(bind(parse_formula(text, PLACE), THETAS, covariates, rows), theta)


def environment(moved=None):
    values = {name: value.astype(complex) for name, value in COVARIATES.items()}
    for k, name in enumerate(THETAS):
        values[name] = np.full(5, THETA[k] + (1e-40j if k == moved else 0j))
    return values


@pytest.mark.parametrize("text", USES)
def test_values_and_jacobians_are_those_of_the_twins(text):
    """The absolute part is rounding of the twin of the sigmoid, whose slope is a difference: worst
    4.6e-16."""
    value, jacobian = evaluated(text)
    np.testing.assert_allclose(value, USES[text](environment(), TWINS).real, rtol=1e-13)
    for k in range(3):
        slope = USES[text](environment(moved=k), TWINS).imag / 1e-40
        np.testing.assert_allclose(jacobian[:, k], slope, rtol=1e-13, atol=2e-15)


def test_every_block_has_a_twin_and_is_tried():
    assert BLOCKS.keys() <= TWINS.keys()
    for name in BLOCKS:
        assert any(name in text for text in USES)


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("allometry(WT)", lambda e: (e["WT"] / 70) ** (mpmath.mpf(3) / 4)),
        ("bsa_power(BSA, 0.62)", lambda e: (e["BSA"] / mpmath.mpf(1.73)) ** mpmath.mpf(0.62)),
        (
            "maturation_renal(PMA)",
            lambda e: (
                e["PMA"] ** mpmath.mpf(3.4)
                / (mpmath.mpf(47.7) ** mpmath.mpf(3.4) + e["PMA"] ** mpmath.mpf(3.4))
            ),
        ),
        (
            "maturation_igg(AGE, 0.411, 62.3)",
            lambda e: 1 - (1 - mpmath.mpf(0.411)) * mpmath.mpf(2) ** (-e["AGE"] / mpmath.mpf(62.3)),
        ),
    ],
)
def test_values_to_thirty_digits(text, exact):
    """Of a few operations, each good to half an ulp (2e-16 here), powers to a few: worst 7e-16."""
    value, _ = evaluated(text)
    with mpmath.workdps(30):
        for row in range(5):
            point = {name: mpmath.mpf(float(column[row])) for name, column in COVARIATES.items()}
            assert abs(value[row] / exact(point) - 1) < 3e-15


def test_renal_maturation_as_published():
    """Published to three digits: of a child born at term at birth, 6 and 12 months."""
    weeks = 40.0 + np.array([0.0, 6.0, 12.0]) * 30.4375 / 7.0
    value, _ = evaluated("maturation_renal(PMA)", covariates={"PMA": weeks})
    assert value.round(3).tolist() == [0.355, 0.752, 0.904]


def test_igg_maturation_is_beta_at_term_and_halfway_at_its_half_life():
    age = {"AGE": np.array([0.0, 62.3, 1e5])}
    value, _ = evaluated("maturation_igg(AGE, 0.411, 62.3)", covariates=age)
    np.testing.assert_allclose(value, [0.411, 1.411 / 2, 1.0], rtol=1e-15)


def test_the_published_clearance_of_blinatumomab_is_a_block_of_body_surface():
    """2.22 L/h at 1.876 m2 with exponent 0.620 is 2.0 to 2.5 L/h/m2 in infants."""
    surface = {"BSA": np.array([1.876, 0.25, 0.45])}
    value, _ = evaluated("2.22 * bsa_power(BSA, 0.620, 1.876) / BSA", covariates=surface)
    assert (value * surface["BSA"])[0] == 2.22
    assert value[1:].round(1).tolist() == [2.5, 2.0]


@pytest.mark.parametrize(
    ("text", "written_out"),
    [
        ("a * allometry(WT)", "a * (WT / 70)**0.75"),
        ("a * allometry(WT, b)", "a * (WT / 70)**b"),
        ("a * bsa_power(BSA, b)", "a * (BSA / 1.73)**b"),
        ("maturation_igg(AGE, b, c)", "1 - (1 - b) * exp(-AGE * log(2) / c)"),
    ],
)
def test_a_block_is_the_formula_written_out(text, written_out):
    assert parse_formula(text, PLACE).tree == parse_formula(written_out, PLACE).tree


def test_names_and_uses_are_those_of_the_arguments():
    formula = parse_formula("cl * allometry(WT, b) * maturation_renal(PMA * 52.18)", PLACE)
    assert formula.names == formula.smooth_names == {"cl", "WT", "b", "PMA"}
    assert [use.text for use in formula.blocks] == [
        "allometry(WT, b)",
        "maturation_renal(PMA * 52.18)",
    ]
    assert hash(formula) == hash(parse_formula(formula.text, PLACE))


# -- the table --------------------------------------------------------------------------------


def leaves(tree):
    if isinstance(tree, Call):
        return [name for part in tree.arguments for name in leaves(part)]
    return [tree.name] if isinstance(tree, Name) else []


@pytest.mark.parametrize("name", BLOCKS)
def test_each_argument_stands_once_in_the_text(name):
    block = BLOCKS[name]
    names = [argument.name for argument in block.arguments]
    assert sorted(leaves(parse_formula(block.text, PLACE).tree)) == sorted(names)


@pytest.mark.parametrize("name", BLOCKS)
def test_each_block_names_its_source_and_how_it_was_read(name):
    block = BLOCKS[name]
    assert block.name == name
    assert re.search(r"\b(19|20)\d\d\b.*10\.\d{4,}/", block.source)
    assert block.mark in MARKS
    defaults = [argument.default is not None for argument in block.arguments]
    assert defaults == sorted(defaults)


@pytest.mark.parametrize("name", ["maturation_renal", "maturation_igg"])
def test_a_maturation_says_that_it_would_be_an_assumption_for_blinatumomab(name):
    assert "blinatumomab among them, it is an assumption" in BLOCKS[name].caution


# -- faults -----------------------------------------------------------------------------------

REFUSED = {
    "allometry()": "allometry() takes 1 or 2 arguments: allometry(WT, b = 0.75); no keywords",
    "allometry(WT, 1, 70)": "allometry() takes 1 or 2 arguments",
    "allometry(WT, b=1)": "no keywords",
    "bsa_power(BSA)": "bsa_power() takes 2 or 3 arguments: bsa_power(BSA, b, reference = 1.73)",
    "maturation_renal(PMA, 47.7)": "maturation_renal() takes 1 argument: maturation_renal(PMA)",
    "maturation_igg(AGE)": "maturation_igg() takes 3 arguments: maturation_igg(AGE, beta, T)",
    "allometry * a": "`allometry` is a function: write allometry(...)",
    "alometry(WT)": "did you mean `allometry`?",
    "maturation(PMA)": "did you mean `maturation_",
    "allometry(WT < 3)": "a condition is not a number",
    "allometry(WT ^ 2)": "write `**` for a power",
    "a * allometry(0, -1)": "`allometry(0, -1)` is inf, not a finite number",
    "maturation_igg(1, 0.4, 0)": "is -inf, not a finite number",
    "allometry(" * 60 + "WT" + ")" * 60: "nested more than 100 deep",
    "maturation_igg(" * 90 + "WT" + ", a, b)" * 90: "nested more than 100 deep",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:30])
def test_refused_quickly_and_with_a_reason(text):
    begin = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        parse_formula(text, PLACE)
    assert time.perf_counter() - begin < 1.0
    assert str(caught.value).startswith(PLACE)
    assert REFUSED[text] in str(caught.value)


def test_the_caret_points_at_the_block():
    with pytest.raises(ModelError) as caught:
        parse_formula("cl * bsa_power(BSA)", PLACE)
    assert str(caught.value).splitlines()[1:] == [
        "      cl * bsa_power(BSA)",
        "           ^",
    ]


def test_blocks_nested_as_deep_as_allowed_are_evaluated():
    depth = (MAX_DEPTH - 1) // 3  # a block is a call of two operations
    text = "allometry(" * depth + "WT" + ", 1)" * depth
    value, _ = evaluated(text)
    exact = COVARIATES["WT"] / 70.0**depth
    np.testing.assert_allclose(value, exact, rtol=1e-13)


# -- in use -----------------------------------------------------------------------------------


def test_ranges_of_arguments_that_no_theta_touches():
    (use,) = parse_formula("bsa_power(BSA * 2, b)", PLACE).blocks
    found = argument_ranges(use, COVARIATES, 5)
    assert [(r.argument.name, r.low, r.high) for r in found] == [
        ("BSA", 0.16, 5.2),
        ("reference", 1.73, 1.73),
    ]


def test_a_missing_value_has_no_part_in_a_range():
    (use,) = parse_formula("allometry(WT)", PLACE).blocks
    found = argument_ranges(use, {"WT": np.array([np.nan, 3.0, 4.0])}, 3)
    assert found[0].text == "3 to 4"
    assert argument_ranges(use, {"WT": np.full(3, np.nan)}, 3)[0].argument.name == "b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("maturation_renal(PMA / 52.18)", "PMA is 0.4599 to 38.33; expected postmenstrual age, w"),
        ("allometry(WT * 1000)", "WT is 600 to 1.4e+05; expected body weight, kg, 0.3 to 300"),
        ("bsa_power(BSA * 1e4, 1)", "expected body surface area, m2, 0.05 to 4: is the unit ri"),
        ("maturation_igg(AGE, 41.1, 62.3)", "beta is 41.1; expected fraction of the mature value"),
    ],
)
def test_values_in_another_unit_are_warned_of(text, expected):
    (message,) = implausible_arguments(parse_formula(text, PLACE), COVARIATES, 5)
    assert f"{text} of {PLACE}: " in message
    assert expected in message


@pytest.mark.parametrize("text", list(USES))
def test_values_in_the_right_unit_are_not(text):
    if "allometry(allometry" not in text and "BSA, 0.5, a" not in text:
        assert implausible_arguments(parse_formula(text, PLACE), COVARIATES, 5) == []


@pytest.fixture
def phenobarbital(tmp_path):
    """Return the file of a definition for the shipped newborns with a given clearance."""

    def write(clearance):
        data = shipped_data()["phenobarbital"].file.as_posix()
        path = tmp_path / "fit.toml"
        path.write_text(f"""
data = {{ file = "{data}", units = {{ time = "h", amount = "mg", concentration = "mg/L" }} }}
model.structure = "one_compartment"
model.parameters = {{ CL = "{clearance}", V = "v * WT" }}
theta = {{ cl = {{ init = 0.15, lower = 0 }}, v = {{ init = 1.0, lower = 0 }} }}
omega = {{ CL = 0.1, V = 0.1 }}
residual.proportional = 0.2
""")
        return path

    return write


def test_no_theta_may_be_named_like_a_block(phenobarbital):
    path = phenobarbital("allometry * WT")
    path.write_text(path.read_text().replace("{ cl =", "{ allometry ="))
    with pytest.raises(ModelError, match="allometry is a function of formulas; choose another"):
        pk.read_definition(path)


def test_a_fit_with_a_block_is_that_of_the_formula_written_out(phenobarbital):
    block = pk.fit(phenobarbital("cl * allometry(WT)"), covariance=False)
    written = pk.fit(phenobarbital("cl * (WT / 70)**0.75"), covariance=False)
    assert block.objective == written.objective
    assert block.converged


def test_check_says_what_a_block_means_and_where_it_comes_from(phenobarbital):
    result = CliRunner().invoke(main, ["check", str(phenobarbital("cl * allometry(WT, 0.8)"))])
    assert result.exit_code == 0, result.output
    text = re.sub(r"\s+", " ", result.stdout)
    assert "allometry(WT, 0.8) in CL (WT / 70)**b allometric size, 1 at 70 kg" in text
    assert "WT body weight, kg; here 0.6 to 3.6" in text
    assert "; here 0.8 source Anderson and Holford 2008" in text
    assert f"({MARKS['SAW']})" in text
    assert "is the unit right?" not in text


def test_check_and_fit_doubt_a_weight_in_grams(phenobarbital):
    path = phenobarbital("cl * allometry(WT * 1000)")
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exit_code == 0, result.output
    assert "WT is 600 to 3600; expected body weight, kg" in re.sub(r"\s+", " ", result.stdout)
    (doubt,) = [text for text in pk.evaluate(path).warnings if "unit" in text]
    assert doubt.startswith("allometry(WT * 1000) of [model.parameters] CL: WT is 600 to 3600")
