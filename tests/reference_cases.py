"""Every published or independently computed number that the engine must reproduce.

A `Model` says how a case is written as a fit definition and which symbol of the source (THETA1,
OMEGA21, ...) each of its parameters is. Numbers are never typed here: they come from
`reference/reference.csv`, where each has its program, file and tolerance. `POINTS` are objectives
at stated parameters, `FITS` are estimations.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from math import log, sqrt
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent / "reference"
SHIPPED = Path(__file__).parents[1] / "data"
SHARED = Path(__file__).parents[2] / "shared" / "reference"

Symbols = Mapping[str, float]


@dataclass(frozen=True)
class Values:
    """Values of all parameters: variances and covariances, residual standard deviations."""

    theta: dict[str, float]
    omega: dict[str, float]  # "CL": variance, "CL,V": covariance
    residual: dict[str, float]
    occasion: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A case as a fit definition.

    `theta` and `omega` map our names to the source's symbols; `residual` too, where the symbol of
    a variance ends in `^2`, and `occasion` the variances between occasions. `prepare` changes the
    data file first, see `prepared`.
    """

    dataset: str
    parameters: dict[str, str]
    theta: dict[str, str]
    omega: dict[str, str]
    residual: dict[str, str]
    occasion: dict[str, str] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    bounds: dict[str, str] = field(default_factory=dict)
    combine: str = ""
    where: str = ""
    allow: tuple[str, ...] = ()
    censoring: str = ""
    prepare: str = ""
    convert: Callable[[Symbols], Symbols] | None = None  # from the source's parameters to ours
    logs: tuple[str, ...] = ()  # symbols that are logarithms of a parameter


@dataclass(frozen=True)
class Point:
    """An objective at stated parameters."""

    name: str
    model: Model
    method: str
    values: Values
    expected: float
    tolerance: float
    source: str
    scale: str = "objective"  # the attribute of a fit that it is
    individual: str = ""  # file with per-subject numbers
    column: str = "OBJ"
    interaction: bool | None = None
    order: int | None = None  # of quadrature


@dataclass(frozen=True)
class Fitted:
    """An estimation: where it starts and where it must end."""

    name: str
    model: Model
    method: str
    start: Values
    expected: float
    tolerance: float
    source: str
    estimates: dict[str, tuple[float, float]]  # by the source's symbol: value, relative tolerance
    errors: dict[str, tuple[float, float]]
    covariance: str = "sandwich"


# --- the published numbers ---------------------------------------------------------------------


@cache
def rows() -> tuple[dict[str, str], ...]:
    with (HERE / "reference.csv").open() as file:
        return tuple(csv.DictReader(file))


def find(case: str, quantity: str, method: str = "") -> dict[str, str]:
    """Return the one row of a case whose quantity begins, and whose method's words begin, so."""
    found = [
        row
        for row in rows()
        if row["case_id"] == case
        and row["quantity"].startswith(quantity)
        and f"{row['method']} ".startswith(f"{method} " if method else "")
    ]
    if len(found) != 1:
        raise LookupError(f"{case}, {quantity!r}, {method!r}: {len(found)} rows")
    return found[0]


def number(text: str) -> float:
    """Return the first number in a text: "<= 730.89", "rel 0.005"."""
    match = re.search(r"-?\d+\.?\d*(?:[eE][-+]?\d+)?", text)
    if match is None:
        raise ValueError(f"no number in {text!r}")
    return float(match.group())


def symbols(text: str) -> dict[str, float]:
    """Read "THETA1 KA=2; OMEGA(2,1)=0.1" as {"THETA1": 2.0, "OMEGA21": 0.1}."""
    value = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
    pairs = re.findall(rf"(THETA|OMEGA|SIGMA)\(?(\d),?(\d)?\)?(?: \w+)?=({value})", text)
    return {kind + i + j: float(x) for kind, i, j, x in pairs}


def source_of(row: dict[str, str]) -> str:
    return f"{row['software']}; {row['source']}; {row['provenance']}"


ALIASES = {
    "log CL": "THETA1",
    "log V": "THETA2",
    "log KA": "THETA3",
    "omega2 CL": "OMEGA11",
    "omega2 V": "OMEGA22",
    "omega2 KA": "OMEGA33",
    "CL": "THETA1",
    "V": "THETA2",
    "SIGMA": "SIGMA11",
}


