"""A data table is read as it stands, or every fault in it is named with its place."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pkmodel.dataset import Dataset, read_dataset
from pkmodel.errors import DataError, ModelError

GOOD = """\
ID,TIME,AMT,RATE,DV,EVID,MDV,CMT,II,ADDL,SS,WT
1,0,100,50,0,1,1,1,0,0,0,3.5
1,1,0,0,2.5,0,0,1,0,0,0,3.5
1,4,0,0,1.5,0,0,1,0,0,0,3.6
2,0,80,0,0,1,1,1,12,2,0,8
2,3,0,0,3.25,0,0,1,0,0,0,8
2,5,0,0,0,2,1,1,0,0,0,8.1
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def change(line: int, column: str, value: str, text: str = GOOD) -> str:
    rows = [row.split(",") for row in text.splitlines()]
    rows[line - 1][rows[0].index(column)] = value
    return "\n".join(",".join(row) for row in rows) + "\n"


def add(column: str, values: list[str], text: str = GOOD) -> str:
    rows = text.splitlines()
    return "\n".join(f"{row},{v}" for row, v in zip(rows, [column, *values], strict=True)) + "\n"


def drop(column: str, text: str = GOOD) -> str:
    rows = [row.split(",") for row in text.splitlines()]
    k = rows[0].index(column)
    return "\n".join(",".join(row[:k] + row[k + 1 :]) for row in rows) + "\n"


def faults(path: Path | pd.DataFrame, **options: object) -> list[str]:
    with pytest.raises(DataError) as caught:
        read_dataset(path, **options)
    return [str(problem) for problem in caught.value.problems]


def same(a: Dataset, b: Dataset, *, but: tuple[str, ...] = ()) -> bool:
    for name in vars(a):
        one, other = getattr(a, name), getattr(b, name)
        if name in {"source", "sha256", *but}:
            continue
        if name == "covariates":
            assert list(one) == list(other)
            for key in one:
                np.testing.assert_array_equal(one[key], other[key])
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other, err_msg=name)
            assert one.dtype == other.dtype, name
        else:
            assert one == other, name
    return True


