"""Fit virtual data sets of known truth from starts that are ten times off; write poor_starts.csv.

    python benchmarks/poor_starts.py

Every data set is simulated here from a fixed seed: no patient is behind any number. Each is fitted
from the truth and from every combination of CL, V (and KA), Omega and sigma ten times too small or
too large. The best objective of all fits of a data set is its best known; each fit then is

    best            converged, at the best known objective
    not converged   says itself that its estimates are not to be used
    flip-flop       converged at a worse objective, with a warning that says flip-flop
    worse           converged at a worse objective, without a word: the serious kind
"""

from __future__ import annotations

import csv
import itertools
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import pandas as pd

import pkmodel as pk
from pkmodel.result import Fit

PATH = Path(__file__).with_suffix(".csv")
SAME = 0.01
TYPICAL = {"CL": 1.0, "V": 10.0, "KA": 0.8}
OMEGA = np.array([[0.09, 0.03], [0.03, 0.04]])
SIGMA = {
    "proportional": {"proportional": 0.15},
    "additive": {"additive": 0.3},
    "combined": {"proportional": 0.12, "additive": 0.2},
}
DOSES = {
    "infusion": [(0.0, 100.0, 2.0)],
    "boluses": [(0.0, 60.0, 0.0), (12.0, 60.0, 0.0), (24.0, 60.0, 0.0)],
    "oral": [(0.0, 100.0, 0.0)],
}
TIMES = {
    "infusion": [1.0, 2.0, 4.0, 8.0, 16.0, 24.0],
    "boluses": [1.0, 6.0, 11.5, 13.0, 20.0, 25.0, 36.0],
    "oral": [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 24.0],
}
COLUMNS = ["data", "doses", "subjects", "samples", "omega", "error", "method"]
COLUMNS += ["cl_off", "v_off", "ka_off", "omega_off", "sigma_off"]
COLUMNS += ["verdict", "status", "objective", "above_best", "evaluations", "seconds"]


@dataclass(frozen=True)
class Case:
    """A virtual data set and a method: doses, size, matrix of effects, error, samples a subject."""

    doses: str
    subjects: int
    omega: str
    error: str
    samples: int
    method: str = "focei"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Structural parameters; KA has no effect between subjects."""
        return ("CL", "V", "KA") if self.doses == "oral" else ("CL", "V")

    @property
    def matrix(self) -> np.ndarray:
        """Omega of CL and V."""
        return OMEGA if self.omega == "block" else np.diag(np.diag(OMEGA))

    def concentration(self, cl: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Superpose the doses: an array (subjects, times)."""
        k, ka = cl / v, TYPICAL["KA"]
        times = np.array(TIMES[self.doses])
        total = np.zeros((cl.size, times.size))
        for start, amount, duration in DOSES[self.doses]:
            t = np.maximum(times - start, 0.0)
            if self.doses == "oral":
                shape = ka / (ka - k) * (np.exp(-k * t) - np.exp(-ka * t))
            elif duration:
                on = np.minimum(t, duration)
                shape = -np.expm1(-k * on) * np.exp(-k * (t - on)) / (k * duration)
            else:
                shape = np.where(times >= start, np.exp(-k * t), 0.0)
            total += amount / v * shape
        return total

    def data(self) -> pd.DataFrame:
        """Simulate the data set."""
        rng = np.random.default_rng([ord(letter) for letter in f"{self}"])
        eta = rng.normal(size=(self.subjects, 2)) @ np.linalg.cholesky(self.matrix).T
        f = self.concentration(
            TYPICAL["CL"] * np.exp(eta[:, :1]), TYPICAL["V"] * np.exp(eta[:, 1:])
        )
        sigma = SIGMA[self.error]
        deviation = np.hypot(sigma.get("additive", 0.0), sigma.get("proportional", 0.0) * f)
        y = f + deviation * rng.normal(size=f.shape)
        rows = []
        for number, values in enumerate(y, 1):
            rows += [
                (number, t, amount, amount / duration if duration else 0.0, np.nan, 1)
                for t, amount, duration in DOSES[self.doses]
            ]
            rows += [
                (number, TIMES[self.doses][k], 0.0, 0.0, values[k], 0)
                for k in np.sort(rng.permutation(values.size)[: self.samples])
            ]
        table = pd.DataFrame(rows, columns=["ID", "TIME", "AMT", "RATE", "DV", "EVID"])
        return table.sort_values(["ID", "TIME", "EVID"], ascending=[True, True, False])

    def model(self, off: dict[str, float]) -> pk.Model:
        """Return the model of the data, its initial values `off` by factors."""
        matrix = off["omega"] * self.matrix
        if self.omega == "block":
            blocks = (pk.OmegaBlock(("CL", "V"), tuple(map(tuple, matrix))),)
        else:
            blocks = tuple(
                pk.OmegaBlock((p,), ((matrix[i, i],),)) for i, p in enumerate(("CL", "V"))
            )
        return pk.Model(
            structure="one_compartment_oral" if self.doses == "oral" else "one_compartment",
            parameters={p: p.lower() for p in self.parameters},
            theta=tuple(
                pk.Theta(p.lower(), TYPICAL[p] * off[p.lower()], 0.0) for p in self.parameters
            ),
            omega=blocks,
            residual=pk.Residual(
                tuple(pk.Sigma(name, v * off["sigma"]) for name, v in SIGMA[self.error].items())
            ),
        )