def published(case: str, kind: str) -> dict[str, tuple[float, float]]:
    """Return the estimates ("est") or standard errors ("SE") of a case, with tolerances."""
    found = {}
    for row in rows():
        if row["case_id"] != case or not row["quantity"].startswith(f"{kind} "):
            continue
        label = row["quantity"].removeprefix(f"{kind} ")
        match = re.match(r"(THETA|OMEGA|SIGMA)\(?(\d?),?(\d?)", label)
        symbol = "".join(match.groups()) if match else label
        symbol = ALIASES.get(symbol, symbol)
        tolerance = number(row["tolerance"])
        if "omega rel" in row["tolerance"] and symbol.startswith("OMEGA"):
            tolerance = number(row["tolerance"].split("omega rel")[1])
        found[symbol] = float(row["value"]), tolerance
    return found


# --- definitions -------------------------------------------------------------------------------


def assign(model: Model, known: Symbols) -> Values:
    """Give our parameters the values of the source's symbols."""
    known = model.convert(known) if model.convert else known

    def deviation(symbol: str) -> float:
        return sqrt(known[symbol[:-2]]) if symbol.endswith("^2") else known[symbol]

    return Values(
        {name: known[symbol] for name, symbol in model.theta.items()},
        {name: known[symbol] for name, symbol in model.omega.items()},
        {name: deviation(symbol) for name, symbol in model.residual.items()},
        {name: known[symbol] for name, symbol in model.occasion.items()},
    )


def data_file(dataset: str) -> Path | None:
    """Return where a data set lies, or None where it is not to be had."""
    places = (
        SHIPPED / dataset / f"{dataset}.csv",
        HERE / "data" / f"{dataset}.csv",
        SHARED / "data" / f"{dataset}.csv",
    )
    return next((place for place in places if place.exists()), None)


def individual_file(name: str) -> Path | None:
    places = (HERE / "individual" / f"{name}.csv", SHARED / "individual" / f"{name}.csv")
    return next((place for place in places if place.exists()), None)


def prepared(model: Model, folder: Path) -> Path | None:
    """Return the data file of a model; where the source changed the data, a changed copy."""
    path = data_file(model.dataset)
    if path is None or not model.prepare:
        return path
    frame = pd.read_csv(path)
    if model.prepare == "dose 320":
        frame["AMT"] = frame["AMT"].where(frame["AMT"] == 0, 320)
    elif model.prepare == "exp DV":
        frame["DV"] = np.exp(frame["DV"]).where(frame["EVID"] == 0, 0)
    else:
        raise ValueError(f"unknown preparation {model.prepare!r}")
    changed = folder / f"{model.dataset} {model.prepare}.csv"
    frame.to_csv(changed, index=False)
    return changed


def theta_line(model: Model, name: str, value: float) -> str:
    extra = ", fixed = true" if name in model.fixed else ""
    bound = model.bounds.get(name, "")
    return f"{name} = {{ init = {value!r}{', ' + bound if bound else ''}{extra} }}"


def omega_lines(omega: Mapping[str, float]) -> list[str]:
    variances = [name for name in omega if "," not in name]
    if len(variances) == len(omega):
        return [f"{name} = {omega[name]!r}" for name in variances]
    matrix = [
        [omega[name] if name == other else covariance(omega, name, other) for other in variances]
        for name in variances
    ]
    return [f"blocks = [ {{ parameters = {variances!r}, matrix = {matrix!r} }} ]"]


def occasion_lines(occasion: Mapping[str, float]) -> list[str]:
    pairs = ", ".join(f"{name} = {variance!r}" for name, variance in occasion.items())
    return [f"occasion = {{ {pairs} }}"] if occasion else []


def covariance(omega: Mapping[str, float], one: str, other: str) -> float:
    return omega[f"{one},{other}"] if f"{one},{other}" in omega else omega[f"{other},{one}"]


