"""How a fit ended; each status carries its advice."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """How a fit ended."""

    CONVERGED = "converged"
    NOT_CONVERGED = "not converged"
    SADDLE = "not at a minimum"
    UNDETERMINED = "not determined"
    MODES_FAILED = "modes failed"
    INTERRUPTED = "interrupted"
    EVALUATED = "evaluated"

    @property
    def advice(self) -> str:
        """Say what the status means and what to do."""
        return _ADVICE[self]


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
    Status.INTERRUPTED: "Stopped from the keyboard: this is the best point so far, no optimum.",
    Status.EVALUATED: "Evaluated at the initial values; nothing was estimated.",
}
