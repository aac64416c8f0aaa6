"""The times of constant infusion of each subject, and how much drug it got in all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.exposure.stretches import Stretches, find_stretches
from pkmodel.exposure.timeline import Timeline, make_timeline
from pkmodel.models.structural import ONE_COMPARTMENT, Structure

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Periods:
    """Constant-rate periods by subject and, within each, as they follow one another.

    Attributes
    ----------
    subject : ndarray of int64, shape [n_periods]
        Index into the data set's `ids`.
    start, end : ndarray of float64
        In the data's unit of time, on the subject's clock. `start` is minus infinity where a
        constant infusion is at steady state when its record comes.
    rate : ndarray of float64
        Amount per time.
    clock : ndarray of int64
        How often EVID 3 or 4 had started the subject's time again; periods of different clocks
        may have the same times.
    parameter_row : ndarray of int64
        Row of the data set whose covariates hold when the period ends.
    bolus_subject, bolus_time : ndarray, shape [n_boluses]
        Doses without a rate, into any compartment, those that ADDL implies included.
    """

    subject: Ints
    start: Vector
    end: Vector
    rate: Vector
    clock: Ints
    parameter_row: Ints
    bolus_subject: Ints
    bolus_time: Vector


def constant_rate_periods(
    dataset: Dataset, *, structure: Structure = ONE_COMPARTMENT, resolution: float = 0.0
) -> Periods:
    """Find the maximal intervals in which a subject's total infusion rate is constant and above 0.

    Rates of infusions that run at one time add up; bags that follow one another at one rate are
    one period, also where round-off (1e-5 of the subject's longest infusion) parts them or makes
    them overlap. A period lasts as long as its infusion was ordered, also beyond the last row of
    the subject. EVID 3 and 4 and SS = 1 end everything that runs. What enters the depot is no
    infusion here.

    A steady state (SS = 1) whose doses follow one another without a gap is a constant infusion
    that has run for ever: its period starts at minus infinity. This holds as well for RATE > 0 with
    AMT = 0, which ends at its own record: as in NONMEM, the infusion is off after it. The doses
    before any other steady state are no periods: their rate comes and goes. A steady state on top
    of what is there (SS = 2) is at no time what the records before it have seen: its past is no
    period, and its own doses begin at its record.

    Parameters
    ----------
    dataset : Dataset
    structure : Structure
        Says which compartment a dose enters.
    resolution : float
        In the data's unit of time. Times that differ by no more are one time: a pause, an overlap
        or another rate so short that it gives no more or less than this time of infusion, and than
        a hundredth of the infusion beside it, is not seen.

    Returns
    -------
    Periods

    Examples
    --------
    >>> import pandas as pd
    >>> from pkmodel import read_dataset
    >>> bags = pd.DataFrame({"ID": 1, "TIME": [0, 24, 48, 60], "AMT": [48, 48, 72, 0],
    ...                      "RATE": [2, 2, 6, 0], "DV": [None, None, None, 3.1]})
    >>> periods = constant_rate_periods(read_dataset(bags))
    >>> periods.start.tolist(), periods.end.tolist(), periods.rate.tolist()
    ([0.0, 48.0], [48.0, 60.0], [2.0, 6.0])
    """
    timeline = make_timeline(dataset, structure)
    return periods_of(timeline, find_stretches(timeline, resolution))


def periods_of(timeline: Timeline, stretches: Stretches) -> Periods:
    """Take the stretches with infusion out of all."""
    on = stretches.rate > 0.0
    return Periods(
        subject=stretches.subject[on],
        start=stretches.begin[on],
        end=stretches.end[on],
        rate=stretches.rate[on],
        clock=stretches.clock[on],
        parameter_row=stretches.parameter_row[on],
        bolus_subject=timeline.subject[timeline.is_bolus],
        bolus_time=timeline.end[timeline.is_bolus],
    )


def longest(periods: Periods, n_subjects: int) -> Ints:
    """Find the longest period of each subject; of equally long ones the first.

    Parameters
    ----------
    periods : Periods
    n_subjects : int

    Returns
    -------
    ndarray of int64, shape [n_subjects]
        Index into the periods; -1 for a subject without any.
    """
    length = periods.end - periods.start
    order = np.lexsort([-np.arange(length.size), length])
    index = np.full(n_subjects, -1, dtype=np.int64)
    index[periods.subject[order]] = order
    return index


def total_amount(dataset: Dataset, *, structure: Structure = ONE_COMPARTMENT) -> Vector:
    """Add up what each subject got, into any compartment.

    Parameters
    ----------
    dataset : Dataset
    structure : Structure

    Returns
    -------
    ndarray of float64, shape [n_subjects]
        In the data's unit of amount. Doses that ADDL implies count; what a reset (EVID 3 or 4, or
        SS = 1) cuts off does not, nor do the doses that went before a steady state. Beyond the
        last row all doses are taken as given.
    """
    timeline = make_timeline(dataset, structure)
    given = timeline.infused + timeline.amount
    return np.bincount(timeline.subject, weights=given, minlength=dataset.n_subjects)
