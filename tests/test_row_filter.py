"""Conditions keep the rows they name, read nothing but comparisons, and never guess."""

from __future__ import annotations

import numpy as np
import pytest

from pkmodel.dataset.row_filter import parse_filter
from pkmodel.errors import DataError

COLUMNS = {
    "SD": np.array([1.0, 0.0, 1.0, np.nan]),
    "WT": np.array([3.0, 8.0, 20.0, 40.0]),
    "ID": np.array([1.0, 2.0, 3.0, 4.0]),
}


@pytest.mark.parametrize(
    ("text", "kept", "unknown"),
    [
        ("SD == 1", [1, 0, 1, 0], [0, 0, 0, 1]),
        ("SD != 1", [0, 1, 0, 0], [0, 0, 0, 1]),
        ("not SD == 1", [0, 1, 0, 0], [0, 0, 0, 1]),
        ("SD == 1 and WT < 10", [1, 0, 0, 0], [0, 0, 0, 0]),
        ("SD == 1 or WT >= 40", [1, 0, 1, 1], [0, 0, 0, 0]),
        ("SD == 1 and WT >= 40", [0, 0, 0, 0], [0, 0, 0, 1]),
        ("5 < WT <= 20", [0, 1, 1, 0], [0, 0, 0, 0]),
        ("ID in (1, 4)", [1, 0, 0, 1], [0, 0, 0, 0]),
        ("ID not in [1, 4]", [0, 1, 1, 0], [0, 0, 0, 0]),
        ("not ID in (1, 4)", [0, 1, 1, 0], [0, 0, 0, 0]),
        ("WT > -1.5e0", [1, 1, 1, 1], [0, 0, 0, 0]),
        ("(SD == 1\n and WT < 10)", [1, 0, 0, 0], [0, 0, 0, 0]),
    ],
)
def test_condition_keeps_its_rows(text: str, kept: list[int], unknown: list[int]) -> None:
    keep, undecided = parse_filter(text)(COLUMNS, 4)
    assert keep.tolist() == [bool(k) for k in kept]
    assert undecided.tolist() == [bool(u) for u in unknown]


def test_names_are_listed_once_in_order() -> None:
    assert parse_filter("WT < 3 or SD == 1 and WT > 0").names == ("WT", "SD")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("SD = 1", "=="),
        ("SD == 1 && WT > 2", "write and, or"),
        ("(SD == 1) & (WT > 2)", "write and, or"),
        ("SD == 1 AND WT > 2", "small letters"),
        ("SD", "not a comparison"),
        ("1", "not a comparison"),
        ("True", "not a comparison"),
        ("WT + 1 < 3", "neither a column nor a number"),
        ("SD == 'a'", "neither a column nor a number"),
        ("SD == True", "neither a column nor a number"),
        ("WT < 10**10", "neither a column nor a number"),
        ("__import__('os').system('true') == 0", "neither a column nor a number"),
        ("WT.real == 1", "neither a column nor a number"),
        ("WT is 1", "unknown comparison"),
        ("ID in 3", "list of numbers"),
        ("ID in (WT, 3)", "list of numbers"),
        ("lambda: 0", "not a comparison"),
        ("SD ==", "cannot be read"),
        (r"SD == '\d'", "neither a column nor a number"),
        ("SD == 1\0", "cannot be read"),
        ("(" * 200 + "SD == 1" + ")" * 200, "brackets"),
        ("WT < 1 or " * 300 + "WT < 1", "longer than"),
    ],
)
def test_anything_else_is_refused(text: str, words: str) -> None:
    with pytest.raises(DataError, match=r"^where: ") as caught:
        parse_filter(text)
    assert words in str(caught.value)


def test_a_deep_but_short_condition_ends() -> None:
    keep, _ = parse_filter("not " * 400 + "SD == 1")(COLUMNS, 4)
    assert keep.tolist() == [True, False, True, False]
