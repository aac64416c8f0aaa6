"""Time the toolkit and its peers; append the rows to results.csv.

    python benchmarks/run.py            the core rows, peers where they are installed
    python benchmarks/run.py --scale    also 10^2 ... 10^6 subjects and a second thread

One core unless a row says otherwise; every time stands beside its objective.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import arviz as az
import numpy as np
import pandas as pd
import stamp
from problems import TIMES, infusion_data, infusion_model

import pkmodel as pk
from pkmodel.bayes.default_priors import complete
from pkmodel.dataset import Dataset
from pkmodel.definition.option_check import METHODS
from pkmodel.models.model import Options
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
    "monte_carlo_error",
    "cpu_seconds",
    "ess",
    "ess_per_cpu_second",
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
        shown += ("warm_seconds", "evaluations", "objective", "above_best", "ess")
        shown += ("ess_per_cpu_second", "status")
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


CHAINS, DRAWS, RUNS = 4, 1000, 5
EXACT = Options(method="agq", order=15)
"""The likelihood by which the estimates of every method are judged."""


def with_options(model: pk.Model, options: Options) -> pk.Definition:
    """Return a model with all its options, as a definition."""
    return pk.Definition("", None, model, options, None, None)


def objectives(rows: Rows) -> None:
    """One evaluation of the objective by quadrature and by importance sampling."""
    data = pk.read_dataset(infusion_data(120))
    model = infusion_model()
    fit = pk.fit(model, data, covariance=False)
    x, modes = fit.estimate.x, fit.estimate.final.terms.eta
    best = Problem(model, data, EXACT).evaluate(x).objective
    for what, options in (
        ("objective, order 7", Options(method="agq", order=7)),
        ("objective, 1,000 draws a subject", Options(method="imp", draws=1000)),
    ):
        problem = Problem(model, data, options)
        found = problem.evaluate(x, modes)
        cold, warm = measure(lambda p=problem: p.evaluate(x, modes), 15)
        rows.add(
            problem="infusion 120 x 18",
            subjects=120,
            observations=120 * TIMES.size,
            what=f"{options.method}: {what}",
            cold_seconds=rounded(cold),
            warm_seconds=rounded(warm),
            runs=15,
            evaluations=1,
            objective=round(found.objective, 4),
            above_best=round(found.objective - best, 4),
            monte_carlo_error=found.error,
            status="evaluated",
        )


def methods(rows: Rows) -> None:
    """Fit the same data by every method; all are judged by the exact objective."""
    data = pk.read_dataset(infusion_data(120))
    model = infusion_model()
    exact = Problem(model, data, EXACT)
    best = pk.fit(with_options(model, EXACT), data, covariance=False).objective
    for method in METHODS:
        if method == "nuts":
            continue
        fit = pk.fit(model, data, method=method, covariance=False)
        runs = 15 if fit.seconds["optimise"] < 0.2 else 5
        cold, warm = measure(lambda m=method: pk.fit(model, data, method=m, covariance=False), runs)
        objective = exact.evaluate(fit.estimate.x).objective
        rows.add(
            problem="infusion 120 x 18",
            subjects=120,
            observations=120 * TIMES.size,
            what=f"{method}: fit, no standard errors; exact objective",
            cold_seconds=rounded(cold),
            warm_seconds=rounded(warm),
            runs=runs,
            evaluations=fit.estimate.evaluations,
            objective=round(objective, 4),
            above_best=round(objective - best, 4),
            status=str(fit.status),
        )


def bayes(rows: Rows, interpreter: Path | None) -> None:
    """Sample the same data by both targets of nuts, and by PyMC: effective draws per CPU second.

    Priors are the defaults, written out for PyMC. CPU seconds are of all threads and of sampling,
    tuning included: PyMC is given its start, and compilation counts for neither. Rows of whole fits
    add the search for a start, the exact objective and the diagnosis of the draws. Of several runs,
    each with its seed, the row is that of median efficiency.
    """
    table = infusion_data(120)
    data = pk.read_dataset(table)
    model = infusion_model()
    common = {
        "problem": "infusion 120 x 18",
        "subjects": 120,
        "observations": 120 * TIMES.size,
    }
    for target, runs in {"joint": RUNS, "marginal": 1}.items():
        options = Options(method="nuts", target=target, chains=CHAINS, draws=DRAWS)
        pk.fit(with_options(model, replace(options, chains=1, draws=100, tune=50)), data)
        found = [
            sampled(with_options(model, replace(options, seed=seed)), data)
            for seed in range(1, runs + 1)
        ]
        for part in ("sampling", "whole fit"):
            run = sorted(found, key=lambda run: run["ess"] / run[part])[runs // 2]
            rows.add(
                **common,
                runs=runs,
                what=f"nuts, {target}, {part}: {CHAINS} chains of {DRAWS} draws; "
                f"ESS of {run['whose']}",
                warm_seconds=rounded(run["wall"]) if part == "whole fit" else "",
                cpu_seconds=rounded(run[part]),
                ess=round(run["ess"]),
                ess_per_cpu_second=rounded(run["ess"] / run[part]),
                status=run["status"],
            )
    if interpreter is None:
        print("bayes: name an interpreter that has PyMC and nutpie by --pymc PYTHON")
        return
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/data.csv", f"{folder}/settings.json"]
        table.to_csv(files[0], index=False)
        Path(files[1]).write_text(json.dumps(pymc_settings(model, data)))
        call = [str(interpreter), str(HERE / "peers" / "pymc_infusion.py"), *files]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"bayes: PyMC did not run: {done.stderr.strip()[-300:]}")
        return
    for line in done.stdout.strip().splitlines():
        found = json.loads(line)
        settled = found["rhat"] < 1.01 and not found["divergences"]
        rows.add(
            **common,
            runs=RUNS,
            program=f"PyMC {found['pymc']}, nutpie {found['nutpie']}",
            what=f"{found['form']}: {CHAINS} chains of {DRAWS} draws; ESS of {found['ess_of']}",
            warm_seconds=rounded(found["wall_seconds"]),
            cpu_seconds=rounded(found["cpu_seconds"]),
            ess=round(found["ess"]),
            ess_per_cpu_second=rounded(found["ess"] / found["cpu_seconds"]),
            status="converged"
            if settled
            else f"R-hat {found['rhat']:.3f}, {found['divergences']} divergences",
            peak_mib="",
        )


def pymc_settings(model: pk.Model, data: Dataset) -> dict[str, object]:
    """Write out the default priors of the model, and where the chains start: at the modes."""
    fit = pk.fit(model, data, covariance=False)
    values = fit.problem.packing.unpack(fit.estimate.x)
    standard = np.linalg.solve(values.factor, fit.estimate.final.terms.eta.T).T
    priors = complete(model)
    theta = [priors.theta[t.name].numbers for t in model.theta]
    return {
        "priors": {
            "theta_location": [float(np.log(median)) for median, _ in theta],
            "theta_scale": [deviation for _, deviation in theta],
            "omega_scale": [priors.omega[p].numbers[0] for p in ("CL", "V")],
            "lkj": priors.lkj,
            "sigma_scale": priors.sigma["proportional"].numbers[0],
        },
        "start": {
            "theta": values.theta.tolist(),
            "omega": values.omega.tolist(),
            "u": standard.tolist(),
            "sigma": float(values.sigma[1]),
        },
        "chains": CHAINS,
        "draws": DRAWS,
        "tune": None,
        "seed": 1,
        "runs": RUNS,
    }


def sampled(definition: pk.Definition, data: Dataset) -> dict[str, Any]:
    """Sample once: CPU seconds of the parts, effective draws and whose they are."""
    cpu, wall = time.process_time(), time.perf_counter()
    fit = pk.fit(definition, data)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    ess, whose = smallest_ess(fit)
    assert fit.posterior is not None
    return {
        "sampling": fit.posterior.cpu_seconds,
        "whole fit": cpu,
        "wall": wall,
        "ess": ess,
        "whose": whose,
        "status": str(fit.status),
    }


def smallest_ess(fit: pk.Fit) -> tuple[float, str]:
    """Return the smallest bulk ESS over the population parameters, and whose it is."""
    packing = fit.problem.packing
    natural = np.apply_along_axis(packing.natural, 2, fit.posterior.x)
    ess = [float(az.ess(natural[:, :, k], method="bulk")) for k in range(packing.size)]
    least = int(np.argmin(ess))
    return ess[least], packing.names[least]


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


def fit_by_pynlme(
    rows: Rows,
    common: dict[str, object],
    interpreter: Path,
    source: Path,
    exact: Problem,
    best: float,
) -> None:
    """Fit by SAEM of pynlme, in the interpreter that has it; judged by the exact objective."""
    call = [str(interpreter), str(HERE / "peers" / "pynlme_infusion.py"), str(source)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"peers: pynlme did not run: {done.stderr.strip()[-300:]}")
        return
    found = json.loads(done.stdout)
    estimates = found["estimates"]
    factors = [np.array([[v**0.5]]) for v in estimates["omega"]]
    x = exact.packing.pack(estimates["theta"], factors, [estimates["sigma"]])
    reached = exact.evaluate(x).objective
    rows.add(
        **common,
        program=f"pynlme {found['version']}",
        what="saem: fit; exact objective",
        warm_seconds=rounded(found["seconds"]),
        runs=5,
        evaluations=found["iterations"],
        objective=round(reached, 4),
        above_best=round(reached - best, 4),
        status="ended",
        peak_mib="",
    )


def peers(rows: Rows, source: Path | None, pynlme: Path | None) -> None:
    """Fit the ACOP infusion data, single dose, here, by pynlme, and by R's nlme and TMB."""
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
    saem = pk.fit(model, data, method="saem", covariance=False)
    cold, warm = measure(lambda: pk.fit(model, data, method="saem", covariance=False), 5)
    exact = Problem(model, data, EXACT)
    best_exact = pk.fit(with_options(model, EXACT), data, covariance=False).objective
    reached = exact.evaluate(saem.estimate.x).objective
    rows.add(
        **common,
        what="saem: fit, no standard errors; exact objective",
        cold_seconds=rounded(cold),
        warm_seconds=rounded(warm),
        runs=5,
        evaluations=saem.estimate.evaluations,
        objective=round(reached, 4),
        above_best=round(reached - best_exact, 4),
        status=str(saem.status),
    )
    if pynlme is None:
        print("peers: name an interpreter that has pynlme by --pynlme PYTHON")
    else:
        fit_by_pynlme(rows, common, pynlme, source, exact, best_exact)
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
    parser.add_argument("--pymc", type=Path, help="interpreter that has PyMC and nutpie")
    parser.add_argument("--pynlme", type=Path, help="interpreter that has pynlme")
    parser.add_argument("--acop", type=Path, help="infusion_1cpt.csv, for the peers")
    arguments = parser.parse_args()
    rows = Rows()
    imports(rows)
    core(rows)
    objectives(rows)
    methods(rows)
    bayes(rows, arguments.pymc)
    phenobarbital(rows)
    peers(rows, arguments.acop, arguments.pynlme)
    if arguments.scale:
        scale(rows)
    rows.save()


if __name__ == "__main__":
    main()
