"""Simulation-based calibration of nuts; write sbc.csv and a picture of each target.

    python benchmarks/sbc.py [--replicates 400] [--targets joint marginal] [--first 0]

Population parameters are drawn from their priors, effects and concentrations of virtual children
from these, and the posterior is sampled: where the sampler is right, the rank of what was drawn
among the draws is uniform (Talts et al. 2018, arXiv:1804.06788). No patient is behind any number.

The ranks are those of every population parameter, of the effects of the first child, and of the
joint log density, which also sees errors that leave each parameter alone right (Modrak et al. 2023,
10.1214/23-BA1404). Two tests of each: chi-square over 20 bins, and the largest deviation of the
ranks' distribution function, as a pointwise probability whose own law under uniform ranks is
simulated (Säilynoja, Bürkner and Vehtari 2022, 10.1007/s11222-022-10090-6); the envelope of the
picture is that of the second.

The priors keep standard deviations away from zero, where no sampler of this kind goes everywhere:
what is tested is whether the density, its gradient and the draws belong to the model that is
declared. `doubtful` counts fits whose own status says that they are not to be trusted; they are
ranked with the others. Rows of a target that is not run stay; `--first` numbers the first data set,
whose seed its number is, so that another number has other data.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import stamp
import uniformity

import pkmodel as pk
from pkmodel.bayes.prior import PackedPrior
from pkmodel.dataset import Dataset
from pkmodel.models.model import Options
from pkmodel.models.prior import Prior, Priors
from pkmodel.problem import Problem

TABLE = Path(__file__).with_suffix(".csv")
REPLICATES = 400
CHAINS, DRAWS, THINNED = 4, 250, 5
N_RANKS = CHAINS * DRAWS // THINNED
"""The draws that are compared with are one fewer, so that there are so many ranks."""

UNITS = {"time": "h", "amount": "ug", "concentration": "ug/L"}
TIMES = np.array([2.0, 24.0, 47.0, 50.0, 54.0])
RATE, STOP = 0.625, 48.0
SUBJECTS = 16
MODEL = pk.Model(
    structure="one_compartment",
    parameters={"CL": "cl * BSA", "V": "v * BSA"},
    theta=(pk.Theta("cl", 0.914, lower=0.0), pk.Theta("v", 3.14, lower=0.0)),
    omega=(pk.OmegaBlock(("CL", "V"), ((0.1, 0.03), (0.03, 0.06))),),
    residual=pk.Residual((pk.Sigma("proportional", 0.2),)),
    priors=Priors(
        theta={"cl": Prior("lognormal", (0.914, 0.4)), "v": Prior("lognormal", (3.14, 0.4))},
        omega={name: Prior("lognormal", (0.35, 0.3)) for name in ("CL", "V")},
        sigma={"proportional": Prior("lognormal", (0.2, 0.3))},
        lkj=2.0,
    ),
)
COLUMNS = [*stamp.COLUMNS, "data", "target", "subjects", "observations", "quantity", "replicates"]
COLUMNS += ["failed", "doubtful", "ranks", "chi_square_p", "distribution_p", "mean_rank"]
COLUMNS += ["cpu_seconds_per_fit"]


@dataclass(frozen=True)
class Replicate:
    """Ranks by quantity, None where there is no fit; whether the fit doubts itself; seconds."""

    ranks: dict[str, int] | None
    is_doubtful: bool
    seconds: float


def surfaces() -> np.ndarray:
    """Body surface of every child, m2."""
    return np.linspace(0.3, 1.8, SUBJECTS)


def simulate(
    theta: np.ndarray, eta: np.ndarray, sigma: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Simulate concentrations of virtual children with these effects."""
    bsa = surfaces()
    cl, v = (theta * bsa[:, None] * np.exp(eta)).T
    k = (cl / v)[:, None]
    on = np.minimum(TIMES, STOP)
    f = (RATE * bsa / cl)[:, None] * -np.expm1(-k * on) * np.exp(-k * (TIMES - on))
    y = f * (1.0 + sigma * rng.normal(size=f.shape))
    who = np.arange(SUBJECTS)
    dose = pd.DataFrame({"ID": who, "TIME": 0.0, "AMT": RATE * STOP * bsa, "RATE": RATE * bsa})
    dose = dose.assign(EVID=1, DV=np.nan)
    seen = pd.DataFrame({"ID": np.repeat(who, TIMES.size), "TIME": np.tile(TIMES, SUBJECTS)})
    seen = seen.assign(AMT=0.0, RATE=0.0, EVID=0, DV=y.ravel())
    table = pd.concat([dose, seen]).sort_values(["ID", "TIME"])
    return table.assign(ID=table["ID"] + 1, BSA=bsa[table["ID"]])


def quantities(problem: Problem, x: np.ndarray, eta: np.ndarray) -> dict[str, float]:
    """Compute what is ranked, of one set of population parameters and effects."""
    packing = problem.packing
    natural = dict(zip(packing.names, packing.natural(x).tolist(), strict=True))
    u = np.linalg.solve(packing.unpack(x).factor, eta.T).T
    first = {f"eta 1 {e.parameter}": v for e, v in zip(problem.effects, eta[0], strict=True)}
    return natural | first | {"joint": float(np.sum(problem.joint(x, u[:, None])))}


