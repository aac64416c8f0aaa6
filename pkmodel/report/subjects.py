"""Subjects of a run by group, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pkmodel.report.run_folder import Run

GROUP = "GROUP"
ALL = "all"
RESULTS = ("CSS", "CL_BSA")
"""Columns of individuals.csv after MODE that are results, not covariates."""
BODY = {"AGE": "years", "BSA": "m²", "WT": "kg"}
"""Columns of exposure.csv that describe subjects, in units that are known."""


@dataclass(frozen=True)
class Subjects:
    """The tables of a run with the groups in them.

    Attributes
    ----------
    individuals, predictions : DataFrame
        With the categorical column GROUP, in the order of the groups, where there are any.
    covariates : tuple of str
        Columns of `individuals`.
    group_names : tuple of str
        Empty where the subjects are not divided.
    group_title : str
        What divides them.
    """

    individuals: pd.DataFrame
    predictions: pd.DataFrame
    covariates: tuple[str, ...]
    group_names: tuple[str, ...]
    group_title: str

    def parts(self, table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield the rows of each group, then all rows."""
        for name in self.group_names:
            yield name, table[table[GROUP] == name]
        yield ALL, table

    def with_mode(self) -> Subjects:
        """Return the subjects whose mode was found, to judge random effects by."""
        found = self.individuals[self.individuals["MODE"] == "found"]
        seen = self.predictions[self.predictions["ID"].isin(found["ID"])]
        return replace(self, individuals=found, predictions=seen)


def subjects_of(run: Run) -> Subjects:
    """Join groups to the rows of a run, and tell covariates from results."""
    names = _group_names(run)
    individuals, covariates = _with_body(run)
    predictions = run.predictions.copy()
    if names:
        order = pd.CategoricalDtype(list(names))
        of = dict(zip(individuals["ID"], individuals[GROUP], strict=True))
        individuals[GROUP] = individuals[GROUP].astype(order)
        predictions[GROUP] = predictions["ID"].map(of).astype(order)
    declared = run.document["groups"]
    return Subjects(
        individuals=individuals,
        predictions=predictions,
        covariates=covariates,
        group_names=names,
        group_title=declared["title"] if declared else "group",
    )


def _group_names(run: Run) -> tuple[str, ...]:
    """Name the groups in their order: as declared, then any that only the table has."""
    if GROUP not in run.individuals:
        return ()
    declared = run.document["groups"]["names"] if run.document["groups"] else []
    return tuple(dict.fromkeys([*declared, *run.individuals[GROUP]]))


def _covariates(individuals: pd.DataFrame) -> list[str]:
    """Name the columns after MODE that describe subjects."""
    columns = [str(name) for name in individuals.columns]
    after = columns[columns.index("MODE") + 1 :]
    return [name for name in after if name != GROUP and name not in RESULTS]


def _with_body(run: Run) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the subjects with age, body surface and weight in their units, and the covariates.

    A covariate that is one of them gets its unit; where none is, as with ages in months, the
    column is added. One of the same name that differs is a size that changes in time: what is added
    is that of the exposure.
    """
    individuals = run.individuals.copy()
    covariates = _covariates(individuals)
    if run.exposure is None:
        return individuals, tuple(covariates)
    by_id = run.exposure.drop_duplicates("ID").set_index("ID")
    added = []
    for name, unit in BODY.items():
        if name not in by_id or by_id[name].dtype != float:
            continue
        values = individuals["ID"].map(by_id[name]).to_numpy(float)
        same = [c for c in covariates if _is_same(individuals[c], values)]
        later = " of the exposure" if name in covariates and not same and name != "AGE" else ""
        titled = f"{same[0] if same else name}{later} ({unit})"
        if same:
            individuals = individuals.rename(columns={same[0]: titled})
            covariates[covariates.index(same[0])] = titled
        else:
            individuals[titled] = values
            added.append(titled)
    return individuals, (*added, *covariates)


def _is_same(column: pd.Series, values: np.ndarray) -> bool:
    return column.dtype == float and bool(
        np.allclose(column.to_numpy(float), values, rtol=1e-9, atol=0.0, equal_nan=True)
    )
