"""Formulas: values and exact Jacobians against complex steps, and refusal of all else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pkmodel.errors import ModelError
from pkmodel.formula import bind, parse_formula, tape
from pkmodel.formula.syntax import MAX_DEPTH, MAX_LENGTH

PLACE = "[model.parameters] CL"
THETAS = ("a", "b", "c")
COVARIATES = {
    "WT": np.array([0.6, 1.5, 3.2, 12.0, 70.0]),
    "AGE": np.array([0.0, 0.1, 2.0, 2.0, 30.0]),
    "SEX": np.array([0.0, 1.0, 1.0, 0.0, 1.0]),
}
ROWS = 5

Environment = dict[str, np.ndarray]
Twin = Callable[[Environment], np.ndarray]


def value_and_jacobian(text, theta, covariates=COVARIATES, rows=ROWS, thetas=THETAS):
    """Evaluate a formula by the kernel, whose values are those of numpy."""
    bound, theta = (
        bind(parse_formula(text, PLACE), thetas, covariates, rows),
        np.array(theta, float),
    )
    value, jacobian = tape.value_and_jacobian(bound, theta)
    np.testing.assert_allclose(value, bound.value(theta), rtol=1e-13)
    return value, jacobian


# -- random expressions, each with a twin in complex numbers ----------------------------------


def _binary(symbol: str, compute) -> Callable:
    def make(pair):
        (left, f), (right, g) = pair
        return f"({left} {symbol} {right})", lambda e: compute(f(e), g(e))

    return make


def _function(name: str, compute) -> Callable:
    def make(argument):
        text, f = argument
        return f"{name}({text})", lambda e: compute(f(e))

    return make


def _pick(name: str, is_first) -> Callable:
    def make(pair):
        (left, f), (right, g) = pair

        def compute(e):
            x, y = f(e), g(e)
            return np.where(is_first(x.real, y.real), x, y)

        return f"{name}({left}, {right})", compute

    return make


def _where(parts):
    (low, f), symbol, (high, g), (yes, h), (no, k) = parts
    compare = {"<": np.less, "<=": np.less_equal, "==": np.equal, "!=": np.not_equal}[symbol]

    def compute(e):
        return np.where(compare(f(e).real, g(e).real), h(e), k(e))

    return f"where({low} {symbol} {high}, {yes}, {no})", compute


def _leaf(name: str):
    return name, lambda e: e[name] + 0j * np.zeros(ROWS)


def _constant(value: float):
    return repr(value), lambda e: np.full(ROWS, value + 0j)


leaves = st.one_of(
    st.sampled_from([_leaf(name) for name in (*THETAS, *COVARIATES)]),
    st.sampled_from([_constant(v) for v in (0.5, 1.0, 2.0, 3.7, 70.0)]),
)


def _grow(inner):
    pair = st.tuples(inner, inner)
    return st.one_of(
        pair.map(_binary("+", np.add)),
        pair.map(_binary("-", np.subtract)),
        pair.map(_binary("*", np.multiply)),
        pair.map(_binary("/", np.divide)),
        st.tuples(inner.map(_function("exp", np.exp)), inner).map(_binary("**", np.power)),
        inner.map(_function("exp", np.exp)),
        inner.map(_function("log", np.log)),
        inner.map(_function("log10", lambda z: np.log(z) / np.log(10))),
        inner.map(_function("sqrt", np.sqrt)),
        inner.map(_function("abs", lambda z: np.where(z.real < 0, -z, z))),
        inner.map(lambda x: (f"-{x[0]}", lambda e: -x[1](e))),
        pair.map(_pick("min", np.less_equal)),
        pair.map(_pick("max", np.greater_equal)),
        st.tuples(inner, st.sampled_from(["<", "<=", "==", "!="]), inner, inner, inner).map(_where),
    )


expressions = st.recursive(leaves, _grow, max_leaves=12)
thetas = st.tuples(*[st.floats(0.2, 3.0)] * 3)


@given(expressions, thetas)
@settings(max_examples=400, deadline=None)
def test_jacobian_agrees_with_complex_steps(expression, theta):
    text, twin = expression
    try:
        value, jacobian = value_and_jacobian(text, theta)
    except ModelError as error:
        assume("not a finite number" not in str(error))  # a constant such as log(0)
        raise
    with np.errstate(all="ignore"):
        plain = twin(_environment(theta)).real
        steps = [twin(_environment(theta, k)).imag / 1e-40 for k in range(3)]
    exact = np.column_stack(steps)
    # A twin that leaves the real line (log of a negative number) is NaN in the formula.
    usable = np.isfinite(value) & np.isfinite(plain) & (np.abs(plain) < 1e100)
    np.testing.assert_allclose(value[usable], plain[usable], rtol=1e-9, atol=1e-9)
    usable &= np.isfinite(exact).all(axis=1) & (np.abs(exact) < 1e100).all(axis=1)
    usable &= np.isfinite(jacobian).all(axis=1)
    scale = np.abs(exact[usable]).max(initial=1.0)
    np.testing.assert_allclose(jacobian[usable], exact[usable], rtol=1e-8, atol=1e-9 * scale)


def _environment(theta, moved=None):
    values = {name: value.astype(complex) for name, value in COVARIATES.items()}
    for k, name in enumerate(THETAS):
        values[name] = np.array(theta[k] + (1e-40j if k == moved else 0j))
    return values


@pytest.mark.parametrize(
    "text",
    [
        "a * WT",
        "a * (WT / 70)**b",
        "a * WT * where(AGE < 2, 1 + b, 1)",
        "a * exp(b * (AGE - 2)) / (1 + exp(c))",
        "a * AGE**b / (AGE**b + c**b) + 1",
        "a * (1 - exp(-AGE * log(2) / c)) + b",
        "sqrt(a * WT) + log10(b + WT) + abs(c - WT) + min(a * WT, b, 3) + max(a, b * AGE, c)",
        "(a * b - c)**2 + (a + WT)**3",
    ],
)
def test_jacobian_agrees_with_central_differences(text):
    theta = np.array([1.3, 0.7, 2.1])
    _, jacobian = value_and_jacobian(text, theta)
    step = 1e-6
    for k in range(3):
        move = step * np.eye(3)[k]
        up, _ = value_and_jacobian(text, theta + move)
        down, _ = value_and_jacobian(text, theta - move)
        difference = (up - down) / (2 * step)
        rounding = 1e-15 * np.abs(up) / step  # of the differences; truncation is below 1e-10
        assert (
            np.abs(jacobian[:, k] - difference) <= 1e-8 * np.abs(difference) + rounding + 1e-8
        ).all()


# -- meaning --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 + 3 * 4", 14.0),
        ("-2**2", -4.0),
        ("2**3**2", 512.0),
        ("2**-1", 0.5),
        ("(2 + 3)\n  * 4", 20.0),
        ("7 / 2", 3.5),
        ("1_000 + 1e-3", 1000.001),
        ("min(3, 1, 2) + max(3, 1, 2)", 4.0),
        ("log10(1000) + log(exp(2)) + sqrt(9) + abs(-4)", 12.0),
        ("where(0 < a < 2, 1, 0)", 1.0),
        ("where(a < 0 or not b > 5 and c != 3, 1, 0)", 1.0),
        ("+a", 1.0),
    ],
)
def test_values(text, expected):
    value, _ = value_and_jacobian(text, [1.0, 2.0, 4.0])
    np.testing.assert_allclose(value, expected, rtol=1e-15)


def test_shapes_without_a_covariate_and_without_a_theta():
    value, jacobian = value_and_jacobian("a + 1", [1, 2, 3])
    assert value.shape == (ROWS,)
    assert jacobian.tolist() == [[1, 0, 0]] * ROWS
    value, jacobian = value_and_jacobian("WT", [1, 2, 3])
    assert value.tolist() == COVARIATES["WT"].tolist()
    assert not jacobian.any()


def test_results_are_fresh_arrays():
    bound = bind(parse_formula("WT", PLACE), THETAS, COVARIATES, ROWS)
    value = bound.value(np.ones(3))
    value[:] = -1.0
    again = bound.value(np.ones(3))
    assert again.tolist() == COVARIATES["WT"].tolist()


def test_a_branch_not_taken_leaves_no_trace_in_the_derivative():
    text = "where(AGE > 0, log(AGE * a), b) + where(AGE > 0, 1 / AGE, 0) * c"
    value, jacobian = value_and_jacobian(text, [1.0, 2.0, 3.0])
    assert np.isfinite(value).all()
    assert jacobian[0].tolist() == [0.0, 1.0, 0.0]
    assert jacobian[2].tolist() == [1.0, 0.0, 0.5]


def test_derivatives_at_kinks_are_those_of_the_branch_taken():
    _, jacobian = value_and_jacobian("min(a, b) + 10 * max(a, b) + 100 * abs(c)", [2.0, 2.0, 0.0])
    assert jacobian[0].tolist() == [11.0, 0.0, 100.0]


def test_powers_at_zero():
    value, jacobian = value_and_jacobian("AGE**a + c * (a - 1)**0 + (b - 1)**2", [1.0, 1.0, 1.0])
    assert value[0] == 1.0
    assert jacobian[0].tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("text", ["log(-a)", "sqrt(0 - a)", "(0 - a)**b", "log(a - WT - 1)"])
def test_what_is_not_defined_is_nan_and_quiet(text):
    value, _ = value_and_jacobian(text, [1.0, 0.5, 1.0])
    assert np.isnan(value).all()


def test_names():
    formula = parse_formula("a * where(AGE < t50, WT, max(b, 2)) + exp(c)", PLACE)
    assert formula.names == {"a", "AGE", "t50", "WT", "b", "c"}
    assert formula.smooth_names == {"a", "WT", "b", "c"}
    assert formula.text.startswith("a * where")


def test_equal_parts_are_computed_once():
    bound = bind(parse_formula("exp(a * WT) + exp(a * WT)", PLACE), THETAS, COVARIATES, ROWS)
    assert len(bound.steps) == 3


# -- what is refused --------------------------------------------------------------------------

REFUSED = {
    "WT ^ 2": "write `**` for a power",
    "": "the formula is empty",
    "   \n ": "the formula is empty",
    "a b": "operator or a bracket missing",
    "5WT": "is a `*`",
    "1or 2": "is a `*`",
    "a = 3": "write `==` to compare",
    "lambda": "`lambda` is a reserved word",
    "a.b": "a name has no parts",
    "a.__class__.__mro__": "a name has no parts",
    "(1).real": "a name has no parts",
    "__import__('os')": "text has no place",
    "__import__(os)": "`__import__` is not a function",
    "open(a)": "`open` is not a function",
    "lambda x: x": "a formula is one expression",
    "(x := 2)": "a formula is one expression",
    "'a'": "text has no place",
    '"a" * 9': "text has no place",
    "f'{a}'": "text has no place",
    "[a for a in b]": "round brackets",
    "{a}": "round brackets",
    "(a for a in b)": "not known in a formula",
    "a if b else c": "write where(condition, a, b)",
    "a, b": "one expression",
    "a; b": "one expression",
    "a # why": "comments stand outside",
    "a % b": "no remainder",
    "a // b": "unknown operator `//`",
    "a << b": "unknown operator `<<`",
    "a & b": "write `and`",
    "a | b": "write `or`",
    "~a": "write `not`",
    "a @ b": "`@` is not known",
    "a in b": "`in` and `is` are not comparisons",
    "a is b": "`in` and `is` are not comparisons",
    "*a": "not",
    "await a": "not",
    "yield a": "reserved word",
    "None": "`None` is not a number",
    "True": "`True` is not a number",
    "...": "is not a number",
    "1j": "`1j` is not a number",
    "gr\u00f6\u00dfe * 2": "names are made of",
    "\u0430 + 1": "names are made of",
    "a\x00b": "is not known",
    "\ufeffa": "is not known",
    "a \u2212 b": "is not known",
    "a\\b": "is not known",
    "exp": "`exp` is a function: write exp(...)",
    "exp(a, b)": "exp() takes 1 argument",
    "exp()": "exp() takes 1 argument",
    "exp(x=a)": "exp() takes 1 argument",
    "exp(**a)": "exp() takes 1 argument",
    "exp(*a)": "not known in a formula",
    "max(a)": "max() takes 2 or more arguments",
    "where(a < 1, b)": "where() takes 3 arguments",
    "where(SEX, a, b)": "expected a comparison, such as SEX == 1",
    "where(a + (b < 1), a, b)": "a condition is not a number",
    "where(a and b, 1, 2)": "expected a comparison, such as a == 1",
    "a < b": "write where(condition, 1, 0)",
    "a * (b < 1)": "write where(condition, 1, 0)",
    "not a < b": "write where(condition, 1, 0)",
    "sqr(a)": "did you mean `sqrt`?",
    "ln(a)": "known: exp, log, log10, sqrt, abs, min, max, where",
    "WT(2)": "is a `*` missing?",
    "(a)(b)": "is a `*` missing?",
    "where(a < 1, (b": "was never closed",
    "a)": "unmatched ')'",
    "10**10**10": "is inf, not a finite number",
    "9**9**9**9**9": "is inf, not a finite number",
    "1e999": "is inf, not a finite number",
    "1 / 0": "is inf, not a finite number",
    "0 / 0 + a": "is nan, not a finite number",
    "log(0)": "is -inf, not a finite number",
    "9" * 1500: "is inf, not a finite number",
    "a" * (MAX_LENGTH + 1): "at most 2000 are read",
    "a + " * 10**6 + "a": "at most 2000 are read",
    "(" * 900 + "a" + ")" * 900: "too many nested parentheses",
    "(" * 1999: "too many nested parentheses",
    "-" * 1900 + "a": "nested more than 100 deep",
    "not " * 400 + "a": "nested more than 100 deep",
    "a+" * 900 + "a": "nested more than 100 deep",
    "2**" * 600 + "2": "nested more than 100 deep",
    "exp(" * 190 + "a" + ")" * 190: "nested more than 100 deep",
    "a.b" * 600: "",
    "a<" * 900 + "a": "where(condition, 1, 0)",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text[:30]))
def test_refused_quickly_and_with_a_reason(text):
    begin = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        parse_formula(text, PLACE)
    assert time.perf_counter() - begin < 1.0
    message = str(caught.value)
    assert message.startswith(PLACE)
    assert REFUSED[text] in message
    assert len(message) < 500


@pytest.mark.parametrize("value", [3, 1.5, True, None, ["a"], {"a": 1}])
def test_a_formula_must_be_text(value):
    with pytest.raises(ModelError, match="a formula is a text, not"):
        parse_formula(value, PLACE)


def test_the_caret_points_at_the_fault():
    with pytest.raises(ModelError) as caught:
        parse_formula("cl * WT ^ 0.75", PLACE)
    assert str(caught.value).splitlines() == [
        "[model.parameters] CL: character 9: `^` is not known in a formula: write `**` for a power",
        "      cl * WT ^ 0.75",
        "              ^",
    ]


@given(st.text(max_size=80) | st.text(alphabet="aW1.*+-/()<>=!, \nexplogwhere", max_size=80))
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_formula_or_a_model_error(text):
    try:
        formula = parse_formula(text, PLACE)
    except ModelError:
        return
    values = dict.fromkeys(formula.names, np.ones(2))
    value, jacobian = tape.value_and_jacobian(bind(formula, (), values, 2), np.zeros(0))
    assert value.shape == (2,)
    assert jacobian.shape == (2, 0)


def test_a_formula_of_the_allowed_depth_is_evaluated():
    text = "+".join(["a"] * MAX_DEPTH)
    value, jacobian = value_and_jacobian(text, [1.0, 0.0, 0.0])
    assert value[0] == MAX_DEPTH == jacobian[0, 0]


def test_unknown_names_are_listed_with_what_is_known():
    formula = parse_formula("a * WTT + agee + d", PLACE)
    with pytest.raises(ModelError) as caught:
        bind(formula, THETAS, COVARIATES, ROWS)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert (
        f"{PLACE}: `WTT` is no theta and no covariate (did you mean `WT`? known: a, b" in lines[0]
    )
    assert "did you mean `AGE`?" in lines[1]
    assert "`d`" in lines[2]


def test_a_theta_named_like_a_column_is_refused():
    formula = parse_formula("WT * a", PLACE)
    with pytest.raises(ModelError, match="`WT` is a theta and a column of the data; rename"):
        bind(formula, ("a", "WT"), COVARIATES, ROWS)
    bind(parse_formula("a", PLACE), ("a", "WT"), COVARIATES, ROWS)


def test_a_million_rows():
    weight = np.linspace(0.5, 100.0, 10**6)
    value, jacobian = value_and_jacobian(
        "a * (WT / 70)**b", [3.0, 0.75, 0.0], {"WT": weight}, weight.size
    )
    assert math.isclose(value[-1], 3.0 * (100 / 70) ** 0.75, rel_tol=1e-15)
    assert math.isclose(jacobian[-1, 1], value[-1] * math.log(100 / 70), rel_tol=1e-15)