def definition_text(
    model: Model,
    values: Values,
    method: str,
    data: Path,
    interaction: bool | None = None,
    order: int | None = None,
) -> str:
    """Write a case as a fit definition."""
    oral = "KA" in model.parameters
    options = [f'method = "{method}"']
    if interaction is not None:
        options.append(f"interaction = {str(interaction).lower()}")
    if order is not None:
        options.append(f"order = {order}")
    if model.censoring:
        options.append(f'censoring = "{model.censoring}"')
    lines = [
        "[data]",
        f"file = '{data}'",
        *([f'where = "{model.where}"'] if model.where else []),
        *([f"allow = {list(model.allow)!r}"] if model.allow else []),
        "[model]",
        f'structure = "one_compartment{"_oral" if oral else ""}"',
        "[model.parameters]",
        *(f'{name} = "{formula}"' for name, formula in model.parameters.items()),
        "[theta]",
        *(theta_line(model, name, value) for name, value in values.theta.items()),
        "[omega]",
        *omega_lines(values.omega),
        *occasion_lines(values.occasion),
        "[residual]",
        *(
            f"{name} = {{ init = {value!r}, fixed = true }}"
            if name == "exponent"
            else f"{name} = {value!r}"
            for name, value in values.residual.items()
        ),
        *([f'combine = "{model.combine}"'] if model.combine else []),
        "[fit]",
        *options,
    ]
    return "\n".join(lines) + "\n"


# --- models ------------------------------------------------------------------------------------

POSITIVE = {"cl": "lower = 0", "v": "lower = 0", "ka": "lower = 0"}
CL_V = {"CL": "cl", "V": "v"}
ETAS = {"CL": "OMEGA11", "V": "OMEGA22"}
BLOCK = {**ETAS, "CL,V": "OMEGA21"}

ACOP = Model(
    "infusion_1cpt",
    {"CL": "exp(lcl)", "V": "exp(lv)"},
    {"lcl": "THETA1", "lv": "THETA2"},
    ETAS,
    {"proportional": "THETA3"},
    logs=("THETA1", "THETA2"),
)
ACOP_CASES = {
    "acop_N001": replace(ACOP, dataset="bolus_1cpt", where="SD == 1"),
    "acop_N004": replace(ACOP, dataset="bolus_1cpt"),
    "acop_N012": replace(ACOP, where="SD == 1"),
    "acop_N013": replace(ACOP, where="SD == 0"),
    "acop_N024": Model(
        "oral_1cpt",
        {"CL": "exp(lcl)", "V": "exp(lv)", "KA": "exp(lka)"},
        {"lcl": "THETA1", "lv": "THETA2", "lka": "THETA3"},
        {**ETAS, "KA": "OMEGA33"},
        {"proportional": "THETA4"},
        where="SD == 0",
        logs=("THETA1", "THETA2", "THETA3"),
    ),
}

PHENO = Model(
    "phenobarbital",
    CL_V,
    {"cl": "THETA1", "v": "THETA2"},
    ETAS,
    {"proportional": "SIGMA11^2"},
    bounds=POSITIVE,
)
PHENO_REAL = replace(
    PHENO,
    parameters={"CL": "cl * WT", "V": "v * WT * where(APGR < 5, 1 + v_apgr, 1)"},
    theta={**PHENO.theta, "v_apgr": "THETA3"},
    bounds={**POSITIVE, "v_apgr": "lower = -0.99"},
)
PHENO_BLOCK = replace(PHENO, omega=BLOCK)
PHENO_ADDITIVE = replace(PHENO, residual={"additive": "THETA3"})
PHENO_FIVE = replace(PHENO, where="ID <= 5")
PHENO_LOG = Model(
    "phenobarbital",
    {"CL": "exp(lcl)", "V": "exp(lv)"},
    {"lcl": "lCl", "lv": "lV"},
    {"CL": "CL", "V": "V"},
    {"additive": "Residual"},
)

BAUER_LOG = Model(
    "bauer501_infusion_1cpt",
    {
        "CL": "exp(t1 + t3 * log(WT / 70) + t5 * log(AGE / 50) + t7 * SEX)",
        "V": "exp(t2 + t4 * log(WT / 70) + t6 * log(AGE / 50) + t8 * SEX)",
    },
    {f"t{i}": f"THETA{i}" for i in range(1, 9)},
    BLOCK,
    {"proportional": "SIGMA11^2"},
)
BAUER_NATURAL = replace(
    BAUER_LOG,
    parameters={
        "CL": "t1 * (WT / 70)**t3 * (AGE / 50)**t5 * t7**SEX",
        "V": "t2 * (WT / 70)**t4 * (AGE / 50)**t6 * t8**SEX",
    },
    bounds={name: "lower = 0" for name in ("t1", "t2", "t7", "t8")},
)


