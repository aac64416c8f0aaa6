"""From the rows of a data table to the steps that a subject's prediction walks through.

A step is an interval of constant input that ends in one event. Doses that the table only implies
(ADDL) and the ends of infusions become steps of their own. At one instant the order is: ends of
infusions and implied doses first, then the rows in file order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.types import Byte1, Counts, Float1, Float2, Int1, Long1, Vector

OBSERVE, BOLUS, RESET, STEADY, PASS = 0, 1, 2, 3, 4

SAME_TIME = 1e-11


class Table(NamedTuple):
    """The columns of a data table that events are made of; compartments by kernel number."""

    start: NDArray[np.int64]
    time: NDArray[np.float64]
    amount: NDArray[np.float64]
    rate: NDArray[np.float64]
    interval: NDArray[np.float64]
    additional: NDArray[np.int64]
    steady: NDArray[np.int64]
    event: NDArray[np.int64]
    compartment: NDArray[np.int64]
    observed: NDArray[np.bool_]


class Steps(NamedTuple):
    """Flat steps of all subjects.

    `start` and `first` give the first step and first observation of each subject. During the
    interval of length `dt` the inputs are `rate` (central) and `depot`, and the parameters are
    those of table row `row`; the event at its end is of row `at`. `steady` indexes `regimen`,
    whose columns are interval, length of the part with the higher input, higher and lower rate,
    bolus amount, compartment, whether it adds to what is there, and whether it is a constant
    infusion.
    """

    start: Long1
    first: Long1
    dt: Float1
    rate: Float1
    depot: Float1
    amount: Float1
    kind: Byte1
    compartment: Byte1
    row: Int1
    at: Int1
    steady: Int1
    regimen: Float2


@kernel
def count_steps(table: Table, subject: int, size: Counts) -> None:
    """Return upper bounds of (steps, regimens, running doses) of one subject."""
    steps = 0
    regimens = 0
    running = 1
    for r in range(table.start[subject], table.start[subject + 1]):
        steps += 2
        if table.event[r] == 1 or table.event[r] == 4:
            doses = 1 + table.additional[r]
            steps += 2 * doses
            running += 1
            if table.rate[r] > 0.0 and table.interval[r] > 0.0:
                overlap = table.amount[r] / table.rate[r] / table.interval[r] + 2.0
                if table.steady[r] > 0:
                    running += int(overlap)
                    steps += 2 * int(overlap)
                running += int(min(overlap, doses))
            if table.steady[r] > 0:
                regimens += 1
    size[0] = steps
    size[1] = regimens
    size[2] = running


@kernel
def _advance(
    until: float,
    row: int,
    now: Vector,
    step: int,
    infusion: Vector,
    n_infusion: Counts,
    train: Vector,
    n_train: Counts,
    steps: Steps,
) -> int:
    """Walk through ends of infusions and implied doses up to `until`; return the next step.

    `infusion` rows: stop time, rate, compartment. `train` rows: next time, interval, doses left,
    amount, rate, compartment. `now[0]` is the time reached.
    """
    while True:
        best = until
        which = -1
        is_dose = False
        for k in range(n_infusion[0]):
            if infusion[k, 0] < best or (which < 0 and infusion[k, 0] <= best):
                best = infusion[k, 0]
                which = k
        for k in range(n_train[0]):
            slack = SAME_TIME * max(abs(until), train[k, 1])
            due = train[k, 0]
            if abs(due - until) <= slack:
                due = until
            if due < best or (which < 0 and due <= best):
                best = due
                which = k
                is_dose = True
        if which < 0:
            return step
        _emit(best, row, row, PASS, 0.0, 0, now, step, infusion, n_infusion, steps)
        if not is_dose:
            n_infusion[0] -= 1
            for c in range(3):
                infusion[which, c] = infusion[n_infusion[0], c]
            step += 1
            continue
        amount = train[which, 3]
        rate = train[which, 4]
        compartment = train[which, 5]
        train[which, 0] += train[which, 1]
        train[which, 2] -= 1.0
        if rate > 0.0:
            infusion[n_infusion[0], 0] = best + amount / rate
            infusion[n_infusion[0], 1] = rate
            infusion[n_infusion[0], 2] = compartment
            n_infusion[0] += 1
        else:
            steps.kind[step] = BOLUS
            steps.amount[step] = amount
            steps.compartment[step] = int(compartment)
        if train[which, 2] < 0.5:
            n_train[0] -= 1
            for c in range(6):
                train[which, c] = train[n_train[0], c]
        step += 1


@kernel
def _emit(
    time: float,
    row: int,
    at: int,
    kind: int,
    amount: float,
    compartment: int,
    now: Vector,
    step: int,
    infusion: Vector,
    n_infusion: Counts,
    steps: Steps,
) -> None:
    """Write one step that ends at `time`."""
    central = 0.0
    depot = 0.0
    for k in range(n_infusion[0]):
        if infusion[k, 2] > 0.5:
            depot += infusion[k, 1]
        else:
            central += infusion[k, 1]
    steps.dt[step] = max(time - now[0], 0.0)
    steps.rate[step] = central
    steps.depot[step] = depot
    steps.kind[step] = kind
    steps.amount[step] = amount
    steps.compartment[step] = compartment
    steps.row[step] = row
    steps.at[step] = at
    now[0] = time


@kernel
def _steady_state(
    table: Table, r: int, infusion: Vector, n_infusion: Counts, regimen: Vector
) -> None:
    """Describe the regimen of a steady-state row and set its still running infusions going."""
    time = table.time[r]
    interval = table.interval[r]
    rate = table.rate[r]
    amount = table.amount[r]
    regimen[0] = interval
    regimen[1] = 0.0
    regimen[2] = 0.0
    regimen[3] = 0.0
    regimen[4] = 0.0
    regimen[5] = table.compartment[r]
    regimen[6] = 1.0 if table.steady[r] == 2 else 0.0
    regimen[7] = 0.0
    if rate > 0.0 and amount == 0.0:
        regimen[7] = 1.0
        regimen[2] = rate
    elif rate > 0.0:
        duration = amount / rate
        whole = np.floor(duration / interval * (1.0 + SAME_TIME))
        regimen[1] = max(duration - whole * interval, 0.0)
        regimen[2] = (whole + 1.0) * rate
        regimen[3] = whole * rate
        for m in range(1, int(whole) + 1):
            left = duration - m * interval
            if left > SAME_TIME * interval:
                infusion[n_infusion[0], 0] = time + left
                infusion[n_infusion[0], 1] = rate
                infusion[n_infusion[0], 2] = table.compartment[r]
                n_infusion[0] += 1
    else:
        regimen[4] = amount


@kernel
def _dose(
    table: Table,
    r: int,
    step: int,
    infusion: Vector,
    n_infusion: Counts,
    train: Vector,
    n_train: Counts,
    steps: Steps,
) -> None:
    """Give the dose of row `r`: a bolus in this step, or an infusion from now on."""
    if table.amount[r] > 0.0:
        if table.rate[r] > 0.0:
            infusion[n_infusion[0], 0] = table.time[r] + table.amount[r] / table.rate[r]
            infusion[n_infusion[0], 1] = table.rate[r]
            infusion[n_infusion[0], 2] = table.compartment[r]
            n_infusion[0] += 1
        else:
            steps.kind[step] = BOLUS
            steps.amount[step] = table.amount[r]
            steps.compartment[step] = table.compartment[r]
    if table.additional[r] > 0:
        k = n_train[0]
        train[k, 0] = table.time[r] + table.interval[r]
        train[k, 1] = table.interval[r]
        train[k, 2] = table.additional[r]
        train[k, 3] = table.amount[r]
        train[k, 4] = table.rate[r]
        train[k, 5] = table.compartment[r]
        n_train[0] += 1


@allocating_kernel
def expand(
    table: Table,
    subject: int,
    carry_forward: bool,
    running: int,
    step: int,
    regimen_index: int,
    steps: Steps,
) -> tuple[int, int]:
    """Write the steps of one subject from `step` on; return (next step, next regimen).

    Parameters
    ----------
    table : Table
    subject : int
    carry_forward : bool
        Parameters of an interval are those of the row that begins it (LOCF) instead of the row
        that ends it (NOCB, NONMEM's rule).
    running : int
        Room for infusions and trains at one time.
    step, regimen_index : int
        First free places in `steps`.
    steps : Steps
        Written.
    """
    infusion = np.zeros((running, 3))
    train = np.zeros((running, 6))
    n_infusion = np.zeros(1, dtype=np.int64)
    n_train = np.zeros(1, dtype=np.int64)
    now = np.zeros(1)
    begin = table.start[subject]
    now[0] = table.time[begin]
    for r in range(begin, table.start[subject + 1]):
        event = table.event[r]
        row = r
        if carry_forward and r > begin:
            row = r - 1
        time = table.time[r]
        if time < now[0] and (event == 3 or event == 4):
            n_infusion[0] = 0
            n_train[0] = 0
            now[0] = time
        step = _advance(time, row, now, step, infusion, n_infusion, train, n_train, steps)
        if event == 3 or event == 4:
            _emit(time, row, r, RESET, 0.0, 0, now, step, infusion, n_infusion, steps)
            n_infusion[0] = 0
            n_train[0] = 0
            step += 1
        if event == 1 or event == 4:
            if table.steady[r] > 0:
                _emit(time, row, r, STEADY, 0.0, 0, now, step, infusion, n_infusion, steps)
                if table.steady[r] == 1:
                    n_infusion[0] = 0
                    n_train[0] = 0
                _steady_state(table, r, infusion, n_infusion, steps.regimen[regimen_index])
                steps.steady[step] = regimen_index
                regimen_index += 1
                step += 1
            _emit(time, row, r, PASS, 0.0, 0, now, step, infusion, n_infusion, steps)
            _dose(table, r, step, infusion, n_infusion, train, n_train, steps)
            step += 1
        elif table.observed[r]:
            _emit(time, row, r, OBSERVE, 0.0, 0, now, step, infusion, n_infusion, steps)
            step += 1
        elif event == 2 or event == 0:
            _emit(time, row, r, PASS, 0.0, 0, now, step, infusion, n_infusion, steps)
            step += 1
    return step, regimen_index


@allocating_kernel
def _count_all(table: Table, sizes: Counts) -> None:
    size = np.zeros(3, dtype=np.int64)
    for i in range(table.start.size - 1):
        count_steps(table, i, size)
        sizes[0] += size[0]
        sizes[1] += size[1]
        sizes[2] = max(sizes[2], size[2])


@kernel
def _expand_all(table: Table, carry_forward: bool, running: int, steps: Steps) -> tuple[int, int]:
    step = 0
    regimen = 0
    first = 0
    for i in range(table.start.size - 1):
        steps.start[i] = step
        steps.first[i] = first
        step, regimen = expand(table, i, carry_forward, running, step, regimen, steps)
        for r in range(table.start[i], table.start[i + 1]):
            if table.observed[r]:
                first += 1
    steps.start[table.start.size - 1] = step
    steps.first[table.start.size - 1] = first
    return step, regimen


def compile_steps(table: Table, *, carry_forward: bool) -> Steps:
    """Compile the event table of all subjects into flat steps.

    Parameters
    ----------
    table : Table
    carry_forward : bool
        LOCF instead of NOCB for parameters that change in time.

    Returns
    -------
    Steps
    """
    n = table.start.size - 1
    sizes = np.zeros(3, dtype=np.int64)
    _count_all(table, sizes)
    room = int(sizes[0])
    steps = Steps(
        start=np.zeros(n + 1, dtype=np.int64),
        first=np.zeros(n + 1, dtype=np.int64),
        dt=np.zeros(room),
        rate=np.zeros(room),
        depot=np.zeros(room),
        amount=np.zeros(room),
        kind=np.zeros(room, dtype=np.int8),
        compartment=np.zeros(room, dtype=np.int8),
        row=np.zeros(room, dtype=np.int32),
        at=np.zeros(room, dtype=np.int32),
        steady=np.zeros(room, dtype=np.int32),
        regimen=np.zeros((max(int(sizes[1]), 1), 8)),
    )
    used, _ = _expand_all(table, carry_forward, int(sizes[2]), steps)
    per_step = ("dt", "rate", "depot", "amount", "kind", "compartment", "row", "at", "steady")
    return steps._replace(**{name: getattr(steps, name)[:used].copy() for name in per_step})
