"""Noncompartmental metrics of many simulated subjects at once, from samples on the plateau.

The concentration is the arithmetic mean of a subject's samples in its longest period of constant
rate, from a time after the start of that period and after the last bolus, until its end; samples
below the limit are left out. Clearance is rate / concentration.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.exposure.metric import METRICS, Subject
from pkmodel.exposure.periods import Periods, constant_rate_periods, longest
from pkmodel.simulate.group import VirtualGroup

Vector = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROUND_OFF = 1e-9
"""Relative; a sample at the moment of the stop is on the plateau."""


def plateau_metric(group: VirtualGroup, name: str, settle: float) -> Vector:
    """Compute a metric of every subject.

    Parameters
    ----------
    group : VirtualGroup
    name : str
        A metric of clearance or concentration.
    settle : float
        In the data's unit of time.

    Returns
    -------
    array (n_subjects,)
        NaN for subjects without a sample on the plateau.
    """
    data = group.dataset
    periods = constant_rate_periods(data)
    main = longest(periods, data.n_subjects)
    rate = periods.rate[main]
    clearance = data.units.scale * rate / _concentration(data, periods, main, settle)
    metric = METRICS[name]
    people = group.people
    amount = np.full(rate.size, np.nan)
    size = Subject(data.units.scale, rate, amount, people.bsa, people.weight)
    factor = metric.factor(size)
    assert factor is not None
    return np.asarray(factor * clearance**metric.cl)


def _concentration(
    data: Dataset, periods: Periods, main: NDArray[np.int64], settle: float
) -> Vector:
    """Mean of the samples on the plateau of each subject's main period; NaN without any."""
    of = main[data.subject]
    time = data.time
    settled = time >= periods.start[of] + settle
    running = time <= periods.end[of] * (1.0 + ROUND_OFF)
    quantified = data.is_observation & (data.cens == 0)
    use = np.flatnonzero(quantified & settled & running & ~_after_bolus(data, periods, settle))
    count = np.bincount(data.subject[use], minlength=data.n_subjects)
    total = np.bincount(data.subject[use], weights=data.dv[use], minlength=data.n_subjects)
    return np.divide(total, count, out=np.full(count.size, np.nan), where=count > 0)


def _after_bolus(data: Dataset, periods: Periods, settle: float) -> Bools:
    """Rows within `settle` after a bolus of their subject."""
    if not periods.bolus_time.size:
        return np.zeros(data.time.size, dtype=bool)
    span = data.time.max() + settle + 1.0
    boluses = np.sort(periods.bolus_subject * span + periods.bolus_time)
    rows = data.subject * span + data.time
    last = np.searchsorted(boluses, rows, side="right") - 1
    is_recent: Bools = (last >= 0) & (rows - boluses[np.maximum(last, 0)] < settle)
    return is_recent
