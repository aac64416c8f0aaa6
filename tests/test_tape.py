"""Formulas as the tape of a kernel: on the scale of every distribution, every rule there."""

from __future__ import annotations

import numpy as np
import pytest

from pkmodel.formula import bind, parse_formula
from pkmodel.formula.rules import RULES
from pkmodel.formula.tape import make_tape, typical_and_jacobian, value_and_jacobian
from pkmodel.kernels.subject import LOGITNORMAL, LOGNORMAL, NORMAL
from pkmodel.kernels.tape import OPERATIONS

THETAS = ("a", "b", "fixed", "d")
FREE = {0: 0, 1: 1, 3: 2}
THETA = np.array([0.7, 1.3, 0.4, 2.0])
COVARIATES = {"WT": np.array([3.0, 10.0, 70.0]), "SEX": np.array([0.0, 1.0, 1.0])}

FORMULAS = [
    "a * (WT / 70)**b",
    "a + b - d * WT / fixed",
    "exp(a) * log(WT + b) + log10(d) + sqrt(a * WT)",
    "-a + abs(a - b) + abs(b - a)",
    "min(a, WT * b) + max(d, WT / 10) + min(b, 0.5)",
    "where(WT > 5, a, b) + where(SEX == 1, d, a * b) + where(a < b, a, d)",
    "where(WT <= 10 and not SEX != 1, a, d) + where(WT >= 70 or a > b, b, a * a)",
    "where(a > 5, sqrt(a - 5), b)",
    "a**2 + b**a + 2**d + (a * b)**(d / 2)",
    "fixed + WT",
]


@pytest.mark.parametrize("distribution", [LOGNORMAL, NORMAL, LOGITNORMAL])
def test_values_and_slopes_are_those_of_the_formulas(distribution):
    """Not a rounding error apart but a few: worst seen 2e-16 of a value, 9e-16 of a slope."""
    bound = [bind(parse_formula(text, "x"), THETAS, COVARIATES, 3) for text in FORMULAS]
    tape = make_tape(bound, FREE, np.full(len(bound), distribution))
    mu, jacobian = typical_and_jacobian(tape, THETA, len(FREE))
    for p, formula in enumerate(bound):
        value, slope = value_and_jacobian(formula, THETA)
        np.testing.assert_allclose(value, formula.value(THETA), rtol=1e-14)
        with np.errstate(invalid="ignore"):
            wanted, scale = {
                LOGNORMAL: (np.log(value), 1.0 / value),
                NORMAL: (value, np.ones(3)),
                LOGITNORMAL: (np.log(value / (1.0 - value)), 1.0 / (value * (1.0 - value))),
            }[distribution]
        np.testing.assert_allclose(mu[:, p], wanted, rtol=1e-14, atol=1e-15)
        slope = scale[:, None] * slope[:, list(FREE)]
        np.testing.assert_allclose(jacobian[:, p], slope, rtol=1e-13, atol=1e-15)


def test_every_rule_of_formulas_is_an_operation():
    assert set(RULES) == set(OPERATIONS)


def test_what_is_not_defined_is_nan():
    bound = [bind(parse_formula("sqrt(a - WT)", "x"), THETAS, COVARIATES, 3)]
    tape = make_tape(bound, FREE, np.array([NORMAL]))
    assert np.all(np.isnan(typical_and_jacobian(tape, THETA, len(FREE))[0]))