def replicate(number: int, target: str) -> Replicate:
    """Draw a truth and data, sample the posterior, rank the truth."""
    rng = np.random.default_rng([number, SUBJECTS])
    options = Options(
        method="nuts", chains=CHAINS, draws=DRAWS, target=target, seed=number, covariance="none"
    )
    blank = simulate(np.array([0.914, 3.14]), np.zeros((SUBJECTS, 2)), 0.0, rng)
    problem = Problem(MODEL, pk.read_dataset(blank, units=UNITS), options)
    x = PackedPrior(problem.packing).draw(rng)
    values = problem.packing.unpack(x)
    eta = rng.normal(size=(SUBJECTS, 2)) @ values.factor.T
    data = pk.read_dataset(simulate(values.theta, eta, values.sigma[1], rng), units=UNITS)
    begin = time.process_time()
    fit = fit_nuts(data, options)
    seconds = time.process_time() - begin
    if fit is None:
        return Replicate(None, True, seconds)
    truth = quantities(fit.problem, x, eta)
    drawn = kept_draws(fit)
    ranks = {
        name: int(np.sum([draw[name] < value for draw in drawn])) for name, value in truth.items()
    }
    return Replicate(ranks, not fit.converged, seconds)


def fit_nuts(data: Dataset, options: Options) -> pk.Fit | None:
    """Sample the posterior; None where that failed."""
    definition = pk.Definition("", None, MODEL, options, None, None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pk.fit(definition, data)
    except pk.FitError:
        return None


def kept_draws(fit: pk.Fit) -> list[dict[str, float]]:
    """Quantities of every THINNED-th draw of each chain, but for one."""
    posterior = fit.posterior
    x = posterior.x[:, ::THINNED].reshape(N_RANKS, -1)
    eta = posterior.eta[:, ::THINNED].reshape(N_RANKS, *posterior.eta.shape[2:])
    return [quantities(fit.problem, *draw) for draw in zip(x[1:], eta[1:], strict=True)]


def rows_of(target: str, found: list[Replicate]) -> list[dict[str, object]]:
    """Summarise the replicates of a target: a row for each quantity."""
    ranked = [r.ranks for r in found if r.ranks is not None]
    common = {
        **stamp.stamp(),
        "data": "virtual",
        "target": target,
        "subjects": SUBJECTS,
        "observations": SUBJECTS * TIMES.size,
        "replicates": len(found),
        "failed": len(found) - len(ranked),
        "doubtful": sum(r.is_doubtful for r in found),
        "ranks": N_RANKS,
        "cpu_seconds_per_fit": float(f"{np.median([r.seconds for r in found]):.3g}"),
    }
    rows = []
    for quantity in ranked[0]:
        ranks = np.array([r[quantity] for r in ranked])
        answer = uniformity.assess(ranks, N_RANKS)
        rows.append(
            common
            | {
                "quantity": quantity,
                "chi_square_p": round(answer.chi_square, 4),
                "distribution_p": round(answer.distribution, 4),
                "mean_rank": round(float(ranks.mean()) / (N_RANKS - 1), 4),
            }
        )
    return rows


def draw_picture(target: str, found: list[Replicate]) -> None:
    """Draw the distribution function of the ranks minus the uniform one, with its envelope."""
    ranked = [r.ranks for r in found if r.ranks]
    names = list(ranked[0])
    columns = 3
    figure, axes = plt.subplots(
        -(-len(names) // columns), columns, figsize=(9, 7.5), sharex=True, sharey=True
    )
    for axis, name in zip(axes.flat, names, strict=False):
        ranks = np.array([r[name] for r in ranked])
        share = uniformity.below(ranks[None], N_RANKS)[0] / ranks.size
        axis.step(uniformity.points(), share - uniformity.points(), where="mid", label=target)
        low, high = uniformity.envelope(ranks.size)
        axis.fill_between(
            uniformity.points(),
            low - uniformity.points(),
            high - uniformity.points(),
            color="0.85",
            label="95 % of uniform ranks",
        )
        axis.set_title(name, fontsize=9)
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    figure.legend(
        *axes.flat[0].get_legend_handles_labels(),
        loc="lower right",
        ncols=3,
        fontsize=8,
        frameon=False,
    )
    figure.suptitle(
        f"Ranks of the truth among draws of nuts: {len(found)} virtual data sets, "
        f"{SUBJECTS} virtual children each",
        fontsize=10,
    )
    figure.supxlabel("rank, as a share", fontsize=9)
    figure.supylabel("share of ranks below, minus the uniform one", fontsize=9)
    figure.tight_layout()
    figure.savefig(TABLE.with_name(f"{TABLE.stem}_{target}.png"), dpi=130)


def rows_of_others(target: str) -> list[dict[str, object]]:
    """Read the rows of the other target, if the table has any."""
    if not TABLE.exists():
        return []
    with TABLE.open(newline="") as file:
        return [dict(row) for row in csv.DictReader(file) if row["target"] != target]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--targets", nargs="+", default=("joint", "marginal"))
    parser.add_argument("--first", type=int, default=0, help="number of the first data set")
    arguments = parser.parse_args()
    stamp.stamp()
    numbers = range(arguments.first, arguments.first + arguments.replicates)
    for target in arguments.targets:
        found = [replicate(number, target) for number in numbers]
        new = rows_of(target, found)
        shown = ["target", "quantity", "failed", "doubtful", "chi_square_p", "distribution_p"]
        print(pd.DataFrame(new)[shown].to_string(index=False), flush=True)
        rows = sorted(rows_of_others(target) + new, key=lambda r: r["target"])
        with TABLE.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        draw_picture(target, found)


if __name__ == "__main__":
    main()
