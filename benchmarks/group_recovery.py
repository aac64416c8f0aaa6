"""Recover known ratios between groups of virtual subjects; write group_recovery.csv.

    python benchmarks/group_recovery.py [REPLICATES]

Every subject is simulated here from a fixed seed: no patient is behind any number. Two groups, an
infusion per m2 over two days; clearance per m2 of the first group is `truth` times that of the
second. The model that is fitted knows of body surface and of no groups. Designs:

    rich    8 samples a subject, residual error 15 %
    sparse  one sample on the plateau and one after the stop, residual error 50 %: the estimates of
            single subjects are shrunk towards the typical value that all groups share

Kinds: "individual" compares the estimates of single subjects; "model" the ratio estimated inside
the model, read by Student's t or by chi-square. Of each the table has the bias of the ratio, the
coverage of its interval, and the rate of each verdict. A replicate without an interval is a
failure: it counts as not covered and as inconclusive.
"""

from __future__ import annotations

import csv
import itertools
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import pandas as pd

import pkmodel as pk
from pkmodel.contrast.comparison import given_comparison
from pkmodel.contrast.in_model import in_model_contrasts
from pkmodel.contrast.individual import individual_contrasts
from pkmodel.contrast.record import Contrast

PATH = Path(os.environ.get("OUT", Path(__file__).with_suffix(".csv")))
REPLICATES = 1000
PROCESSES = 2
GROUPS = ("infant", "adolescent")
SURFACE = {"infant": (0.25, 0.45), "adolescent": (1.2, 1.9)}
TRUTHS = (1.0, 1.25, 1.6)
CL, V, RATE, STOP = 1.0, 3.5, 600.0, 48.0
"""L/h/m2, L/m2, ug/h/m2, h."""

COLUMNS = ["data", "design", "n_per_group", "truth", "kind", "read_by", "replicates", "failures"]
COLUMNS += ["shrinkage_cl", "bias_percent", "coverage", "coverage_se", "level", "margin"]
COLUMNS += ["equivalent", "not_equivalent", "inconclusive", "milliseconds"]


@dataclass(frozen=True)
class Design:
    """Sampling times, and SDs on the logarithmic scale: of clearance, volume, residual error."""

    times: tuple[float, ...]
    cl: float
    v: float
    residual: float


DESIGNS = {
    "rich": Design((1.0, 3.0, 8.0, 24.0, 47.0, 49.0, 51.0, 54.0), 0.3, 0.2, 0.15),
    "sparse": Design((30.0, 50.0), 0.3, 0.0, 0.5),
}
SIZES = {"rich": (8, 30), "sparse": (15, 30)}


@dataclass(frozen=True)
class Case:
    """A design, the number of subjects in each group, and the true ratio."""

    design: str
    subjects: int
    truth: float

    def data(self, replicate: int) -> pd.DataFrame:
        """Simulate a data set."""
        rng = np.random.default_rng([replicate, self.subjects, round(100 * self.truth)])
        design = DESIGNS[self.design]
        n = 2 * self.subjects
        bsa = np.concatenate([rng.uniform(*SURFACE[name], self.subjects) for name in GROUPS])
        ratio = np.repeat([self.truth, 1.0], self.subjects)
        cl = CL * bsa * ratio * np.exp(design.cl * rng.normal(size=n))
        v = V * bsa * np.exp(design.v * rng.normal(size=n))
        times = np.array(design.times)
        k = (cl / v)[:, None]
        on = np.minimum(times, STOP)
        f = (RATE * bsa / cl)[:, None] * -np.expm1(-k * on) * np.exp(-k * (times - on))
        y = f * np.exp(design.residual * rng.normal(size=f.shape))
        dose = pd.DataFrame({"ID": np.arange(n), "TIME": 0.0, "AMT": RATE * STOP * bsa})
        dose = dose.assign(RATE=RATE * bsa, EVID=1, DV=np.nan)
        rows = pd.DataFrame({"ID": np.repeat(np.arange(n), times.size), "TIME": np.tile(times, n)})
        rows = rows.assign(AMT=0.0, RATE=0.0, EVID=0, DV=y.ravel())
        table = pd.concat([dose, rows]).sort_values(["ID", "TIME"])
        return table.assign(BSA=bsa[table["ID"]])

    def model(self) -> pk.Model:
        """Return the model that is fitted: body surface, and no groups."""
        design = DESIGNS[self.design]
        effects = {"CL": design.cl, "V": design.v}
        return pk.Model(
            structure="one_compartment",
            parameters={"CL": "cl * BSA", "V": "v * BSA"},
            theta=(pk.Theta("cl", CL, lower=0.0), pk.Theta("v", V, lower=0.0)),
            omega=tuple(pk.OmegaBlock((p,), ((sd**2,),)) for p, sd in effects.items() if sd),
            residual=pk.Residual((pk.Sigma("lognormal", design.residual),)),
        )

    def contrasts(self, replicate: int) -> tuple[float, list[tuple[str, Contrast, float]]]:
        """Return the shrinkage of CL, and by kind the contrast and the seconds it took."""
        fit = pk.fit(self.model(), pk.read_dataset(self.data(replicate)), covariance=False)
        bsa = fit.individuals["BSA"].to_numpy()
        table = fit.exposure.assign(BSA=bsa, CL_BSA=fit.exposure["CL"].to_numpy() / bsa)
        code = np.repeat([0, 1], self.subjects)
        comparison = given_comparison(GROUPS, code, reference=GROUPS[1])
        out = []
        begin = time.perf_counter()
        shrinkage = fit.shrinkage["eta"]
        (row,) = individual_contrasts(table, comparison, shrinkage, ["CL_BSA"])
        out.append(("Welch", row, time.perf_counter() - begin))
        for threshold in ("t", "chi-square"):
            begin = time.perf_counter()
            (row,) = in_model_contrasts(
                fit.problem, fit.estimate, table, comparison, threshold, ["CL_BSA"]
            )
            out.append((threshold, row, time.perf_counter() - begin))
        return shrinkage["CL"], out


