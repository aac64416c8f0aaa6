"""How a fit ended; each status carries its advice."""

from __future__ import annotations

from enum import StrEnum

LARGEST_R_HAT, SMALLEST_SIZE, LARGEST_PARETO_K = 1.01, 400.0, 0.7
"""What draws from a posterior must keep to: R-hat, effective draws of bulk and tails, Pareto k."""

LEAST_CHAINS, LEAST_DRAWS = 2, 4
"""Chains, and draws of each, without which there is no R-hat."""

FEWEST_IN_WORDS = f"at least {LEAST_CHAINS} chains of {LEAST_DRAWS} draws"


class Status(StrEnum):
    """How a fit ended."""

    CONVERGED = "converged"
    NOT_CONVERGED = "not converged"
    SADDLE = "not at a minimum"
    UNDETERMINED = "not determined"
    MODES_FAILED = "modes failed"
    INTERRUPTED = "interrupted"
    EVALUATED = "evaluated"
    SAMPLED = "sampled"
    DIVERGENT = "divergences"
    NOT_MIXED = "chains disagree"
    FEW_DRAWS = "too few effective draws"
    WEIGHTS_FAILED = "weights failed"

    @property
    def advice(self) -> str:
        """Say what the status means and what to do."""
        return _ADVICE[self]

    @property
    def is_good(self) -> bool:
        """Whether the estimates are what the method was to find."""
        return self in (Status.CONVERGED, Status.SAMPLED)


DIVERGENT_WITHOUT_VARIANCES = (
    "Some trajectories of the sampler diverged, so part of the posterior may be missing: the draws "
    "are not to be used. No variance of effects is estimated, so that it is the other parameters "
    "that the data leave open: try closer priors of these, or more draws to adapt (tune)."
)
"""Advice in place of that of `Status.DIVERGENT`, which speaks of variances."""

_ADVICE = {
    Status.CONVERGED: "The objective cannot be lowered further near the estimates.",
    Status.NOT_CONVERGED: (
        "The search ended before the objective stopped falling: the estimates are not to be used. "
        "Try other initial values, starts = 5, or a larger max_evaluations."
    ),
    Status.SADDLE: (
        "The gradient vanishes but the objective falls in some direction: the estimates are not "
        "to be used. Try starts = 5, or a simpler model."
    ),
    Status.UNDETERMINED: (
        "The objective is flat in some direction (see the warnings): other estimates are as good, "
        "so these are not to be used. Fix a parameter, or take one out."
    ),
    Status.MODES_FAILED: (
        "The random effects of some subjects have no mode at the estimates: their part of the "
        "objective is not to be trusted. Look at these subjects' data."
    ),
    Status.INTERRUPTED: "Stopped from the keyboard: the estimates are provisional.",
    Status.EVALUATED: "Evaluated at the initial values; nothing was estimated.",
    Status.SAMPLED: "The chains agree, none diverged, and the effective draws are enough.",
    Status.DIVERGENT: (
        "Some trajectories of the sampler diverged, so part of the posterior may be missing: the "
        "draws are not to be used. Try more draws to adapt (tune), the other target, or a prior "
        "that keeps variances away from zero."
    ),
    Status.NOT_MIXED: (
        "The chains have not come to the same distribution: the draws are not to be used. Try more "
        "draws to adapt (tune) and to keep (draws), the other target, or closer priors."
    ),
    Status.FEW_DRAWS: (
        "Intervals rest on few effective draws, or on too few chains or draws to tell whether "
        "chains agree. Keep more (draws), of two chains at least (chains)."
    ),
    Status.WEIGHTS_FAILED: (
        "Laplace's approximation is too far from the exact posterior to be corrected: the draws "
        'are not to be used. Use target = "joint".'
    ),
}
