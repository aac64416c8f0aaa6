"""Concentrations of one compartment in three slow, obvious ways, none of which the package uses.

`superpose` adds up every past dose (constant parameters), `step` walks from event to event
(parameters may change at every record), `integrate` solves the differential equations. The first
two work with mpmath at 50 digits; `step` also with numpy, on many parameter sets at once and on
complex numbers, which is what `twin_likelihood` differentiates.

Conventions (those of NONMEM): records act in file order; a dose of an ADDL train acts before a
record at the same time; SS=1 and EVID 3 and 4 empty the compartments and cancel running infusions
and pending doses; a constant infusion at steady state is off after its record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise

import mpmath
import numpy as np
from scipy.integrate import solve_ivp

mpmath.mp.dps = 50
DEPOT, CENTRAL = 0, 1


@dataclass(frozen=True)
class Row:
    """One record of one subject; `into` is the compartment that a dose enters."""

    time: float
    amt: float = 0.0
    rate: float = 0.0
    evid: int = 0
    into: int = CENTRAL
    ii: float = 0.0
    addl: int = 0
    ss: int = 0

    @property
    def is_dose(self) -> bool:
        return self.evid in (1, 4)

    @property
    def clears(self) -> bool:
        return self.evid in (3, 4) or (self.is_dose and self.ss == 1)

    @property
    def is_constant_infusion(self) -> bool:
        return self.ss > 0 and self.amt == 0 and self.rate > 0


@dataclass(frozen=True)
class Arithmetic:
    """The number type of a calculation: how to take one over, and its exponential functions."""

    number: Callable
    exp: Callable
    expm1: Callable
    nudge: object  # relative distance at which ka and k count as equal


EXACT = Arithmetic(mpmath.mpf, mpmath.exp, mpmath.expm1, mpmath.mpf("1e-20"))
FAST = Arithmetic(lambda x: x, np.exp, np.expm1, None)


def apart(ka, k, of: Arithmetic):
    """Move ka off k where the two coincide: at 50 digits 1e-20 costs nothing and shows nowhere."""
    if of.nudge is not None and abs(ka - k) < of.nudge * k:
        return k * (1 + of.nudge)
    return ka


def after_dose(k, ka, u, into, of: Arithmetic):
    """Central amount a time u after one unit was put into a compartment."""
    if into == CENTRAL:
        return of.exp(-k * u)
    return ka / (ka - k) * (of.exp(-k * u) - of.exp(-ka * u))


def filled(k, u, of: Arithmetic):
    """Integral of exp(-k s) for s from 0 to u."""
    return u if of is EXACT and k == 0 else -of.expm1(-k * u) / k


def during_infusion(k, ka, u, into, of: Arithmetic):
    """Central amount a time u into an infusion of rate one."""
    if into == CENTRAL:
        return filled(k, u, of)
    return ka / (ka - k) * (filled(k, u, of) - filled(ka, u, of))


# --- superposition ---------------------------------------------------------------------------


def superpose(rows: Sequence[Row], cl, v, ka=None) -> list[mpmath.mpf]:
    """Concentration just after every row, as the sum over all doses given so far."""
    cl, v = mpmath.mpf(cl), mpmath.mpf(v)
    k = cl / v
    ka = apart(mpmath.mpf(ka), k, EXACT) if ka is not None else None
    return [
        sum((contribution(dose, row, k, ka) for dose in active_doses(rows, j)), mpmath.mpf(0)) / v
        for j, row in enumerate(rows)
    ]


def active_doses(rows: Sequence[Row], j: int) -> list[Row]:
    """Return the dose records that row j can still feel."""
    start = max((i for i in range(j + 1) if rows[i].clears), default=0)
    return [row for row in rows[start : j + 1] if row.is_dose]


def contribution(dose: Row, row: Row, k, ka) -> mpmath.mpf:
    """Central amount at a row from one dose record: its train, and its past if at steady state."""
    u = mpmath.mpf(row.time) - mpmath.mpf(dose.time)
    if dose.is_constant_infusion:
        return steady_constant(dose, u, k, ka)
    starts = (n * mpmath.mpf(dose.ii) for n in range(dose.addl + 1))
    total = sum((single(dose, u - s, k, ka) for s in starts if s <= u), mpmath.mpf(0))
    return total + (past_train(dose, u, k, ka) if dose.ss else 0)


def single(dose: Row, u, k, ka) -> mpmath.mpf:
    """Central amount a time u after the start of one dose."""
    if dose.rate == 0:
        return dose.amt * after_dose(k, ka, u, dose.into, EXACT)
    duration = mpmath.mpf(dose.amt) / mpmath.mpf(dose.rate)
    if u <= duration:
        return dose.rate * during_infusion(k, ka, u, dose.into, EXACT)
    return dose.rate * ended_infusion(duration, u, k, ka, dose.into)


def ended_infusion(duration, u, k, ka, into) -> mpmath.mpf:
    def tail(rate):
        return filled(rate, duration, EXACT) * mpmath.exp(-rate * (u - duration))

    return tail(k) if into == CENTRAL else ka / (ka - k) * (tail(k) - tail(ka))


def past_train(dose: Row, u, k, ka) -> mpmath.mpf:
    """Central amount at u from all doses at -ii, -2 ii, ...: running ones singly, ended ones as a
    geometric series."""
    ii = mpmath.mpf(dose.ii)
    duration = mpmath.mpf(dose.amt) / mpmath.mpf(dose.rate) if dose.rate else mpmath.mpf(0)
    first_ended = max(1, int(mpmath.ceil(duration / ii)))
    total = sum(
        (single(dose, u + n * ii, k, ka) for n in range(1, first_ended)), start=mpmath.mpf(0)
    )

    def series(rate):
        weight = filled(rate, duration, EXACT) * dose.rate if dose.rate else mpmath.mpf(dose.amt)
        return (
            weight
            * mpmath.exp(-rate * (u + first_ended * ii - duration))
            / -mpmath.expm1(-rate * ii)
        )

    if dose.into == CENTRAL:
        return total + series(k)
    return total + ka / (ka - k) * (series(k) - series(ka))


def steady_constant(dose: Row, u, k, ka) -> mpmath.mpf:
    central = dose.rate / k * mpmath.exp(-k * u)
    if dose.into == CENTRAL:
        return central
    return central + dose.rate / ka * after_dose(k, ka, u, DEPOT, EXACT)


# --- stepping --------------------------------------------------------------------------------


class Body:
    """Amounts, running infusions and pending doses, walked forward in time."""

    def __init__(self, time, of: Arithmetic) -> None:
        self.of = of
        self.time = of.number(time)
        self.clear()

    def clear(self) -> None:
        self.amount = [self.of.number(0.0), self.of.number(0.0)]
        self.running: list[tuple[int, object, object]] = []  # into, rate, end
        self.pending: list[tuple[object, Row]] = []  # time, dose

    def advance(self, until, k, ka) -> None:
        """Walk to a time, through the ends of infusions and the doses of trains on the way."""
        ends = [end for _, _, end in self.running]
        trains = [time for time, _ in self.pending]
        for stop in [*sorted(t for t in {*ends, *trains} if t <= until), until]:
            self.drift(stop - self.time, k, ka)
            self.time = stop
            self.running = [r for r in self.running if r[2] > stop]
            due = [dose for time, dose in self.pending if time <= stop]
            self.pending = [p for p in self.pending if p[0] > stop]
            for dose in due:
                self.give(dose)
            if due and any(end < until for _, _, end in self.running):
                return self.advance(until, k, ka)
        return None

    def drift(self, dt, k, ka) -> None:
        """Let time pass under constant input."""
        rate = [sum(r for into, r, _ in self.running if into == c) for c in (DEPOT, CENTRAL)]
        depot, central = self.amount
        central = central * self.of.exp(-k * dt) + rate[CENTRAL] * filled(k, dt, self.of)
        if ka is not None:
            central = central + depot * after_dose(k, ka, dt, DEPOT, self.of)
            central = central + rate[DEPOT] * during_infusion(k, ka, dt, DEPOT, self.of)
            depot = depot * self.of.exp(-ka * dt) + rate[DEPOT] * filled(ka, dt, self.of)
        self.amount = [depot, central]

    def give(self, dose: Row) -> None:
        if dose.rate == 0:
            self.amount[dose.into] = self.amount[dose.into] + self.of.number(dose.amt)
        else:
            rate = self.of.number(dose.rate)
            self.running.append((dose.into, rate, self.time + self.of.number(dose.amt) / rate))

    def schedule(self, dose: Row) -> None:
        times = (self.time + n * self.of.number(dose.ii) for n in range(1, dose.addl + 1))
        self.pending += [(time, dose) for time in times]

    def settle(self, dose: Row, k, ka) -> None:
        """Add what an endless train of this dose has left behind when its next one is due.

        One interval of the settled train is a linear map of the amounts, x -> M x + b; it is run
        from nothing for b, from one unit in each compartment for M, and solved for its fixed point.
        """
        number = self.of.number
        if dose.is_constant_infusion:
            if dose.into == DEPOT:
                self.amount[DEPOT] = self.amount[DEPOT] + number(dose.rate) / ka
            self.amount[CENTRAL] = self.amount[CENTRAL] + number(dose.rate) / k
            return
        ii = number(dose.ii)
        interval = Body(0.0, self.of)
        leftover = list(self.unfinished(dose))
        interval.running = [(dose.into, rate, end) for rate, end in leftover]
        interval.give(dose)
        interval.advance(ii, k, ka)
        depot, central = interval.amount
        if ka is not None:
            depot = depot / -self.of.expm1(-ka * ii)
            central = central + depot * after_dose(k, ka, ii, DEPOT, self.of)
        central = central / -self.of.expm1(-k * ii)
        self.amount = [self.amount[DEPOT] + depot, self.amount[CENTRAL] + central]
        self.running += [(dose.into, rate, self.time + end) for rate, end in leftover]

    def unfinished(self, dose: Row) -> Iterator[tuple[object, object]]:
        """Yield rate and end (from now) of the train's past infusions that still run."""
        if dose.rate == 0:
            return
        rate, ii = self.of.number(dose.rate), self.of.number(dose.ii)
        for n in count(1):
            end = self.of.number(dose.amt) / rate - n * ii
            if end <= 0:
                return
            yield rate, end


