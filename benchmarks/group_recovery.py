"""Recover known ratios between groups of virtual subjects; write group_recovery.csv.

    python benchmarks/group_recovery.py [REPLICATES]

Every subject is simulated here from a fixed seed: no patient is behind any number. Two groups, an
infusion per m2 over two days; clearance per m2 of the first group is `truth` times that of the
second. The model that is fitted knows of body surface and of no groups. Designs:

    rich    8 samples a subject, residual error 15 %
    sparse  one sample on the plateau and one after the stop, residual error 50 %: the estimates of
            single subjects are shrunk towards the typical value that all groups share

Kinds: "individual" compares the estimates of single subjects, "noncompartmental" the rate over the
mean of each one's plateau samples; "model" is the ratio estimated inside the model, read by
Student's t or by chi-square. Of each the table has the bias of the ratio, the coverage of its
interval, the rate of each verdict, and how often it warned. A replicate without an interval is a
failure: it counts as not covered and as inconclusive. Shrinkage is the usual one, and that about
the means of the groups.
"""

from __future__ import annotations

import csv
import itertools
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import pandas as pd

import pkmodel as pk
from pkmodel.contrast.comparison import given_comparison
from pkmodel.contrast.group_shrinkage import group_shrinkage
from pkmodel.contrast.in_model import in_model_contrasts
from pkmodel.contrast.individual import individual_contrasts, noncompartmental_contrasts
from pkmodel.contrast.record import Contrast
from pkmodel.exposure.noncompartmental import noncompartmental_table
from pkmodel.subjects import Subjects

PATH = Path(__file__).with_suffix(".csv")
REPLICATES = 500
PROCESSES = 2
UNITS = {"time": "h", "amount": "ug", "concentration": "ug/L"}
GROUPS = ("infant", "adolescent")
SURFACE = {"infant": (0.25, 0.45), "adolescent": (1.2, 1.9)}
TRUTHS = (1.0, 1.25, 1.6)
CL, V, RATE, STOP = 1.0, 3.5, 600.0, 48.0
"""L/h/m2, L/m2, ug/h/m2, h."""

COLUMNS = ["data", "design", "n_per_group", "truth", "kind", "read_by", "replicates", "failures"]
COLUMNS += ["shrinkage", "shrinkage_in_groups", "bias_percent", "coverage", "coverage_se"]
COLUMNS += ["level", "margin", "equivalent", "not_equivalent", "inconclusive", "warned"]
COLUMNS += ["milliseconds"]


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
SIZES = {"sparse": (30,), "rich": (8, 30)}
FEWEST = 8
"""With so few subjects per group the profile is read by chi-square as well, to compare."""


@dataclass(frozen=True)
class Answer:
    """A contrast, how its interval was read, and the seconds it took."""

    read_by: str
    contrast: Contrast
    seconds: float


@dataclass(frozen=True)
class Replicate:
    """Shrinkage of CL, the usual one and that about group means, and the answers."""

    shrinkage: float
    in_groups: float
    answers: tuple[Answer, ...]


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

    def replicate(self, number: int) -> Replicate:
        """Simulate, fit, and compare the groups in every way."""
        fit = pk.fit(
            self.model(), pk.read_dataset(self.data(number), units=UNITS), covariance=False
        )
        bsa = fit.individuals["BSA"].to_numpy()
        table = fit.exposure.assign(BSA=bsa, CL_BSA=fit.exposure["CL"].to_numpy() / bsa)
        subjects = Subjects(bsa=fit.problem.dataset.covariates["BSA"])
        plain = noncompartmental_table(fit.problem.dataset, bsa=subjects.bsa)
        code = np.repeat([0, 1], self.subjects)
        asked = given_comparison(GROUPS, code, reference=GROUPS[1])
        shrinkage = group_shrinkage(fit.problem, fit.estimate, asked)
        metric = ["CL_BSA"]

        def inside(threshold: str) -> list[Contrast]:
            return in_model_contrasts(
                fit.problem, fit.estimate, table, subjects, asked, threshold, metric
            )

        ways: dict[str, Callable[[], list[Contrast]]] = {
            "Welch, estimates": lambda: individual_contrasts(table, asked, shrinkage, metric),
            "Welch, samples": lambda: noncompartmental_contrasts(plain, asked, metric),
            "t": lambda: inside("t"),
        }
        if self.subjects <= FEWEST:
            ways["chi-square"] = lambda: inside("chi-square")
        answers = []
        for read_by, compute in ways.items():
            begin = time.perf_counter()
            (contrast,) = compute()
            answers.append(Answer(read_by, contrast, time.perf_counter() - begin))
        return Replicate(fit.shrinkage["eta"]["CL"], shrinkage["CL"], tuple(answers))


def study(task: tuple[Case, int, int]) -> list[Replicate]:
    """Run some replicates of a case."""
    case, first, last = task
    return [case.replicate(number) for number in range(first, last)]


def rows_of(case: Case, found: list[Replicate]) -> list[dict[str, object]]:
    """Summarise the replicates of a case: a row for each way."""
    return [
        {
            "data": "virtual",
            "design": case.design,
            "n_per_group": case.subjects,
            "truth": case.truth,
            "replicates": len(found),
            "shrinkage": round(float(np.mean([r.shrinkage for r in found])), 3),
            "shrinkage_in_groups": round(float(np.mean([r.in_groups for r in found])), 3),
            **summary([r.answers[way] for r in found], case.truth),
        }
        for way in range(len(found[0].answers))
    ]


def summary(answers: list[Answer], truth: float) -> dict[str, object]:
    """Summarise one way to compare."""
    contrasts = [answer.contrast for answer in answers]
    n = len(contrasts)
    lower, upper = (np.array([getattr(c, end) for c in contrasts]) for end in ("lower", "upper"))
    logs = np.log([c.ratio for c in contrasts])
    verdicts = [c.verdict for c in contrasts]
    level = contrasts[0].level
    rates = {
        word.replace(" ", "_"): round(verdicts.count(word) / n, 4)
        for word in ("equivalent", "not equivalent", "inconclusive")
    }
    return {
        "kind": contrasts[0].kind,
        "read_by": answers[0].read_by,
        "failures": int(np.sum(~(np.isfinite(lower) & np.isfinite(upper)))),
        "bias_percent": round(100.0 * float(np.exp(np.nanmean(logs)) / truth - 1.0), 2),
        "coverage": round(float(np.mean((lower <= truth) & (truth <= upper))), 4),
        "coverage_se": round(float(np.sqrt(level * (1.0 - level) / n)), 4),
        "level": level,
        "margin": "{} to {}".format(*contrasts[0].margin),
        **rates,
        "warned": round(sum(bool(c.warnings) for c in contrasts) / n, 4),
        "milliseconds": round(1e3 * float(np.median([a.seconds for a in answers])), 1),
    }


def main(replicates: int = REPLICATES) -> None:
    """Run every case and write the table."""
    cases = [
        Case(design, subjects, truth)
        for design, sizes in SIZES.items()
        for subjects, truth in itertools.product(sizes, TRUTHS)
    ]
    bounds = np.linspace(0, replicates, 4 * PROCESSES + 1).astype(int)
    cases[0].replicate(0)
    with PATH.open("w", newline="") as file, ProcessPoolExecutor(PROCESSES) as pool:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for case in cases:
            tasks = [(case, int(a), int(b)) for a, b in itertools.pairwise(bounds)]
            found = list(itertools.chain.from_iterable(pool.map(study, tasks)))
            writer.writerows(rows_of(case, found))
            file.flush()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