def study(task: tuple[Case, int, int]) -> list[tuple[float, list[tuple[str, Contrast, float]]]]:
    """Run some replicates of a case."""
    case, first, last = task
    return [case.contrasts(replicate) for replicate in range(first, last)]


def rows_of(
    case: Case, found: list[tuple[float, list[tuple[str, Contrast, float]]]]
) -> list[dict[str, object]]:
    """Summarise the replicates of a case: a row per kind."""
    rows = []
    for position in range(len(found[0][1])):
        read_by = found[0][1][position][0]
        contrasts = [outcome[position][1] for _, outcome in found]
        seconds = [outcome[position][2] for _, outcome in found]
        lower, upper = (
            np.array([getattr(c, end) for c in contrasts]) for end in ("lower", "upper")
        )
        covered = float(np.mean((lower <= case.truth) & (case.truth <= upper)))
        ratios = np.array([c.ratio for c in contrasts])
        bias = np.exp(np.nanmean(np.log(ratios))) / case.truth - 1.0
        verdicts = [c.verdict for c in contrasts]
        rates = {
            word.replace(" ", "_"): round(verdicts.count(word) / len(verdicts), 4)
            for word in ("equivalent", "not equivalent", "inconclusive")
        }
        rows.append(
            {
                "data": "virtual",
                "design": case.design,
                "n_per_group": case.subjects,
                "truth": case.truth,
                "kind": contrasts[0].kind,
                "read_by": read_by,
                "replicates": len(found),
                "failures": int(np.sum(~(np.isfinite(lower) & np.isfinite(upper)))),
                "shrinkage_cl": round(float(np.mean([shrinkage for shrinkage, _ in found])), 3),
                "bias_percent": round(100.0 * float(bias), 2),
                "coverage": round(covered, 4),
                "coverage_se": round(float(np.sqrt(0.9 * 0.1 / len(found))), 4),
                "level": contrasts[0].level,
                "margin": "{} to {}".format(*contrasts[0].margin),
                **rates,
                "milliseconds": round(1e3 * float(np.median(seconds)), 1),
            }
        )
    return rows


def main(replicates: int = REPLICATES) -> None:
    """Run every case and write the table."""
    cases = [
        Case(design, subjects, truth)
        for design in DESIGNS
        for subjects, truth in itertools.product(SIZES[design], TRUTHS)
    ]
    rows: list[dict[str, object]] = []
    bounds = np.linspace(0, replicates, 4 * PROCESSES + 1).astype(int)
    cases[0].contrasts(0)
    with ProcessPoolExecutor(PROCESSES) as pool:
        for case in cases:
            tasks = [(case, int(a), int(b)) for a, b in itertools.pairwise(bounds)]
            found = list(itertools.chain.from_iterable(pool.map(study, tasks)))
            rows += rows_of(case, found)
            for row in rows[-3:]:
                print(*(row[c] for c in COLUMNS[1:]), flush=True)
    with PATH.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
