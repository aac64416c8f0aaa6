"""Random event histories with everything in them, for judging one solution by another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from twin import CENTRAL, DEPOT, Row


def random_history(rng: np.random.Generator, *, oral: bool, with_steady_state: bool) -> list[Row]:
    """Return a subject of doses of all kinds, resets and observations, some at the same time."""
    times = np.sort(rng.choice(np.arange(0, 96, 1.5), size=22, replace=True))
    rows = [dose(rng, 0.0, oral=oral, with_steady_state=with_steady_state)]
    for time in times:
        kind = rng.random()
        if kind < 0.25:
            rows.append(dose(rng, time, oral=oral, with_steady_state=with_steady_state))
        elif kind < 0.29:
            rows.append(Row(time, evid=3))
        else:
            rows.append(Row(time + (0.37 if kind > 0.7 else 0.0)))
    return sorted(rows, key=lambda row: row.time)


def dose(rng: np.random.Generator, time: float, *, oral: bool, with_steady_state: bool) -> Row:
    amount = float(rng.choice([10.0, 55.5, 120.0]))
    rate = float(rng.choice([0.0, amount / 0.5, amount / 4.25, amount / 19.0]))
    into = int(rng.choice([DEPOT, CENTRAL])) if oral else CENTRAL
    steady = int(rng.choice([0, 0, 1, 2])) if with_steady_state else 0
    if steady and rng.random() < 0.2:
        return Row(time, rate=7.5, evid=1, into=into, ss=steady)
    addl = int(rng.choice([0, 0, 3]))
    ii = float(rng.choice([6.0, 12.0, 13.7])) if addl or steady else 0.0
    evid = 4 if rng.random() < 0.1 else 1
    return Row(time, amount, rate, evid, into, ii, addl, steady)


def as_frame(rows: Sequence[Row], label: int = 1) -> pd.DataFrame:
    """Write a history as a data set; an oral one has its central compartment as number 2."""
    oral = any(row.into == DEPOT for row in rows)
    frame = pd.DataFrame([vars(row) for row in rows])
    frame.columns = [name.upper() for name in frame]
    central = 2 if oral else 1
    return frame.assign(
        ID=label,
        CMT=np.where(frame["INTO"] == DEPOT, 1, central),
        DV=np.arange(1.0, len(frame) + 1),
        MDV=frame["EVID"].ne(0) * 1,
    ).drop(columns="INTO")