def step(rows: Sequence[Row], cl, v, ka=None, *, rule: str = "nocb", of: Arithmetic = EXACT):
    """Concentration just after every row; cl, v and ka hold one value (or array) per row."""
    number = of.number
    cl, v = [number(x) for x in cl], [number(x) for x in v]
    k = [c / w for c, w in zip(cl, v, strict=True)]
    if ka is None:
        absorption = [None] * len(rows)
    else:
        absorption = [apart(number(a), b, of) for a, b in zip(ka, k, strict=True)]
    body = Body(rows[0].time, of)
    found = []
    for j, row in enumerate(rows):
        source = max(j - 1, 0) if rule == "locf" else j
        time = number(row.time)
        if time > body.time:
            body.advance(time, k[source], absorption[source])
        body.time = time
        if row.clears:
            body.clear()
        if row.is_dose:
            if row.ss:
                body.settle(row, k[j], absorption[j])
            if not row.is_constant_infusion:
                body.give(row)
                body.schedule(row)
        found.append(body.amount[CENTRAL] / v[j])
    return found


# --- differential equations --------------------------------------------------------------------


def integrate(
    rows: Sequence[Row],
    cl: Sequence[float],
    v: Sequence[float],
    ka: Sequence[float] | None = None,
    *,
    rule: str = "nocb",
) -> list[float]:
    """Concentration just after every row, from an ODE solver started anew for every row.

    Steady state is an explicit long train of earlier doses under the record's parameters. No
    constant infusion at steady state, no time that starts again.
    """
    absorption = ka if ka is not None else [1.0] * len(rows)

    def parameters_at(begin: float) -> tuple[float, float]:
        later = next((j for j, row in enumerate(rows) if row.time > begin), len(rows) - 1)
        j = max(later - 1, 0) if rule == "locf" else later
        return cl[j] / v[j], absorption[j]

    found = []
    for j, row in enumerate(rows):
        shots = [s for d in active_doses(rows, j) for s in explicit_train(d, cl, v, absorption)]
        shots = [s for s in shots if s.time <= row.time]
        changes = [r.time for r in rows[:j] if r.time > shots[0].time] if shots else []
        amount = run(shots, row.time, changes, parameters_at)
        found.append(amount[CENTRAL] / v[j])
    return found