def test_a_good_table_is_read_as_it_stands(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    units = {"time": "h", "amount": "ug", "concentration": "pg/mL"}
    data = read_dataset(path, units=units)
    assert data.source == str(path)
    assert data.ids.tolist() == [1, 2]
    assert data.ids.dtype == np.int64
    assert data.subject.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.row.tolist() == [2, 3, 4, 5, 6, 7]
    assert data.time.tolist() == [0, 1, 4, 0, 3, 5]
    assert data.amt.tolist() == [100, 0, 0, 80, 0, 0]
    assert data.rate.tolist() == [50, 0, 0, 0, 0, 0]
    assert data.ii.tolist() == [0, 0, 0, 12, 0, 0]
    assert data.addl.tolist() == [0, 0, 0, 2, 0, 0]
    np.testing.assert_array_equal(data.dv, [np.nan, 2.5, 1.5, np.nan, 3.25, np.nan])
    assert data.evid.tolist() == [1, 0, 0, 1, 0, 2]
    assert data.occ.tolist() == [1] * 6
    assert data.covariates["WT"].tolist() == [3.5, 3.5, 3.6, 8, 8, 8.1]
    assert list(data.covariates) == ["WT"]
    assert data.units.scale == 1000.0
    assert (data.n_subjects, data.n_observations, data.n_censored, data.n_doses) == (2, 3, 0, 2)
    assert data.warnings == ()
    assert data.covariate_rule == "nocb"


FAULTY = {
    "amount negative": (change(2, "AMT", "-5"), "subject 1, line 2, column AMT", "negative (-5)"),
    "amount infinite": (change(2, "AMT", "inf"), "subject 1, line 2, column AMT", "infinite"),
    "amount overflows": (change(2, "AMT", "1e999"), "subject 1, line 2, column AMT", "infinite"),
    "amount absurd": (change(2, "AMT", "1e60"), "subject 1, line 2, column AMT", "beyond"),
    "amount text": (change(2, "AMT", "lots"), "subject 1, line 2, column AMT", "found 'lots'"),
    "amount nan": (change(2, "AMT", "nan"), "subject 1, line 2, column AMT", "written ."),
    "amount comma": (change(2, "AMT", '"1,5"'), "subject 1, line 2, column AMT", "decimal mark"),
    "amount zero": (change(5, "AMT", "0"), "subject 2, line 5, column AMT", "without an amount"),
    "amount missing": (change(5, "AMT", "."), "subject 2, line 5, column AMT", "without an amount"),
    "amount on observation": (change(3, "AMT", "9"), "subject 1, line 3, column AMT", "no dose"),
    "rate modelled": (change(2, "RATE", "-2"), "subject 1, line 2, column RATE", "not supported"),
    "rate modelled 1": (change(2, "RATE", "-1"), "subject 1, line 2, column RATE", "not supported"),
    "rate negative": (change(2, "RATE", "-5"), "subject 1, line 2, column RATE", "negative (-5)"),
    "rate alone": (change(2, "AMT", "0"), "subject 1, line 2, column RATE", "without AMT"),
    "rate on observation": (change(3, "RATE", "9"), "subject 1, line 3, column RATE", "no dose"),
    "rate endless": (
        change(2, "AMT", "1e40", change(2, "RATE", "1e-300")),
        "subject 1, line 2, column RATE",
        "too small",
    ),
    "addl alone": (change(5, "II", "0"), "subject 2, line 5, column ADDL", "without II"),
    "addl negative": (change(5, "ADDL", "-1"), "subject 2, line 5, column ADDL", "whole number"),
    "addl fraction": (change(5, "ADDL", "1.5"), "subject 2, line 5, column ADDL", "whole number"),
    "addl huge": (change(5, "ADDL", "1e9"), "subject 2, line 5, column ADDL", "from 0 to 100000"),
    "addl on observation": (change(3, "ADDL", "2"), "subject 1, line 3, column ADDL", "no dose"),
    "ii negative": (change(5, "II", "-12"), "subject 2, line 5, column II", "negative (-12)"),
    "ii tiny": (
        change(5, "RATE", "1", change(5, "II", "1e-9")),
        "subject 2, line 5, column II",
        "at one time",
    ),
    "ss alone": (change(2, "SS", "1"), "subject 1, line 2, column SS", "without II"),
    "ss code": (change(2, "SS", "99"), "subject 1, line 2, column SS", "expected 0, 1 or 2"),
    "ss on observation": (change(3, "SS", "1"), "subject 1, line 3, column SS", "no dose"),
    "constant infusion with interval": (
        change(5, "AMT", "0", change(5, "RATE", "4", change(5, "SS", "1"))),
        "subject 2, line 5, column II",
        "constant infusion",
    ),
    "constant infusion with addl": (
        change(5, "AMT", "0", change(5, "RATE", "4", change(5, "SS", "1"))),
        "subject 2, line 5, column ADDL",
        "constant infusion",
    ),
    "time backwards": (
        change(4, "TIME", "0.5"),
        "subject 1, line 4, column TIME",
        "0.5 comes after 1 in line 3",
    ),
    "time missing": (change(3, "TIME", "."), "subject 1, line 3, column TIME", "missing"),
    "time clock": (change(3, "TIME", "08:30"), "subject 1, line 3, column TIME", "clock times"),
    "time date": (change(3, "TIME", "2020-01-03"), "subject 1, line 3, column TIME", "dates"),
    "id missing": (change(3, "ID", ""), "line 3, column ID", "missing"),
    "id comes back": (
        GOOD + "1,9,0,0,1,0,0,1,0,0,0,3\n",
        "subject 1, line 8, column ID",
        "comes back after subject 2 (line 7)",
    ),
    "dv missing": (change(3, "DV", "."), "subject 1, line 3, column DV", "MDV = 1"),
    "dv text": (change(3, "DV", "BLQ"), "subject 1, line 3, column DV", "CENS = 1"),
    "dv below": (change(3, "DV", "<0.5"), "subject 1, line 3, column DV", "CENS = 1"),
    "dv infinite": (change(3, "DV", "-Infinity"), "subject 1, line 3, column DV", "infinite"),
    "duplicate": (
        GOOD.replace("1,4,0,0,1.5", "1,1,0,0,2.5"),
        "subject 1, line 4, column DV",
        "same observation as in line 3",
    ),
    "dose and observation": (change(2, "MDV", "0"), "subject 1, line 2, column MDV", "split it"),
    "dose and dv": (
        drop("MDV", change(2, "DV", "7")),
        "subject 1, line 2, column DV",
        "split it",
    ),
    "evid code": (change(3, "EVID", "5"), "subject 1, line 3, column EVID", "0, 1, 2, 3 or 4"),
    "evid fraction": (change(3, "EVID", "0.5"), "subject 1, line 3, column EVID", "EVID is 0.5"),
    "mdv code": (change(3, "MDV", "2"), "subject 1, line 3, column MDV", "0 or 1"),
    "cmt of dose": (change(2, "CMT", "2"), "subject 1, line 2, column CMT", "1 (central)"),
    "cmt of observation": (change(3, "CMT", "2"), "subject 1, line 3, column CMT", "1 (central)"),
    "cmt fraction": (change(3, "CMT", "1.5"), "subject 1, line 3, column CMT", "whole number"),
    "cmt negative": (change(7, "CMT", "-1"), "subject 2, line 7, column CMT", "switching"),
    "cens code": (
        add("CENS", ["0", "2", "0", "0", "0", "0"]),
        "subject 1, line 3, column CENS",
        "0 or 1",
    ),
    "cens right": (
        add("CENS", ["0", "-1", "0", "0", "0", "0"]),
        "subject 1, line 3, column CENS",
        "not supported",
    ),
    "limit": (
        add("LIMIT", ["0"] * 6, add("CENS", ["0", "1", "0", "0", "0", "0"])),
        "subject 1, line 3, column LIMIT",
        "between LIMIT and DV",
    ),
    "limit infinite": (
        add("LIMIT", [".", "inf", ".", ".", ".", "."]),
        "subject 1, line 3, column LIMIT",
        "infinite",
    ),
    "lloq above dv": (
        add("LLOQ", ["2"] * 6),
        "subject 1, line 4, column DV",
        "below LLOQ = 2",
    ),
    "occasion missing": (
        add("OCC", ["1", "1", ".", "1", "1", "1"]),
        "subject 1, line 4, column OCC",
        "missing",
    ),
    "occasion fraction": (
        add("OCC", ["1", "1", "1.5", "1", "1", "1"]),
        "subject 1, line 4, column OCC",
        "whole numbers",
    ),
    "duration alone": (
        add("DUR", ["2", "0", "0", "0", "0", "3"]),
        "subject 2, line 7, column DUR",
        "no dose",
    ),
    "duration without amount": (
        add("DUR", ["2", ".", ".", "2", ".", "."], change(5, "AMT", "0")),
        "subject 2, line 5, column DUR",
        "without AMT",
    ),
    "duration disagrees": (
        add("DUR", ["3", "0", "0", "0", "0", "0"]),
        "subject 1, line 2, column DUR",
        "RATE = 50 and DUR = 3 disagree for AMT = 100",
    ),
    "duration too short": (
        add("DUR", ["0", "0", "0", "1e-320", "0", "0"]),
        "subject 2, line 5, column DUR",
        "overflows",
    ),
    "duration negative": (
        add("DUR", ["-2", "0", "0", "0", "0", "0"]),
        "subject 1, line 2, column DUR",
        "negative",
    ),
    "covariate mistyped": (change(4, "WT", "3.g"), "subject 1, line 4, column WT", "'3.g'"),
    "covariate infinite": (change(4, "WT", "inf"), "subject 1, line 4, column WT", "infinite"),
    "no dose": (
        GOOD.replace("2,0,80,0,0,1,1,1,12,2", "2,0,0,0,0,2,1,1,0,0"),
        "subject 2",
        'no dose; add the dose, or leave the subject out with where; or say allow = ["no_dose"]',
    ),
    "no observation": (
        change(6, "MDV", "1"),
        "subject 2",
        'no observations; leave the subject out with where; or say allow = ["no_observations"]',
    ),
    "too few cells": (GOOD + "2,9,0,0\n", "line 8", "4 cells where the header has 12"),
    "too many cells": (GOOD + "2" + ",0" * 12 + "\n", "line 8", "13 cells"),
    "decimal comma": (GOOD.replace("3.6", "3,6"), "line 4", "a point as decimal mark"),
}


@pytest.mark.parametrize(("text", "place", "words"), FAULTY.values(), ids=FAULTY)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, place: str, words: str) -> None:
    found = faults(write(tmp_path, text))
    assert [f for f in found if f.startswith(f"{place}: ") and words in f], found


