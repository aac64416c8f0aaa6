"""What becomes of each sample in a non-compartmental analysis, in one plain reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.exposure.decline import LEAST_SAMPLES
from pkmodel.exposure.plateau_rule import PlateauRule
from pkmodel.exposure.sample import NOWHERE, Samples
from pkmodel.exposure.stretches import Stretches
from pkmodel.exposure.timeline import ROUND_OFF

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PLATEAU = "plateau"
DECLINE = "decline"
PLATEAU_AND_DECLINE = "plateau and decline"
SETTLING = "settling"
AFTER_BOLUS = "after a bolus"
AFTER_ORAL = "after an oral dose"
BELOW_LIMIT = "below the limit"
NOT_POSITIVE = "zero or negative"
INTERRUPTION = "interruption"
AFTER_STOP = "after the stop"
NO_INFUSION = "no infusion"

_FACTOR = {"omit": 1.0, "half": 0.5, "limit": 1.0}


@dataclass(frozen=True, eq=False)
class Fates:
    """One entry per observation, in the order of the file.

    Attributes
    ----------
    use : ndarray of str
        One of the constants of this module.
    on_plateau : ndarray of str
        The same as the mean of a period sees it, also of samples at the stop that the decline uses.
    value : ndarray of float64
        Concentration as it counts: that of the file, or what the rule puts for one below the limit.
    is_plateau, is_decline : ndarray of bool
        Whether it counts in the mean of its period, and in the regression of its subject.
    is_below : ndarray of bool
        Below the limit and in a place where it would count.
    decline : ndarray of int64, shape [n_subjects]
        The stretch without infusion whose samples give the half-life; -1 for none.
    """

    use: NDArray[np.str_]
    on_plateau: NDArray[np.str_]
    value: Vector
    is_plateau: Bools
    is_decline: Bools
    is_below: Bools
    decline: Ints


def judge_samples(
    dataset: Dataset, samples: Samples, stretches: Stretches, rule: PlateauRule
) -> Fates:
    """Decide which samples count on the plateau and in the decline, and why the others do not.

    The half-life of a subject comes from the samples after one stop of the infusion, from the
    moment of the stop to the next dose: from its last stop that has samples at two times at least.

    Parameters
    ----------
    dataset : Dataset
    samples : Samples
    stretches : Stretches
    rule : PlateauRule

    Returns
    -------
    Fates
    """
    settle = rule.settling_time(dataset.units) * (1.0 - ROUND_OFF)
    dv = dataset.dv[samples.row]
    is_censored = dataset.cens[samples.row] == 1
    is_quantified = ~is_censored & (dv > 0.0)
    is_on = samples.rate > 0.0
    after_oral = samples.since_oral < settle
    on_plateau = is_on & (samples.elapsed >= settle)
    on_plateau &= (samples.since_bolus >= settle) & ~after_oral
    in_decline = (samples.decline != NOWHERE) & ~after_oral
    is_candidate = in_decline & is_quantified
    decline = _last_decline(samples, stretches, is_candidate, dataset.n_subjects)
    is_plateau = on_plateau & (is_quantified | (is_censored & (rule.below_limit != "omit")))
    is_decline = is_candidate & (samples.decline == decline[samples.subject])
    would_count = on_plateau | in_decline

    def disturbs(since: Vector) -> Bools:
        return np.where(is_on, since < settle, ~in_decline & np.isfinite(since))

    for_no_use = {
        NOT_POSITIVE: would_count & ~is_quantified & ~is_censored,
        BELOW_LIMIT: would_count & is_censored,
        SETTLING: is_on & ~(samples.elapsed >= settle),
        AFTER_ORAL: disturbs(samples.since_oral) & (samples.since_oral <= samples.since_bolus),
        AFTER_BOLUS: disturbs(samples.since_bolus),
        INTERRUPTION: in_decline & np.append(_is_resumed(stretches), False)[samples.decline],
        AFTER_STOP: in_decline,
    }
    for_use = {
        PLATEAU_AND_DECLINE: is_plateau & is_decline,
        PLATEAU: is_plateau,
        DECLINE: is_decline,
    }
    return Fates(
        use=_first_that_holds(for_use | for_no_use),
        on_plateau=_first_that_holds({PLATEAU: is_plateau} | for_no_use),
        value=np.where(is_censored, _FACTOR[rule.below_limit], 1.0) * dv,
        is_plateau=is_plateau,
        is_decline=is_decline,
        is_below=would_count & is_censored,
        decline=decline,
    )


def _first_that_holds(reasons: Mapping[str, Bools]) -> NDArray[np.str_]:
    return np.select(list(reasons.values()), list(reasons), default=NO_INFUSION)


def _last_decline(
    samples: Samples, stretches: Stretches, is_candidate: Bools, n_subjects: int
) -> Ints:
    """Find the last decline of each subject with samples at enough times."""
    where_and_when = np.column_stack([samples.decline, samples.time])[is_candidate]
    times = np.unique(where_and_when, axis=0)[:, 0].astype(np.int64)
    enough = np.flatnonzero(np.bincount(times) >= LEAST_SAMPLES)
    last = np.full(n_subjects, NOWHERE, dtype=np.int64)
    last[stretches.subject[enough]] = enough
    return last


def _is_resumed(stretches: Stretches) -> Bools:
    """Tell of each stretch whether infusion follows it in the same life."""
    same_life = np.diff(stretches.life, append=-1) == 0
    return np.asarray(same_life & (np.append(stretches.rate[1:], 0.0) > 0.0))
