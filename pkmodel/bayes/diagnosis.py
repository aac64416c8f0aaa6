"""What draws say of the parameters, and whether the draws can be trusted.

R-hat is the rank-normalised, folded one, and effective sizes are those of the bulk and the tails
(Vehtari, Gelman, Simpson, Carpenter and Buerkner 2021, 10.1214/20-BA1221).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.chain_statistics import bulk_size, mean_size, r_hat, tail_size
from pkmodel.bayes.posterior import Posterior
from pkmodel.diagnostics.parameters import Parameter
from pkmodel.number import effective
from pkmodel.problem import Problem
from pkmodel.status import (
    FEWEST_IN_WORDS,
    LARGEST_PARETO_K,
    LARGEST_R_HAT,
    LEAST_CHAINS,
    LEAST_DRAWS,
    SMALLEST_SIZE,
    Status,
)

Vector = NDArray[np.float64]

INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Mixing:
    """How well the chains have told of one parameter.

    Attributes
    ----------
    r_hat : float
    bulk, tail : float
        Effective draws; NaN where draws are too few to tell.
    error : float
        Monte Carlo standard error of the posterior mean.
    """

    r_hat: float
    bulk: float
    tail: float
    error: float

    @property
    def fewest(self) -> str:
        """The fewer of both, and which these are."""
        if isnan(self.bulk) or isnan(self.tail):
            return effective(None)
        return f"{self.bulk:.0f} (bulk)" if self.bulk < self.tail else f"{self.tail:.0f} (tails)"


@dataclass(frozen=True)
class Diagnosis:
    """Draws of the population parameters, judged.

    Attributes
    ----------
    natural : array (chains, draws, size)
        Free parameters on their own scale.
    mixing : dict of str to Mixing
        By the names of `Packing.names`.
    """

    natural: Vector
    mixing: dict[str, Mixing]

    @property
    def worst_r_hat(self) -> float:
        """Largest R-hat; NaN where it cannot be told."""
        return float(np.max([m.r_hat for m in self.mixing.values()]))

    @property
    def smallest_bulk(self) -> float:
        """Fewest effective draws of the bulk."""
        return float(np.min([m.bulk for m in self.mixing.values()]))

    @property
    def smallest_tail(self) -> float:
        """Fewest effective draws of the tails."""
        return float(np.min([m.tail for m in self.mixing.values()]))


def diagnose(problem: Problem, posterior: Posterior) -> Diagnosis:
    """Judge the draws of every free population parameter."""
    natural = problem.packing.natural(posterior.x)
    mixing = {}
    for k, name in enumerate(problem.packing.names):
        drawn = natural[:, :, k]
        mixing[name] = Mixing(
            r_hat=r_hat(drawn),
            bulk=bulk_size(drawn),
            tail=tail_size(drawn),
            error=float(np.std(drawn) / np.sqrt(mean_size(drawn))),
        )
    return Diagnosis(natural, mixing)


def posterior_status(posterior: Posterior, diagnosis: Diagnosis) -> Status:
    """Say how sampling ended: the gravest finding."""
    if posterior.divergences:
        return Status.DIVERGENT
    if any(m.r_hat > LARGEST_R_HAT for m in diagnosis.mixing.values()):
        return Status.NOT_MIXED
    if posterior.pareto_k is not None and not posterior.pareto_k <= LARGEST_PARETO_K:
        return Status.WEIGHTS_FAILED
    is_enough = min(diagnosis.smallest_bulk, diagnosis.smallest_tail) >= SMALLEST_SIZE
    if not is_enough or np.isnan(diagnosis.worst_r_hat):
        return Status.FEW_DRAWS
    return Status.SAMPLED


def posterior_warnings(posterior: Posterior, diagnosis: Diagnosis) -> list[str]:
    """Name what is wrong with the draws, and of which parameters."""
    out = []
    if posterior.divergences:
        total = posterior.sample_stats["diverging"].size
        out.append(f"{posterior.divergences} of {total} draws ended in a divergence")
    mixing = diagnosis.mixing
    apart = [f"{n} {m.r_hat:.3f}" for n, m in mixing.items() if m.r_hat > LARGEST_R_HAT]
    if apart:
        out.append(f"R-hat is above {LARGEST_R_HAT}: {', '.join(apart)}")
    untold = [name for name, m in mixing.items() if np.isnan(m.r_hat)]
    if untold:
        out.append(f"whether chains agree is not known: {_why_untold(posterior, untold)}")
    few = [
        f"{name} {m.fewest}" for name, m in mixing.items() if min(m.bulk, m.tail) < SMALLEST_SIZE
    ]
    if few:
        out.append(f"fewer than {SMALLEST_SIZE:.0f} effective draws: {', '.join(few)}")
    if np.isnan(min(diagnosis.smallest_bulk, diagnosis.smallest_tail)):
        out.append("effective draws are not known: there are too few draws to count them")
    if posterior.pareto_k is not None and np.isnan(posterior.pareto_k):
        out.append(
            "the weights that correct Laplace's approximation are too few to judge their tail"
        )
    if posterior.pareto_k is not None and posterior.pareto_k > LARGEST_PARETO_K:
        out.append(
            f"the weights that correct Laplace's approximation have a tail of Pareto "
            f"k = {posterior.pareto_k:.2f}, above {LARGEST_PARETO_K}"
        )
    return out


def _why_untold(posterior: Posterior, names: list[str]) -> str:
    chains, draws, _ = posterior.x.shape
    if chains < LEAST_CHAINS or draws < LEAST_DRAWS:
        return f"R-hat takes {FEWEST_IN_WORDS}"
    return f"the draws of {', '.join(names)} do not vary"


def posterior_parameters(
    problem: Problem, diagnosis: Diagnosis, fitted: dict[str, dict[str, Parameter]]
) -> dict[str, dict[str, Parameter]]:
    """Replace estimates of free parameters by posterior means, with deviations and intervals.

    Parameters
    ----------
    problem : Problem
    diagnosis : Diagnosis
    fitted : dict
        As `parameters` gives them.

    Returns
    -------
    dict of str to dict of str to Parameter
        Means, standard deviations and equal-tailed 95 % intervals of the draws.
    """
    out = {kind: dict(entries) for kind, entries in fitted.items()}
    drawn = diagnosis.natural.reshape(-1, problem.packing.size)
    mean, deviation = np.mean(drawn, axis=0), np.std(drawn, axis=0, ddof=1)
    low, high = np.quantile(drawn, INTERVAL, axis=0)
    for k, label in enumerate(problem.packing.names):
        kind, name = label.split(" ", 1)
        out[kind][name] = replace(
            out[kind][name],
            estimate=float(mean[k]),
            se=float(deviation[k]),
            rse=100.0 * float(deviation[k]) / abs(float(mean[k])),
            lower=float(low[k]),
            upper=float(high[k]),
        )
    return out
