"""Who the subjects are: age group, body surface and weight of each, as `[groups]` declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pkmodel.covariates.age_group import DAYS, NO_GROUP, Scheme, age_in_days, assign_groups
from pkmodel.covariates.body_surface import FORMULAS, body_surface_area
from pkmodel.covariates.plausible import OLDEST
from pkmodel.dataset import Dataset
from pkmodel.dataset.faults import Faults
from pkmodel.dataset.size_checks import check_sizes
from pkmodel.definition.schema import BsaSection, GroupsSection
from pkmodel.errors import DataError, ModelError, Problem
from pkmodel.grouping import Groups, age_groups, declared_scheme
from pkmodel.prediction import first_rows

Vector = NDArray[np.float64]

BSA = "BSA"
"""Name under which a computed body surface area stands among the covariates."""

VIRTUAL = "VIRTUAL"
"""A column that is 1 where the subject is simulated."""


@dataclass(frozen=True)
class Subjects:
    """What is known of each subject beside its concentrations.

    Attributes
    ----------
    groups : Groups or None
    age : array (n_subjects,) or None
        Years, at the first record, which decides the group.
    bsa : array (n_rows,) or None
        Body surface area at each record of the data, m2: children grow.
    bsa_source : str
        The column, or the formula and its columns.
    weight : array (n_rows,) or None
        At each record, kg.
    is_virtual : bool
        Some subject is simulated, by the column ``VIRTUAL``.
    """

    groups: Groups | None = None
    age: Vector | None = None
    bsa: Vector | None = None
    bsa_source: str = ""
    weight: Vector | None = None
    is_virtual: bool = False

    def bsa_at(self, rows: NDArray[np.int64]) -> Vector | None:
        """Return body surface areas at records of the data, m2; None where none are known."""
        return None if self.bsa is None else self.bsa[rows]

    def weight_at(self, rows: NDArray[np.int64]) -> Vector | None:
        """Return body weights at records of the data, kg; None where none are known."""
        return None if self.weight is None else self.weight[rows]


def is_virtual(dataset: Dataset) -> bool:
    """Tell whether a data set says that subjects of it are simulated."""
    return bool(np.any(dataset.covariates.get(VIRTUAL, np.zeros(1)) == 1))


def declared_subjects(
    dataset: Dataset, declared: Mapping[str, object] | None
) -> tuple[Dataset, Subjects]:
    """Find what a definition's ``[groups]`` says of each subject.

    Parameters
    ----------
    dataset : Dataset
    declared : mapping or None
        As in a definition.

    Returns
    -------
    dataset : Dataset
        With the covariate BSA where it is computed from weight and height, and a warning where
        sizes that are not plausible were allowed.
    subjects : Subjects

    Raises
    ------
    DataError
        A column is missing or has gaps, a subject is in no group, or a value is not plausible
        for the subject's age; all of them at once.
    ModelError
        The declaration itself has faults.
    """
    if declared is None:
        return dataset, Subjects(is_virtual=is_virtual(dataset))
    section = _read(declared)
    surface, weight = section.bsa, _weight_column(section)
    columns = {section.age: "age"}
    if weight is not None:
        columns[weight] = "weight"
    if surface is not None:
        columns |= {surface.column: "bsa"} if surface.column else {surface.height or "": "height"}
    dataset.check_covariates(columns, user="[groups]")
    age = age_in_days(dataset.covariates[section.age], section.unit) / DAYS["year"]
    dataset = _checked(dataset, section, columns, age)
    dataset, bsa, source = _with_body_surface(dataset, surface)
    return dataset, Subjects(
        groups=age_groups(dataset, section),
        age=age[first_rows(dataset)[:-1]],
        bsa=bsa,
        bsa_source=source,
        weight=None if weight is None else dataset.covariates[weight],
        is_virtual=is_virtual(dataset),
    )


def _read(declared: Mapping[str, object]) -> GroupsSection:
    """Give a declaration from Python or a file its fields."""
    from pkmodel.definition.group_check import group_problems

    try:
        section = GroupsSection.model_validate({k: _as_lists(v) for k, v in declared.items()})
    except ValidationError as error:
        faults = [
            Problem(fault["msg"], "[groups] " + " ".join(str(part) for part in fault["loc"]))
            for fault in error.errors(include_url=False)
        ]
        raise ModelError(faults) from error
    problems = group_problems(section)
    if problems:
        raise ModelError(problems)
    return section


def _as_lists(value: object) -> object:
    """Give TOML's arrays for the tuples of Python."""
    if isinstance(value, Mapping):
        return {k: _as_lists(v) for k, v in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _weight_column(section: GroupsSection) -> str | None:
    return section.weight or (section.bsa.weight if section.bsa is not None else None)


def _with_body_surface(
    dataset: Dataset, surface: BsaSection | None
) -> tuple[Dataset, Vector | None, str]:
    """Return the body surface of each row, and the data with it where it is computed."""
    if surface is None:
        return dataset, None, ""
    if surface.column is not None:
        return dataset, dataset.covariates[surface.column], f"column {surface.column}"
    if BSA in dataset.covariates:
        raise DataError(
            Problem(
                f"the file has a column {BSA} and [groups] asks to compute it; say bsa = "
                f'"{BSA}" to use the column, or leave it out of the file',
                "[groups] bsa",
            ),
            dataset.source,
        )
    weight, height, formula = surface.weight or "", surface.height or "", surface.formula or ""
    bsa = body_surface_area(dataset.covariates[weight], dataset.covariates[height], formula)
    bsa.setflags(write=False)
    source = f"{FORMULAS[formula].title}, from {weight} and {height}"
    return replace(dataset, covariates={**dataset.covariates, BSA: bsa}), bsa, source


# -- what cannot be ---------------------------------------------------------------------------


def _checked(
    dataset: Dataset, section: GroupsSection, columns: Mapping[str, str], age: Vector
) -> Dataset:
    """Refuse sizes that no person has, and ages outside all groups; return with warnings."""
    faults = Faults(dataset.ids, dataset.subject, dataset.row, {}, dataset.allow)
    wrong = ~((age >= 0.0) & (age <= OLDEST))
    faults.rows(
        wrong,
        section.age,
        f"no age of a person in {section.unit}s; check the value, and unit under [groups]",
    )
    sizes = {kind: (name, dataset.covariates[name]) for name, kind in columns.items()}
    check_sizes(sizes, age, ~wrong, faults)
    first = first_rows(dataset)[:-1]
    scheme = declared_scheme(section)
    code = assign_groups(age_in_days(dataset.covariates[section.age], section.unit), scheme)
    outside = np.zeros(age.size, dtype=bool)
    outside[first] = (code[first] == NO_GROUP) & ~wrong[first]
    faults.rows(outside, section.age, _outside(section, scheme))
    if faults.problems:
        raise DataError(faults.problems, dataset.source)
    if not faults.warnings:
        return dataset
    return replace(dataset, warnings=(*dataset.warnings, *faults.warnings))


def _outside(section: GroupsSection, scheme: Scheme) -> str:
    ranges = ", ".join(
        f"{g.name} {g.low / DAYS[section.unit]:.4g} to {g.high / DAYS[section.unit]:.4g}"
        for g in scheme.groups
    )
    message = (
        f"this age is in none of the groups ({ranges} {section.unit}s); add a group to cuts under "
        "[groups], or leave the subject out by [data] where"
    )
    return message.replace("{", "{{").replace("}", "}}")