@pytest.mark.parametrize(
    "name", sorted(set(FAULTY) - {"constant infusion with interval", "constant infusion with addl"})
)
def test_a_fault_is_told_once(tmp_path: Path, name: str) -> None:
    assert len(faults(write(tmp_path, FAULTY[name][0]))) == 1


def test_a_constant_infusion_with_a_train_has_two_faults(tmp_path: Path) -> None:
    assert len(faults(write(tmp_path, FAULTY["constant infusion with addl"][0]))) == 2


HEADERS = {
    "empty": ("", "", "empty"),
    "blank": ("\n \n\r\n", "", "empty"),
    "only header": ("ID,TIME,AMT,DV\n", "", "no rows"),
    "only header without line end": ("ID,TIME,AMT,DV", "", "no rows"),
    "semicolons": (GOOD.replace(",", ";"), "line 1", "separated by semicolons; expected commas"),
    "tabs": (GOOD.replace(",", "\t"), "line 1", "separated by tabs"),
    "blanks": (GOOD.replace(",", "  "), "line 1", "separated by blanks"),
    "bars": (GOOD.replace(",", "|"), "line 1", "separated by vertical bars"),
    "one column": ("ID\n1\n", "line 1", "only one column, 'ID'"),
    "no header": (GOOD.split("\n", 1)[1], "header", "first line holds numbers"),
    "no time": (drop("TIME"), "header", "no column TIME"),
    "no id": (drop("ID"), "header", "no column ID"),
    "no dv": (drop("DV"), "header", "no column DV"),
    "no amount": (drop("AMT"), "header", "no column AMT"),
    "small letters": (GOOD.replace("DV", "dv"), "header, column dv", "did you mean DV?"),
    "small letters, known": (GOOD.replace("WT", "Rate"), "header, column Rate", "also has RATE"),
    "hash": (GOOD.replace("ID,", "#ID,"), "header, column #ID", "did you mean ID?"),
    "column twice": (GOOD.replace("WT", "SS"), "header, column SS", "2 columns have this name"),
    "covariate twice": (add("WT", ["1"] * 6), "header, column WT", "2 columns have this name"),
    "no name": (GOOD.replace("WT", ""), "header, column 12", "no name"),
    "open quote": (GOOD.replace("WT", '"WT'), "line 1", "header cannot be read"),
    "zero byte": (GOOD.replace("3.6", "3\0"), "line 4", "zero byte"),
    "not utf-8": (GOOD.encode().replace(b"3.6", b"3\xb5"), "line 4", "not UTF-8"),
    "utf-16": (GOOD.encode("utf-16"), "", "UTF-16"),
    "spreadsheet": (b"PK\x03\x04rest", "", "spreadsheet"),
    "compressed": (b"\x1f\x8brest", "", "gzip"),
    "parquet": (b"PAR1rest", "", "parquet file cannot be read"),
    "open quote in a row": (GOOD.replace("3.6", '"3.6'), "line 4", "quoted cell"),
}


