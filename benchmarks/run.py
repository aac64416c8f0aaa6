"""Time the toolkit and its peers; append the rows to results.csv.

    python benchmarks/run.py            the core rows, peers where they are installed
    python benchmarks/run.py --scale    also 10^2 ... 10^6 subjects and a second thread

One core unless a row says otherwise; every time stands beside its objective.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import pandas as pd
import stamp
from problems import TIMES, infusion_data, infusion_model

import pkmodel as pk
from pkmodel.problem import LOOSE, Problem

HERE = Path(__file__).parent
COLUMNS = [
    *stamp.COLUMNS,
    "program",
    "problem",
    "subjects",
    "observations",
    "threads",
    "what",
    "cold_seconds",
    "warm_seconds",
    "runs",
    "evaluations",
    "objective",
    "above_best",
    "status",
    "peak_mib",
]


def measure(task: Callable[[], object], runs: int) -> tuple[float, float]:
    """Return the first and the median of the further run times."""
    times = []
    for _ in range(runs + 1):
        begin = time.perf_counter()
        task()
        times.append(time.perf_counter() - begin)
    return times[0], float(np.median(times[1:]))


class Rows:
    """Rows of one run, printed as they come."""

    def __init__(self) -> None:
        self.common = stamp.stamp()
        self.rows: list[dict[str, object]] = []

    def add(self, **row: object) -> None:
        """Add a row."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        full = {"program": "pkmodel", "threads": 1, "peak_mib": peak, **self.common, **row}
        self.rows.append(full)
        shown = ("program", "problem", "subjects", "threads", "what", "cold_seconds")
        shown += ("warm_seconds", "evaluations", "objective", "above_best", "status")
        print("  ".join(f"{full.get(name, '')}" for name in shown), flush=True)

    def save(self) -> None:
        """Append to results.csv."""
        path = HERE / "results.csv"
        is_new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if is_new:
                writer.writeheader()
            writer.writerows({c: row.get(c, "") for c in COLUMNS} for row in self.rows)


def rounded(seconds: float) -> float:
    """Four significant digits."""
    return float(f"{seconds:.4g}")


def core(rows: Rows) -> None:
    """One evaluation and whole fits of 120 subjects x 18 observations."""
    data = pk.read_dataset(infusion_data(120))
    model = infusion_model()
    options = pk.Options()
    fit = pk.fit(model, data)
    problem = Problem(model, data, options)
    x, modes = fit.estimate.x, fit.estimate.final.terms.eta
    near = x + 0.02
    common = {
        "problem": "infusion 120 x 18",
        "subjects": 120,
        "observations": 120 * TIMES.size,
        "objective": round(fit.objective, 4),
        "status": str(fit.status),
        "above_best": 0.0,
    }
    cold, warm = measure(lambda: problem.evaluate(near, modes, tolerance=LOOSE), 200)
    rows.add(
        **common | {"objective": round(problem.evaluate(near).objective, 4), "status": "evaluated"},
        what="objective + gradient, modes warm",
        cold_seconds=rounded(cold),
        warm_seconds=rounded(warm),
        runs=200,
        evaluations=1,
    )
    for label, wanted in (("fit, no standard errors", False), ("fit", True)):
        cold, warm = measure(lambda wanted=wanted: pk.fit(model, data, covariance=wanted), 15)
        rows.add(
            **common,
            what=label,
            cold_seconds=rounded(cold),
            warm_seconds=rounded(warm),
            runs=15,
            evaluations=fit.estimate.evaluations,
        )


def phenobarbital(rows: Rows) -> None:
    """Fit the shipped newborns, in process and as a whole command, warm and cold."""
    definition = pk.read_definition("phenobarbital")
    fit = pk.fit(definition)
    common = {
        "problem": "phenobarbital",
        "subjects": fit.n_subjects,
        "observations": fit.n_observations,
        "objective": round(fit.objective, 4),
        "above_best": round(fit.objective - 586.2760562852096, 4),
        "status": str(fit.status),
        "evaluations": fit.estimate.evaluations,
    }
    cold, warm = measure(lambda: pk.fit(definition), 15)
    rows.add(**common, what="fit", cold_seconds=rounded(cold), warm_seconds=rounded(warm), runs=15)
    with tempfile.TemporaryDirectory() as folder:
        call = [str(Path(sys.executable).parent / "pkmodel"), "fit", "phenobarbital", "--out"]
        environment = {**os.environ, "PKMODEL_CACHE": folder}

        def run() -> None:
            subprocess.run(
                [*call, f"{folder}/out"], env=environment, check=True, capture_output=True
            )

        cold, warm = measure(run, 5)
    rows.add(
        **common,
        what="whole command, cold: kernels compiled",
        cold_seconds=rounded(cold),
        warm_seconds=rounded(warm),
        runs=5,
    )