def elimination_to_clearance(known: Symbols) -> Symbols:
    """Write KA, V, K with a full OMEGA as CL = K V, V, KA: a linear map of the log parameters."""
    o = np.array(
        [[known[f"OMEGA{min(i, j)}{max(i, j)}"] for j in (1, 2, 3)] for i in (1, 2, 3)], dtype=float
    )
    to = np.array([[0, 1, 1], [0, 1, 0], [1, 0, 0]])
    ours = to @ o @ to.T
    return {
        **known,
        "CL": known["THETA3"] * known["THETA2"],
        "V": known["THETA2"],
        "KA": known["THETA1"],
        **{f"o{i}{j}": float(ours[i, j]) for i in range(3) for j in range(3)},
    }


NMW = Model(
    "theophylline",
    {"CL": "cl", "V": "v", "KA": "ka"},
    {"cl": "CL", "v": "V", "ka": "KA"},
    {"CL": "o00", "V": "o11", "KA": "o22", "CL,V": "o01", "CL,KA": "o02", "V,KA": "o12"},
    {"proportional": "SIGMA11^2", "additive": "SIGMA22^2"},
    bounds=POSITIVE,
    prepare="dose 320",
    convert=elimination_to_clearance,
)
NMW_START = {
    **{"THETA1": 2.0, "THETA2": 50.0, "THETA3": 0.1, "SIGMA11": 0.1, "SIGMA22": 0.1},
    **{f"OMEGA{i}{j}": 0.2 if i == j else 0.1 for i in (1, 2, 3) for j in range(i, 4)},
}
THEO = Model(
    "theophylline",
    {"CL": "exp(lcl)", "V": "exp(lv)", "KA": "exp(lka)"},
    {"lcl": "lcl", "lv": "lv", "lka": "lka"},
    {"CL": "CL", "V": "V", "KA": "KA"},
    {"additive": "a"},
)
MONOLIX = Model(
    "theophylline_monolix",
    {"CL": "cl", "V": "v", "KA": "ka"},
    {"cl": "Cl_pop", "v": "V_pop", "ka": "ka_pop"},
    {"CL": "Cl", "V": "V", "KA": "ka"},
    {"additive": "a", "proportional": "b"},
    bounds=POSITIVE,
    combine="sd",
)
SAEMIX = Model(
    "theophylline",
    {"CL": "cl", "V": "v", "KA": "ka"},
    {"cl": "est CL", "v": "est V", "ka": "est ka"},
    {"CL": "omega2 CL", "V": "omega2 V", "KA": "omega2 ka"},
    {"additive": "residual a", "proportional": "residual b"},
    where="EVID == 1 or TIME > 0",  # its copy of the data has no observation at time 0
)
SAEMIX_WEIGHT = replace(
    SAEMIX,
    parameters={**SAEMIX.parameters, "CL": "cl * exp(beta * WT)"},
    theta={**SAEMIX.theta, "beta": "est beta_Weight(CL)"},
    residual={"additive": "residual a"},
)
WARFARIN = Model(
    "warfarin_pks",
    {"CL": "exp(lcl)", "V": "exp(lv)", "KA": "exp(lka)"},
    {"lka": "THETA1", "lcl": "THETA2", "lv": "THETA3"},
    {"KA": "OMEGA11", "CL": "OMEGA22", "V": "OMEGA33"},
    {"proportional": "THETA4", "additive": "THETA5"},
    logs=("THETA1", "THETA2", "THETA3"),
)
FERX_WARFARIN = Model(
    "ferx_warfarin",
    {"CL": "cl", "V": "v", "KA": "ka"},
    {"cl": "THETA1", "v": "THETA2", "ka": "THETA3"},
    {"CL": "OMEGA11", "V": "OMEGA22", "KA": "OMEGA33"},
    {"proportional": "SIGMA11^2"},
    bounds=POSITIVE,
)
FERX_OCCASIONS = Model(
    "ferx_occasions",
    CL_V,
    {"cl": "THETA1", "v": "THETA2"},
    ETAS,
    {"proportional": "SIGMA11^2"},
    occasion={"CL": "OMEGA33"},
)
MAPBAYR = Model(
    "mapbayr_001",
    {"CL": "cl", "V": "v", "KA": "ka"},
    {"cl": "cl", "v": "v", "ka": "ka"},
    {"CL": "omega", "V": "omega", "KA": "omega"},
    {"proportional": "sigma^2"},
)
ACOPCOURSE = Model(
    "acop_oral",
    {"CL": "cl", "V": "v", "KA": "ka"},
    {"ka": "THETA1", "cl": "THETA2", "v": "THETA3"},
    ETAS,
    {"proportional": "THETA4", "additive": "THETA5"},
    combine="sd",
    allow=("no_dose",),
)
WANG = Model(
    "wang2007",
    CL_V,
    {"cl": "cl", "v": "v"},
    {"CL": "omega"},
    {"proportional": "sd"},
    fixed=("v",),
)
WANG_CASES = {
    "wang_prop": WANG,
    "wang_add": replace(WANG, residual={"additive": "sd"}),
    "wang_add_prop_c1": replace(
        WANG, residual={"additive": "sd", "proportional": "sd"}, combine="sd"
    ),
    "wang_add_pow0_5_c1": replace(
        WANG, residual={"additive": "sd", "power": "sd", "exponent": "half"}, combine="sd"
    ),
    "wang_lnorm": replace(WANG, residual={"lognormal": "sd"}),
}
WANG_VALUES = {"cl": 0.5, "v": 1.0, "omega": 0.04, "sd": sqrt(0.1), "half": 0.5}
GENTAMICIN = Model(
    "gentamicin_neonate_ddmore238",
    {
        "CL": "cl * PMA**3.33 / (55.4**3.33 + PMA**3.33) * (WT_KG / 70)**0.632",
        "V": "v * (WT_KG / 70)",
    },
    {"cl": "t0", "v": "t1"},
    {"CL": "o00", "V": "o11", "CL,V": "o01"},
    {"proportional": "t2", "additive": "t3"},
    allow=("no_observations",),
)
CERTARA = Model(
    "infusion_1cpt_certara",
    CL_V,
    {"cl": "t0", "v": "t1"},
    {"CL": "o00", "V": "o11"},
    {"proportional": "t2"},
    bounds=POSITIVE,
)
CERTARA_FIT = replace(
    CERTARA, theta={"cl": "THETA1", "v": "THETA2"}, omega=ETAS, residual={"proportional": "THETA3"}
)
NIMOTUZUMAB = replace(
    CERTARA, dataset="nimotuzumab", residual={"lognormal": "t2"}, prepare="exp DV"
)
PED_BQL = Model(
    "ped_maturation_bql_certara",
    {
        "CL": "cl * (WT / 70)**0.75 * PMA**2 / (5**2 + PMA**2)",
        "V": "v * (WT / 70)**0.75",
    },
    {"cl": "cl", "v": "v"},
    {"CL": "omega", "V": "omega"},
    {"proportional": "b", "additive": "a"},
    censoring="m1",
)


