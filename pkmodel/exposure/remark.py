"""What has to be said about the non-compartmental exposure of one subject."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pkmodel.exposure.decline import RECOMMENDED_SAMPLES, Decline
from pkmodel.exposure.plateau import Plateaus
from pkmodel.exposure.plateau_rule import BELOW_LIMIT
from pkmodel.exposure.timeline import ROUND_OFF

Bools = NDArray[np.bool_]

HALF_LIVES_TO_90_PERCENT = float(np.log2(10.0))

EARLY = "% of steady state"
"""Ends the remark on a subject whose first plateau sample was drawn before 90 % of it."""


def remark_on(plateaus: Plateaus, subject: int, period: int, decline: Decline) -> str:
    """Say why values are missing, and what makes those that are there doubtful.

    Parameters
    ----------
    plateaus : Plateaus
    subject : int
    period : int
        The subject's longest; -1 where it has none.
    decline : Decline

    Returns
    -------
    str
        Remarks with semicolons between them; empty where nothing has to be said.
    """
    remarks = [
        *_on_plateau(plateaus, subject, period),
        *_on_steady_state(plateaus, period, decline),
        *_on_decline(plateaus, subject, decline),
    ]
    return "; ".join(remarks)


def _on_plateau(plateaus: Plateaus, subject: int, period: int) -> Iterator[str]:
    if period < 0:
        yield "no infusion at a constant rate"
        return
    n, n_below = int(plateaus.n[period]), int(plateaus.n_below[period])
    if n == 0:
        yield f"no plateau sample on {_span(plateaus, period)}: {_reasons(plateaus, period)}"
    elif n < plateaus.rule.least_samples:
        yield f"{_count(n, 'plateau sample')} of {plateaus.rule.least_samples} needed"
    if n_below and n:
        fate = BELOW_LIMIT[plateaus.rule.below_limit]
        yield f"{_count(n_below, 'plateau sample')} below the limit {fate}"
    yield from _on_other_periods(plateaus, subject, period)


def _on_other_periods(plateaus: Plateaus, subject: int, period: int) -> Iterator[str]:
    """Name plateau samples elsewhere, where they could stand in or were of the same rate."""
    others = (plateaus.periods.subject == subject) & (plateaus.n > 0)
    others[period] = False
    rate = plateaus.periods.rate
    said = ""
    if plateaus.n[period] >= plateaus.rule.least_samples:
        others &= np.abs(rate - rate[period]) <= ROUND_OFF * rate[period]
        said = " at the same rate, not used"
    if others.any():
        n, where = int(plateaus.n[others].sum()), int(others.sum())
        yield f"{_count(n, 'plateau sample')} on {_count(where, 'shorter period')}{said}"


def _on_steady_state(plateaus: Plateaus, period: int, decline: Decline) -> Iterator[str]:
    """Hold the time of the first plateau sample against the half-life."""
    used = plateaus.fates.is_plateau & (plateaus.period == period)
    if period < 0 or not used.any() or np.isnan(decline.rate_constant):
        return
    earliest = float(plateaus.samples.elapsed[used].min())
    if earliest < HALF_LIVES_TO_90_PERCENT * decline.half_life:
        share = 100.0 * -np.expm1(-decline.rate_constant * earliest)
        yield (
            f"first plateau sample after {_time(plateaus, earliest)}: with this half-life "
            f"{share:.0f} {EARLY}"
        )


def _on_decline(plateaus: Plateaus, subject: int, decline: Decline) -> Iterator[str]:
    samples, fates = plateaus.samples, plateaus.fates
    after_stop = (samples.subject == subject) & (samples.decline >= 0)
    if not after_stop.any():
        yield "no sample after a stop of the infusion"
        return
    chosen = int(fates.decline[subject])
    if chosen < 0:
        yield "too few quantified samples after a stop for a half-life"
        return
    if _is_resumed_after(plateaus, subject, chosen):
        at = _time(plateaus, plateaus.stretches.begin[chosen])
        yield f"half-life from the stop at {at}, too few samples after the last one"
    if np.isnan(decline.rate_constant):
        yield "no half-life: concentrations do not fall after the stop"
        return
    if decline.n < RECOMMENDED_SAMPLES:
        yield f"half-life from {decline.n} samples, {RECOMMENDED_SAMPLES} recommended"
    if decline.span < decline.half_life:
        share = 100.0 * decline.span / decline.half_life
        yield f"decline seen over {share:.0f} % of a half-life"
    yield from _on_limit(plateaus, samples.decline == chosen)


def _is_resumed_after(plateaus: Plateaus, subject: int, stretch: int) -> bool:
    later = slice(stretch + 1, None)
    own = plateaus.stretches.subject[later] == subject
    return bool(np.any(own & (plateaus.stretches.rate[later] > 0.0)))


def _on_limit(plateaus: Plateaus, in_decline: Bools) -> Iterator[str]:
    is_below = plateaus.fates.is_below & in_decline
    if not is_below.any():
        return
    yield f"{_count(int(is_below.sum()), 'sample')} of the decline below the limit left out"
    time = plateaus.samples.time
    if time[plateaus.fates.is_decline & in_decline].max() > time[is_below].min():
        yield "quantified samples follow one below the limit: the half-life may be too long"


def _reasons(plateaus: Plateaus, period: int) -> str:
    use = plateaus.fates.on_plateau[plateaus.period == period]
    reasons, counts = np.unique(use, return_counts=True)
    said = [f"{count} {reason}" for reason, count in zip(reasons, counts, strict=True)]
    return ", ".join(said) or "none drawn"


def _span(plateaus: Plateaus, period: int) -> str:
    start, end = plateaus.periods.start[period], plateaus.periods.end[period]
    return f"the longest period ({start:g} to {_time(plateaus, end)})"


def _time(plateaus: Plateaus, time: float) -> str:
    return f"{time:g} {plateaus.dataset.units.time}".strip()


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"