def explicit_train(dose: Row, cl, v, ka) -> list[Row]:
    """List the single doses that one record stands for, 45 half-lives of the past included."""
    slowest = min(min(c / w for c, w in zip(cl, v, strict=True)), min(ka))
    past = int(np.ceil(31 / (slowest * dose.ii))) if dose.ss else 0
    return [
        Row(dose.time + n * dose.ii, dose.amt, dose.rate, 1, dose.into)
        for n in range(-past, dose.addl + 1)
    ]


def run(shots: list[Row], until: float, changes: list[float], parameters_at) -> np.ndarray:
    """Integrate from the first dose to a time, stopping at every change of input or parameters."""
    ends = [s.time + s.amt / s.rate for s in shots if s.rate]
    stops = sorted({until, *changes, *(s.time for s in shots), *(e for e in ends if e < until)})
    amount = np.zeros(2)
    for s in (s for s in shots if s.rate == 0 and s.time == stops[0]):
        amount[s.into] += s.amt
    for begin, end in pairwise(stops):
        k, ka = parameters_at(begin)
        rate = np.zeros(2)
        for s in shots:
            if s.rate and s.time <= begin and s.time + s.amt / s.rate > begin:
                rate[s.into] += s.rate

        def slope(_, x, k=k, ka=ka, rate=rate):
            flow = ka * x[DEPOT]
            return rate[DEPOT] - flow, rate[CENTRAL] + flow - k * x[CENTRAL]

        path = solve_ivp(slope, (begin, end), amount, method="DOP853", rtol=1e-12, atol=1e-14)
        amount = path.y[:, -1]
        for s in (s for s in shots if s.rate == 0 and s.time == end):
            amount[s.into] += s.amt
    return amount