# --- points ------------------------------------------------------------------------------------


def point(
    case: str,
    model: Model,
    quantity: str,
    known: Symbols,
    method: str = "focei",
    label: str = "",
    **more: object,
) -> Point:
    row = find(case, quantity, label)
    shown = method + ("_no_interaction" if more.get("interaction") is False else "")
    return Point(
        f"{case}-{quantity.removeprefix('OFV_').split()[0]}-{shown}",
        model,
        method,
        assign(model, known),
        number(row["value"]),
        number(row["tolerance"]),
        source_of(row),
        **more,
    )


def stated(case: str, model: Model, method: str = "focei", individual: str = "") -> list[Point]:
    """Return the initial and the final objective of a NONMEM run, at the values in its notes."""
    final = "OFV_at_final_estimates"
    return [
        point(case, model, quantity, values_of(case, quantity), method, **more)
        for quantity, more in (
            ("OFV_at_initial", {}),
            (final, {"individual": individual}),
        )
    ]


PSN_ORDER = {
    "psn_pheno_foce": ("THETA1", "THETA2", "OMEGA11", "OMEGA22", "SIGMA11"),
    "psn_pheno_add_fo": ("THETA1", "THETA2", "THETA3", "OMEGA11", "OMEGA22"),
}


def values_of(case: str, quantity: str) -> dict[str, float]:
    """Read the parameters at which a NONMEM objective is stated."""
    notes = find(case, quantity)["notes"]
    if case in PSN_ORDER:
        listed = re.search(r"\[(.*)\]", notes)
        assert listed is not None
        return dict(zip(PSN_ORDER[case], map(float, listed.group(1).split(",")), strict=True))
    if case.startswith("nmw_") and quantity == "OFV_at_initial":
        return NMW_START
    return symbols(notes)