@pytest.mark.parametrize(("content", "place", "words"), HEADERS.values(), ids=HEADERS)
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, content: str | bytes, place: str, words: str
) -> None:
    found = faults(write(tmp_path, content))
    assert any(f.startswith(f"{place}: " if place else "") and words in f for f in found), found


def test_a_wrong_separator_in_the_rows_only_names_the_lines(tmp_path: Path) -> None:
    header, rows = GOOD.split("\n", 1)
    found = faults(write(tmp_path, header + "\n" + rows.replace(",", ";")))
    assert [f.split(":")[0] for f in found] == [*(f"line {k}" for k in range(2, 6)), "lines 6 to 7"]


def test_all_faults_are_found_in_one_pass(tmp_path: Path) -> None:
    text = change(2, "AMT", "-5", change(4, "TIME", "0.5", change(6, "DV", "high")))
    text = change(5, "II", "0", change(7, "WT", "inf", text)).replace("SS", "ss") + "3,1\n"
    found = faults(write(tmp_path, text))
    for place in (
        "header, column ss",
        "line 8",
        "subject 1, line 2, column AMT",
        "subject 1, line 4, column TIME",
        "subject 2, line 5, column ADDL",
        "subject 2, line 6, column DV",
        "subject 2, line 7, column WT",
    ):
        assert sum(f.startswith(f"{place}: ") for f in found) == 1, (place, found)
    assert len(found) == 7


def test_many_faults_of_one_kind_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"1,{t},0,0,x{t},0,0,1,0,0,0,3\n" for t in range(10, 110))
    found = faults(write(tmp_path, GOOD.split("2,0,80")[0] + rows))
    assert len(found) == 5
    assert found[-1] == "lines 9 to 104, column DV: and 96 more rows with this fault"


HARMLESS = {
    "byte-order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "windows lines": GOOD.replace("\n", "\r\n"),
    "old mac lines": GOOD.replace("\n", "\r"),
    "both": b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),
    "no last line end": GOOD.rstrip("\n"),
    "blank lines at the end": GOOD + "\n  \n\n",
    "points": GOOD.replace(",0,0,0,", ",.,.,.,"),
    "NA": GOOD.replace(",0,0,0,", ",NA,NA,NA,"),
    "empty": GOOD.replace(",0,0,0,", ",,,,"),
    "points with blanks": GOOD.replace(",0,0,0,", ", .,. , . ,"),
    "quoted header": ",".join(f'"{n}"' for n in GOOD.split("\n")[0].split(","))
    + "\n"
    + GOOD.split("\n", 1)[1],
    "quoted cells": GOOD.replace("3.6", '"3.6"').replace("2,5,", '"2","5",'),
    "blanks around": GOOD.replace(",", " , "),
    "decimals": GOOD.replace("100,50", "1.0e2,+50.").replace("1,4,", "1.0,4.00,"),
}


@pytest.mark.parametrize("content", HARMLESS.values(), ids=HARMLESS)
def test_harmless_ways_to_write_the_same_give_the_same(
    tmp_path: Path, content: str | bytes
) -> None:
    expected = read_dataset(write(tmp_path, GOOD))
    assert same(expected, read_dataset(write(tmp_path, content)))


def test_blank_lines_do_not_shift_line_numbers(tmp_path: Path) -> None:
    header, *rows = GOOD.splitlines()
    text = "\n".join(["", header, "", *rows[:2], " ", *rows[2:]]) + "\n"
    expected = read_dataset(write(tmp_path, GOOD))
    data = read_dataset(write(tmp_path, text))
    assert same(expected, data, but=("row",))
    assert data.row.tolist() == [4, 5, 7, 8, 9, 10]
    quoted = read_dataset(write(tmp_path, text.replace("3.6", '"3.6"')))
    assert quoted.row.tolist() == data.row.tolist()


def test_checksum_is_that_of_the_bytes(tmp_path: Path) -> None:
    from hashlib import sha256

    content = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert read_dataset(write(tmp_path, content)).sha256 == sha256(content).hexdigest()


def test_frame_and_parquet_equal_the_file(tmp_path: Path) -> None:
    text = GOOD.replace(",0,0,0,", ",.,.,.,")
    expected = read_dataset(write(tmp_path, text))
    frame = pd.read_csv(tmp_path / "table.csv", na_values=["."])
    frame.to_parquet(tmp_path / "table.parquet")
    assert same(expected, read_dataset(frame))
    assert same(expected, read_dataset(tmp_path / "table.parquet"))
    assert same(expected, read_dataset(frame.convert_dtypes()))
    assert same(expected, read_dataset(frame.astype(object)))
    assert same(expected, read_dataset(frame.set_index(pd.Index(list("abcdef")))))
    assert same(expected, read_dataset(pd.read_csv(tmp_path / "table.csv")))


def test_numbers_are_read_to_the_last_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.lognormal(0, 5, 2000)
    rows = "".join(f"1,{k},0,{v!r}\n" for k, v in enumerate(values.tolist(), 1))
    data = read_dataset(write(tmp_path, "ID,TIME,AMT,DV\n1,0,5,.\n" + rows))
    np.testing.assert_array_equal(data.dv[1:], values)


