"""The engine against the slow twin, for what no published number covers.

Random event histories, and models with occasions, censored rows, other distributions and residuals.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
import twin_likelihood
from histories import as_frame, random_history
from pkmodel.dataset import read_dataset
from pkmodel.prediction import predict
from twin import step

CLEARANCE, VOLUME, ABSORPTION = 1.3, 17.0, 0.9
ROUNDING = 1e-11  # of the largest concentration


@pytest.mark.parametrize("varying", ["", "nocb", "locf"])
@pytest.mark.parametrize("oral", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_predictions_of_random_histories(seed: int, varying: str, *, oral: bool) -> None:
    rng = np.random.default_rng(1000 + seed)
    rows = random_history(rng, oral=oral, with_steady_state=True)
    structure = "one_compartment_oral" if oral else "one_compartment"
    rule = varying or "nocb"
    frame = as_frame(rows)
    dataset = read_dataset(frame, structure=structure, covariates=rule)
    names = ["CL", "V", "KA"] if oral else ["CL", "V"]
    typical = np.array([CLEARANCE, VOLUME, ABSORPTION])[: len(names), None]
    spread = 0.4 * rng.standard_normal((len(names), len(rows))) if varying else 0.0
    values = typical * np.exp(spread) * np.ones(len(rows))
    wanted = np.array([float(x) for x in step(rows, *values, rule=rule)])[dataset.is_observation]
    given = values if varying else values[:, 0].tolist()
    found = predict(dataset, structure, dict(zip(names, given, strict=True)))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=ROUNDING * wanted.max())


# --- objectives ----------------------------------------------------------------------------------


def simulated(oral: bool) -> pd.DataFrame:
    """Return six subjects with infusions or oral doses on two occasions, a fifth of them below a
    limit, a weight that grows and an age that does not."""
    rng = np.random.default_rng(7)
    parts = []
    for label in range(1, 7):
        times = [0.0, 1.0, 2.5, 6.0, 11.0, 23.9, 24.0, 25.5, 28.0, 33.0, 47.0]
        is_dose = np.isin(times, [0.0, 24.0])
        weight = 10.0 + label + np.linspace(0.0, 3.0, len(times))
        k = 0.12 * np.exp(0.2 * rng.standard_normal())
        since = np.array(times) % 24.0
        shape = np.exp(-k * since) * (1 - np.exp(-1.4 * (since + 0.3)))
        dv = 6.0 * shape * np.exp(0.15 * rng.standard_normal(len(times)))
        below = (dv < 1.2) & ~is_dose
        part = pd.DataFrame(
            {
                "ID": label,
                "TIME": times,
                "AMT": np.where(is_dose, 100.0, 0.0),
                "RATE": np.where(is_dose & (not oral), 50.0, 0.0),
                "EVID": is_dose * 1,
                "MDV": is_dose * 1,
                "CMT": np.where(is_dose, 1, 2 if oral else 1),
                "DV": np.where(is_dose, 0.0, np.where(below, 1.2, dv)),
                "CENS": below * 1,
                "OCC": np.where(np.array(times) < 24.0, 1, 2),
                "WT": weight,
                "AGE": 3.0 + label,
            }
        )
        parts.append(part.assign(II=0, ADDL=0, SS=0))
    return pd.concat(parts, ignore_index=True)


BASE = {
    "data": "",
    "parameters": 'CL = "cl * (WT / 12)**0.75"\nV = "v * WT / 12"',
    "theta": "cl = { init = 2.1 }\nv = { init = 16.0 }",
    "omega": "CL = 0.08\nV = 0.05",
    "residual": "additive = 0.2\nproportional = 0.15",
}
ORAL = {
    "parameters": 'CL = "cl"\nV = "v * (1 + slope * (AGE - 6))"\nKA = "ka"',
    "theta": """cl = { init = 2.1 }
v = { init = 16.0 }
ka = { init = 1.2 }
slope = { init = 0.02 }""",
    "omega": """blocks = [{ parameters = ["CL", "V"], matrix = [[0.08], [0.03, 0.06]] }]
KA = { init = 0.2, fixed = true }""",
}
UNCENSORED = {"data": 'where = "CENS == 0"'}
VARIANTS: dict[str, dict[str, str]] = {
    "plain": UNCENSORED,
    "oral": {**UNCENSORED, **ORAL},
    "locf": {"data": UNCENSORED["data"] + '\ncovariates = "locf"'},
    "occasions": {
        **UNCENSORED,
        "omega": "CL = 0.08\nV = 0.05\noccasion = { CL = 0.03 }",
    },
    "occasion block": {
        **UNCENSORED,
        "omega": """CL = 0.08
