"""Ctrl-C: what it keeps, what it says, and that it harms nothing that was there."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import nutpie
import pandas as pd
import pytest
from click.testing import CliRunner

import pkmodel as pk
from pkmodel import fitting
from pkmodel.bayes import correction
from pkmodel.bayes.sampler import FEWEST, most_draws
from pkmodel.cli import main
from pkmodel.estimate.saem_run import Run
from pkmodel.interrupts import ENDED, SOON, interrupts
from pkmodel.output_folder import replace_folder
from pkmodel.problem import Problem
from pkmodel.report import write_report
from pkmodel.shipped import shipped_data, shipped_fits

PHENOBARBITAL = shipped_fits()["phenobarbital"]


def _run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def _signal(*_, **__):
    signal.raise_signal(signal.SIGINT)


def _raise(*_):
    raise KeyboardInterrupt


def _signal_at(monkeypatch, owner, name, calls, do=_signal):
    """Do so, or press Ctrl-C, at these calls of a function."""
    whole, count = getattr(owner, name), iter(range(1, 10**9))

    def called(*arguments, **options):
        if next(count) in calls:
            do()
        return whole(*arguments, **options)

    monkeypatch.setattr(owner, name, called)


def _document(folder: Path):
    return json.loads((folder / "fit.json").read_text(encoding="utf-8"))


def _no_traces(result, folder: Path, *names: str):
    assert "Traceback" not in result.output
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)


@pytest.fixture
def finished(tmp_path):
    """Folder of a run that is whole."""
    assert _run("evaluate", PHENOBARBITAL, "--out", tmp_path / "o").exit_code == 0
    return tmp_path / "o"


# -- what is kept, and where --------------------------------------------------------------------


def test_a_run_that_is_whole_is_not_replaced_by_an_interrupted_fit(finished, monkeypatch):
    before = (finished / "fit.json").read_bytes()
    _signal_at(monkeypatch, Problem, "evaluate", {6})
    result = _run("fit", PHENOBARBITAL, "--out", finished)
    assert result.exit_code == 1, result.output
    assert (finished / "fit.json").read_bytes() == before
    beside = finished.with_name("o.interrupted")
    assert _document(beside)["status"] == "interrupted"
    said = result.stdout.replace("\n", "")
    assert f"interrupted, so written to {beside}; {finished} is what it was" in said
    _no_traces(result, finished.parent, "o", "o.interrupted")
    whole = _run("evaluate", PHENOBARBITAL, "--out", finished).stdout.replace("\n", "")
    assert f"{beside} is left of a former run that was not finished" in whole


def test_an_interrupted_fit_replaces_an_interrupted_one(tmp_path, monkeypatch):
    _signal_at(monkeypatch, Problem, "evaluate", {6})
    assert _run("fit", PHENOBARBITAL, "--out", tmp_path / "o").exit_code == 1
    first = _document(tmp_path / "o")["evaluations"]
    _signal_at(monkeypatch, Problem, "evaluate", {9})
    result = _run("fit", PHENOBARBITAL, "--out", tmp_path / "o")
    assert _document(tmp_path / "o")["evaluations"] > first
    _no_traces(result, tmp_path, "o")


def test_the_first_one_says_at_once_what_happens(tmp_path, monkeypatch):
    said = []
    _signal_at(monkeypatch, Problem, "evaluate", {6})
    monkeypatch.setattr("click.echo", lambda text="", **_: said.append(text))
    _run("fit", PHENOBARBITAL, "--out", tmp_path / "o")
    told = "stopping: keeping the best point so far; Ctrl-C again ends at once"
    assert next(text for text in said if text != fitting.COMPILING) == told


def test_the_second_one_ends_at_once_and_keeps_what_was_there(finished, monkeypatch):
    before = (finished / "fit.json").read_bytes()
    _signal_at(monkeypatch, Problem, "evaluate", {6, 7})
    result = _run("fit", PHENOBARBITAL, "--out", finished)
    assert result.exit_code == ENDED
    assert result.stdout == ""
    assert (finished / "fit.json").read_bytes() == before
    _no_traces(result, finished.parent, "o")


def test_writing_is_waited_for_and_a_second_one_ends_it_without_half_a_folder(
    finished, monkeypatch
):
    _signal_at(monkeypatch, pd.DataFrame, "to_csv", {2})
    result = _run("evaluate", PHENOBARBITAL, "--method", "fo", "--out", finished)
    assert result.exit_code == 0, result.output
    assert "writing the results; Ctrl-C again ends at once" in result.stderr
    assert _document(finished)["method"] == "fo"
    _signal_at(monkeypatch, pd.DataFrame, "to_csv", {2, 3})
    result = _run("evaluate", PHENOBARBITAL, "--out", finished)
    assert result.exit_code == ENDED
    assert _document(finished)["method"] == "fo"
    _no_traces(result, finished.parent, "o")


@pytest.mark.parametrize("name", ["o", "new"])
def test_a_folder_comes_back_where_its_replacement_is_ended(name, tmp_path, monkeypatch):
    folder = tmp_path / "o"
    replace_folder(folder, lambda new: (new / "fit.json").write_text("former"))
    rename = Path.rename

    def ended(self, target):
        if self.name != "new":
            rename(self, target)
        if self.name == name:
            raise SystemExit(ENDED)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", ended)
        with pytest.raises(SystemExit):
            replace_folder(folder, lambda new: (new / "fit.json").write_text("new"))
    assert (folder / "fit.json").read_text() == "former"


def _work():
    for _ in range(1000):
        time.sleep(0.1 * SOON)


def test_the_compiler_called_back_does_not_swallow_it():
    def _raw_object_cache_notify():
        signal.raise_signal(signal.SIGINT)
        return "went on"

    said = []
    with interrupts(said.append) as stop, stop.stopping("nothing"):
        assert _raw_object_cache_notify() == "went on"
        assert said == []
        with pytest.raises(KeyboardInterrupt):
            _work()
    assert said == ["stopping: nothing; Ctrl-C again ends at once"]


# -- other commands -----------------------------------------------------------------------------


def test_compare_ends_at_the_first_one(tmp_path, monkeypatch):
    _signal_at(monkeypatch, Problem, "evaluate", {6})
    result = _run(
        "compare", PHENOBARBITAL, "--method", "fo", "--method", "foce", "--out", tmp_path / "o"
    )
    assert result.exit_code == ENDED
    _no_traces(result, tmp_path)


def test_certify_without_its_certificate_shows_the_fit_and_exits_1(monkeypatch):
    monkeypatch.setattr("pkmodel.result.certify", _signal)
    result = _run("certify", PHENOBARBITAL)
    assert result.exit_code == 1, result.output
    assert "CONVERGED" in result.stdout
    assert "Stopped from the keyboard: there is no certificate." in result.stdout
    assert "stopping: the fit is kept, without its certificate" in result.stderr


# -- words, by method ---------------------------------------------------------------------------


def test_a_search_says_where_it_stood_and_gives_no_standard_errors(monkeypatch):
    _signal_at(monkeypatch, Problem, "evaluate", {6}, _raise)
    monkeypatch.setattr(fitting, "covariance", lambda *_: pytest.fail("of no optimum"))
    fit = pk.fit("phenobarbital")
    assert (str(fit.status), fit.converged) == ("interrupted", False)
    assert fit.advice == (
        "Stopped from the keyboard after 5 evaluations, in the search by FOCE-I: the estimates are "
        "the best point so far, no optimum, and provisional."
    )


def test_importance_sampling_says_that_its_own_search_had_not_begun(monkeypatch):
    _signal_at(monkeypatch, Problem, "evaluate", {6}, _raise)
    fit = pk.fit("phenobarbital", method="imp")
    assert "after which that by importance sampling was to come" in fit.advice
    assert fit.covariance is None


def test_saem_says_its_iteration_and_phase(monkeypatch):
    whole = Run.em

    def interrupted(self, *arguments):
        if len(self.records) == 7:
            raise KeyboardInterrupt
        whole(self, *arguments)

    monkeypatch.setattr(Run, "em", interrupted)
    fit = pk.fit("phenobarbital", method="saem")
    assert fit.advice == (
        "Stopped from the keyboard after 7 iterations, in the exploration phase: the estimates are "
        "those of the last iteration, not settled, and provisional."
    )


def test_standard_errors_that_were_stopped_are_not_taken_for_a_search_that_was(monkeypatch):
    monkeypatch.setattr(fitting, "covariance", _raise)
    fit = pk.fit("phenobarbital")
    assert str(fit.status) == "interrupted"
    assert "before the standard errors" in fit.advice
    assert "best point so far" not in fit.advice


# -- draws from a posterior ---------------------------------------------------------------------

ASKED, TUNE = 2000, 60


@pytest.fixture
def nuts(tmp_path):
    """Write the shipped definition with full Bayes."""
    text = PHENOBARBITAL.read_text(encoding="utf-8")
    data = shipped_data()["phenobarbital"].file.as_posix()
    text = text.replace("../data/phenobarbital/phenobarbital.csv", data)
    options = f'method = "nuts"\nchains = 3\ndraws = {ASKED}\ntune = {TUNE}'
    path = tmp_path / "nuts.toml"
    path.write_text(text.replace('method = "focei"', options), encoding="utf-8")
    return path


def _signal_when(monkeypatch, is_time):
    """Press Ctrl-C once, when a chain has so many draws, those of its adaptation included."""
    given = []

    def watch(chains):
        if not given and is_time(chains[0].finished_draws):
            given.append(True)
            _signal()

    whole = nutpie.sample

    def watched(*arguments, **options):
        return whole(*arguments, **options | {"progress_callback": watch, "progress_rate": 10})

    monkeypatch.setattr(nutpie, "sample", watched)


def test_an_interrupted_posterior_says_which_draws_it_has(nuts, tmp_path, monkeypatch):
    _signal_when(monkeypatch, lambda done: done > TUNE + 2 * FEWEST)
    result = _run("fit", nuts, "--out", tmp_path / "o")
    assert result.exit_code == 1, result.output
    assert "stopping: keeping the draws so far; Ctrl-C again ends at once" in result.stderr
    told = _document(tmp_path / "o")
    assert told["status"] == "interrupted"
    made = told["posterior"]["draws"]
    assert FEWEST <= made < ASKED
    assert told["posterior"]["cut"] == {"kept": [1], "chains": 3, "draws": ASKED}
    said = " ".join(result.stdout.split())
    kept = f"{made} draws of chain 1, of 3 chains of {ASKED} draws"
    assert f"while sampling: {kept} that were asked for. The posterior is not finished" in said
    assert "too few to tell whether chains agree: R-hat takes at least 2 chains" in said
    for wrong in ("optimum", "nan", " 1 chains", f"3 chains of {made}"):
        assert wrong not in said
    page = write_report(tmp_path / "o").read_text(encoding="utf-8")
    assert kept in page


def test_an_interrupt_in_the_adaptation_says_that_there_is_nothing_to_keep(
    nuts, tmp_path, monkeypatch
):
    _signal_when(monkeypatch, lambda done: done > 0)
    result = _run("fit", nuts, "--out", tmp_path / "o")
    assert result.exit_code == ENDED, result.output
    assert f"of {ASKED} draws, {FEWEST} are the fewest that are kept" in result.stderr
    _no_traces(result, tmp_path, "nuts.toml")


def test_an_interrupt_before_the_sampler_is_no_start_of_it(nuts, tmp_path, monkeypatch):
    _signal_at(monkeypatch, Problem, "evaluate", {6})
    monkeypatch.setattr(nutpie, "sample", lambda *_, **__: pytest.fail("went on"))
    result = _run("fit", nuts, "--out", tmp_path / "o")
    assert result.exit_code == ENDED, result.output
    _no_traces(result, tmp_path, "nuts.toml")


def test_an_interrupt_in_the_correction_keeps_what_was_corrected(nuts, monkeypatch):
    text = (
        nuts.read_text()
        .replace(f"draws = {ASKED}", "draws = 30")
        .replace('"nuts"', '"nuts"\ntarget = "marginal"')
    )
    nuts.write_text(text)
    whole, count = correction.propose, iter(range(1000))

    def interrupted(*arguments):
        if next(count) == 55:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(correction, "propose", interrupted)
    fit = pk.fit(nuts)
    assert str(fit.status) == "interrupted"
    assert fit.posterior.x.shape[:2] == fit.posterior.sample_stats["lp"].shape == (2, 25)
    assert "25 draws of each of chains 1 and 2, of 3 chains of 30 draws" in fit.advice


@pytest.mark.parametrize(
    ("lengths", "kept"),
    [
        ([100, 100, 100], ([0, 1, 2], 100)),
        ([100, 30, 0], ([0], 100)),
        ([100, 60, 0], ([0, 1], 60)),
        ([40, 41, 39, 40], ([0, 1, 2, 3], 39)),
    ],
)
def test_as_many_draws_as_chains_of_one_length_have_are_kept(lengths, kept):
    assert most_draws(lengths, 100) == kept


def test_fewer_draws_than_tell_anything_are_none():
    with pytest.raises(KeyboardInterrupt, match="19 of 100 draws"):
        most_draws([FEWEST - 1, 0], 100)
    assert most_draws([3, 3], 3) == ([0, 1], 3)
