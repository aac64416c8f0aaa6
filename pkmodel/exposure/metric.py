"""What is compared between subjects and groups: each metric a product of powers of CL and V.

With R0 the rate of infusion, scale the factor from amount / L to concentration:

    Css = scale R0 / CL,  t1/2 = ln 2 V / CL,  AUC = scale dose / CL,

and clearance as it is, per m2, or per (weight / 70 kg)^0.75 (allometry: Anderson and Holford 2008,
10.1146/annurev.pharmtox.48.113006.094708).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.units import Units

Vector = NDArray[np.float64]

ADULT_WEIGHT = 70.0
ALLOMETRIC_EXPONENT = 0.75
SHARE_OF_STEADY_STATE = 0.9


@dataclass(frozen=True)
class Subject:
    """What the metrics need beside CL and V; arrays (n,), NaN or None where unknown.

    Attributes
    ----------
    scale : float
        Concentrations are amount / L times this.
    rate : array
        Rate of infusion, amount per time.
    amount : array
        All doses, amount.
    bsa : array or None
        m2, when the clearance holds.
    weight : array or None
        kg, likewise.
    """

    scale: float
    rate: Vector
    amount: Vector
    bsa: Vector | None
    weight: Vector | None

    @property
    def rate_by_size(self) -> Vector:
        """Rate per m2 where the body surface is known, else the rate."""
        return self.rate if self.bsa is None else self.rate / self.bsa


@dataclass(frozen=True)
class Metric:
    """CL^cl V^v times a factor that the parameters do not touch.

    Attributes
    ----------
    title : str
        In words, for tables and axes.
    cl, v : int
        Powers.
    factor : callable
        Of `Subject`; None where it cannot be known.
    unit : callable
        Of `Units` and whether the body surface is known; empty units where none are declared.
    """

    title: str
    cl: int
    v: int
    factor: Callable[[Subject], Vector | None]
    unit: Callable[[Units, bool], str]


def _per_bsa(subject: Subject) -> Vector | None:
    return None if subject.bsa is None else 1.0 / subject.bsa


def _per_allometric_weight(subject: Subject) -> Vector | None:
    if subject.weight is None:
        return None
    return np.asarray((subject.weight / ADULT_WEIGHT) ** -ALLOMETRIC_EXPONENT)


def _one(subject: Subject) -> Vector:
    return np.ones_like(subject.rate)


def _dose_normalised(subject: Subject) -> Vector:
    return subject.scale * subject.rate / subject.rate_by_size


def _dose_normalised_unit(units: Units, has_bsa: bool) -> str:
    if not units.is_declared:
        return ""
    per = "/m2" if has_bsa else ""
    return f"{units.concentration} per {units.amount}/{units.time}{per}"


def _with_size(unit: str, size: str) -> str:
    return f"{unit}{size}" if unit else ""


def _auc_unit(units: Units, has_bsa: bool) -> str:
    return f"{units.concentration} {units.time}" if units.is_declared else ""


METRICS: Mapping[str, Metric] = {
    "CSS": Metric(
        "steady-state concentration",
        -1,
        0,
        lambda s: s.scale * s.rate,
        lambda u, bsa: u.concentration,
    ),
    "CSS_DN": Metric(
        "dose-normalised steady-state concentration",
        -1,
        0,
        _dose_normalised,
        _dose_normalised_unit,
    ),
    "CL": Metric("clearance", 1, 0, _one, lambda u, bsa: u.clearance),
    "CL_BSA": Metric(
        "clearance per m2", 1, 0, _per_bsa, lambda u, bsa: _with_size(u.clearance, "/m2")
    ),
    "CL_70KG": Metric(
        "clearance per (70 kg)^0.75",
        1,
        0,
        _per_allometric_weight,
        lambda u, bsa: _with_size(u.clearance, "/70 kg"),
    ),
    "V": Metric("volume", 0, 1, _one, lambda u, bsa: u.volume),
    "V_BSA": Metric("volume per m2", 0, 1, _per_bsa, lambda u, bsa: _with_size(u.volume, "/m2")),
    "HALF_LIFE": Metric("half-life", -1, 1, lambda s: np.log(2.0) * _one(s), lambda u, bsa: u.time),
}
"""The metrics that groups are compared by, in the order of tables."""

OF_A_SUBJECT: Mapping[str, Metric] = {
    **METRICS,
    "T90": Metric(
        "time to 90 % of steady state",
        -1,
        1,
        lambda s: -np.log(1.0 - SHARE_OF_STEADY_STATE) * _one(s),
        lambda u, bsa: u.time,
    ),
    "AUC": Metric("AUC from zero to infinity", -1, 0, lambda s: s.scale * s.amount, _auc_unit),
}
"""Those of single subjects: two more, which hang on the duration of treatment or repeat t1/2."""
