"""Fit the peers' infusion data by SAEM of pynlme.

    PYTHON pynlme_infusion.py DATA.csv

PYTHON is an interpreter with pynlme. Rows SD == 1, log-normal CL and V without correlation, starts
CL exp(1.6), V exp(4.5); the package chooses its starting variances and its own defaults otherwise.
Prints a JSON object: seconds, iterations and estimates, at which pkmodel evaluates the objective.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import pynlme

RUNS = 5


def read(path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return time, rate and stop of each observation, what was seen, and the subjects."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["SD"] == "1"]
    doses = {r["ID"]: (float(r["AMT"]), float(r["RATE"])) for r in rows if r["EVID"] == "1"}
    seen = [r for r in rows if r["EVID"] == "0"]
    x = [(float(r["TIME"]), doses[r["ID"]][1], doses[r["ID"]][0] / doses[r["ID"]][1]) for r in seen]
    return np.array(x), np.array([float(r["DV"]) for r in seen]), np.array([r["ID"] for r in seen])


def infusion(phi: np.ndarray, x: np.ndarray, _: object) -> np.ndarray:
    """Predict observations; one row of `phi` each, or one of a subject."""
    cl, k = phi[..., 0], phi[..., 0] / phi[..., 1]
    time_after, rate, stop = x.T
    on = np.minimum(time_after, stop)
    return rate / cl * -np.expm1(-k * on) * np.exp(-k * (time_after - on))


def main(path: str) -> None:
    """Fit once to warm up, then five times."""
    x, y, group = read(path)

    def attempt() -> tuple:
        return pynlme.nlmefitsa(
            x,
            y,
            group,
            None,
            infusion,
            np.array([1.6, 4.5]),
            ParamTransform=[1, 1],
            ErrorModel="proportional",
            Vectorization="Full",
            random_state=1,
        )

    seconds = []
    for _ in range(RUNS + 1):
        begin = time.perf_counter()
        beta, omega, stats, _ = attempt()
        seconds.append(time.perf_counter() - begin)
    estimates = {
        "theta": [float(v) for v in beta],
        "omega": [float(v) for v in np.diag(omega)],
        "sigma": float(np.ravel(stats.errorparam)[-1]),
    }
    answer = {
        "version": getattr(pynlme, "__version__", "unknown"),
        "seconds": float(np.median(seconds[1:])),
        "iterations": 400,
        "estimates": estimates,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
