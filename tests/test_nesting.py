"""Which models are shown to be nested, by what, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

import pkmodel as pk
from pkmodel.model_comparison.nesting import NotShown, restriction
from pkmodel.problem import Problem

DATA = pk.read_definition("phenobarbital").data
CL, V = pk.Theta("cl", 0.005, lower=0.0), pk.Theta("v", 1.0, lower=0.0)
PLAIN = pk.Model(
    "one_compartment",
    {"CL": "cl * WT", "V": "v * WT"},
    (CL, V),
    (pk.OmegaBlock(("CL",), ((0.1,),)), pk.OmegaBlock(("V",), ((0.1,),))),
    pk.Residual((pk.Sigma("proportional", 0.2),)),
)


@pytest.fixture(scope="module")
def table():
    assert DATA is not None
    return DATA.read("one_compartment")


def _with(parameters: dict[str, str], *thetas: pk.Theta) -> pk.Model:
    return replace(
        PLAIN, parameters={**PLAIN.parameters, **parameters}, theta=(*PLAIN.theta, *thetas)
    )


def _omega(*blocks: pk.OmegaBlock) -> pk.Model:
    return replace(PLAIN, omega=blocks)


def _residual(combine: str = "variance", **sigmas: float) -> pk.Model:
    held = tuple(pk.Sigma(name, value) for name, value in sigmas.items())
    return replace(PLAIN, residual=pk.Residual(held, combine))


def _found(table, small, large):
    found = restriction(*(Problem(m, table, pk.Options()) for m in (small, large)))
    return found.inside, found.boundary, found.at_zero


ONE = pk.OmegaBlock(("CL",), ((0.1,),))
BOTH = pk.OmegaBlock(("CL", "V"), ((0.1, 0.01), (0.01, 0.1)))
POWER = pk.Theta("b", 0.5)
LOW = pk.Theta("low", 0.1, lower=-0.99)

NESTED = {
    "an exponent of nothing": (
        PLAIN,
        _with({"CL": "cl * WT * APGR**b"}, POWER),
        (("theta b",), (), ()),
    ),
    "a factor of one": (
        PLAIN,
        _with({"CL": "cl * WT * where(APGR < 5, low, 1)"}, pk.Theta("low", 0.8, lower=0.0)),
        (("theta low",), (), ()),
    ),
    "an exponent of one": (PLAIN, _with({"CL": "cl * WT**b"}, POWER), (("theta b",), (), ())),
    "two covariates": (
        PLAIN,
        _with({"CL": "cl * WT**b", "V": "v * WT * where(APGR < 5, 1 + low, 1)"}, POWER, LOW),
        (("theta b", "theta low"), (), ()),
    ),
    "a formula in other words": (
        replace(PLAIN, parameters={"CL": "WT * cl", "V": "v * exp(log(WT))"}),
        _with({"CL": "cl * WT * APGR**b"}, POWER),
        (("theta b",), (), ()),
    ),
    "a theta held": (
        replace(PLAIN, theta=(replace(CL, fixed=True), V)),
        PLAIN,
        (("theta cl",), (), ()),
    ),
    "a variance": (_omega(ONE), PLAIN, ((), ("omega V",), ())),
    "a variance with its covariance": (
        _omega(ONE),
        _omega(BOTH),
        ((), ("omega V",), ("omega CL,V",)),
    ),
    "a covariance": (PLAIN, _omega(BOTH), (("omega CL,V",), (), ())),
    "a block held": (
        _omega(ONE, pk.OmegaBlock(("V",), ((0.1,),), fixed=True)),
        PLAIN,
        (("omega V",), (), ()),
    ),
    "an additive error": (
        PLAIN,
        _residual(proportional=0.2, additive=1.0),
        ((), ("sigma additive",), ()),
    ),
    "an exponent of the error": (
        PLAIN,
        _residual(power=0.2, exponent=0.8),
        (("sigma exponent",), (), ()),
    ),
    "errors that add as deviations": (
        PLAIN,
        _residual("sd", proportional=0.2, additive=1.0),
        ((), ("sigma additive",), ()),
    ),
    "a theta, a variance and an error": (
        _omega(ONE),
        replace(
            _with({"CL": "cl * WT * APGR**b"}, POWER),
            residual=pk.Residual((pk.Sigma("proportional", 0.2), pk.Sigma("additive", 1.0))),
        ),
        (("theta b",), ("omega V", "sigma additive"), ()),
    ),
    "the same": (PLAIN, PLAIN, ((), (), ())),
}


@pytest.mark.parametrize("name", NESTED)
def test_what_is_nested_is_shown(table, name):
    small, large, expected = NESTED[name]
    assert _found(table, small, large) == expected


REFUSED = {
    "other covariates": (
        _with({"CL": "cl * APGR"}),
        _with({"CL": "cl * WT**b"}, POWER),
        "other values, whatever of 0 and 1 b may be",
    ),
    "the contrary": (_with({"CL": "cl * WT**b"}, POWER), PLAIN, "theta b is in the smaller"),
    "a theta held in the larger": (
        PLAIN,
        replace(PLAIN, theta=(replace(CL, fixed=True), V)),
        "theta cl is fixed in the larger model only",
    ),
    "a theta at its bound": (
        PLAIN,
        _with({"CL": "cl * WT + extra * APGR"}, pk.Theta("extra", 0.1, lower=0.0)),
        "theta extra is 0 there, at its bound",
    ),
    "narrower bounds": (
        PLAIN,
        replace(PLAIN, theta=(replace(CL, lower=0.001), V)),
        "narrower bounds",
    ),
    "a theta without effect": (
        PLAIN,
        _with({"CL": "cl * WT * (1 + a * APGR**b)"}, pk.Theta("a", 0.1), POWER),
        "theta b has no effect in the smaller model",
    ),
    "another distribution": (
        replace(PLAIN, distribution={"CL": "normal"}),
        _omega(BOTH),
        "CL is normal in one and lognormal in the other",
    ),
    "a variance of the smaller": (
        _omega(ONE, pk.OmegaBlock(("V",), ((0.1,),))),
        _omega(ONE),
        "omega V is in the smaller model only",
    ),
    "a block held in the larger": (
        PLAIN,
        _omega(ONE, pk.OmegaBlock(("V",), ((0.1,),), fixed=True)),
        "omega V is fixed in the larger model",
    ),
    "a block held and absent": (
        _omega(ONE),
        _omega(ONE, pk.OmegaBlock(("V",), ((0.1,),), fixed=True)),
        "omega V is fixed in the larger model and absent",
    ),
    "another error": (PLAIN, _residual(lognormal=0.2), "sigma proportional is in the smaller"),
    "errors that combine otherwise": (
        _residual("sd", proportional=0.2, additive=1.0),
        _residual("variance", proportional=0.2, additive=1.0),
        "combine as variances in one",
    ),
    "an exponent of no error": (
        _residual(additive=1.0),
        _residual(additive=1.0, power=0.2, exponent=0.8),
        "the exponent has no effect",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_shown_is_refused(table, name):
    small, large, reason = REFUSED[name]
    with pytest.raises(NotShown, match=reason):
        _found(table, small, large)


NO_POWER, NO_FACTOR = replace(POWER, init=0.0), replace(LOW, init=0.0)
HELD = {
    "an exponent of nothing": _with({"CL": "cl * WT * APGR**b"}, NO_POWER),
    "a factor of one": _with(
        {"CL": "cl * WT * where(APGR < 5, low, 1)"}, pk.Theta("low", 1.0, lower=0.0)
    ),
    "an exponent of one": _with({"CL": "cl * WT**b"}, replace(POWER, init=1.0)),
    "two covariates": _with(
        {"CL": "cl * WT**b", "V": "v * WT * where(APGR < 5, 1 + low, 1)"},
        replace(POWER, init=1.0),
        NO_FACTOR,
    ),
    "a covariance": _omega(pk.OmegaBlock(("CL", "V"), ((0.1, 0.0), (0.0, 0.1)))),
    "an exponent of the error": _residual(power=0.2, exponent=1.0),
    "an additive error": _residual(proportional=0.2, additive=1e-9),
    "errors that add as deviations": _residual("sd", proportional=0.2, additive=1e-9),
    "a variance": _omega(ONE, pk.OmegaBlock(("V",), ((1e-12,),))),
}
"""Of some pairs the larger model, with what the smaller holds at that value, or as good as zero."""


@pytest.mark.parametrize("name", HELD)
def test_the_larger_model_has_the_likelihood_of_the_smaller_there(table, name):
    small = NESTED[name][0]
    one, two = (pk.evaluate(m, table, method="laplace") for m in (small, HELD[name]))
    assert two.objective == pytest.approx(one.objective, abs=1e-5)
