"""A simulated trial: its data table in NONMEM's layout, and the truth about each subject."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pkmodel.fitting import COMPILING, Progress
from pkmodel.prediction import is_cold
from pkmodel.simulate.group import VirtualGroup, simulate_group
from pkmodel.simulate.record import Trial

TABLE = (
    *("ID", "TIME", "AMT", "RATE", "DV", "EVID", "MDV", "CENS"),
    *("AGE", "SEX", "WT", "HT", "BSA", "GROUP", "VIRTUAL"),
)
"""Columns of the table, in their order."""

_WHOLE = ("SEX", "GROUP")


@dataclass(frozen=True, eq=False)
class SimulatedTrial:
    """What `simulate_trial` returns.

    Attributes
    ----------
    trial : Trial
    seed : int
    table : DataFrame
        Rows of doses and samples with the columns `TABLE`; VIRTUAL is 1 throughout, GROUP the
        number of the group in the order of the trial, from 1; DV is missing on doses.
    subjects : DataFrame
        A row per subject: ID, AGE, SEX, WT, HT, BSA, GROUP, and the true parameters.
    """

    trial: Trial
    seed: int
    table: pd.DataFrame
    subjects: pd.DataFrame


def simulate_trial(
    trial: Trial, seed: int | None = None, *, progress: Progress | None = None
) -> SimulatedTrial:
    """Simulate a trial; the same seed gives the same table.

    Each group has random numbers of its own: a change of one group leaves the others as they are.

    Parameters
    ----------
    trial : Trial
    seed : int, optional
        Replaces that of the trial.
    progress : callable, optional
        Told in a line what is being done.

    Returns
    -------
    SimulatedTrial

    Raises
    ------
    ModelError
        A formula gives somebody an impossible parameter.

    Examples
    --------
    >>> from pkmodel.simulate import read_trial
    >>> simulated = simulate_trial(read_trial("blinatumomab_cohorts"))
    >>> int(simulated.table["VIRTUAL"].min())
    1
    """
    seed = trial.seed if seed is None else seed
    if progress is not None and is_cold():
        progress(COMPILING)
    tables, subjects, before = [], [], 0
    for index, group in enumerate(trial.groups):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, index)))
        drawn = simulate_group(trial, index, group.n, rng)
        tables.append(_table(drawn, before))
        subjects.append(_subjects(drawn, before, index))
        before += group.n
    return SimulatedTrial(
        trial,
        seed,
        pd.concat(tables, ignore_index=True),
        pd.concat(subjects, ignore_index=True),
    )


def _table(drawn: VirtualGroup, before: int) -> pd.DataFrame:
    data = drawn.dataset
    columns = {
        "ID": before + data.subject + 1,
        "TIME": data.time,
        "AMT": data.amt,
        "RATE": data.rate,
        "DV": data.dv,
        "EVID": data.evid,
        "MDV": data.mdv,
        "CENS": data.cens,
        **data.covariates,
        "VIRTUAL": np.ones(data.time.size, dtype=np.int64),
    }
    whole = dict.fromkeys(_WHOLE, np.int64)
    return pd.DataFrame(columns, columns=list(TABLE)).astype(whole)


def _subjects(drawn: VirtualGroup, before: int, index: int) -> pd.DataFrame:
    people = drawn.people
    n = people.age.size
    columns = {"ID": before + 1 + np.arange(n), **people.covariates(), "GROUP": index + 1}
    return pd.DataFrame(columns | dict(drawn.parameters)).astype(dict.fromkeys(_WHOLE, np.int64))