V = 0.05
occasion = { blocks = [{ parameters = ["CL", "V"], matrix = [[0.03], [-0.01, 0.02]] }] }""",
    },
    "normal": {
        **UNCENSORED,
        "omega": 'CL = 0.1\nV = 9.0\ndistribution = { CL = "normal", V = "normal" }',
    },
    "logitnormal": {
        **UNCENSORED,
        "parameters": 'CL = "cl"\nV = "v"',
        "theta": "cl = { init = 0.7 }\nv = { init = 16.0 }",
        "omega": 'CL = 0.3\nV = 0.1\ndistribution = { CL = "logitnormal" }',
    },
    "one effect": {**UNCENSORED, "omega": "V = 0.05"},
    "combined sd": {**UNCENSORED, "residual": BASE["residual"] + '\ncombine = "sd"'},
    "power": {**UNCENSORED, "residual": "power = 0.3\nexponent = 0.7"},
    "additive and power": {
        **UNCENSORED,
        "residual": "additive = 0.1\npower = 0.3\nexponent = 0.7",
    },
    "lognormal": {**UNCENSORED, "residual": "lognormal = 0.2"},
    "m3": {},
    "m3 oral": ORAL,
    "m3 additive": {"residual": "additive = 0.3"},
    "m3 occasions": {"omega": "CL = 0.08\nV = 0.05\noccasion = { CL = 0.03 }"},
    "m3 lognormal": {"residual": "lognormal = 0.2"},
    "m1": {"fit": 'censoring = "m1"'},
}
METHODS = {
    "fo": ("fo", ""),
    "foce": ("foce", ""),
    "focei": ("focei", ""),
    "laplace": ("laplace", ""),
    "laplace without interaction": ("laplace", "interaction = false"),
}
AGREES = 1e-6  # absolute, of the objective: the twin's Laplace has second differences


def definition_text(variant: dict[str, str], method: str, option: str, data: Path) -> str:
    parts = {"fit": "", **BASE, **variant}
    oral = "KA" in parts["parameters"]
    return f"""
[data]
file = '{data}'
{parts["data"]}
[model]
structure = "one_compartment{"_oral" if oral else ""}"
[model.parameters]
{parts["parameters"]}
[theta]
{parts["theta"]}
[omega]
{parts["omega"]}
[residual]
{parts["residual"]}
[fit]
method = "{method}"
{option}
{parts["fit"]}
"""


@pytest.fixture(scope="session")
def tables(scratch: Path) -> dict[bool, Path]:
    found = {}
    for oral in (False, True):
        found[oral] = scratch / f"twin-{'oral' if oral else 'infusion'}.csv"
        simulated(oral).to_csv(found[oral], index=False)
    return found


def combinations() -> list:
    """Pair variants with methods; M3 exists with interaction only."""
    return [
        pytest.param(variant, *METHODS[method], id=f"{variant}-{method}")
        for variant in VARIANTS
        for method in METHODS
        if not (variant.startswith("m3") and method not in ("focei", "laplace"))
    ]


@pytest.mark.parametrize(("variant", "method", "option"), combinations())
def test_objective(
    variant: str, method: str, option: str, tables: dict[bool, Path], define: Callable
) -> None:
    changes = VARIANTS[variant]
    text = definition_text(changes, method, option, tables["KA" in changes.get("parameters", "")])
    wanted = twin_likelihood.evaluate(text)
    fit = pk.evaluate(define(f"twin-{variant}-{method}{len(option)}", text))
    shift = own_scale(text) if "lognormal" in text.split("[residual]")[1] else np.zeros(len(wanted))
    np.testing.assert_allclose(
        fit.individuals["OFV"], [part.objective for part in wanted] + shift, rtol=0, atol=AGREES
    )
    assert fit.objective == pytest.approx(fit.individuals["OFV"].sum(), abs=1e-8)


def own_scale(text: str) -> np.ndarray:
    """Return 2 sum log DV of each subject's uncensored observations: from log DV to DV."""
    subjects = twin_likelihood.read_subjects(*twin_likelihood.read_model(text))
    return np.array([2 * s.y[~s.censored].sum() for s in subjects])


@pytest.mark.parametrize("method", ["focei", "laplace"])
def test_modes(method: str, tables: dict[bool, Path], define: Callable) -> None:
    text = definition_text(ORAL, method, "", tables[True])
    wanted = np.array([part.eta for part in twin_likelihood.evaluate(text)])
    individuals = pk.evaluate(define(f"twin-modes-{method}", text)).individuals
    found = individuals[["ETA_CL", "ETA_V", "ETA_KA"]].to_numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-7)


def test_conditional_residuals(tables: dict[bool, Path], define: Callable) -> None:
    text = definition_text(UNCENSORED, "focei", "", tables[False])
    model, data = twin_likelihood.read_model(text)
    subjects = twin_likelihood.read_subjects(model, data)
    modes = [part.eta for part in twin_likelihood.evaluate(text)]
    wanted = np.concatenate(
        [
            twin_likelihood.conditional_residuals(model, subject, eta, cholesky=False)
            for subject, eta in zip(subjects, modes, strict=True)
        ]
    )
    found = pk.evaluate(define("twin-cwres", text)).predictions["CWRES"]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-7)
