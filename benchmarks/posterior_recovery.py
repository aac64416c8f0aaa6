"""Recover known ratios between virtual groups by full Bayes; write posterior_recovery.csv.

    python benchmarks/posterior_recovery.py [REPLICATES]

Groups, designs and columns are those of `group_recovery.py`; every subject is simulated here, no
patient is behind any number. Each data set is fitted twice by NUTS with default priors, 2 chains of
400 draws: by the model that knows of body surface and of no groups, and by one with a ratio of
clearance for the first group as a theta. Read by

    unaware   draws of the subjects' clearances per m2 (kind "posterior") by the former
    aware     the same by the latter
    theta     its typical values (kind "posterior_model")

An interval counts whatever the chains said of themselves, for a short run is all that many
replicates allow. Priors of the ratio are centred at 1, and very wide.
"""

from __future__ import annotations

import csv
import itertools
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
from group_recovery import COLUMNS, GROUPS, UNITS, Answer, Case, Replicate, rows_of

import pkmodel as pk
from pkmodel.contrast.comparison import given_comparison
from pkmodel.contrast.group_shrinkage import group_shrinkage
from pkmodel.contrast.posterior import INSIDE, OF_SUBJECTS, posterior_contrasts
from pkmodel.contrast.record import Contrast
from pkmodel.subjects import Subjects

PATH = Path(__file__).with_suffix(".csv")
REPLICATES = 40
PROCESSES = 2
CASES = (Case("sparse", 30, 1.25), Case("rich", 8, 1.25), Case("rich", 30, 1.25))
OPTIONS = pk.Options("nuts", chains=2, tune=200, draws=400)


def aware(model: pk.Model) -> pk.Model:
    """Return a model with a ratio of clearance for the first group."""
    return replace(
        model,
        parameters={**model.parameters, "CL": "cl * BSA * where(CODE == 0, ratio, 1)"},
        theta=(*model.theta, pk.Theta("ratio", 1.0, lower=0.0)),
    )


def contrasts_of(model: pk.Model, data: pk.Dataset) -> tuple[pk.Fit, dict[str, Contrast], float]:
    """Fit, and compare by the draws: contrasts by kind, and the shrinkage about group means."""
    fit = pk.fit(pk.Definition("", None, model, OPTIONS), data)
    subjects = Subjects(bsa=fit.problem.dataset.covariates["BSA"])
    fit = replace(fit, subjects=subjects)
    code = fit.individuals["CODE"].to_numpy().astype(np.int64)
    asked = given_comparison(GROUPS, code, reference=GROUPS[1])
    shrinkage = group_shrinkage(fit.problem, fit.estimate, asked)
    found = posterior_contrasts(
        fit.problem, fit.posterior, fit.exposure, subjects, asked, shrinkage, ["CL_BSA"]
    )
    return fit, {c.kind: c for c in found.contrasts}, shrinkage["CL"]


def replicate(case: Case, number: int) -> Replicate:
    """Simulate, fit twice, and read the ratio in three ways."""
    table = case.data(number)
    table["CODE"] = (table["ID"] >= case.subjects).astype(float)
    data = pk.read_dataset(table, units=UNITS)
    begin = time.perf_counter()
    fit, plain, in_groups = contrasts_of(case.model(), data)
    middle = time.perf_counter()
    _, told, _ = contrasts_of(aware(case.model()), data)
    end = time.perf_counter()
    answers = (
        Answer("unaware", plain[OF_SUBJECTS], middle - begin),
        Answer("aware", told[OF_SUBJECTS], end - middle),
        Answer("theta", told[INSIDE], end - middle),
    )
    return Replicate(fit.shrinkage["eta"]["CL"], in_groups, answers)


def study(task: tuple[Case, int]) -> Replicate:
    """Run one replicate of a case."""
    return replicate(*task)


def main(replicates: int = REPLICATES) -> None:
    """Run every case and write the table."""
    replicate(CASES[0], 0)
    with PATH.open("w", newline="") as file, ProcessPoolExecutor(PROCESSES) as pool:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for case in CASES:
            found = list(pool.map(study, itertools.product([case], range(replicates))))
            writer.writerows(rows_of(case, found))
            file.flush()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