def test_faults_of_a_frame_say_how_lines_are_counted() -> None:
    frame = pd.DataFrame({"ID": 1, "TIME": [0.0, 1.0], "AMT": [-5.0, 0.0], "DV": [np.nan, 2.0]})
    with pytest.raises(DataError, match=r"line = position of the row \+ 2.*line 2, column AMT"):
        read_dataset(frame)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame(), "no columns"),
        (pd.DataFrame({"ID": [], "TIME": [], "AMT": [], "DV": []}), "no rows"),
        (
            pd.DataFrame({"ID": 1, "TIME": pd.to_datetime(["2020-01-01"]), "AMT": 1, "DV": 2}),
            "dates are not read",
        ),
        (pd.DataFrame({"ID": 1, "TIME": [[1]], "AMT": 1, "DV": 2}), "found '[1]'"),
        (pd.DataFrame({"ID": [None], "TIME": 0, "AMT": 1, "DV": 2}), "ID is missing"),
        (pd.DataFrame([[1, 2, 3, 4]]), "first line holds numbers"),
    ],
)
def test_a_frame_that_is_no_table_is_refused(frame: pd.DataFrame, words: str) -> None:
    assert any(words in f for f in faults(frame))


def test_another_type_is_refused() -> None:
    assert "expected a file name or a pandas DataFrame" in faults([1, 2])[0]


def test_a_frame_is_neither_changed_nor_watched() -> None:
    frame = pd.DataFrame({"ID": 1, "TIME": [0.0, 1.0], "AMT": [5.0, 0.0], "DV": [np.nan, 2.0]})
    before = frame.copy()
    data = read_dataset(frame)
    pd.testing.assert_frame_equal(frame, before)
    frame.loc[:, "TIME"] = 7.0
    assert data.time.tolist() == [0.0, 1.0]


def test_digest_of_a_frame_follows_its_values() -> None:
    frame = pd.DataFrame({"ID": 1, "TIME": [0.0, 1.0], "AMT": [5.0, 0.0], "DV": [np.nan, 2.0]})
    digest = read_dataset(frame).sha256
    assert read_dataset(frame.copy()).sha256 == digest
    assert read_dataset(frame.assign(DV=[np.nan, 2.1])).sha256 != digest


def test_a_dataset_cannot_be_changed(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path, GOOD))
    with pytest.raises(AttributeError):
        data.time = data.dv
    with pytest.raises(ValueError, match="read-only"):
        data.time[0] = 5
    with pytest.raises(ValueError, match="read-only"):
        data.covariates["WT"][0] = 5
    with pytest.raises(TypeError):
        data.covariates["WT"] = data.time


def test_copies_and_pickles_are_the_same_and_read_only(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path, GOOD))
    for twin in (copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
        assert same(data, twin)
        with pytest.raises(ValueError, match="read-only"):
            twin.time[0] = 5


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["7", "3"], [7, 3]),
        (["7.0", "3"], [7, 3]),
        (["-1", "0"], [-1, 0]),
        (["A1", "3"], ["A1", "3"]),
        (["007", "3"], ["007", "3"]),
        (["1.5", "3"], ["1.5", "3"]),
        (["12345678901234567890123", "3"], ["12345678901234567890123", "3"]),
    ],
)
def test_labels_of_subjects_stay_as_written(
    tmp_path: Path, labels: list[str], expected: list[object]
) -> None:
    text = "".join(f"{label},0,5,.\n{label},1,0,2\n" for label in labels)
    data = read_dataset(write(tmp_path, "ID,TIME,AMT,DV\n" + text))
    assert data.ids.tolist() == expected
    assert data.subject.tolist() == [0, 0, 1, 1]


def test_missing_evid_and_mdv_follow_from_amt_rate_and_dv(tmp_path: Path) -> None:
    text = "ID,TIME,AMT,RATE,SS,DV\n1,0,0,5,1,.\n1,1,100,50,.,.\n1,2,.,.,.,1.5\n1,3,,,,\n"
    data = read_dataset(write(tmp_path, text))
    assert data.evid.tolist() == [1, 1, 0, 2]
    assert data.mdv.tolist() == [1, 1, 0, 1]
    assert any(
        "rows without dose, DV, EVID and MDV carry covariates only (line 5)" in w
        for w in data.warnings
    )


def test_missing_evid_with_mdv_1_is_another_event(tmp_path: Path) -> None:
    text = "ID,TIME,AMT,DV,MDV\n1,0,100,0,1\n1,1,0,0,1\n1,2,0,1.5,0\n"
    data = read_dataset(write(tmp_path, text))
    assert data.evid.tolist() == [1, 2, 0]


def test_mdv_1_leaves_an_observation_out(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path, change(3, "MDV", "1")))
    assert data.n_observations == 2
    assert np.isnan(data.dv[1])
    assert data.evid[1] == 0


def test_duration_gives_the_rate(tmp_path: Path) -> None:
    values = ["2", "0", "0", "4", "0", "0"]
    text = add("DUR", values)
    data = read_dataset(write(tmp_path, text))
    assert data.rate.tolist() == [50, 0, 0, 20, 0, 0]
    assert "DUR" not in data.covariates
    assert read_dataset(write(tmp_path, drop("RATE", text))).rate.tolist() == [50, 0, 0, 20, 0, 0]


