"""The command line: what it prints, what it writes, and its exit status."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import pkmodel as pk
from pkmodel.bayes.inference import TUNE
from pkmodel.cli import main
from pkmodel.commands.console import progress
from pkmodel.errors import DataError
from pkmodel.fitting import COMPILING
from pkmodel.interrupts import ENDED
from pkmodel.output_folder import FIT_FILES
from pkmodel.problem import Problem
from pkmodel.result import Fit
from pkmodel.shipped import shipped_data, shipped_fits
from pkmodel.status import Status

PHENOBARBITAL = shipped_fits()["phenobarbital"]
NONMEM_MINIMUM = 586.2760562852096  # NONMEM 7.5.1, pharmpy 435dd66, example_models/pheno.ext


RUN = "from pkmodel.cli import main; main()"


def _run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def definition(tmp_path):
    """Write a variant of the shipped definition, with some of its text replaced."""

    def write(replace: dict[str, str]) -> Path:
        text = PHENOBARBITAL.read_text(encoding="utf-8")
        data = shipped_data()["phenobarbital"].file.as_posix()
        text = text.replace("../data/phenobarbital/phenobarbital.csv", data)
        for old, new in replace.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "variant.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def phenobarbital(tmp_path_factory):
    """Run the main job once."""
    out = tmp_path_factory.mktemp("fit") / "out"
    return _run("fit", PHENOBARBITAL, "--out", out), out


def test_fit_reaches_the_minimum_and_says_so(phenobarbital):
    result, out = phenobarbital
    assert result.exit_code == 0, result.output
    assert "CONVERGED" in result.stdout
    assert str(out) in result.stdout.replace("\n", "")
    assert result.stderr in ("", f"{COMPILING}\n")
    document = json.loads((out / "fit.json").read_text())
    assert document["status"] == "converged"
    assert document["objective"] <= NONMEM_MINIMUM + 1e-3


def test_fit_writes_every_file_and_nothing_beside(phenobarbital):
    _, out = phenobarbital
    assert sorted(p.name for p in out.iterdir()) == sorted(FIT_FILES)
    assert [p.name for p in out.parent.iterdir()] == [out.name]
    assert len(pd.read_csv(out / "individuals.csv")) == 59
    assert len(pd.read_csv(out / "predictions.csv")) == 155


def test_fit_takes_the_name_of_a_shipped_definition_and_writes_only_on_request(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = _run("fit", "phenobarbital")
    assert result.exit_code == 0, result.output
    assert "nothing written" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_options_reach_the_fit(tmp_path):
    result = _run(
        "fit", PHENOBARBITAL, "--out", tmp_path / "o", "--method", "fo", "--seed", 9, "--threads", 2
    )
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "o" / "fit.json").read_text())
    assert (document["method"], document["seed"], document["threads"]) == ("fo", 9, 2)


def test_chains_and_draws_reach_the_fit_and_what_it_writes(tmp_path):
    out = tmp_path / "o"
    asked = ("--method", "nuts", "--chains", 2, "--draws", 30, "--seed", 1)
    result = _run("fit", PHENOBARBITAL, "--out", out, *asked)
    assert result.exit_code == 1, result.output
    told = json.loads((out / "fit.json").read_text())["posterior"]
    assert (told["chains"], told["draws"]) == (2, 30)


@pytest.mark.parametrize("command", ["fit", "compare-groups"])
@pytest.mark.parametrize(("method", "option"), [("focei", "chains"), ("saem", "draws")])
def test_chains_and_draws_are_refused_by_methods_without(command, method, option):
    result = _run(command, "blinatumomab", "--method", method, f"--{option}", 2)
    assert result.exit_code == 2, result.output
    assert f'{option}: goes with method = "' in result.stderr
    assert 'or method = "nuts" only; remove it' in result.stderr


def test_what_belongs_to_a_fit_is_refused_with_published_summaries(tmp_path):
    (tmp_path / "published.csv").write_text("group,metric,n,mean,sd\na,CL,3,1,1\nb,CL,3,1,1\n")
    for option in ("--draws", "--chains", "--seed", "--method"):
        value = "nuts" if option == "--method" else "2"
        result = _run("compare-groups", tmp_path / "published.csv", option, value)
        assert result.exit_code == 2, result.output
        assert "belong to a fit, not to published summaries" in " ".join(result.stderr.split())


def test_a_former_run_is_replaced(tmp_path):
    runs = [
        _run("evaluate", PHENOBARBITAL, "--method", method, "--out", tmp_path / "o")
        for method in ("fo", "focei")
    ]
    assert [run.exit_code for run in runs] == [0, 0]
    assert "replaces" not in runs[0].stdout
    assert re.search(
        r"replaces the fit 'Phenobarbital in newborn infants' of \d{4}-\d\d-\d\d", runs[1].stdout
    )
    assert json.loads((tmp_path / "o" / "fit.json").read_text())["method"] == "focei"


def test_a_fit_that_does_not_converge_writes_and_exits_1(definition, tmp_path):
    path = definition({'method = "focei"': 'method = "focei"\nmax_evaluations = 2'})
    result = _run("fit", path, "--out", tmp_path / "o")
    assert result.exit_code == 1, result.output
    assert "NOT CONVERGED" in result.stdout
    assert json.loads((tmp_path / "o" / "fit.json").read_text())["converged"] is False


def test_an_interrupted_fit_writes_its_best_and_exits_1(tmp_path, monkeypatch):
    evaluate, calls = Problem.evaluate, []

    def interrupted(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return evaluate(self, *arguments, **options)

    monkeypatch.setattr(Problem, "evaluate", interrupted)
    result = _run("fit", PHENOBARBITAL, "--out", tmp_path / "o")
    assert result.exit_code == 1, result.output
    assert "INTERRUPTED" in result.stdout
    assert json.loads((tmp_path / "o" / "fit.json").read_text())["status"] == "interrupted"


def test_an_interrupt_before_the_first_evaluation_writes_nothing(tmp_path, monkeypatch):
    def interrupted(self, *arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Problem, "evaluate", interrupted)
    result = _run("fit", PHENOBARBITAL, "--out", tmp_path / "o")
    assert result.exit_code == ENDED
    assert "nothing written" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_evaluate_gives_the_objective_at_the_initial_values(definition, tmp_path):
    # NONMEM 7.5.1 at its final estimates, pharmpy 435dd66, example_models/pheno.ext
    path = definition(
        replace={
            "cl = { init = 0.005": "cl = { init = 0.00469555",
            "v = { init = 1.0": "v = { init = 0.984258",
            "v_apgr = { init = 0.1": "v_apgr = { init = 0.15892",
            "CL = 0.1": "CL = 0.0293508",
            "\nV = 0.1": "\nV = 0.027906",
            "proportional = 0.2": "proportional = 0.115069543",
        }
    )
    result = _run("evaluate", path, "--out", tmp_path / "o")
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "o" / "fit.json").read_text())
    assert document["status"] == "evaluated"
    assert document["objective"] == pytest.approx(NONMEM_MINIMUM, abs=1e-3)
    assert document["theta"]["cl"]["se"] is None


def test_check_says_what_it_understood():
    result = _run("check", PHENOBARBITAL)
    assert result.exit_code == 0, result.output
    text = re.sub(r" +", " ", result.stdout)
    for part in (
        "subjects 59",
        "observations 155, 1 to 6 a subject, 0 censored",
        "doses 589: 589 boluses",
        "time h, amount mg, concentration mg/L",
        "covariates none that the model uses changes in time",
        "v * WT * where(APGR < 5, 1 + v_apgr, 1)",
        "WT 0.6 1.3 3.6 0 constant CL, V",
        "v_apgr 0.1 -0.99 inf",
        "nothing was fitted",
    ):
        assert part in text


def test_check_lists_the_priors_that_full_bayes_will_use(definition):
    more = 'method = "nuts"\ndraws = 700\ntarget = "joint"\n'
    more += "[prior.theta]\nv_apgr = { normal = [0.2, 0.1] }"
    text = _run("check", definition({'method = "focei"': more, "seed = 1": ""})).stdout
    lines = [re.sub(r" +", " ", line.strip()) for line in text.splitlines()]
    assert f"fit nuts, 4 chains of 700 draws after {TUNE}, target joint, seed 1" in lines
    start = lines.index("priors (omega: of the standard deviations)")
    assert lines[start + 1 : start + 8] == [
        "theta cl ~ lognormal(median 0.005, log sd 2), default",
        "theta v ~ lognormal(median 1, log sd 2), default",
        "theta v_apgr ~ normal(mean 0.2, sd 0.1) above -0.99",
        "sd of omega CL ~ half-normal(scale 1), default",
        "sd of omega V ~ half-normal(scale 1), default",
        "sigma proportional ~ half-normal(scale 1), default",
        "",
    ]
    plain = re.sub(r" +", " ", _run("check", PHENOBARBITAL).stdout)
    assert "priors" not in plain
    assert "fit focei, 1 start, seed 1, covariance sandwich" in plain


def test_check_takes_a_method_and_shows_what_it_would_use(definition):
    text = _run("check", PHENOBARBITAL, "--method", "nuts").stdout
    assert "theta cl ~ lognormal(median 0.005, log sd 2), default" in text
    assert "nuts, 4 chains of 1000 draws" in text


PRIOR = "[prior.theta]\ncl = { lognormal = [0.005, 0.5] }\n\n[fit]"
IDLE = "the priors that are declared are not used: focei has none"


@pytest.mark.parametrize("command", ["check", "evaluate", "fit"])
def test_a_file_for_full_bayes_is_read_for_another_method_with_a_warning(definition, command):
    path = definition({"[fit]": PRIOR, 'method = "focei"': 'method = "nuts"\ntune = 100'})
    result = _run(command, path, "--method", "focei")
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert IDLE in text
    assert "fit.tune of the definition is not used: focei has no use for it" in text


def test_a_file_is_judged_by_the_method_that_is_asked_for(definition):
    """What its own method would refuse is used, and what the asked one has no use for is idle."""
    keys = 'method = "focei"\ntune = 100\nmax_evaluations = 50\nstarts = 2'
    path = definition({"[fit]": PRIOR, 'method = "focei"': keys})
    own = _run("check", path)
    assert own.exit_code == 2
    assert '[prior]: goes with method = "nuts" only' in own.stderr
    assert '[fit] tune: goes with method = "nuts" only' in own.stderr
    asked = _run("check", path, "--method", "nuts")
    assert asked.exit_code == 0, asked.output
    text = " ".join(asked.stdout.split())
    assert "theta cl ~ lognormal(median 0.005, log sd 0.5)" in text
    assert "nuts, 4 chains of 1000 draws after 100, target" in text
    assert (
        "fit.starts and fit.max_evaluations of the definition are not used: nuts has no use for "
        "them" in text
    )
    assert pk.evaluate(path, method="nuts").problem.options.tune == 100


@pytest.mark.parametrize(
    ("option", "value", "owners"),
    [("--chains", 2, '"saem" or'), ("--draws", 5, '"imp" or'), ("--method", "fosei", "focei")],
)
def test_an_option_of_the_command_line_is_refused_by_its_own_name(option, value, owners, no_fit):
    result = _run("fit", PHENOBARBITAL, option, value)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {option}: ")
    assert owners in result.stderr
    assert "toml" not in result.stderr


@pytest.mark.parametrize(
    ("chains", "draws", "few", "alone"),
    [(4, 99, True, False), (4, 100, False, False), (1, 1000, False, True), (1, 399, True, True)],
)
def test_check_says_that_chains_and_draws_are_too_few(definition, chains, draws, few, alone):
    options = f'method = "nuts"\nchains = {chains}\ndraws = {draws}'
    result = _run("check", definition({'method = "focei"': options}))
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert ("fewer than the 400 effective draws that each parameter needs" in text) == few
    assert ("1 chain cannot tell whether chains agree" in text) == alone


def test_check_shows_ranges_so_that_a_wrong_unit_is_seen(definition):
    text = re.sub(r"\s+", " ", _run("check", PHENOBARBITAL).stdout)
    table = pd.read_csv(shipped_data()["phenobarbital"].file, na_values=["."])
    doses = table["AMT"][table["AMT"] > 0]
    seen = table["DV"][~(table["AMT"] > 0)].dropna()
    assert f"DV {seen.min():.4g} to {seen.max():.4g} mg/L; typical predictions " in text
    assert f"AMT {doses.min():.4g} to {doses.max():.4g} mg" in text
    assert "RATE" not in text
    spans = [
        [float(v) for v in re.search(r"typical predictions (\S+) to (\S+) ", t).groups()]
        for t in (
            text,
            re.sub(
                r"\s+", " ", _run("check", definition({'amount = "mg"': 'amount = "g"'})).stdout
            ),
        )
    ]
    assert spans[1] == pytest.approx([1000 * v for v in spans[0]], rel=1e-3)


def test_check_shows_rates_and_does_not_call_an_empty_column_constant(tmp_path):
    rows = "ID,TIME,AMT,RATE,DV,EVID,MDV,HT\n" + "".join(
        f"{i},0,100,{50 * i},,1,1,.\n{i},5,0,0,{i}.5,0,0,.\n" for i in (1, 2)
    )
    (tmp_path / "table.csv").write_text(rows)
    path = tmp_path / "infusion.toml"
    path.write_text(
        """
