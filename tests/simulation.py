"""Data simulated from a known truth; shares nothing with the package.

All subjects follow one `Design`. Concentrations come from a walk from record to record, in which
the parameters may change at every record: those of a record hold over the interval that ends at it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Design:
    """The records of one subject, in order of time; an amount of 0 is an observation."""

    time: np.ndarray
    amount: np.ndarray
    duration: np.ndarray
    occasion: np.ndarray

    @property
    def is_dose(self) -> np.ndarray:
        return self.amount > 0

    @property
    def resets(self) -> np.ndarray:
        """Doses that open a new occasion: they empty the body."""
        return np.diff(self.occasion, prepend=self.occasion[0]) != 0


def make_design(
    doses: Sequence[tuple[float, float, float]],
    observations: Sequence[float],
    occasions: int = 1,
    apart: float = 500.0,
) -> Design:
    """Join (time, amount, duration) doses and observation times, over some equal occasions."""
    rows = [(t, 0, a, d) for t, a, d in doses] + [(t, 1, 0.0, 0.0) for t in observations]
    rows.sort()
    all_rows = [(t + apart * n, a, d, n + 1) for n in range(occasions) for t, _, a, d in rows]
    time, amount, duration, occasion = np.array(all_rows).T
    return Design(time, amount, duration, occasion.astype(int))


INFUSION = make_design([(0, 100, 2), (24, 60, 1)], [1, 2, 3, 5, 8, 12, 20, 24.5, 26, 32])
BOLUS = make_design([(0, 100, 0)], [0.5, 1, 2, 3, 5, 8, 12, 18, 24, 30])
ORAL = make_design([(0, 100, 0), (24, 100, 0)], [0.5, 1, 2, 3, 5, 8, 12, 20, 25, 30])


def walk(design: Design, cl: np.ndarray, v: np.ndarray, ka: np.ndarray | None = None) -> np.ndarray:
    """Compute concentrations (subjects, records) from parameters of that shape."""
    subjects, records = cl.shape
    out = np.zeros((subjects, records))
    central, depot, now = np.zeros(subjects), np.zeros(subjects), design.time[0]
    infusions: list[tuple[float, float, float]] = []
    for j, time in enumerate(design.time):
        k = cl[:, j] / v[:, j]
        before, now = now, time
        central = central * np.exp(-k * (now - before))
        if ka is not None:
            gone = np.exp(-k * (now - before)) - np.exp(-ka[:, j] * (now - before))
            central = central + depot * ka[:, j] / (ka[:, j] - k) * gone
            depot = depot * np.exp(-ka[:, j] * (now - before))
        for rate, start, end in infusions:
            first, last = max(start, before), min(end, now)
            if first < last:
                central = central + rate / k * (
                    np.exp(-k * (now - last)) - np.exp(-k * (now - first))
                )
        if design.resets[j]:
            central, depot, infusions = np.zeros(subjects), np.zeros(subjects), []
        amount, duration = design.amount[j], design.duration[j]
        if duration > 0:
            infusions.append((amount / duration, time, time + duration))
        elif ka is not None:
            depot = depot + amount
        else:
            central = central + amount
        out[:, j] = central / v[:, j]
    return out


def _individual(typical: np.ndarray, eta: np.ndarray, distribution: str) -> np.ndarray:
    if distribution == "normal":
        return typical + eta
    if distribution == "logitnormal":
        return 1.0 / (1.0 + np.exp(-np.log(typical / (1.0 - typical)) - eta))
    return typical * np.exp(eta)


def simulate(
    rng: np.random.Generator,
    design: Design,
    typical: Mapping[str, float],
    omega: Mapping[str, float],
    sigma: Mapping[str, float],
    *,
    subjects: int = 300,
    covariance: float = 0.0,
    occasion: Mapping[str, float] | None = None,
    distribution: Mapping[str, str] | None = None,
    weight: np.ndarray | None = None,
    lloq: float = 0.0,
) -> pd.DataFrame:
    """Simulate a population.

    `typical` holds CL, V (and KA); `omega` the variances of those with an effect; `covariance` is
    that of the first two of them; `occasion` variances between occasions; `weight` (subjects,
    records) multiplies CL and V; below `lloq` DV is the limit and CENS is 1.
    """
    names = list(omega)
    matrix = np.diag(np.array([omega[p] for p in names], dtype=float))
    if covariance:
        matrix[0, 1] = matrix[1, 0] = covariance
    between = rng.normal(size=(subjects, len(names))) @ np.linalg.cholesky(matrix).T
    shape = (subjects, design.time.size)
    values = {}
    for p, value in typical.items():
        eta = np.zeros(shape)
        if p in names:
            eta = eta + between[:, [names.index(p)]]
        if occasion and p in occasion:
            draws = rng.normal(0, np.sqrt(occasion[p]), (subjects, design.occasion.max()))
            eta = eta + draws[:, design.occasion - 1]
        centre = np.full(shape, value)
        if weight is not None and p != "KA":
            centre = centre * weight
        values[p] = _individual(centre, eta, (distribution or {}).get(p, "lognormal"))
    f = walk(design, values["CL"], values["V"], values.get("KA"))
    dv = f + f * sigma.get("proportional", 0.0) * rng.normal(size=shape)
    dv = dv + sigma.get("additive", 0.0) * rng.normal(size=shape)
    dv = dv * np.exp(sigma.get("lognormal", 0.0) * rng.normal(size=shape))
    return _table(design, dv, weight, lloq)


def _table(design: Design, dv: np.ndarray, weight: np.ndarray | None, lloq: float) -> pd.DataFrame:
    subjects = len(dv)
    rate = np.divide(
        design.amount, design.duration, out=np.zeros_like(design.time), where=design.duration > 0
    )
    evid = np.where(design.is_dose, np.where(design.resets, 4, 1), 0)
    table = pd.DataFrame(
        {
            "ID": np.repeat(np.arange(1, subjects + 1), design.time.size),
            "TIME": np.tile(design.time, subjects),
            "AMT": np.tile(design.amount, subjects),
            "RATE": np.tile(rate, subjects),
            "EVID": np.tile(evid, subjects),
            "DV": np.where(design.is_dose, np.nan, dv).ravel(),
        }
    )
    if design.occasion.max() > 1:
        table["OCC"] = np.tile(design.occasion, subjects)
    if weight is not None:
        table["WT"] = weight.ravel()
    if lloq:
        is_low = table["DV"] < lloq
        table["CENS"] = is_low.astype(int)
        table["DV"] = table["DV"].mask(is_low, lloq)
    return table