def test_a_constant_infusion_at_steady_state_has_no_amount(tmp_path: Path) -> None:
    text = change(2, "AMT", "0", change(2, "SS", "1"))
    data = read_dataset(write(tmp_path, text))
    assert (data.amt[0], data.rate[0], data.ss[0], data.ii[0]) == (0, 50, 1, 0)


@pytest.mark.parametrize("event", ["3", "4"])
def test_a_reset_may_start_the_clock_again(tmp_path: Path, event: str) -> None:
    amount = "60" if event == "4" else "0"
    reset = f"1,0,{amount},0,0,{event},1,1,0,0,0,3\n1,1,0,0,2.5,0,0,1,0,0,0,3\n"
    head, tail = GOOD.split("2,0,80")
    data = read_dataset(write(tmp_path, head + reset + "2,0,80" + tail))
    assert data.time.tolist() == [0, 1, 4, 0, 1, 0, 3, 5]


def test_time_must_not_decrease_again_after_a_reset(tmp_path: Path) -> None:
    reset = "1,0,0,0,0,3,1,1,0,0,0,3\n1,3,0,0,2.5,0,0,1,0,0,0,3\n1,2,0,0,2,0,0,1,0,0,0,3\n"
    head, tail = GOOD.split("2,0,80")
    found = faults(write(tmp_path, head + reset + "2,0,80" + tail))
    assert len(found) == 1
    assert "TIME 2 comes after 3 in line 6" in found[0]


def test_replicates_are_kept_and_told(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path, GOOD.replace("1,4,0,0,1.5", "1,1,0,0,2.6")))
    assert data.n_observations == 3
    assert any("each of which counts: 1" in w for w in data.warnings)


def test_observations_around_a_dose_are_no_duplicates(tmp_path: Path) -> None:
    text = GOOD.replace("1,4,0,0,1.5", "1,1,9,0,0,1,1,1,0,0,0,3\n1,1,0,0,2.5")
    assert read_dataset(write(tmp_path, text)).n_observations == 3


def test_interval_without_use_is_told(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path, change(2, "II", "24")))
    assert any("II without ADDL or SS has no effect (line 2)" in w for w in data.warnings)


def test_compartments_follow_the_structure(tmp_path: Path) -> None:
    text = GOOD.replace(",0,0,1,0,0,0", ",0,0,2,0,0,0")
    data = read_dataset(write(tmp_path, text), structure="one_compartment_oral")
    assert data.cmt.tolist() == [1, 2, 2, 1, 2, 1]
    data = read_dataset(write(tmp_path, drop("CMT")), structure="one_compartment_oral")
    assert data.cmt.tolist() == [0] * 6


def test_censored_rows_are_counted(tmp_path: Path) -> None:
    text = add("LIMIT", ["0", "-inf", ".", "0", "0", "0"])
    text = add("CENS", ["0", "1", "0", "0", ".", "0"], text)
    data = read_dataset(write(tmp_path, text))
    assert data.cens.tolist() == [0, 1, 0, 0, 0, 0]
    assert data.n_censored == 1
    assert np.isnan(data.limit).all()


def test_cens_on_a_row_left_out_has_no_effect_and_is_told(tmp_path: Path) -> None:
    text = add("CENS", ["0", "1", "0", "0", "0", "0"], change(3, "MDV", "1"))
    data = read_dataset(write(tmp_path, text))
    assert data.n_censored == 0
    assert any("CENS on rows that are no observations" in w for w in data.warnings)


def test_lloq_censors_what_is_below_and_tells(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path, GOOD), lloq=2.5)
    assert data.cens.tolist() == [0, 0, 1, 0, 0, 0]
    assert data.dv[2] == 2.5
    assert any("below lloq = 2.5, taken as censored at it: 1" in w for w in data.warnings)


def test_lloq_checks_a_table_that_has_cens(tmp_path: Path) -> None:
    text = add("CENS", ["0"] * 6)
    (found,) = faults(write(tmp_path, text), lloq=2.0)
    assert found.startswith("subject 1, line 4, column DV: DV = 1.5 is below lloq = 2")


def test_columns_map_standard_names(tmp_path: Path) -> None:
    text = GOOD.replace("ID,TIME", "subject,hours").replace(",DV", ",conc")
    columns = {"ID": "subject", "TIME": "hours", "DV": "conc"}
    data = read_dataset(write(tmp_path, text), columns=columns)
    assert same(read_dataset(write(tmp_path, GOOD)), data)


def test_a_mapped_column_replaces_the_standard_one_and_tells(tmp_path: Path) -> None:
    data = read_dataset(
        write(tmp_path, add("LNDV", ["0", "1", "2", "0", "3", "0"])), columns={"DV": "LNDV"}
    )
    assert data.dv[data.is_observation].tolist() == [1, 2, 3]
    assert list(data.covariates) == ["WT"]
    assert any("column DV of the file is not used" in w for w in data.warnings)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"CONC": "DV"}, "'CONC' is not a standard column"),
        ({"DV": "conc"}, "no column 'conc'"),
        ({"DV": "WT", "OCC": "WT"}, "already given to DV"),
    ],
)
def test_impossible_mappings_are_refused(
    tmp_path: Path, columns: dict[str, str], words: str
) -> None:
    assert any(words in f for f in faults(write(tmp_path, GOOD), columns=columns))


