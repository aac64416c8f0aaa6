"""Calibrate every method on virtual children with an infusion; write calibration.csv.

    python benchmarks/calibration.py [METHOD ...] [--designs rich sparse] [--replicates 200]

Every child is simulated here from a fixed seed: no patient is behind any number. Clearance and
volume per m2 of body surface, log-normal and correlated, proportional error, an infusion of 48 h:

    rich    40 children, 10 samples each, during the infusion and after it
    sparse  100 children, 2 or 3 samples each: on the way up, on the plateau, and of every second
            child after the stop

Each method fits the same data sets, from initial values that are wrong by a half. A row is a
method, a design, a parameter, and where the standard errors are from: bias, RMSE, scatter of the
estimates over their mean standard error, coverage of the 95 % interval as the summary has it; of
nuts, posterior means and equal-tailed intervals under its default priors about the starts.
Nothing is dropped unseen: `failed` counts fits that did not converge or could not be made,
`doubtful` fits of nuts whose status has a doubt about the draws and which are kept all the same,
`no_interval` converged fits without an interval (a variance at zero); `coverage` is of the
intervals there are, `coverage_of_all` takes the others as misses.

Beside these, in columns of their own and without a look at any fit:

    expected  coverage of the same interval in the model made linear about the truth, fitted by
              maximum likelihood in closed form, of 4,000 trials of this design (linear_twin.py):
              what the size of the trial alone costs. The sandwich costs more than the second
              derivatives, for it estimates fourth moments.
    promise   "yes" where theory has the coverage near 95 %, else why it does not

A rate counted in 200 data sets has a standard error of 1.5 points (`coverage_se`): a true 95 % is
outside 92 to 97.5 % by chance once in twenty, a true 94 % once in ten. All methods share the data,
and with them the chance; rows of 1,000 data sets, of one exact method, tell it from a fault:
`python benchmarks/calibration.py agq --replicates 1000`.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import linear_twin
import numpy as np
import pandas as pd
import stamp

import pkmodel as pk
from pkmodel.definition.option_check import METHODS
from pkmodel.diagnostics.parameters import Parameter, parameters
from pkmodel.estimate.covariance import Covariance, covariance
from pkmodel.status import Status

PATH = Path(__file__).with_suffix(".csv")
REPLICATES = 200
LEVEL = 0.95
LOWEST, HIGHEST = 0.92, 0.975
UNITS = {"time": "h", "amount": "ug", "concentration": "ug/L"}
RATE, STOP = 0.625, 48.0
"""ug/h/m2 (15 ug/m2/day), h."""

TRUTH = {
    "theta cl": 0.914,
    "theta v": 3.14,
    "omega CL": 0.1,
    "omega CL,V": 0.03,
    "omega V": 0.06,
    "sigma proportional": 0.2,
}
"""L/h/m2, L/m2, (co)variances of log CL and log V, a share of the prediction."""

OMEGA = np.array([[0.1, 0.03], [0.03, 0.06]])
LINEAR_TRIALS = 4000

ERRORS = ("sandwich", "r")
ERRORS_OF = {"nuts": ("posterior",)}
"""Where the intervals of each method are from."""

DOUBTS = (Status.DIVERGENT, Status.NOT_MIXED, Status.FEW_DRAWS)

COLUMNS = [*stamp.COLUMNS, "data", "design", "subjects", "observations", "method", "errors_from"]
COLUMNS += ["parameter", "truth", "replicates", "failed", "doubtful", "no_interval"]
COLUMNS += ["bias_percent", "bias_percent_se", "bias_in_sd", "rmse_percent", "sd_over_se"]
COLUMNS += ["coverage", "coverage_se", "coverage_of_all", "expected", "promise", "verdict"]
COLUMNS += ["cpu_seconds_per_fit"]


@dataclass(frozen=True)
class Design:
    """Children, and the sampling times of all and of every second one."""

    subjects: int
    times: tuple[float, ...]
    more: tuple[float, ...] = ()

    @property
    def n_samples(self) -> np.ndarray:
        """Samples of each subject."""
        return len(self.times) + len(self.more) * (np.arange(self.subjects) % 2)

    def times_of(self, number: int) -> np.ndarray:
        """Return the sampling times of a subject."""
        return np.sort([*self.times, *self.more * (number % 2)])

    def data(self, replicate: int) -> pd.DataFrame:
        """Simulate a data set."""
        rng = np.random.default_rng([replicate, self.subjects])
        n = self.subjects
        bsa = rng.uniform(0.3, 1.8, n)
        eta = rng.normal(size=(n, 2)) @ np.linalg.cholesky(OMEGA).T
        cl = TRUTH["theta cl"] * bsa * np.exp(eta[:, 0])
        v = TRUTH["theta v"] * bsa * np.exp(eta[:, 1])
        who = np.repeat(np.arange(n), self.n_samples)
        times = np.concatenate([self.times_of(i) for i in range(n)])
        on = np.minimum(times, STOP)
        k = (cl / v)[who]
        f = (RATE * bsa / cl)[who] * -np.expm1(-k * on) * np.exp(-k * (times - on))
        y = f * (1.0 + TRUTH["sigma proportional"] * rng.normal(size=f.size))
        dose = pd.DataFrame({"ID": np.arange(n), "TIME": 0.0, "AMT": RATE * STOP * bsa})
        dose = dose.assign(RATE=RATE * bsa, EVID=1, DV=np.nan)
        rows = pd.DataFrame({"ID": who, "TIME": times, "AMT": 0.0, "RATE": 0.0, "EVID": 0, "DV": y})
        table = pd.concat([dose, rows]).sort_values(["ID", "TIME"])
        return table.assign(ID=table["ID"] + 1, BSA=bsa[table["ID"]])


DESIGNS = {
    "rich": Design(40, (1.0, 2.0, 4.0, 8.0, 24.0, 47.5, 48.5, 50.0, 52.0, 55.0)),
    "sparse": Design(100, (3.0, 40.0), (53.0,)),
}


def model(off: float = 1.5) -> pk.Model:
    """Return the model of the data, its initial values `off` by a factor."""
    start = off * OMEGA
    return pk.Model(
        structure="one_compartment",
        parameters={"CL": "cl * BSA", "V": "v * BSA"},
        theta=(
            pk.Theta("cl", TRUTH["theta cl"] * off, lower=0.0),
            pk.Theta("v", TRUTH["theta v"] * off, lower=0.0),
        ),
        omega=(pk.OmegaBlock(("CL", "V"), tuple(map(tuple, start.tolist()))),),
        residual=pk.Residual((pk.Sigma("proportional", TRUTH["sigma proportional"] * off),)),
    )


# -- what theory says, before anything is run -----------------------------------------------------


@cache
def twin(design: str) -> dict[str, np.ndarray]:
    """Coverage of every interval of a design in the linear model, by where its errors are from."""
    asked = DESIGNS[design]
    cl, v, sigma = (TRUTH[name] for name in ("theta cl", "theta v", "sigma proportional"))
    groups = [
        linear_twin.Group(
            linear_twin.slopes(asked.times_of(odd), cl, v, STOP),
            int(np.sum(np.arange(asked.subjects) % 2 == odd)),
        )
        for odd in (0, 1)
    ]
    return linear_twin.coverage(groups, OMEGA, sigma, LINEAR_TRIALS)


def expected(design: str, errors_from: str) -> dict[str, float]:
    """Coverage of each interval in the linear model; of credible ones that of R."""
    kind = errors_from if errors_from in ERRORS else "r"
    return dict(zip(TRUTH, twin(design)[kind].tolist(), strict=True))


def promise(method: str, design: str, parameter: str, errors_from: str) -> str:
    """Say whether theory has the coverage near 95 %: "yes", or why it does not."""
    if method == "fo":
        return "FO linearises at effects of zero: biased where effects are not small"
    if method == "foce":
        return "FOCE keeps the proportional error at effects of zero: biased where they are not"
    if method in ("focei", "laplace") and design == "sparse":
        return (
            "an approximation of each subject's integral: its error falls with the samples of a "
            "subject, here 2 or 3, not with subjects"
        )
    if method == "nuts" and parameter.startswith("omega"):
        return "a credible interval: in small samples its coverage of a variance is the prior's too"
    if expected(design, errors_from)[parameter] < LOWEST + 0.005:
        return f"{DESIGNS[design].subjects} subjects are few for {errors_from}: see expected"
    return "yes"


# -- fits -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """A fit: the parameters by where their intervals are from; None where it failed."""

    by_errors: dict[str, dict[str, Parameter]] | None
    seconds: float
    is_doubtful: bool = False


def fit(method: str, data: pd.DataFrame, number: int) -> Result:
    """Fit one data set."""
    begin = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pk.fit(model(), pk.read_dataset(data, units=UNITS), method=method, seed=number)
    except pk.FitError:
        return Result(None, time.process_time() - begin)
    seconds = time.process_time() - begin
    is_doubtful = found.status in DOUBTS
    if not found.converged and not is_doubtful:
        return Result(None, seconds)
    return Result(dict(intervals(found)), seconds, is_doubtful)


def intervals(found: pk.Fit) -> Iterator[tuple[str, dict[str, Parameter]]]:
    """Yield the parameters with each kind of errors: those of the summary, then those from R."""
    own = {name: Parameter(**row) for name, row in found.summary().T.to_dict().items()}
    if found.method == "nuts":
        yield "posterior", own
        return
    yield "sandwich", own
    other = parameters(found.problem, found.estimate.x, from_r(found))
    yield (
        "r",
        {f"{kind} {name}": p for kind, entries in other.items() for name, p in entries.items()},
    )


def from_r(found: pk.Fit) -> Covariance:
    """Return the covariance from R alone, of the second derivatives that the fit has."""
    given, x, packing = found.covariance, found.estimate.x, found.problem.packing
    assert given is not None
    if given.boundary or given.flat:
        return covariance(found.problem, x, found.estimate.final, "r")
    packed = np.linalg.inv(0.5 * given.hessian)
    jacobian = packing.natural_jacobian(x)
    return replace(given, packed=packed, natural=jacobian @ packed @ jacobian.T, source="r")


# -- table ----------------------------------------------------------------------------------------


def rows_of(design: str, method: str, results: list[Result]) -> Iterator[dict[str, object]]:
    """Summarise the fits of a method on a design: a row for each parameter and kind of errors."""
    good = [r.by_errors for r in results if r.by_errors is not None]
    asked = DESIGNS[design]
    kinds = ERRORS_OF.get(method, ERRORS)
    for errors_from, (parameter, truth) in itertools.product(kinds, TRUTH.items()):
        found = [g[errors_from][parameter] for g in good]
        yield {
            **stamp.stamp(),
            "data": "virtual",
            "design": design,
            "subjects": asked.subjects,
            "observations": int(asked.n_samples.sum()),
            "method": method,
            "errors_from": errors_from,
            "parameter": parameter,
            "truth": truth,
            "replicates": len(results),
            "failed": len(results) - len(good),
            "doubtful": sum(r.is_doubtful for r in results),
            **(summary(found, truth, len(results)) if len(found) > 1 else {}),
            **theory(method, design, parameter, errors_from),
            "cpu_seconds_per_fit": float(f"{np.median([r.seconds for r in results]):.3g}"),
        }


def theory(method: str, design: str, parameter: str, errors_from: str) -> dict[str, object]:
    """Return what was said before."""
    value = expected(design, errors_from)[parameter]
    return {
        "expected": round(value, 4),
        "promise": promise(method, design, parameter, errors_from),
    }


def summary(found: list[Parameter], truth: float, replicates: int) -> dict[str, object]:
    """Bias, scatter and coverage of one parameter."""
    estimate, se, lower, upper = (
        np.array([getattr(p, key) for p in found]) for key in ("estimate", "se", "lower", "upper")
    )
    has_interval = np.isfinite(lower) & np.isfinite(upper)
    inside = int(np.sum((lower <= truth) & (truth <= upper) & has_interval))
    count = int(has_interval.sum())
    error, sd = estimate - truth, float(np.std(estimate, ddof=1))
    coverage = inside / count
    percent = 100.0 / abs(truth)
    return {
        "no_interval": len(found) - count,
        "bias_percent": round(percent * float(error.mean()), 2),
        "bias_percent_se": round(percent * sd / len(found) ** 0.5, 2),
        "bias_in_sd": round(float(error.mean()) / sd, 3),
        "rmse_percent": round(percent * float(np.sqrt(np.mean(error**2))), 2),
        "sd_over_se": round(sd / float(np.mean(se[has_interval])), 3),
        "coverage": round(coverage, 4),
        "coverage_se": round(float(np.sqrt(LEVEL * (1.0 - LEVEL) / count)), 4),
        "coverage_of_all": round(inside / replicates, 4),
        "verdict": "within" if LOWEST <= coverage <= HIGHEST else "outside",
    }


def keep(path: Path, rows: list[dict[str, object]]) -> None:
    """Write rows; those of the same design, method and number of data sets that stood there go."""
    new = {_place(row) for row in rows}
    old: list[dict[str, object]] = []
    if path.exists():
        with path.open(newline="") as file:
            old = [row for row in csv.DictReader(file) if _place(row) not in new]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(sorted([*old, *rows], key=_place))


def _place(row: Mapping[str, object]) -> tuple[int, int, int]:
    """Return what a row is ordered by."""
    return (
        list(DESIGNS).index(str(row["design"])),
        METHODS.index(str(row["method"])),
        int(str(row["replicates"])),
    )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", default=METHODS, metavar="METHOD")
    parser.add_argument("--designs", nargs="+", default=tuple(DESIGNS), choices=DESIGNS)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--out", type=Path, default=PATH, help="instead of calibration.csv")
    arguments = parser.parse_args()
    stamp.stamp()
    for design in arguments.designs:
        data = [DESIGNS[design].data(number) for number in range(arguments.replicates)]
        for method in arguments.methods:
            results = [fit(method, one, number) for number, one in enumerate(data)]
            rows = list(rows_of(design, method, results))
            keep(arguments.out, rows)
            shown = ["parameter", "errors_from", "failed", "bias_percent", "coverage", "expected"]
            print(design, method)
            table = pd.DataFrame(rows, columns=COLUMNS)[shown]
            print(table.to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
