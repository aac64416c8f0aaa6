"""SAEM against published SAEM runs of nlmixr2, Monolix, saemix and NONMEM.

Theirs carry Monte Carlo errors that are not printed: each estimate must be within a share of its
standard error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import pkmodel as pk
import reference_cases
from reference_cases import ACOP_CASES, BAUER_LOG, MONOLIX, THEO, Model, Values, rows

SHARE = 0.25
"""Of a standard error. Worst: NONMEM 0.20, saemix and Monolix 0.11, nlmixr2 0.09."""

SAEMIX = replace(THEO, where="TIME > 0 or EVID == 1")


@dataclass(frozen=True)
class Published:
    """A published run, and which quantity of its rows each of our parameters is."""

    case: str
    model: Model
    start: Values
    quantities: dict[str, str]
    squared: tuple[str, ...] = ()
    """Variances of effects of which standard deviations are published, or sigma the other way."""


def _nlmixr2(case: str) -> Published:
    model = ACOP_CASES[case]
    oral = "KA" in model.parameters
    extra = {"theta lka": "est lKA", "omega KA": "sd eta.KA"} if oral else {}
    theta = {"lcl": 1.0, "lv": 4.0, **({"lka": 0.3} if oral else {})}
    omega = {name: 0.3 for name in ("CL", "V", *(["KA"] if oral else []))}
    return Published(
        f"{case}_saem",
        model,
        Values(theta, omega, {"proportional": 0.3}),
        {
            "theta lcl": "est lCl",
            "theta lv": "est lVc",
            "omega CL": "sd eta.Cl",
            "omega V": "sd eta.Vc",
            "sigma proportional": "est prop.err",
            **extra,
        },
        ("omega CL", "omega V", "omega KA"),
    )


CASES = [
    *(_nlmixr2(case) for case in ACOP_CASES),
    Published(
        "monolix_theo",
        MONOLIX,
        Values(
            {"cl": 0.06, "v": 0.4, "ka": 1.0},
            {"CL": 0.3, "V": 0.3, "KA": 0.3},
            {"additive": 1.0, "proportional": 0.2},
        ),
        {
            "theta cl": "est Cl_pop",
            "theta v": "est V_pop",
            "theta ka": "est ka_pop",
            "omega CL": "est omega_Cl",
            "omega V": "est omega_V",
            "omega KA": "est omega_ka",
            "sigma additive": "est a",
            "sigma proportional": "est b",
        },
        ("omega CL", "omega V", "omega KA"),
    ),
    Published(
        "saemix_theo_combined_nocov",
        replace(
            SAEMIX,
            parameters={"CL": "cl", "V": "v", "KA": "ka"},
            bounds={name: "lower = 0" for name in ("cl", "v", "ka")},
        ),
        Values(
            {"cl": 2.0, "v": 20.0, "ka": 1.0},
            {"CL": 0.3, "V": 0.3, "KA": 0.3},
            {"additive": 1.0, "proportional": 0.2},
        ),
        {
            "theta cl": "est CL",
            "theta v": "est V",
            "theta ka": "est ka",
            "omega CL": "omega2 CL",
            "omega V": "omega2 V",
            "omega KA": "omega2 ka",
            "sigma additive": "residual a",
            "sigma proportional": "residual b",
        },
    ),
    Published(
        "saemix_theo_const_CLWt",
        replace(
            SAEMIX,
            parameters={"CL": "cl * exp(beta * WT)", "V": "v", "KA": "ka"},
            bounds={name: "lower = 0" for name in ("cl", "v", "ka")},
        ),
        Values(
            {"cl": 2.0, "v": 20.0, "ka": 1.0, "beta": 0.0},
            {"CL": 0.3, "V": 0.3, "KA": 0.3},
            {"additive": 1.0},
        ),
        {
            "theta cl": "est CL",
            "theta v": "est V",
            "theta ka": "est ka",
            "theta beta": "est beta_Weight(CL)",
            "omega CL": "omega2 CL",
            "omega V": "omega2 V",
            "omega KA": "omega2 ka",
            "sigma additive": "residual a",
        },
    ),
    Published(
        "bauer504_saem",
        BAUER_LOG,
        Values(
            {"t1": 1.0, "t2": 3.0, **{f"t{i}": 0.1 for i in range(3, 9)}},
            {"CL": 0.1, "V": 0.1, "CL,V": 0.01},
            {"proportional": 0.3},
        ),
        {
            **{f"theta t{i}": f"est THETA{i}" for i in range(1, 9)},
            "omega CL": "est OMEGA(1,1)",
            "omega CL,V": "est OMEGA(2,1)",
            "omega V": "est OMEGA(2,2)",
            "sigma proportional": "est SIGMA(1,1)",
        },
        ("sigma proportional",),
    ),
]


def _published(case: str, quantity: str) -> float:
    row = next(r for r in rows() if r["case_id"] == case and r["quantity"] == quantity)
    return float(row["value"])


def _ours(published: Published, fit: pk.Fit, name: str) -> tuple[float, float]:
    """Return an estimate and its standard error on the scale of the source."""
    row = fit.summary().loc[name]
    value, error = float(row["estimate"]), float(row["se"])
    if name not in published.squared:
        return value, error
    if name.startswith("omega"):
        return value**0.5, 0.5 * error / value**0.5
    return value**2, 2.0 * value * error


@pytest.mark.parametrize(
    "published",
    [
        pytest.param(
            case,
            id=case.case,
            marks=[pytest.mark.slow] if case.case in ("acop_N004_saem", "acop_N024_saem") else [],
        )
        for case in CASES
    ],
)
def test_estimates_are_the_published_ones(
    published: Published, define: Callable, scratch: Path
) -> None:
    data = reference_cases.prepared(published.model, scratch)
    if data is None:
        pytest.skip(f"{published.model.dataset} is not at hand")
    text = reference_cases.definition_text(published.model, published.start, "saem", data)
    fit = pk.fit(define(f"saem-{published.case}", text), covariance="r")
    assert fit.converged, fit.advice
    off = []
    for name, quantity in published.quantities.items():
        theirs = _published(published.case, quantity)
        ours, error = _ours(published, fit, name)
        print(
            f"{published.case} {name}: {ours:.5g}, {theirs:.5g}, {(ours - theirs) / error:.2f} SE"
        )
        if abs(ours - theirs) > SHARE * error:
            off.append(name)
    assert off == []