def test_where_keeps_rows_and_counts_the_others(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path, GOOD), where="ID == 2 and TIME < 5")
    assert data.ids.tolist() == [2]
    assert data.subject.tolist() == [0, 0]
    assert data.row.tolist() == [5, 6]
    assert dict(data.excluded) == {"where ID == 2 and TIME < 5": 4}


def test_where_leaves_out_faulty_rows(tmp_path: Path) -> None:
    text = change(2, "AMT", "x", change(3, "TIME", "-"))
    assert read_dataset(write(tmp_path, text), where="ID == 2").n_subjects == 1


def test_where_that_hangs_on_a_missing_value_is_a_fault(tmp_path: Path) -> None:
    (found,) = faults(write(tmp_path, change(4, "WT", ".")), where="WT < 100")
    assert found.startswith("subject 1, line 4, column WT: missing")


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("WTT < 3", "did you mean `WT`"),
        ("WT > 1000", "no row is left of 6"),
        ("WT ** 2 > 3", "neither a column nor a number"),
        ("SITE == 1", "holds text ('north', 'south')"),
    ],
)
def test_impossible_conditions_are_refused(tmp_path: Path, where: str, words: str) -> None:
    text = add("SITE", ["north", "south"] * 3)
    assert words in faults(write(tmp_path, text), where=where)[0]


def test_text_columns_are_set_aside_and_refused_when_used(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path, add("SITE", ["north", "south"] * 3)))
    assert list(data.covariates) == ["WT"]
    assert any("column SITE holds text" in w for w in data.warnings)
    with pytest.raises(DataError, match="column SITE: holds text"):
        data.check_covariates(["SITE"])


def test_covariates_are_checked_when_used(tmp_path: Path) -> None:
    text = change(4, "WT", ".", change(7, "WT", "NA"))
    data = read_dataset(write(tmp_path, text))
    data.check_covariates([])
    with pytest.raises(DataError) as caught:
        data.check_covariates(["WT", "WTT"])
    missing, unknown = (str(p) for p in caught.value.problems)
    assert missing.startswith("subjects 1, 2, column WT: ")
    assert "lines 4, 7" in missing
    assert "did you mean `WT`" in unknown


ALLOWED = {
    "no_dose": GOOD.replace("2,0,80,0,0,1,1,1,12,2", "2,0,0,0,0,2,1,1,0,0"),
    "no_observations": change(6, "MDV", "1"),
    "duplicate_observations": GOOD.replace("1,4,0,0,1.5", "1,1,0,0,2.5"),
    "zero_dose": change(5, "AMT", "0"),
    "limit": add("LIMIT", ["0"] * 6, add("CENS", ["0", "1", "0", "0", "0", "0"])),
}


@pytest.mark.parametrize(("name", "text"), ALLOWED.items())
def test_tolerable_faults_become_warnings_when_allowed(
    tmp_path: Path, name: str, text: str
) -> None:
    path = write(tmp_path, text)
    assert f'allow = ["{name}"]' in faults(path)[0]
    data = read_dataset(path, allow=[name])
    assert any(w.startswith("allowed: ") for w in data.warnings)


def test_a_table_without_doses_can_be_allowed(tmp_path: Path) -> None:
    path = write(tmp_path, "ID,TIME,DV\n1,1,2\n")
    assert read_dataset(path, allow=["no_dose"]).n_doses == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allow": ["nodose"]}, "did you mean `no_dose`"),
        ({"allow": "no_dose"}, 'say allow = ["no_dose"]'),
        ({"allow": 3}, "expected a list of names"),
        ({"covariates": "locb"}, "did you mean `nocb`"),
        ({"structure": "two_compartment"}, "one_compartment"),
        ({"lloq": float("nan")}, "not a finite number"),
        ({"lloq": "50"}, "not a finite number"),
    ],
)
def test_impossible_options_are_refused(
    tmp_path: Path, options: dict[str, object], words: str
) -> None:
    assert words in faults(write(tmp_path, GOOD), **options)[0]


def test_impossible_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="units, time"):
        read_dataset(write(tmp_path, GOOD), units={"time": "x", "amount": "", "concentration": ""})


def test_undeclared_units_are_told(tmp_path: Path) -> None:
    assert "no units declared" in read_dataset(write(tmp_path, GOOD)).warnings[0]


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert "did you mean `table.csv`" in faults(tmp_path / "tabel.csv")[0]
    assert "no folder" in faults(tmp_path / "none" / "table.csv")[0]
    assert "this is a folder" in faults(tmp_path)[0]
    assert "cannot be read" in faults(Path("a\0b"))[0]


