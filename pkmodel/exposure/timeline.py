"""What enters a subject's body and when: the steps of the kernels, with times and beyond the rows.

The meaning of the records is that of `pkmodel.kernels.events`, which compiles them; here each
history is followed to the end of the last infusion, also where the rows end earlier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.kernels.events import BOLUS, OBSERVE, RESET, STEADY, Steps, Table, compile_steps
from pkmodel.models.structural import Structure
from pkmodel.prediction import event_table

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CENTRAL = 0

ROUND_OFF = 1e-5
"""Of durations AMT / RATE and of rates, relative: files hold them with six digits or more."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """Intervals of constant input, each with the event at its end; arrays (n_steps,).

    Attributes
    ----------
    subject : ndarray of int64
    clock : ndarray of int64
        How often the subject's time had started again (EVID 3 or 4 at an earlier TIME).
    life : ndarray of int64
        Number of the stretch between resets, over all subjects: drug from one life is not there in
        the next. EVID 3 and 4 and SS = 1 begin a new one.
    row : ndarray of int64
        Row of the data set whose event ends the interval.
    parameter_row : ndarray of int64
        Row whose covariates hold over the interval.
    begin, end : ndarray of float64
        On the subject's clock.
    rate : ndarray of float64
        Total rate of infusion into the central compartment.
    is_observation, is_bolus, is_jump, is_reset : ndarray of bool
        What the event is: an observation; a bolus into any compartment; a steady state put on top
        of what is there (SS = 2); the end of a life.
    is_absorbing : ndarray of bool
        A dose enters another compartment than the central one, at the event or over the interval.
    amount : ndarray of float64
        Of the bolus.
    infused : ndarray of float64
        Amount infused over the interval, into any compartment.
    round_off : ndarray of float64
        Times of the subject that differ by no more are one time: `ROUND_OFF` of its longest
        infusion.
    endless_rate : ndarray of float64
        Rate at which the steady state of the event (SS = 1) has been infused for ever until now;
        0 where the event is none, or its regimen is no constant rate.
    """

    subject: Ints
    clock: Ints
    life: Ints
    row: Ints
    parameter_row: Ints
    begin: Vector
    end: Vector
    rate: Vector
    is_observation: Bools
    is_bolus: Bools
    is_jump: Bools
    is_reset: Bools
    is_absorbing: Bools
    amount: Vector
    infused: Vector
    round_off: Vector
    endless_rate: Vector


def make_timeline(dataset: Dataset, structure: Structure) -> Timeline:
    """Follow the input of every subject from its first row to the end of its last infusion.

    Parameters
    ----------
    dataset : Dataset
    structure : Structure
        Says which compartment a dose enters.

    Returns
    -------
    Timeline
    """
    table = event_table(dataset, structure)
    subject = dataset.subject
    clock = _clocks(table, subject)
    last = np.flatnonzero(np.append(np.diff(clock) != 0, True))
    duration = _durations(table)
    extended = _extend(table, duration, clock, last)
    origin = np.insert(np.arange(subject.size), last + 1, last)
    steps = compile_steps(extended, carry_forward=dataset.covariate_rule == "locf")
    at = steps.at.astype(np.int64)
    row = origin[at]
    begin, end = _times(extended, steps, clock[origin])
    adds, endless_rate = _steady_states(steps)
    is_reset = (steps.kind == RESET) | ((steps.kind == STEADY) & ~adds)
    is_bolus = steps.kind == BOLUS
    ends_life = is_reset | np.append(np.diff(subject[row]) != 0, True)
    first_clock = clock[np.searchsorted(subject, subject[row])]
    return Timeline(
        subject=subject[row],
        clock=clock[row] - first_clock,
        life=np.cumsum(ends_life) - ends_life,
        row=row,
        parameter_row=origin[steps.row],
        begin=begin,
        end=end,
        rate=steps.rate,
        is_observation=steps.kind == OBSERVE,
        is_bolus=is_bolus,
        is_jump=(steps.kind == STEADY) & adds,
        is_reset=is_reset,
        is_absorbing=(steps.depot * steps.dt > 0.0) | (is_bolus & (steps.compartment != CENTRAL)),
        amount=steps.amount,
        round_off=ROUND_OFF * np.maximum.reduceat(duration, table.start[:-1])[subject[row]],
        infused=(steps.rate + steps.depot) * steps.dt,
        endless_rate=endless_rate,
    )


def _clocks(table: Table, subject: Ints) -> Ints:
    """Count, over all rows, how often time has started: with a subject, or again by a reset."""
    is_new = np.diff(subject, prepend=-1) != 0
    goes_back = np.diff(table.time, prepend=np.inf) < 0.0
    return np.cumsum(is_new | (goes_back & (table.event >= 3))) - 1


def _durations(table: Table) -> Vector:
    """Duration of the infusion that each row begins; 0 where it begins none."""
    is_infusion = ((table.event == 1) | (table.event == 4)) & (table.rate > 0.0)
    duration = np.zeros_like(table.time)
    return np.divide(table.amount, table.rate, out=duration, where=is_infusion)


def _extend(table: Table, duration: Vector, clock: Ints, last: Ints) -> Table:
    """Add a row without effect after the last row of each clock, when all its doses have ended."""
    is_dose = (table.event == 1) | (table.event == 4)
    lasting = duration + np.where(is_dose, table.additional * table.interval, 0.0)
    horizon = np.maximum.reduceat(table.time + lasting, np.append(0, last[:-1] + 1))
    columns = {
        name: np.insert(getattr(table, name), last + 1, 0)
        for name in Table._fields
        if name != "start"
    }
    added = np.insert(np.zeros(clock.size, dtype=bool), last + 1, True)
    columns["time"][added] = horizon
    columns["event"][added] = 2
    before = np.searchsorted(last, table.start)
    return Table(start=table.start + before, **columns)


def _times(table: Table, steps: Steps, clock: Ints) -> tuple[Vector, Vector]:
    """Begin and end of each step; sums run from row to row, so that times of rows stay exact."""
    at = steps.at.astype(np.int64)
    same_clock = np.diff(clock, prepend=-1) == 0
    before = np.where(same_clock, np.append(0.0, table.time[:-1]), table.time)[at]
    is_first = np.diff(at, prepend=-1) != 0
    length = pd.Series(np.where(is_first, before + steps.dt, steps.dt))
    end = length.groupby(at).cumsum().to_numpy()
    of_row = table.time[at]
    end = np.where(np.isclose(end, of_row, rtol=1e-13, atol=0.0), of_row, end)
    begin = np.where(is_first, before, np.append(0.0, end[:-1]))
    return begin, np.maximum(end, begin)


def _steady_states(steps: Steps) -> tuple[Bools, Vector]:
    """Tell of each step whether its steady state adds to what is there, and its endless rate."""
    regimen = steps.regimen[steps.steady]
    is_steady = steps.kind == STEADY
    adds = is_steady & (regimen[:, 6] > 0.5)
    interval, longer, upper, lower = regimen[:, :4].T
    level = np.where(longer > 0.5 * interval, upper, lower)
    even = np.abs(longer - np.where(longer > 0.5 * interval, interval, 0.0))
    is_constant = (regimen[:, 7] > 0.5) | (even <= ROUND_OFF * interval)
    level = np.where(regimen[:, 7] > 0.5, upper, level)
    into_central = regimen[:, 5] == CENTRAL
    applies = is_steady & ~adds & is_constant & into_central
    return adds, np.where(applies, level, 0.0)
