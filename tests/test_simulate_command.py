"""The command `simulate`: what it prints, writes and refuses."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from click.testing import CliRunner

from pkmodel.cli import main
from pkmodel.simulate.trial import TABLE
from trial_text import edited


def _run(*arguments):
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


@pytest.fixture
def trial(tmp_path):
    path = tmp_path / "trial.toml"
    path.write_text(edited({}))
    return path


def test_without_out_nothing_is_written_and_the_summary_says_virtual(trial, tmp_path):
    result = _run(trial)
    assert result.exit_code == 0, result.output
    assert "VIRTUAL: simulated people, seed 5; nobody was measured" in result.stdout
    assert "BSA by Mosteller" in result.stdout
    assert re.search(r"1 +infants +20 +0\.\S+ to 0\.\S+ .* 20 +120 +\d+\n", result.stdout)
    assert "nothing written; --out FILE keeps it" in result.stdout
    assert list(tmp_path.iterdir()) == [trial]


def test_out_writes_the_table_and_replaces_only_its_own(trial, tmp_path):
    out = tmp_path / "table.csv"
    first = _run(trial, "--out", out)
    assert first.exit_code == 0, first.output
    assert f"written to {out}" in first.stdout.replace("\n", "")
    assert "replaces" not in first.stdout
    table = pd.read_csv(out, na_values=".")
    assert tuple(table.columns) == TABLE
    assert (table["VIRTUAL"] == 1).all()
    before = out.read_bytes()
    second = _run(trial, "--out", out, "--seed", 6)
    assert "replaces a former simulated table" in " ".join(second.stdout.split())
    assert "seed 6" in second.stdout
    assert out.read_bytes() != before
    _run(trial, "--out", out)
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv", "trial.toml"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ID,TIME,DV\n1,0,3\n", "is no table of pkmodel simulate; nothing was written"),
        ("", "is no table of pkmodel simulate; nothing was written"),
        (None, "is a folder; name a file for the table"),
    ],
)
def test_what_is_not_its_own_is_left_alone(trial, tmp_path, content, message):
    out = tmp_path / "mine.csv"
    if content is None:
        out.mkdir()
    else:
        out.write_text(content)
    result = _run(trial, "--out", out)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert out.is_dir() or out.read_text() == content


def test_a_folder_that_is_not_there_is_named(trial, tmp_path):
    result = _run(trial, "--out", tmp_path / "no" / "table.csv")
    assert result.exit_code == 2
    assert f"there is no folder {tmp_path / 'no'}" in result.stderr


def test_power_prints_the_chances_and_the_answer(trial):
    result = _run(trial, "--power", 0.7, "--margin", "0.7,1.43", "--trials", 200, "--seed", 3)
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "VIRTUAL: 200 simulated trials at each n, seed 3" in text
    assert "clearance per m2, 90 % interval of the ratio to children inside 0.7 to 1.43" in text
    assert "samples from 10 h after the start or change of the infusion rate" in text
    answer = re.search(r"(\d+) per group give a 70 % chance of the verdict \"equivalent\"", text)
    assert answer, text
    row = re.search(rf"^ +{answer[1]} +(\S+) +\S+ +\S+$", result.stdout, re.MULTILINE)
    assert float(row[1]) >= 0.7


def test_power_says_where_no_number_is_enough(tmp_path):
    path = tmp_path / "trial.toml"
    path.write_text(
        edited(
            {
                "cl * BSA": "cl * BSA * where(GROUP == 1, ratio, 1)",
                "cl = 0.9": "cl = 0.9\nratio = 1.4",
            }
        )
    )
    result = _run(path, "--power", 0.8, "--trials", 100)
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "no number gives a 80 % chance" in text
    assert "the true ratio of infants is outside the margin" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trials", 200), "--margin and --trials belong to --power"),
        (("--margin", "0.8,1.25"), "--margin and --trials belong to --power"),
        (("--power", 0.8, "--out", "x.csv"), "--power prints a plan and writes no table"),
        (("--power", 0.8, "--margin", "1.1,1.2"), "is no range of ratios about 1"),
        (("--power", 0.8, "--margin", "0.8"), "is not two numbers, such as 0.8,1.25"),
        (("--power", 80), "80.0 is not in the range 0<x<1"),
    ],
)
def test_options_that_say_nothing_together_are_refused(trial, arguments, message):
    result = _run(trial, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_faults_of_the_file_are_said_on_standard_error(tmp_path):
    path = tmp_path / "trial.toml"
    path.write_text(edited({"seed = 5": "sed = 5"}))
    result = _run(path)
    assert result.exit_code == 2
    assert "unknown key sed (did you mean `seed`?" in result.stderr
    assert result.stdout == ""


def test_list_names_the_shipped_trials():
    result = CliRunner().invoke(main, ["list"])
    assert "blinatumomab_cohorts" in result.stdout