[data]
file = "table.csv"
units = { time = "h", amount = "mg", concentration = "mg/L" }
[model]
structure = "one_compartment"
[model.parameters]
CL = "cl"
V = "v"
[theta]
cl = { init = 5, lower = 0 }
v = { init = 30, lower = 0 }
[omega]
CL = 0.1
[residual]
proportional = 0.2
"""
    )
    result = _run("check", path)
    assert result.exit_code == 0, result.output
    text = re.sub(r"\s+", " ", result.stdout)
    assert "AMT 100 mg; RATE 50 to 100 mg/h; duration 1 to 2 h" in text
    assert "HT 4 no value" in text
    assert "constant" not in text


def test_list_names_fits_and_data():
    result = _run("list")
    assert result.exit_code == 0, result.output
    for name in (*shipped_fits(), *shipped_data()):
        assert name in result.stdout


BAD_DEFINITIONS = {
    "broken TOML": ({"[theta]": "[theta"}, "line"),
    "unknown key": ({"[residual]": "[residal]"}, "residual"),
    "missing data file": ({"phenobarbital.csv": "phenobarbitol.csv"}, "phenobarbitol.csv"),
    "unknown covariate": ({"cl * WT": "cl * WTT"}, "WT"),
    "unknown method": ({'"focei"': '"focie"'}, "focei"),
    "unit": ({'"mg/L"': '"mmol/L"'}, "mmol/L"),
    "undefined start": ({"cl * WT": "log(cl) * WT"}, "CL"),
}


@pytest.mark.parametrize("command", ["fit", "evaluate", "check"])
@pytest.mark.parametrize("fault", BAD_DEFINITIONS)
def test_bad_input_exits_2_with_one_message_and_writes_nothing(
    command, fault, definition, tmp_path
):
    changes, hint = BAD_DEFINITIONS[fault]
    path = definition(changes)
    out = [] if command == "check" else ["--out", tmp_path / "o"]
    result = _run(command, path, *out)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("Error: ")
    assert hint in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit",),
        ("fit", "no-such-file.toml"),
        ("fit", "."),
        ("fit", PHENOBARBITAL, "--threads", "0"),
        ("fit", PHENOBARBITAL, "--seed", "-1"),
        ("fit", PHENOBARBITAL, "--method", "nut"),
        ("unknown",),
    ],
    ids=str,
)
def test_bad_usage_exits_2(arguments):
    result = _run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr
    assert "Traceback" not in result.output


def test_foreign_files_are_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    result = _run("fit", PHENOBARBITAL, "--out", tmp_path)
    assert result.exit_code == 2
    assert "thesis.txt" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.fixture
def no_fit(monkeypatch):
    """Let no evaluation happen."""

    def refuse(self, *arguments, **options):
        raise AssertionError("a fit was begun")

    monkeypatch.setattr(Problem, "evaluate", refuse)


@pytest.mark.parametrize("command", ["fit", "evaluate"])
@pytest.mark.parametrize("below", ["", "deeper", "deeper/still"])
def test_a_file_on_the_way_to_the_output_folder_is_named_before_the_fit(
    command, below, tmp_path, no_fit
):
    (tmp_path / "afile").write_text("")
    result = _run(command, PHENOBARBITAL, "--out", tmp_path / "afile" / below)
    assert result.exit_code == 2, result.output
    assert f"{tmp_path / 'afile'} is a file" in result.stderr
    assert ".fit-" not in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["afile"]


@pytest.mark.parametrize("command", ["fit", "evaluate"])
def test_a_place_that_takes_no_folder_is_named_before_the_fit(
    command, tmp_path, monkeypatch, no_fit
):
    make = os.mkdir

    def refuse(path, *arguments, **options):
        if Path(path).parent == tmp_path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        make(path, *arguments, **options)

    monkeypatch.setattr(os, "mkdir", refuse)
    result = _run(command, PHENOBARBITAL, "--out", tmp_path / "new" / "o")
    assert result.exit_code == 2, result.output
    assert f"no folder can be made in {tmp_path} (Permission denied)" in result.stderr
    assert ".fit-" not in result.stderr


def test_a_name_too_long_for_a_folder_is_refused_before_the_fit(tmp_path, no_fit):
    result = _run("fit", PHENOBARBITAL, "--out", tmp_path / ("o" * 300))
    assert result.exit_code == 2, result.output
    assert "too long" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_fit_that_cannot_be_written_after_all_is_shown_and_the_former_one_kept(
    tmp_path, monkeypatch
):
    assert _run("evaluate", PHENOBARBITAL, "--out", tmp_path / "o").exit_code == 0
    before = (tmp_path / "o" / "fit.json").read_text()

    def full(self, *arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    result = _run("evaluate", PHENOBARBITAL, "--method", "fo", "--out", tmp_path / "o")
    assert result.exit_code == 2, result.output
    assert "EVALUATED" in result.stdout
    assert "written to" not in result.stdout
    assert "No space left" in result.stderr
    assert ".fit-" not in result.stderr
    assert (tmp_path / "o" / "fit.json").read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["o"]


def test_evaluate_writes_only_on_request(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = _run("evaluate", "phenobarbital")
    assert result.exit_code == 0, result.output
    assert "nothing written" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_trace_ends_at_what_the_summary_reports(phenobarbital):
    _, out = phenobarbital
    document = json.loads((out / "fit.json").read_text())
    last = pd.read_csv(out / "trace.csv").iloc[-1]
    assert last["likelihood"] == document["method"]
    assert last["objective"] == pytest.approx(document["objective"], rel=1e-15)
    assert last["gradient_norm"] == pytest.approx(document["gradient_norm"], rel=1e-12)


def test_without_a_terminal_what_takes_long_has_a_line_now_and_then(monkeypatch, capsys):
    clock = iter([0.0, 100.0, 101.0, 109.9, 110.1, 111.0, 120.0, 120.2])
    monkeypatch.setattr("pkmodel.commands.console.time.monotonic", lambda: next(clock))
    with progress() as say:
        for text in (COMPILING, "1", "2", "3", "4", "5", "6", "7"):
            say(text)
    assert capsys.readouterr().err.splitlines() == [COMPILING, "4", "7"]


def test_the_first_compilation_is_announced_and_does_not_count_as_reading(tmp_path):
    # Compilation takes tens of seconds, reading 744 rows hundredths of one.
    environment = {**os.environ, "PKMODEL_CACHE": str(tmp_path / "cache")}
    seconds = []
    for expected in (f"{COMPILING}\n", ""):
        done = subprocess.run(
            [sys.executable, "-c", RUN, "evaluate", PHENOBARBITAL, "--out", tmp_path / "o"],
            env=environment, capture_output=True, text=True, check=True, timeout=300,
        )  # fmt: skip
        assert done.stderr == expected
        seconds.append(json.loads((tmp_path / "o" / "fit.json").read_text())["seconds"])
    assert seconds[0]["read"] < 0.2 * seconds[0]["compile"]


def test_every_command_stands_in_the_readme():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for command in main.commands:
        assert f"pkmodel {command}" in readme


def test_compare_fits_each_definition_by_each_method(tmp_path):
    out = tmp_path / "comparison"
    methods = ("--method", "fo", "--method", "focei")
    result = _run("compare", PHENOBARBITAL, *methods, "--out", out)
    assert result.exit_code == 0, result.output
    assert "exact likelihood: adaptive quadrature" in result.output
    assert result.output.rstrip().endswith(f"written to {out}")
    assert sorted(p.name for p in out.iterdir()) == [
        "likelihood_ratios.csv",
        "model_comparison.csv",
        "model_comparison.json",
        "model_comparison_subjects.csv",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((PHENOBARBITAL,), "at least two fits"),
        ((PHENOBARBITAL, "theophylline"), "different data"),
        ((PHENOBARBITAL, "phenobarbitol"), "phenobarbital"),
        ((PHENOBARBITAL, "--method", "focei", "--method", "fosei"), "--method: 'fosei'"),
    ],
)
def test_compare_refuses_what_cannot_be_compared_before_a_fit(arguments, message, tmp_path, no_fit):
    out = tmp_path / "comparison"
    result = _run("compare", *arguments, "--out", out)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not out.exists()


def test_compare_exits_with_1_where_a_fit_did_not_converge(definition, tmp_path):
    short = definition({'method = "focei"': 'method = "focei"\nmax_evaluations = 3'})
    result = _run("compare", PHENOBARBITAL, short, "--out", tmp_path / "comparison")
    assert result.exit_code == 1
    assert "no criteria, no test" in result.output
    assert (tmp_path / "comparison" / "model_comparison.csv").exists()


# -- comparison of groups -----------------------------------------------------------------------


@pytest.fixture
def compared(tmp_path):
    """Folder of a former run with its comparison."""
    folder = tmp_path / "o"
    pk.evaluate("phenobarbital").save(folder)
    for name in ("groups.csv", "contrasts.json", "comparison.json"):
        (folder / name).write_text("former")
    return folder


BY = ("compare-groups", PHENOBARBITAL, "--by", "APGR")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt, "Stopped from the keyboard: the groups were not compared; {} holds"),
        (DataError("CL must be above 0"), "CL must be above 0"),
    ],
    ids=["interrupted", "failed"],
)
def test_what_ends_a_comparison_leaves_the_whole_fit_and_the_whole_former_run(
    error, said, compared, monkeypatch
):
    beside = compared.with_name("o.interrupted")

    def ended(self, *_, **__):
        assert sorted(p.name for p in beside.iterdir()) == sorted(FIT_FILES)
        raise error

    monkeypatch.setattr(Fit, "contrast", ended)
    result = _run(*BY, "--out", compared)
    assert result.exit_code == 1, result.output
    assert "CONVERGED" in result.stdout
    assert said.format(beside) in result.output.replace("\n", "")
    assert json.loads((beside / "fit.json").read_text())["status"] == "converged"
    assert sorted(p.name for p in beside.iterdir()) == sorted(FIT_FILES)
    assert (compared / "groups.csv").read_text() == "former"
    assert json.loads((compared / "fit.json").read_text())["status"] == "evaluated"


def test_an_interrupted_fit_is_not_compared(compared, monkeypatch):
    evaluate, count = Problem.evaluate, iter(range(1000))

    def interrupted(self, *arguments, **options):
        if next(count) == 5:
            raise KeyboardInterrupt
        return evaluate(self, *arguments, **options)

    monkeypatch.setattr(Problem, "evaluate", interrupted)
    monkeypatch.setattr(Fit, "contrast", lambda *_, **__: pytest.fail("compared"))
    result = _run(*BY, "--out", compared)
    assert result.exit_code == 1, result.output
    assert "The groups were not compared." in result.stdout
    assert (compared / "groups.csv").read_text() == "former"
    assert sorted(p.name for p in (compared.parent / "o.interrupted").iterdir()) == sorted(
        FIT_FILES
    )


def test_a_comparison_is_put_beside_the_fit_that_it_is_of(compared, monkeypatch):
    failed = replace(pk.evaluate("phenobarbital"), status=Status.NOT_CONVERGED)
    seeds = []
    monkeypatch.setattr(pk, "fit", lambda *_, seed, **__: seeds.append(seed) or failed)
    result = _run(*BY, "--seed", 7, "--out", compared)
    assert result.exit_code == 1, result.output
    assert seeds == [7]
    assert f"fit and comparison written to {compared}" in result.stdout.replace("\n", "")
    assert json.loads((compared / "comparison.json").read_text())["title"] == "APGR"
    assert {p.name for p in compared.iterdir()} > {*FIT_FILES, "groups.csv", "samples.csv"}
    assert [p.name for p in compared.parent.iterdir()] == ["o"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--by", "APGR", "--reference", "APGR 11"), "APGR 11"),
        (("--by", "WT"), "WT has"),
        ((), "no age groups are declared"),
        (("--by", "APGR", "--margin", "1.25,0.8"), "margin"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_the_fit(arguments, message, tmp_path, no_fit):
    result = _run("compare-groups", PHENOBARBITAL, *arguments, "--out", tmp_path / "o")
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["pkmodel", "pkmodel.cli"])
def test_the_module_is_the_command_line(module):
    command = [sys.executable, "-m", module, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert pk.__version__ in done.stdout
