"""Divisions of the subjects: by age as `[groups]` declares it, or by the values of a covariate.

The values of a subject's first record count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.covariates.age_group import (
    SCHEMES,
    Scheme,
    age_in_days,
    assign_groups,
    scheme_of_cuts,
)
from pkmodel.dataset import Dataset
from pkmodel.definition.schema import GroupsSection
from pkmodel.errors import DataError, ModelError
from pkmodel.prediction import first_rows

MOST_GROUPS = 12

AGE_GROUP = "age_group"
"""What a comparison is by where it is by the declared age groups."""


@dataclass(frozen=True)
class Groups:
    """A division of the subjects.

    Attributes
    ----------
    title : str
        What divides them, such as ``"age group"``.
    names : tuple of str
        Youngest first.
    code : array (n_subjects,)
        Index of each subject's group.
    source : str
        Where the cut-points come from.
    reference : str or None
        The group that others are compared with, where it is declared.
    margin : (float, float) or None
        Ratios that count as equivalent, where they are declared.
    published : str or None
        File of published summaries to stand beside those of the groups of the same name.
    """

    title: str
    names: tuple[str, ...]
    code: NDArray[np.int64]
    source: str
    reference: str | None = None
    margin: tuple[float, float] | None = None
    published: str | None = None

    @property
    def labels(self) -> NDArray[np.object_]:
        """Name of each subject's group."""
        return np.array(self.names, dtype=object)[self.code]


def declared_scheme(section: GroupsSection) -> Scheme:
    """Return the age groups that a declaration means."""
    if section.scheme is not None:
        return SCHEMES[section.scheme]
    cuts = {name: (low, high) for name, (low, high) in (section.cuts or {}).items()}
    return scheme_of_cuts(cuts, section.unit)


def age_groups(dataset: Dataset, section: GroupsSection) -> Groups:
    """Divide the subjects by their age at their first record.

    Parameters
    ----------
    dataset : Dataset
    section : GroupsSection
        Checked.

    Returns
    -------
    Groups
    """
    first = first_rows(dataset)[:-1]
    scheme = declared_scheme(section)
    code = assign_groups(age_in_days(dataset.covariates[section.age][first], section.unit), scheme)
    margin = section.margin
    return Groups(
        "age group",
        tuple(g.name for g in scheme.groups),
        code,
        scheme.source,
        section.reference,
        None if margin is None else (margin[0], margin[1]),
        section.published,
    )


def covariate_groups(dataset: Dataset, name: str) -> Groups:
    """Divide the subjects by the values of a covariate at their first record.

    Parameters
    ----------
    dataset : Dataset
    name : str
        A column with 2 to `MOST_GROUPS` values.

    Returns
    -------
    Groups
        Named by their values, in rising order.

    Raises
    ------
    DataError
        The column does not exist, has gaps, or has too few or too many values.
    """
    dataset.check_covariates([name], user="the comparison of groups")
    values, code = np.unique(
        dataset.covariates[name][first_rows(dataset)[:-1]], return_inverse=True
    )
    if not 2 <= values.size <= MOST_GROUPS:
        raise DataError(
            f"{name} has {values.size} values among the subjects; groups are made of 2 to "
            f"{MOST_GROUPS}. Ages are cut into groups by [groups] of a definition",
            dataset.source,
        )
    names = tuple(f"{name} {value:.12g}" for value in values)
    return Groups(name, names, code.astype(np.int64), f"values of {name}")


def asked_groups(dataset: Dataset, declared: Groups | None, by: str) -> Groups:
    """Return the groups that a comparison is asked by.

    Parameters
    ----------
    dataset : Dataset
    declared : Groups or None
        Age groups, where they are declared.
    by : str
        `AGE_GROUP`, or a covariate as for `covariate_groups`.

    Raises
    ------
    ModelError
        No age groups are declared.
    DataError
        As by `covariate_groups`.
    """
    if by != AGE_GROUP:
        return covariate_groups(dataset, by)
    if declared is None:
        raise ModelError(
            "no age groups are declared; add a table [groups] to the definition, or compare by "
            f"a covariate ({', '.join(dataset.covariates) or 'there is none'})"
        )
    return declared
