"""What figures ask of the tables they are drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from pkmodel.errors import DataError, ModelError
from pkmodel.suggestion import quoted, suggest

NO_GROUP = "no group"
ONE_GROUP = "all subjects"
NAMED = 10
"""Subjects that a note names; the others are counted."""

Rows = pd.DataFrame | Sequence[Mapping[str, object]]


def need_columns(table: pd.DataFrame, names: Iterable[str], what: str) -> None:
    """Check that a table has columns.

    Parameters
    ----------
    table : DataFrame
    names : iterable of str
    what : str
        What the table is, for the message.

    Raises
    ------
    DataError
        Columns are missing; all of them are named.
    """
    known = [str(name) for name in table.columns]
    problems = [
        f"the table of {what} has no column {name}; {suggest(name, known, 'its columns')}"
        for name in names
        if name not in table
    ]
    if problems:
        raise DataError(problems)


def with_groups(table: pd.DataFrame, order: Sequence[str] | None) -> tuple[pd.DataFrame, list[str]]:
    """Give every row a group, and list the groups in order.

    Parameters
    ----------
    table : DataFrame
        With or without a column GROUP; rows without a value there are of the group ``"no group"``.
    order : sequence of str or None
        Groups as they are to stand; those of it that the table does not have stand too, empty.
        None takes the order of appearance.

    Returns
    -------
    table : DataFrame
        A copy with the column GROUP.
    order : list of str

    Raises
    ------
    ModelError
        The order leaves out a group of the table.
    """
    table = table.copy()
    if "GROUP" not in table:
        table["GROUP"] = ONE_GROUP
    table["GROUP"] = table["GROUP"].astype(object).where(table["GROUP"].notna(), NO_GROUP)
    table["GROUP"] = table["GROUP"].astype(str)
    found = list(dict.fromkeys(table["GROUP"]))
    if order is None:
        return table, found
    extra = [g for g in found if g in (NO_GROUP, ONE_GROUP) and g not in order]
    left_out = [g for g in found if g not in order and g not in extra]
    if left_out:
        raise ModelError(
            [
                f"the order of groups leaves out {quoted(g)}; {suggest(g, order, 'it has')}"
                for g in left_out
            ]
        )
    return table, [*order, *extra]


def some_of(ids: pd.Series[Any], total: int) -> str:
    """Write how many subjects of all are meant, and the first of them by name.

    Examples
    --------
    >>> some_of(pd.Series(["S1", "S7"]), 30)
    '2 of 30 subjects (S1, S7)'
    """
    names = ids.astype(str).tolist()
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)} of {total} subjects ({', '.join(names[:NAMED])}{more})"
