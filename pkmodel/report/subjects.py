"""Subjects of a run by group, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pkmodel.report.run_folder import Run

GROUP = "GROUP"
ALL = "all"
EXPOSURE = ("CSS", "CL_BSA")
"""Columns of individuals.csv that are results, not covariates."""
REPEATED = "_DATA"
"""Ending of a column of the data file whose name was taken."""


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
        return Subjects(found, seen, self.covariates, self.group_names, self.group_title)


def subjects_of(run: Run) -> Subjects:
    """Join groups to the rows of a run, and tell covariates from results."""
    names = _group_names(run)
    individuals, predictions = run.individuals.copy(), run.predictions.copy()
    if names:
        order = pd.CategoricalDtype(list(names))
        of = dict(zip(individuals["ID"], individuals[GROUP], strict=True))
        individuals[GROUP] = individuals[GROUP].astype(order)
        predictions[GROUP] = predictions["ID"].map(of).astype(order)
    declared = run.document["groups"]
    return Subjects(
        individuals=individuals,
        predictions=predictions,
        covariates=_covariates(run.individuals, run.document),
        group_names=names,
        group_title=declared["title"] if declared else "group",
    )


def _group_names(run: Run) -> tuple[str, ...]:
    """Name the groups in their order: as declared, then any that only the table has."""
    if GROUP not in run.individuals:
        return ()
    declared = run.document["groups"]["names"] if run.document["groups"] else []
    return tuple(dict.fromkeys([*declared, *run.individuals[GROUP]]))


def _covariates(individuals: pd.DataFrame, document: dict[str, Any]) -> tuple[str, ...]:
    """Name the columns after MODE that describe subjects, each once."""
    columns = [str(name) for name in individuals.columns]
    after = columns[columns.index("MODE") + 1 :]
    return tuple(
        name
        for name in after
        if name != GROUP and name not in EXPOSURE and not _is_repeated(individuals, name)
    )


def _is_repeated(individuals: pd.DataFrame, name: str) -> bool:
    """Tell whether a column of the data file says the same as the one that took its name."""
    first = name.removesuffix(REPEATED)
    if first == name or first not in individuals:
        return False
    return bool(individuals[name].equals(individuals[first]))