def bracketed(notes: str) -> dict[str, float]:
    """Read notes of the form "theta=[..] omega=[[..],[..]]"."""
    theta = re.search(r"theta=\[([^\]]*)\]", notes)
    omega = re.search(r"omega=\[\[(.*?)\]\]", notes)
    assert theta is not None
    assert omega is not None
    cells = [float(x) for x in re.findall(r"[\d.]+", omega.group(1))]
    return {
        **{f"t{i}": float(x) for i, x in enumerate(theta.group(1).split(","))},
        **{f"o{i // 2}{i % 2}": x for i, x in enumerate(cells)},
    }


def nlmixr2_points() -> list[Point]:
    """Return FOCE-I at the FOCE-I estimates of nlmixr2."""
    effects = {"sd eta.Cl": "OMEGA11", "sd eta.Vc": "OMEGA22"}
    names = {"est lCl": "THETA1", "est lVc": "THETA2", **effects}
    found = []
    for case, model in ACOP_CASES.items():
        oral = {"est lKA": "THETA3", "sd eta.KA": "OMEGA33"} if "KA" in model.parameters else {}
        names_here = {**names, **oral, "est prop.err": model.residual["proportional"]}
        known = {}
        for quantity, symbol in names_here.items():
            value = float(find(f"{case}_focei", quantity)["value"])
            known[symbol] = value**2 if quantity.startswith("sd") else value
        found.append(point(f"{case}_focei", model, "OFV reported", known))
    return found


def wang_points() -> list[Point]:
    found = []
    for case, model in WANG_CASES.items():
        is_log = case == "wang_lnorm"
        for label, method, interaction in (
            ("FO", "fo", None),
            ("FOCE", "foce", None),
            ("FOCEI", "focei", None),
            ("Laplace (full Hessian, with interaction)", "laplace", None),
            ("Laplace (full Hessian, residual variance at eta=0)", "laplace", False),
            ("exact marginal (adaptive quadrature)", "agq", None),
        ):
            has_file = method != "fo" and interaction is None
            column = "OBJ_EXACT" if method == "agq" else f"OBJ_{method.upper()}"
            found.append(
                point(
                    case,
                    model,
                    "OFV_at_fixed_parameters",
                    WANG_VALUES,
                    method,
                    label,
                    interaction=interaction,
                    scale="objective_log" if is_log else "objective",
                    individual=case if has_file else "",
                    column=column,
                    order=41 if method == "agq" else None,
                )
            )
    return found


def evaluator_points() -> list[Point]:
    """Return what an independent evaluator gives at fixed parameters of other data."""
    found = []
    for case, model, labels in (
        ("gentamicin_1cpt_tv", GENTAMICIN, ("FO", "FOCEI")),
        ("certara_infusion_eval", CERTARA, ("FO", "FOCE", "FOCEI", "LAPLACE", "EXACT")),
        ("nimotuzumab_1cpt", NIMOTUZUMAB, ("FO", "FOCE", "FOCEI", "LAPLACE", "EXACT")),
    ):
        for label in labels:
            is_log = model is NIMOTUZUMAB
            found.append(
                point(
                    case,
                    model,
                    "OFV_at_fixed_parameters",
                    bracketed(find(case, "OFV", label)["notes"]),
                    "agq" if label == "EXACT" else label.lower(),
                    label,
                    scale="objective_log" if is_log else "objective",
                    individual="" if label == "FO" else case,
                    column=f"OBJ_{label}",
                    order=31 if label == "EXACT" else None,
                )
            )
    return found


def exact_points() -> list[Point]:
    """Return importance sampling of NONMEM, and an independent integral at the same estimates."""
    found = []
    for model, case, known in (
        (PHENO, "pheno", values_of("pheno_focei", "OFV_at_final_estimates")),
        (BAUER_LOG, "bauer504", values_of("bauer504_imp", "OFV_at_final_estimates")),
    ):
        for suffix, method in (("exact", "agq"), ("imp", "agq"), ("imp", "imp")):
            name = f"{case}_{suffix}"
            found.append(point(name, model, "OFV_at_final_estimates", known, method))
    return found


def saemix_points() -> list[Point]:
    """Log likelihoods of saemix at its own estimates, which include the constant."""
    found = []
    for case, model in (("const_CLWt", SAEMIX_WEIGHT), ("combined_nocov", SAEMIX)):
        name = f"saemix_theo_{case}"
        known = {row["quantity"]: float(row["value"]) for row in rows() if row["case_id"] == name}
        for quantity, method in (("logLik ll.gq", "agq"), ("logLik ll.is", "imp")):
            row = find(name, quantity)
            found.append(
                Point(
                    f"{name}-{quantity.split('.')[1]}-{method}",
                    model,
                    method,
                    assign(model, known),
                    -2.0 * float(row["value"]),
                    2.0 * number(row["tolerance"]),
                    source_of(row),
                    "minus2ll",
                )
            )
    return found