def imports(rows: Rows) -> None:
    """Import of the package in a new process."""
    code = "import time; t = time.perf_counter(); import pkmodel; print(time.perf_counter() - t)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(6)
    ]
    rows.add(
        problem="none",
        what="import pkmodel",
        cold_seconds=rounded(times[0]),
        warm_seconds=rounded(float(np.median(times[1:]))),
        runs=5,
    )


def scale(rows: Rows) -> None:
    """Objective and gradient for 10^2 ... 10^6 subjects x 10, one and two threads."""
    times = TIMES[:18:2][:9]
    times = np.r_[times, 60.0]
    for power in range(2, 7):
        subjects = 10**power
        data = pk.read_dataset(infusion_data(subjects, times))
        model = infusion_model()
        for threads in (1, 2):
            problem = Problem(model, data, pk.Options(), threads=threads)
            x = problem.packing.initial()
            first = problem.evaluate(x, tolerance=LOOSE)
            modes = first.terms.eta
            runs = 20 if power < 5 else 3
            cold, warm = measure(
                lambda p=problem, x=x, modes=modes: p.evaluate(x + 0.02, modes, tolerance=LOOSE),
                runs,
            )
            rows.add(
                problem="infusion n x 10",
                subjects=subjects,
                observations=subjects * times.size,
                threads=threads,
                what="objective + gradient, modes warm",
                cold_seconds=rounded(cold),
                warm_seconds=rounded(warm),
                runs=runs,
                evaluations=1,
                objective=round(first.objective, 3),
                status="evaluated",
            )
        del data, problem


def peers(rows: Rows, source: Path | None) -> None:
    """Fit the ACOP infusion data, single dose, here and by R's nlme and TMB where installed."""
    if source is None:
        print("peers: name the data by --acop FILE (infusion_1cpt.csv of the ACOP 2016 set)")
        return
    table = pd.read_csv(source)
    table = table[table["SD"] == 1].drop(columns=["SSX", "IIX"])
    data = pk.read_dataset(table)
    model = pk.Model(
        structure="one_compartment",
        parameters={"CL": "exp(lcl)", "V": "exp(lv)"},
        theta=(pk.Theta("lcl", 1.6), pk.Theta("lv", 4.5)),
        omega=(
            pk.OmegaBlock(("CL",), ((0.15,),)),
            pk.OmegaBlock(("V",), ((0.15,),)),
        ),
        residual=pk.Residual((pk.Sigma("proportional", 0.3),)),
    )
    best = pk.fit(model, data)
    common = {
        "problem": "infusion_1cpt, SD == 1",
        "subjects": best.n_subjects,
        "observations": best.n_observations,
    }
    cold, warm = measure(lambda: pk.fit(model, data, covariance=False), 9)
    rows.add(
        **common,
        what="fit, no standard errors",
        cold_seconds=rounded(cold),
        warm_seconds=rounded(warm),
        runs=9,
        evaluations=best.estimate.evaluations,
        objective=round(best.objective, 4),
        above_best=0.0,
        status=str(best.status),
    )
    if shutil.which("Rscript") is None:
        print("peers: no Rscript here, so nlme and TMB are left out")
        return
    for name in ("nlme", "tmb"):
        call = ["Rscript", str(HERE / "peers" / f"{name}.R"), str(source)]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"peers: {name} did not run: {done.stderr.strip()[-300:]}")
            continue
        seconds, objective, evaluations, status = done.stdout.strip().splitlines()[-1].split(",")
        rows.add(
            **common,
            program=name,
            what="fit",
            warm_seconds=rounded(float(seconds)),
            runs=1,
            evaluations=evaluations,
            objective=objective,
            above_best=round(float(objective) - best.objective, 4),
            status=status,
            peak_mib="",
        )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", action="store_true", help="10^2 ... 10^6 subjects, two threads")
    parser.add_argument("--acop", type=Path, help="infusion_1cpt.csv, for the peers")
    arguments = parser.parse_args()
    rows = Rows()
    imports(rows)
    core(rows)
    phenobarbital(rows)
    peers(rows, arguments.acop)
    if arguments.scale:
        scale(rows)
    rows.save()


if __name__ == "__main__":
    main()