REFERENCE = Path(__file__).parents[2] / "shared" / "reference" / "data"
ORAL = {
    "acop_oral",
    "mapbayr_001",
    "nmtest_events",
    "nmtest_events_unusual",
    "nmtest_timevarying",
    "oral_1cpt",
    "phenobarbital_newborn_ddmore256",
    "quinidine",
    "theophylline",
    "theophylline_md",
    "theophylline_monolix",
    "warfarin",
    "warfarin_monolix",
    "warfarin_pks",
}
ALLOW = {
    "acop_oral": ["no_dose"],
    "gentamicin_neonate_ddmore238": ["no_observations"],
    "nmtest_events_unusual": ["no_observations"],
    "nmtest_timevarying": ["no_observations"],
}
TRULY_FAULTY = {
    "morphine_infant_ddmore248": "observation of compartment 2",
    "nmtest_events": "RATE is -2",
    "paracetamol_newborn_ddmore271": "switching a compartment off",
}


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="no reference data here")
@pytest.mark.parametrize("name", sorted(p.stem for p in REFERENCE.glob("*.csv")))
def test_reference_tables_are_read_or_truly_faulty(name: str) -> None:
    structure = "one_compartment_oral" if name in ORAL else "one_compartment"
    options = {"structure": structure, "allow": ALLOW.get(name, ())}
    path = REFERENCE / f"{name}.csv"
    if name in TRULY_FAULTY:
        assert TRULY_FAULTY[name] in faults(path, **options)[0]
        return
    data = read_dataset(path, **options)
    frame = pd.read_csv(path)
    assert data.time.size == len(frame)
    np.testing.assert_array_equal(data.time, frame["TIME"])
    seen = (frame["EVID"] == 0) & (frame["MDV"] == 0)
    np.testing.assert_array_equal(data.dv[data.is_observation], frame["DV"][seen])


CENSORED_GOOD = add("CENS", ["0", "0", "1", "0", "0", "0"])


@pytest.mark.parametrize("dv", ["0", "-1", "", "."])
@pytest.mark.parametrize("without", [[], ["EVID", "MDV"]])
def test_a_censored_row_needs_its_limit(tmp_path: Path, dv: str, without: list[str]) -> None:
    text = change(4, "DV", dv, CENSORED_GOOD)
    if without:
        text = change(7, "DV", "1", text)
    for column in without:
        text = drop(column, text)
    (fault,) = faults(write(tmp_path, text))
    assert fault == "subject 1, line 4, column DV: CENS = 1: DV must hold the limit (> 0)"


def test_observations_of_zero_are_told_and_kept(tmp_path: Path) -> None:
    text = change(3, "DV", "0", change(6, "DV", "-0.5"))
    data = read_dataset(write(tmp_path, text))
    (told,) = [w for w in data.warnings if "0 or negative" in w]
    assert told == (
        "2 observations are 0 or negative (subject 1, line 3, subject 2, line 6): below the limit "
        "of quantification? say CENS = 1 with the limit as DV, or lloq"
    )
    assert data.n_observations == 3
    for quiet in (GOOD, CENSORED_GOOD):
        assert not any("negative" in w for w in read_dataset(write(tmp_path, quiet)).warnings)
    path = write(tmp_path, text)
    assert not any("negative" in w for w in read_dataset(path, lloq=0.1).warnings)


@pytest.mark.parametrize("blank", [",,,,,,,,,,,", " , ,.,,NA,,,,,,,", '"",,,,,,,,,,,'])
@pytest.mark.parametrize("where", [None, "WT > 0"])
def test_a_blank_row_is_one_fault(tmp_path: Path, blank: str, where: str | None) -> None:
    path = write(tmp_path, GOOD + blank + "\n")
    assert faults(path, where=where) == ["line 8: is empty; delete it"]
    found = faults(write(tmp_path, GOOD + f"{blank}\n" * 9))
    assert len(found) == 5
    assert found[-1] == "lines 12 to 16: and 5 more empty lines; delete them"


def test_a_table_of_blank_rows_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.splitlines()[0] + "\n,,,,,,,,,,,\n")
    assert faults(path) == ["line 2: is empty; delete it"]
    frame = pd.DataFrame({"ID": [1, None], "TIME": [0, None], "DV": [1, None], "AMT": [0, None]})
    assert "line 3: is empty; delete it" in faults(frame)


@pytest.mark.parametrize(
    ("column", "name", "meant"),
    [("DV", "CONC", "CONC"), ("DV", "NONE", ""), ("ID", "SUBJ", "SUBJ"), ("AMT", "Dose", "Dose")],
)
def test_a_missing_column_is_sought_among_those_without_a_role(
    tmp_path: Path, column: str, name: str, meant: str
) -> None:
    header, rest = GOOD.split("\n", 1)
    names = [name if n == column else n for n in header.split(",")]
    fault = faults(write(tmp_path, ",".join(names) + "\n" + rest))[0]
    assert ("did you mean" in fault) == bool(meant)
    assert f"columns without a role: {name}, WT." in fault
    if meant:
        assert f"did you mean `{meant}`" in fault
        assert f'columns = {{ {column} = "{meant}" }}' in fault


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("ug/m2", "a dose per m2: multiply AMT and RATE by each subject's BSA"),
        ("mg/m^2", "a dose per m2"),
        ("mg/kg", "a dose per kg: multiply AMT and RATE by each subject's body weight"),
    ],
)
def test_a_dose_per_size_says_how_to_give_it(tmp_path: Path, unit: str, words: str) -> None:
    units = {"time": "h", "amount": unit, "concentration": "mg/L"}
    with pytest.raises(ModelError) as caught:
        read_dataset(write(tmp_path, GOOD), units=units)
    assert words in str(caught.value)
