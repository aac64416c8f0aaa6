"""What the summary says of draws from a posterior, from the fit's document."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pkmodel.interrupted import kept_draws
from pkmodel.number import UNKNOWN, count, effective, fixed, interval, number, percent, r_hat
from pkmodel.status import (
    FEWEST_IN_WORDS,
    LARGEST_PARETO_K,
    LARGEST_R_HAT,
    LEAST_CHAINS,
    LEAST_DRAWS,
    SMALLEST_SIZE,
)

Document = Mapping[str, Any]
Finding = tuple[str, str, str]

TARGETS = {
    "joint": "the joint density of parameters and effects",
    "marginal": "the density of the parameters, effects integrated out by Laplace",
}

COLUMNS = ("parameter", "mean", "SD", "95 % interval", "bulk", "tail", "R-hat", "")
FEW = "few"
"""Stands for a number of effective draws that draws are too few to tell."""

PRIORS = "priors (omega: of the standard deviations)"


def posterior_checks(document: Document) -> Iterator[Finding]:
    """Judge the draws: name of the check, its mark, and what it rests on."""
    told = document["posterior"]
    many = told["divergences"]
    yield "divergences", "FAIL" if many else "ok", f"{many} of {told['chains'] * told['draws']}"
    worst = told["r_hat"]
    is_mixed = worst is not None and worst <= LARGEST_R_HAT
    finding = f"largest R-hat {r_hat(worst) or UNKNOWN}"
    if told["chains"] < LEAST_CHAINS or told["draws"] < LEAST_DRAWS:
        finding = f"too few to tell whether chains agree: R-hat takes {FEWEST_IN_WORDS}"
    yield "chains", "ok" if is_mixed else "FAIL", finding
    bulk, tail = told["ess_bulk"], told["ess_tail"]
    is_enough = bulk is not None and tail is not None and min(bulk, tail) >= SMALLEST_SIZE
    yield (
        "effective draws",
        "ok" if is_enough else "FAIL",
        f"smallest: bulk {effective(bulk)}, tails {effective(tail)}",
    )
    if told["pareto_k"] is not None:
        is_good = told["pareto_k"] <= LARGEST_PARETO_K
        finding = (
            f"Pareto k {fixed(told['pareto_k'], 2)}, {percent(told['weight_efficiency'])} effective"
        )
        yield "weights", "ok" if is_good else "FAIL", finding
    yield _prior_check(told.get("contradicted_priors", []))


def _prior_check(contradicted: Sequence[str]) -> Finding:
    """Judge the priors by where the posteriors lie."""
    if contradicted:
        return "priors", "look", f"contradicted by the data: {', '.join(contradicted)}"
    return "priors", "ok", "none is contradicted by the data"


def sampler_text(document: Document) -> str:
    """Say what was sampled, and how."""
    told = document["posterior"]
    cut = told.get("cut")
    made = f"{count(told['chains'], 'chain')} of {count(told['draws'], 'draw')}"
    if cut is not None:
        made = kept_draws(tuple(cut["kept"]), told["draws"])
    text = (
        f"NUTS on {TARGETS[told['target']]}; {made} after {told['tune']}, "
        f"{told['gradients']} gradients, and {search_evaluations(document)} evaluations before "
        "them in the search for a start"
    )
    for key, label in (("centred", "centred"), ("non_centred", "non-centred")):
        if told[key]:
            text += f"; {label}: {', '.join(told[key])}"
    return text


def search_evaluations(document: Document) -> int:
    """Count the evaluations in the search for a start: those in all less those of the sampler."""
    return int(document["evaluations"]) - int(document["posterior"]["gradients"])


def posterior_row(document: Document, label: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Write what stands between name and note of a parameter."""
    mixing = document["posterior"]["mixing"].get(label)
    told = ("", "", "")
    if mixing is not None:
        bulk, tail = (fixed(mixing[key], 0) or FEW for key in ("bulk", "tail"))
        told = (bulk, tail, r_hat(mixing["r_hat"]))
    ends = interval(entry["lower"], entry["upper"])
    return number(entry["estimate"]), number(entry["se"]), ends, *told


def prior_lines(priors: Mapping[str, str], default: Collection[str]) -> list[str]:
    """Write every prior, one a line; those that nobody declared are marked.

    Examples
    --------
    >>> prior_lines({"theta cl": "flat", "sigma additive": "half-normal(scale 1)"}, ["theta cl"])
    ['theta cl ~ flat, default', 'sigma additive ~ half-normal(scale 1)']
    """
    return [
        f"{name} ~ {prior}{', default' if name in default else ''}"
        for name, prior in priors.items()
    ]


def seconds_text(document: Document) -> str:
    """Say what took how many seconds; of draws from a posterior the sampling, and no errors.

    The document says `optimise` for every method; of full Bayes it is called `sample` here, with
    the search for a start and the diagnosis.

    Examples
    --------
    >>> seconds = {"read": 0.04, "optimise": 53.95, "covariance": 0.0, "total": 54.0}
    >>> seconds_text({"posterior": {"chains": 4}, "seconds": seconds})
    'read 0.04, sample 53.95, total 54.00'
    """
    seconds = dict(document["seconds"])
    if document.get("posterior"):
        labels = {"optimise": "sample"}
        seconds = {labels.get(k, k): value for k, value in seconds.items() if k != "covariance"}
    return ", ".join(f"{name} {fixed(value, 2)}" for name, value in seconds.items())