def monolix_point() -> Point:
    """FOCE-I at Monolix's estimates: not printed by Monolix, recomputed by the evaluator."""
    known: dict[str, float] = {}
    for row in rows():
        if row["case_id"] == "monolix_theo" and row["quantity"].startswith("est "):
            name = row["quantity"].removeprefix("est ")
            known[name] = float(row["value"])
            if name.startswith("omega_"):
                known[name.removeprefix("omega_")] = float(row["value"]) ** 2
    row = find("monolix_theo", "-2LL")
    expected = number(row["recheck"].split("constant:")[1])
    return Point(
        "monolix_theo-focei",
        MONOLIX,
        "focei",
        assign(MONOLIX, known),
        expected,
        1e-3,
        source_of(row),
        "minus2ll",
    )


def nlme_point() -> Point:
    """FOCE at nlme's estimates.

    With an additive residual the objective of nlme's last linearised step (Lindstrom and Bates
    1990, 10.2307/2532087) is that of FOCE: where it is linearised, at the modes, both have the same
    mode, the same sum of squares and the same determinant.
    """
    known: dict[str, float] = {}
    for row in rows():
        if row["case_id"] == "nlme_fm1Pheno":
            kind, _, name = row["quantity"].partition(" ")
            if kind == "fixef" or name == "Residual":
                known[name] = float(row["value"])
            elif kind == "sd":
                known[{"lCl": "CL", "lV": "V"}[name]] = float(row["value"]) ** 2
    row = find("nlme_fm1Pheno", "logLik")
    return Point(
        "nlme_fm1Pheno-foce",
        PHENO_LOG,
        "foce",
        assign(PHENO_LOG, known),
        -2.0 * float(row["value"]),
        2.0 * float(row["tolerance"]),
        source_of(row),
        "minus2ll",
    )


POINTS: list[Point] = [
    *(p for case, m in ACOP_CASES.items() for p in stated(case, m, individual=case)),
    *nlmixr2_points(),
    *stated("pheno_focei", PHENO),
    *stated("pheno_real_focei", PHENO_REAL, individual="pheno_real_focei"),
    *stated("pheno_fo", PHENO, "fo", individual="pheno_fo"),
    *stated("pheno_block_focei", PHENO_BLOCK),
    *stated("psn_pheno_foce", PHENO, "foce"),
    *stated("psn_pheno_add_fo", PHENO_ADDITIVE, "fo"),
    *stated("bauer504_foce", BAUER_LOG),
    *stated("bauer504_t1", BAUER_NATURAL),
    *stated("bauer504_its", BAUER_LOG),
    *stated("nmw_theo_fo", NMW, "fo"),
    *stated("nmw_theo_lapli", NMW, "laplace"),
    *stated("pheno5_focei", PHENO_FIVE),
    *stated("warf_run000", WARFARIN, individual="warf_run000"),
    *stated("ferx_warfarin_foce", FERX_WARFARIN, "foce", individual="ferx_warfarin_foce"),
    point(
        "ferx_occasions",
        FERX_OCCASIONS,
        "OFV_at_fixed",
        values_of("ferx_occasions", "OFV_at_fixed"),
    ),
    monolix_point(),
    nlme_point(),
    point(
        "mapbayr_nm001",
        MAPBAYR,
        "OFV total",
        {"cl": 4.0, "v": 70.0, "ka": 1.0, "omega": 0.2, "sigma": 0.05},
        individual="mapbayr_nm001",
    ),
    point(
        "acopcourse_run100",
        ACOPCOURSE,
        "OFV_at_initial",
        values_of("acopcourse_run100", "OFV_at_initial"),
    ),
    *wang_points(),
    *evaluator_points(),
    point(
        "ped_bql_M1",
        PED_BQL,
        "OFV_at_fixed_parameters",
        {"cl": 42.0, "v": 47.5, "omega": 0.01, "a": 0.004, "b": 0.1},
        "laplace",
        "LAPLACE",
        individual="ped_bql_M1",
        column="OBJ_LAPLACE",
    ),
    point(
        "ped_bql_M1",
        PED_BQL,
        "OFV_at_fixed_parameters",
        {"cl": 42.0, "v": 47.5, "omega": 0.01, "a": 0.004, "b": 0.1},
        "agq",
        "EXACT",
        individual="ped_bql_M1",
        column="OBJ_EXACT",
        order=31,
    ),
    *exact_points(),
    *saemix_points(),
]


