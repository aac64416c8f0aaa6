"""The parameters: fixed effects, variability, residual error, correlations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pkmodel.number import Number, fixed, number, percent, tenths
from pkmodel.report.between import between, interval
from pkmodel.report.content import Part, Section, Table, Text, table
from pkmodel.report.run_folder import Correlations, Run

MOST_CORRELATED = 12
"""A matrix of correlations has no more rows than this; of more parameters the large ones stand."""
LARGE_CORRELATION = 0.5
CV = (
    "CV = 100 √(exp(ω²) − 1) for a lognormal parameter, and its interval from the ends of that of "
    "ω²."
)
SHRINKAGE = "Shrinkage = 1 − (root mean square of η) / ω."
FORMULAS = f"{CV} The RSE is that of the variance ω²; that of ω is half of it. {SHRINKAGE}"
SCALES = {
    "normal": "normal: SD in the unit of the parameter",
    "logitnormal": "logit-normal: SD on the logit scale",
}
SIGMAS = {
    "proportional": "SD as a share of the prediction",
    "additive": "SD in the unit of the observations",
    "lognormal": "SD on the log scale",
    "power": "SD = power × prediction^exponent",
}


def parameter_section(run: Run) -> Section:
    """Tabulate every parameter of a run."""
    document = run.document
    effects = effect_tables(document, _variances, _covariances)
    parts: list[Part] = [Text(_about(document)), _thetas(document), *effects]
    parts.append(_sigmas(document))
    if run.correlations is not None:
        parts.append(correlation_table(run.correlations))
    return Section("parameters", "Parameters", tuple(parts))


def units_text(document: dict[str, Any]) -> str:
    """Say in what units the parameters are."""
    time = document["units"]["time"]
    known = f"Volumes are in L, clearances in L/{time}."
    return known if time else "Units were not declared."


def _about(document: dict[str, Any]) -> str:
    known = units_text(document)
    if document["status"] == "evaluated":
        return f"{known} These are the initial values; nothing was estimated."
    if document["covariance"] is None:
        return f"{known} No standard errors were computed."
    return (
        f"{known} RSE is the standard error over the estimate. 95 % intervals are formed on the "
        "unconstrained scale of the search and carried back."
    )


def _thetas(document: dict[str, Any]) -> Table:
    rows = [(name, *_estimate(document, entry)) for name, entry in document["theta"].items()]
    return table("Fixed effects (θ)", ("θ", *ESTIMATE), rows, "lrrrrl")


ESTIMATE = ("estimate", "RSE %", "95 % interval", "initial value", "note")


def _estimate(document: dict[str, Any], entry: dict[str, Any]) -> tuple[str, ...]:
    notes = ("fixed" if entry["fixed"] else "", entry["note"])
    return (
        number(entry["estimate"]),
        tenths(entry["rse"]),
        interval(entry["lower"], entry["upper"]),
        "" if document["status"] == "evaluated" else number(entry["init"]),
        ", ".join(note for note in notes if note),
    )


# -- random effects -----------------------------------------------------------------------------


Tabulate = Callable[[dict[str, Any], str, str], Table]


def effect_tables(
    document: dict[str, Any], variances: Tabulate, covariances: Tabulate
) -> Iterator[Table]:
    """Tabulate the variances and then the covariances of each kind of effect there is.

    Parameters
    ----------
    document : dict
    variances, covariances : callable
        From the document, the kind of effect and its title to a table.
    """
    for kind, title in (("omega", "between subjects"), ("occasion", "between occasions")):
        entries = document[kind]
        if entries:
            yield variances(document, kind, title)
        if any("," in name for name in entries):
            yield covariances(document, kind, title)


def _variances(document: dict[str, Any], kind: str, title: str) -> Table:
    header = (
        "parameter",
        "ω²",
        "RSE %",
        "95 % interval",
        "initial value",
        "CV %",
        "CV 95 % interval",
        "η-shrinkage",
        "note",
    )
    shrinkage = document["shrinkage"]["eta"] if kind == "omega" else {}
    said = {parameter: percent(value) or "unknown" for parameter, value in shrinkage.items()}
    rows = []
    for name, entry in document[kind].items():
        if "," in name:
            continue
        *numbers, note = _estimate(document, entry)
        distribution = document["distribution"].get(name, "lognormal")
        notes = ", ".join(text for text in (SCALES.get(distribution, ""), note) if text)
        rows.append((name, *numbers, *variability(entry, distribution), said.get(name, ""), notes))
    return table(f"Variability {title}", header, rows, "lrrrrrrrl", FORMULAS)


def variability(entry: dict[str, Any], distribution: str) -> tuple[str, str]:
    """Write a variance as CV with its interval; as SD where the parameter is not lognormal."""
    ends = (entry["estimate"], entry["lower"], entry["upper"])
    if distribution == "lognormal":
        middle, low, high = (coefficient_of_variation(value) for value in ends)
        return tenths(middle), between(tenths(low), tenths(high))
    middle, low, high = (None if v is None or v < 0.0 else float(np.sqrt(v)) for v in ends)
    return f"SD {number(middle)}", interval(low, high)


def coefficient_of_variation(variance: Number) -> Number:
    """Return the CV of a lognormal parameter in percent.

    Examples
    --------
    >>> round(coefficient_of_variation(0.09), 2)
    30.69
    """
    if variance is None or variance < 0.0:
        return None
    with np.errstate(over="ignore"):
        return float(100.0 * np.sqrt(np.expm1(variance)))


def _covariances(document: dict[str, Any], kind: str, title: str) -> Table:
    entries = document[kind]
    rows = []
    for name, entry in entries.items():
        if "," not in name:
            continue
        first, second = name.split(",")
        product = entries[first]["estimate"] * entries[second]["estimate"]
        correlation = entry["estimate"] / product**0.5 if product > 0.0 else None
        *numbers, note = _estimate(document, entry)
        rows.append((f"{first}, {second}", *numbers, fixed(correlation, 2), note))
    header = ("pair", "covariance", *ESTIMATE[1:-1], "correlation", "note")
    return table(f"Correlation of the effects {title}", header, rows, "lrrrrrl")


# -- residual error -----------------------------------------------------------------------------


def _sigmas(document: dict[str, Any]) -> Table:
    rows = []
    for name, entry in document["sigma"].items():
        *numbers, note = _estimate(document, entry)
        rows.append((name, *numbers, "; ".join(t for t in (SIGMAS.get(name, ""), note) if t)))
    shrinkage = percent(document["shrinkage"]["epsilon"]) or "unknown"
    return table(
        "Residual error (σ)",
        ("σ", *ESTIMATE),
        rows,
        "lrrrrl",
        f"ε-shrinkage {shrinkage} = 1 − root mean square of IWRES.",
    )


# -- correlations of the estimates --------------------------------------------------------------


def correlation_table(correlations: Correlations, of: str = "estimates") -> Table:
    """Tabulate the lower triangle, or only large correlations where there are many parameters.

    Parameters
    ----------
    correlations : Correlations
    of : str
        What the covariance is of, in words.
    """
    names, matrix = correlations.names, correlations.matrix
    size = len(names)
    if size > MOST_CORRELATED:
        return _large_correlations(names, matrix, of)
    rows = [
        (f"{i + 1}  {names[i]}", *(fixed(matrix[i, j], 2) if j <= i else "" for j in range(size)))
        for i in range(size)
    ]
    return Table(
        f"Correlation of the {of}",
        ("parameter", *(str(i + 1) for i in range(size))),
        tuple(rows),
        "l" + "r" * size,
        f"From the covariance of the {of} on the parameters' own scale. An empty cell on or below "
        "the diagonal: not known.",
    )


def _large_correlations(names: tuple[str, ...], matrix: np.ndarray, of: str) -> Table:
    pairs = [
        (abs(matrix[i, j]), names[j], names[i], matrix[i, j])
        for i in range(len(names))
        for j in range(i)
        if abs(matrix[i, j]) >= LARGE_CORRELATION
    ]
    rows = [(f"{a}, {b}", fixed(value, 2)) for _, a, b, value in sorted(pairs, reverse=True)]
    note = f"Of {len(names)} parameters: the pairs of {LARGE_CORRELATION} and more, either sign"
    note += "." if rows else "; there is none."
    return Table(f"Correlation of the {of}", ("pair", "correlation"), tuple(rows), "lr", note)