IV = ("infusion", "boluses")
RICH = itertools.product(IV, (12, 60), ("diagonal", "block"), tuple(SIGMA), (6,))
SPARSE = itertools.product(IV, (60,), ("block",), tuple(SIGMA), (2,), ("focei", "laplace"))
OTHERS = itertools.product(IV, (12,), ("diagonal",), ("proportional", "additive"), (6,), ("foce",))
ORAL = itertools.product(("oral",), (12, 60), ("diagonal",), ("proportional",), (7, 3))
CASES = [Case(*c) for c in itertools.chain(RICH, SPARSE, OTHERS, ORAL)]


def starts(case: Case) -> Iterator[dict[str, float]]:
    """Yield the truth, then every combination of what is ten times off."""
    names = [*(p.lower() for p in case.parameters), "omega", "sigma"]
    yield dict.fromkeys(names, 1.0)
    for factors in itertools.product((0.1, 10.0), repeat=len(names)):
        yield dict(zip(names, factors, strict=True))


def verdict(fit: Fit, above: float) -> str:
    """Say how a fit ended."""
    if not fit.converged:
        return "not converged"
    if above < SAME:
        return "best"
    return "flip-flop" if any("flip-flop" in w for w in fit.warnings) else "worse"


def survey(case: Case) -> list[dict[str, object]]:
    """Fit one data set from every start."""
    data = pk.read_dataset(case.data(), structure=case.model(next(starts(case))).structure)
    fits = []
    for off in starts(case):
        begin = time.perf_counter()
        fit = pk.fit(case.model(off), data, method=case.method)
        fits.append((off, fit, time.perf_counter() - begin))
    best = min(fit.objective for _, fit, _ in fits)
    return [
        {
            "data": "virtual",
            "doses": case.doses,
            "subjects": case.subjects,
            "samples": case.samples,
            "omega": case.omega,
            "error": case.error,
            "method": case.method,
            **{f"{name}_off": factor for name, factor in off.items()},
            "verdict": verdict(fit, fit.objective - best),
            "status": str(fit.status),
            "objective": round(fit.objective, 4),
            "above_best": round(fit.objective - best, 4),
            "evaluations": fit.estimate.evaluations,
            "seconds": float(f"{seconds:.3g}"),
        }
        for off, fit, seconds in fits
    ]


def main() -> None:
    """Survey every case and write the table."""
    rows: list[dict[str, object]] = []
    for case in CASES:
        found = survey(case)
        rows += found
        print(case, dict(Counter(row["verdict"] for row in found)), flush=True)
    with PATH.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    print(len(rows), "fits:", dict(Counter(row["verdict"] for row in rows)))


if __name__ == "__main__":
    main()