# --- fits --------------------------------------------------------------------------------------


def fitted(
    case: str,
    model: Model,
    method: str = "focei",
    start: Symbols | None = None,
    covariance: str = "sandwich",
) -> Fitted:
    row = find(case, "OFV_minimum")
    begin = values_of(case, "OFV_at_initial") if start is None else start
    estimates, errors = published(case, "est"), published(case, "SE")
    return Fitted(
        case,
        model,
        method,
        assign(model, begin),
        number(row["value"]),
        number(row["tolerance"]),
        source_of(row),
        in_our_symbols(model, estimates),
        in_our_symbols(model, errors),
        covariance,
    )


def in_our_symbols(
    model: Model, listed: dict[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Name the proportional coefficient as the model does, and convert estimates where it must."""
    if "prop sd" in listed:
        listed = {**listed, model.residual["proportional"]: listed["prop sd"]}
        del listed["prop sd"]
    if model.convert is None or not listed:
        return listed
    converted = model.convert({symbol: value for symbol, (value, _) in listed.items()})
    tolerance = max(tolerance for _, tolerance in listed.values())
    ours = {*model.theta.values(), *model.omega.values()}
    ours |= {symbol.removesuffix("^2") for symbol in model.residual.values()}
    return {symbol: (converted[symbol], tolerance) for symbol in ours}


def nlmixr2_theo(method: str) -> Fitted:
    """The program's own tutorial start; it prints the objective at its optimum only."""
    row = find(f"nlmixr2_theo_{method}", "OFV")
    known = {
        "lka": log(1.57),
        "lcl": log(2.72),
        "lv": log(31.5),
        **{"KA": 0.6, "CL": 0.3, "V": 0.1, "a": 0.7},
    }
    return Fitted(
        f"nlmixr2_theo_{method}",
        THEO,
        method,
        assign(THEO, known),
        float(row["value"]),
        number(row["tolerance"]),
        source_of(row),
        {},
        {},
    )


FITS: list[Fitted] = [
    *(fitted(case, model) for case, model in ACOP_CASES.items()),
    fitted("pheno_focei", PHENO),
    fitted("pheno_real_focei", PHENO_REAL),
    fitted("pheno_fo", PHENO, "fo"),
    fitted("pheno_block_focei", PHENO_BLOCK),
    fitted("psn_pheno_foce", PHENO, "foce"),
    fitted("psn_pheno_add_fo", PHENO_ADDITIVE, "fo"),
    fitted("bauer504_foce", BAUER_LOG, covariance="r"),  # their run says MATRIX=R by its numbers
    fitted("bauer504_t1", BAUER_NATURAL, covariance="r"),
    fitted("pheno5_focei", PHENO_FIVE),
    fitted("warf_run000", WARFARIN),
    fitted("ferx_warfarin_foce", FERX_WARFARIN, "foce"),
    fitted("nmw_theo_fo", NMW, "fo"),
    fitted("nmw_theo_lapli", NMW, "laplace"),
    nlmixr2_theo("focei"),
    nlmixr2_theo("foce"),
    fitted(
        "certara_infusion_fit_fo",
        CERTARA_FIT,
        "fo",
        {"THETA1": 0.7, "THETA2": 4.25, "OMEGA11": 0.1, "OMEGA22": 0.09, "THETA3": 0.1},
    ),
]

# Covered by no test, and why.
OUT_OF_SCOPE = {
    "acop_ODE020-022": "Michaelis-Menten elimination",
    "acop_*_saem, acop_*_nlme": "the objective is not FOCE-I at the estimates beside it: the twin "
    "and the engine agree on a value 4 to 20 below it, a little above the minimum of FOCE-I",
    "acopcourse_run100 (final), run103": "their proportional coefficient is negative",
    "wang_addmod, wang_propF, wang_propMod": "residual of a saturable function of f",
    "nlme_* but fm1Pheno": "residual variance held at the last fit; of fm1Theo no correlations",
    "monolix_warf*": "warfarin with lag time",
    "monolix_theo, *_saem": "estimates of SAEM: test_saem_reference",
    "nlmixr2_theo_imp": "at its optimum 116.83, where the exact one of twin and engine is 118.10",
    "ddmore*": "two and more compartments, bioavailability",
}
