"""Fit the same data by SAEM with many seeds; write saem_seeds.csv.

    python benchmarks/saem_seeds.py [PROBLEM ...] [--seeds 20]

Estimates by draws change with the seed. How much, and about which value, stands here for each
parameter on its packed scale, in standard errors of the maximum-likelihood estimate by adaptive
quadrature (errors from its second derivatives):

    sd_in_se      standard deviation of the estimates between seeds; 0.05 is the most allowed
    mean_in_se    mean of the estimates minus the maximum-likelihood estimate
    worst_in_se   largest distance of a single estimate from it
    told_in_se    root mean square of the Monte Carlo errors that the fits tell of themselves

`above_best` is the largest exact objective of a seed above that of maximum likelihood. Iterations
and CPU seconds are medians over the seeds, without standard errors. The infusions are virtual, of
no patient; those with censored rows have a limit of quantification above the lowest 30 %.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import pandas as pd
import stamp
from problems import infusion_data, infusion_model

import pkmodel as pk

PATH = Path(__file__).with_suffix(".csv")
SEEDS = 20
LARGEST_SD = 0.05
CENSORED = 0.3
FEW_TIMES = np.array([0.5, 2.0, 5.0, 12.0, 24.0, 36.0])

COLUMNS = [*stamp.COLUMNS, "problem", "data", "subjects", "observations", "parameter", "seeds"]
COLUMNS += ["failed", "best", "se", "sd_in_se", "mean_in_se", "worst_in_se", "told_in_se"]
COLUMNS += ["verdict", "above_best", "iterations", "seconds"]


def censored(data: pd.DataFrame) -> pd.DataFrame:
    """Censor the lowest observations at one limit."""
    is_seen = data["MDV"] == 0
    limit = data.loc[is_seen, "DV"].quantile(CENSORED)
    is_low = is_seen & (data["DV"] < limit)
    return data.assign(CENS=is_low.astype(int), DV=data["DV"].where(~is_low, limit))


@dataclass(frozen=True)
class Case:
    """What is fitted, and whether its data are virtual: a call with options of `pk.fit`."""

    fit: Callable[..., pk.Fit]
    is_virtual: bool


def infusions(data: pd.DataFrame) -> Case:
    """Return the infusion model on virtual data."""
    return Case(partial(pk.fit, infusion_model(), pk.read_dataset(data)), True)


CASES: dict[str, Callable[[], Case]] = {
    "infusion 120 x 18": lambda: infusions(infusion_data(120)),
    "infusion 60 x 6, 30 % censored": lambda: infusions(censored(infusion_data(60, FEW_TIMES))),
    "phenobarbital": lambda: Case(partial(pk.fit, "phenobarbital"), False),
    "theophylline": lambda: Case(partial(pk.fit, "theophylline"), False),
}


@dataclass(frozen=True)
class Result:
    """The fit of one seed: packed estimates, what it says of their errors, and what it took."""

    x: np.ndarray
    told: np.ndarray
    is_good: bool
    objective: float
    iterations: int
    seconds: float


def one_seed(case: Case, seed: int) -> Result:
    """Fit with one seed."""
    begin = time.process_time()
    fit = case.fit(method="saem", covariance=False, seed=seed)
    seconds = time.process_time() - begin
    sampling = fit.estimate.sampling
    assert sampling is not None
    told, iterations = sampling.averaged.error, sampling.iterations
    return Result(fit.estimate.x, told, fit.converged, fit.objective, iterations, seconds)


def rows_of(name: str, seeds: int) -> Iterator[dict[str, object]]:
    """Compare the seeds of a problem with maximum likelihood: a row for each parameter."""
    case = CASES[name]()
    best = case.fit(method="agq", covariance="r")
    assert best.converged
    assert best.covariance is not None
    error = np.sqrt(np.diag(best.covariance.packed))
    results = [one_seed(case, seed) for seed in range(1, seeds + 1)]
    off = (np.array([r.x for r in results]) - best.estimate.x) / error
    told = np.sqrt(np.mean(np.square([r.told for r in results]), axis=0)) / error
    sd = np.std(off, axis=0, ddof=1)
    for k, parameter in enumerate(best.problem.packing.names):
        yield {
            **stamp.stamp(),
            "problem": name,
            "data": "virtual" if case.is_virtual else "observed",
            "subjects": best.n_subjects,
            "observations": best.n_observations,
            "parameter": parameter,
            "seeds": seeds,
            "failed": sum(not r.is_good for r in results),
            "best": float(f"{best.estimate.x[k]:.6g}"),
            "se": float(f"{error[k]:.4g}"),
            "sd_in_se": round(float(sd[k]), 4),
            "mean_in_se": round(float(np.mean(off[:, k])), 4),
            "worst_in_se": round(float(np.max(np.abs(off[:, k]))), 4),
            "told_in_se": round(float(told[k]), 4),
            "verdict": "within" if sd[k] <= LARGEST_SD else "outside",
            "above_best": round(max(r.objective for r in results) - best.objective, 5),
            "iterations": float(np.median([r.iterations for r in results])),
            "seconds": float(f"{np.median([r.seconds for r in results]):.3g}"),
        }


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problems", nargs="*", default=list(CASES), metavar="PROBLEM")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, default=PATH, help="instead of saem_seeds.csv")
    arguments = parser.parse_args()
    stamp.stamp()
    rows: list[dict[str, object]] = []
    for name in arguments.problems:
        found = list(rows_of(name, arguments.seeds))
        rows += found
        shown = ["parameter", "failed", "sd_in_se", "mean_in_se", "told_in_se", "iterations"]
        print(name)
        print(pd.DataFrame(found)[[*shown, "seconds"]].to_string(index=False), flush=True)
    with arguments.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
