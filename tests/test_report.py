"""The page about a run: what it says, that it needs nothing else, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import pkmodel as pk
from pkmodel.cli import main
from pkmodel.contrast.record import Contrast, LikelihoodRatioTest
from pkmodel.contrast.share import share_in_band
from pkmodel.errors import PkmodelError
from pkmodel.exposure.summary import group_summary
from pkmodel.grouping import Groups
from pkmodel.number import short
from pkmodel.plots.goodness_of_fit import weighted_residuals
from pkmodel.report import write_report
from pkmodel.report.drawing import draw
from pkmodel.report.figure_section import effect_section, goodness_section, individual_section
from pkmodel.report.parameter_section import variability
from pkmodel.report.run_folder import read_run
from pkmodel.report.subjects import subjects_of
from pkmodel.summary import checks
from report_page import SVG, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = "<script>alert(1)</script>"
SECTIONS = (
    "Checks and warnings",
    "Data",
    "Parameters",
    "Objective and criteria",
    "Goodness of fit",
    "Random effects",
    "Individual fits",
    "Run record",
    "Not in this report",
)
GROUPS = ("infant", "child", HOSTILE)


def _page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Fit once; the folder with its page."""
    folder = tmp_path_factory.mktemp("report") / "run"
    pk.fit("theophylline").save(folder)
    write_report(folder)
    return folder


@pytest.fixture
def run(fitted, tmp_path):
    """Copy the folder of the fit, without its page."""
    folder = tmp_path / "run"
    shutil.copytree(fitted, folder, ignore=shutil.ignore_patterns("report.html"))
    return folder


@pytest.fixture
def undrawn(monkeypatch):
    """Leave the pictures empty, where only the texts matter."""
    monkeypatch.setattr(Figure, "savefig", lambda self, out, **_: out.write(b"<svg/>"))


@pytest.fixture
def unwritten(monkeypatch):
    """Make a short page, where only its place matters."""
    short = '<meta name="generator" content="pkmodel report">new'
    monkeypatch.setattr("pkmodel.report.writing.html", lambda run: short)


def _change(folder, **changes):
    path = folder / "fit.json"
    document = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(document))
    return document


def _document(folder):
    return json.loads((folder / "fit.json").read_text())


def _contrast(**changes):
    row = Contrast(
        metric="CSS",
        group="infant",
        reference="child",
        kind="individual",
        adjustment="own rate",
        ratio=1.0625,
        lower=0.875,
        upper=1.28125,
        level=0.9,
        margin=(0.8, 1.25),
        verdict="inconclusive",
        p_value=0.0675,
        p_holm=0.135,
        interval="Welch",
        n=6,
        n_reference=6,
        share=share_in_band([1.0, 2.0, 9.0], range(7)),
        warnings=("eta shrinkage of CL is 31 %: the ratio is shrunk",),
    )
    return replace(row, **changes)


@pytest.fixture(scope="module")
def grouped(fitted, tmp_path_factory):
    """Add groups, hostile names, censored rows, a failed mode and a comparison to a run."""
    folder = tmp_path_factory.mktemp("grouped") / "run"
    shutil.copytree(fitted, folder, ignore=shutil.ignore_patterns("report.html"))
    individuals = pd.read_csv(folder / "individuals.csv", dtype={"ID": str})
    predictions = pd.read_csv(folder / "predictions.csv", dtype={"ID": str})
    exposure = pd.read_csv(folder / "exposure.csv", dtype={"ID": str})
    names = {"1": HOSTILE, "2": "$x^2$ & <b>"}
    code = np.array([0] * 6 + [1] * 6)
    individuals["GROUP"] = np.array(GROUPS, dtype=object)[code]
    exposure["GROUP"] = individuals["GROUP"]
    exposure["CSS"] = np.linspace(500.0, 900.0, 12)
    individuals = individuals.rename(columns={"WT": '<img src=x onerror="alert(1)">'})
    individuals.loc[11, "MODE"] = "failed"
    low = predictions["DV"] < 1.0
    predictions.loc[low, "CENS"] = 1
    predictions.loc[low, ["IRES", "IWRES", "CWRES"]] = np.nan
    for table, file in (
        (individuals, "individuals.csv"),
        (predictions, "predictions.csv"),
        (exposure, "exposure.csv"),
    ):
        table.assign(ID=table["ID"].replace(names)).to_csv(folder / file, index=False)
    groups = Groups("age group", GROUPS, code, "by hand")
    group_summary(exposure, groups, "individual").to_csv(folder / "groups.csv", index=False)
    test = LikelihoodRatioTest(5.25, 1, 0.0219)
    contrasts = [
        _contrast(),
        _contrast(
            kind="model", lower=float("nan"), likelihood_ratio=test, warnings=("no lower end",)
        ),
        _contrast(kind="noncompartmental", ratio=float("nan"), n=0, n_reference=0, share=None),
    ]
    text = json.dumps([row.to_dict() for row in contrasts])
    (folder / "contrasts.json").write_text(text)
    _change(
        folder,
        title=HOSTILE,
        warnings=["R & S <differ>", "second"],
        virtual=True,
        failed_subjects=["12"],
        n_censored=int(low.sum()),
        censoring="m3",
        groups={"title": "age group", "names": GROUPS, "source": "by hand", "bsa_source": None},
    )
    write_report(folder)
    return folder


# -- what the page says -------------------------------------------------------------------------


def test_every_section_is_there_and_in_the_contents(fitted):
    page = _page(fitted)
    numbered = [f"{k}. {title}" for k, title in enumerate(SECTIONS, start=1)]
    assert [text for text in page.texts if text in numbered] == numbered
    assert page.attributes("a", "href") == [f"#{key}" for key in page.attributes("section", "id")]


def test_parameters_are_those_of_the_run(fitted):
    page, document = _page(fitted), _document(fitted)
    for kind in ("theta", "omega", "sigma"):
        for name, entry in document[kind].items():
            (row,) = [r for r in page.row(name) if len(r) > 3]
            assert row[1:4] == [
                f"{entry['estimate']:.4g}",
                f"{entry['rse']:.1f}",
                f"{entry['lower']:.4g} to {entry['upper']:.4g}",
            ]
            assert row[4] == f"{entry['init']:.4g}"
    for name, entry in document["omega"].items():
        (row,) = [r for r in page.row(name) if len(r) > 6]
        cv = [100.0 * np.sqrt(np.exp(entry[k]) - 1.0) for k in ("estimate", "lower", "upper")]
        shrinkage = document["shrinkage"]["eta"][name]
        assert row[5:8] == [
            f"{cv[0]:.1f}",
            f"{cv[1]:.1f} to {cv[2]:.1f}",
            f"{100 * shrinkage:.0f} %",
        ]
    assert f"ε-shrinkage {100 * document['shrinkage']['epsilon']:.0f} %" in page.text


def test_criteria_and_record_are_those_of_the_run(fitted):
    page, document = _page(fitted), _document(fitted)
    for name, value in (
        ("objective", f"{document['objective']:.3f}"),
        ("−2LL", f"{document['minus2ll']:.3f}"),
        ("AIC", f"{document['aic']:.2f}"),
        ("BIC", f"{document['bic']:.2f}"),
        ("condition number", f"{document['condition_number']:.4g}"),
        ("sha256 of the data", document["data_sha256"]),
        ("seed", str(document["seed"])),
        ("threads", str(document["threads"])),
        ("program", f"pkmodel {document['pkmodel']}"),
        ("status", "converged"),
    ):
        assert page.row(name)[0][1] == value


def test_correlations_are_those_of_the_covariance(fitted):
    page = _page(fitted)
    covariance = pk.fit("theophylline").covariance.natural
    deviation = np.sqrt(np.diag(covariance))
    (row,) = page.row("7 sigma additive")
    expected = covariance[6, :7] / deviation[6] / deviation[:7]
    assert row[1:8] == [f"{value:.2f}" for value in expected]


def test_every_check_of_the_summary_is_on_the_page(fitted, grouped):
    for folder in (fitted, grouped):
        page = _page(folder)
        for check in checks(_document(folder)):
            assert page.row(check.name)[0][2] == check.finding


def test_every_warning_is_on_the_page(grouped):
    page = _page(grouped)
    assert "R & S <differ>" in page.texts
    assert "second" in page.texts
    assert "no lower end:" in page.texts


def test_counts_below_quantification_are_by_group(grouped):
    page = _page(grouped)
    predictions = pd.read_csv(grouped / "predictions.csv", dtype={"ID": str})
    individuals = pd.read_csv(grouped / "individuals.csv", dtype={"ID": str})
    merged = predictions.merge(individuals[["ID", "GROUP"]], on="ID", validate="many_to_one")
    cells = []
    for name in GROUPS[:2]:
        rows = merged[merged["GROUP"] == name]
        n = int((rows["CENS"] == 1).sum())
        assert n > 0
        cells.append(f"{n} ({100 * n / len(rows):.1f} %)")
    total = int((merged["CENS"] == 1).sum())
    (row,) = page.row("below quantification")
    assert row[1:] == [*cells, "0", f"{total} ({100 * total / len(merged):.1f} %)"]
    assert page.row("subjects")[0][1:] == ["6", "6", "0", "12"]


def test_covariates_are_explained_where_their_meaning_is_known(fitted, tmp_path, undrawn):
    assert "WT: weight, kg." in _page(fitted).text
    assert "is not declared" not in _page(fitted).text
    pk.fit("blinatumomab", covariance=False).save(tmp_path / "run")
    _change(tmp_path / "run", covariates={"HT": "height or length, cm", "GROUP": None})
    write_report(tmp_path / "run")
    text = _page(tmp_path / "run").text
    assert "HT: height or length, cm. GROUP_DATA: the column GROUP of the data." in text
    assert "What is in SEX, GROUP, VIRTUAL, and in which unit, is not declared." in text


def test_exposure_and_contrasts_are_those_of_the_files(grouped):
    page = _page(grouped)
    summary = pd.read_csv(grouped / "groups.csv").query("metric == 'CSS'")
    rows = page.row("infant")
    first = summary.iloc[0]
    assert rows[0][1:3] == ["6", f"{short(first['mean'])} ± {short(first['sd'])}"]
    individual = ["infant", "by the model", "own rate", "6 / 6", "1.062"]
    assert page.row(*individual)[0][5:] == ["0.875 to 1.281", "0.135", "inconclusive"]
    inside = page.row("infant", "inside the model")[0]
    assert inside[5] == "not known to 1.281"
    assert page.row("infant", "own rate", "5.25", "1", "0.022")
    assert "Not compared, without a model: no subject has a value of CSS." in page.text
    share = page.row("infant", "by the model", "2 of 3")[0]
    assert share[3:] == ["66.7 %", "13.5 % to 98.3 %", "0.3 to 5.7"]


def test_a_failed_subject_is_named_and_only_its_observations_are_drawn(grouped, monkeypatch):
    page = _page(grouped)
    assert "No mode was found for 12" in page.text
    assert page.row("modes")[0][1] == "FAIL"
    plots = []
    monkeypatch.setattr("pkmodel.report.figure_section.draw", lambda plot, _: plots.append(plot))
    run = read_run(grouped)
    subjects = subjects_of(run)
    goodness_section(run, subjects, is_virtual=True)
    effect_section(run, subjects, is_virtual=True)
    assert len(plots) == 6
    assert all("12" not in set(plot.data["ID"]) for plot in plots)
    assert all(plot.data["ID"].nunique() == 11 for plot in plots)
    individual_section(run, subjects, is_virtual=True)
    drawn = plots[-1].data.query("ID == '12'")
    assert len(drawn) == 11
    assert drawn["IPRED"].isna().all()
    assert drawn[["DV", "PRED"]].notna().all(axis=None)


def test_virtual_data_are_said_to_be_so_at_the_top_and_in_every_figure(fitted, grouped):
    page = _page(grouped)
    assert "Virtual data" in page.text[: page.text.index("Contents")]
    said = [re.search("(?i)virtual subjects: simulated", drawing) for drawing in page.drawings]
    assert len(said) >= 7
    assert all(said)
    assert "irtual" not in _page(fitted).text


@pytest.mark.usefixtures("undrawn")
def test_a_fit_that_did_not_converge_says_so_by_an_unknown_method_too(run):
    advice = "The search ended before the objective stopped falling."
    method = "a_new_method"
    _change(run, status="not converged", converged=False, advice=advice, method=method)
    write_report(run)
    page = _page(run)
    assert ("p", {"class": "status bad", "role": "status"}) in page.tags
    assert f"not converged {advice}" in page.text
    assert page.row("method") == [["method", method]]
    assert page.row("minimum")[0][1] == "FAIL"


@pytest.mark.usefixtures("undrawn")
def test_an_evaluation_shows_no_errors_and_says_why(tmp_path):
    pk.evaluate("theophylline").save(tmp_path / "run")
    write_report(tmp_path / "run")
    page = _page(tmp_path / "run")
    assert ("p", {"class": "status neutral", "role": "status"}) in page.tags
    assert "RSE %" not in [cell for row in page.rows for cell in row]
    assert "correlations of the estimates: nothing was estimated" in page.text
    assert "The search:" not in page.text


def test_what_is_absent_is_named(fitted):
    text = _page(fitted).text
    absent = text[text.index("9. Not in this report") :]
    for name in ("visual predictive check", "npde", "Bootstrap", "Age groups"):
        assert name in absent


# -- that it needs nothing and runs nothing -----------------------------------------------------


def test_texts_from_files_are_texts(grouped):
    html = (grouped / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert HOSTILE in page.texts
    assert page.row('<img src=x onerror="alert(1)">')
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [name for _, found in page.tags for name in found if name.startswith("on")]
    assert "<script" not in html.lower()
    for drawing in page.drawings:
        assert "<script" not in drawing.lower()
    assert any("&lt;script&gt;alert(1)&lt;/script&gt;" in drawing for drawing in page.drawings)
    assert any("$x^2$" in drawing for drawing in page.drawings)


def test_the_page_needs_no_other_file(grouped):
    html = (grouped / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.attributes("img", "src")
    for tag, found in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base")
        assert found.get("src", SVG).startswith(SVG)
        assert found.get("href", "#").startswith("#")
    assert not re.search(r"https?://|url\(|@import", html)
    assert "default-src 'none'" in html
    for drawing in page.drawings:
        assert not re.search(r'href="(?!#|data:)', drawing)
        assert not re.search(r"url\((?!#)", drawing)


@pytest.mark.usefixtures("undrawn")
def test_the_same_run_gives_the_same_page(run, tmp_path):
    pages = [write_report(run), write_report(run, tmp_path / "again.html")]
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_the_same_figure_gives_the_same_drawing(fitted):
    table = read_run(fitted).predictions
    drawn = [draw(weighted_residuals(table, is_virtual=False), "").source for _ in range(2)]
    assert drawn[0] == drawn[1]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_chromium_shows_and_prints_the_page(grouped, tmp_path):
    picture, paper = tmp_path / "page.png", tmp_path / "page.pdf"
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        "--window-size=1000,1400", f"--user-data-dir={tmp_path / 'profile'}",
    ]  # fmt: skip
    address = (grouped / "report.html").as_uri()
    for wanted in (f"--screenshot={picture}", f"--print-to-pdf={paper}"):
        done = subprocess.run(
            [*command, wanted, address], capture_output=True, text=True, timeout=120, check=True
        )
        assert "CONSOLE" not in done.stderr
    from matplotlib.image import imread

    shown = imread(picture)[:, :, :3]
    assert shown.shape[0] >= 1300
    assert 0.01 < np.mean(shown.min(axis=2) < 0.9) < 0.5
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", paper.read_bytes())) >= 4


# -- where it is written, and what is refused ---------------------------------------------------


def _run(*arguments):
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


@pytest.mark.usefixtures("unwritten")
def test_the_command_writes_the_page_and_says_where(run):
    result = _run(run)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"written to {run / 'report.html'}\n"
    assert (run / "report.html").is_file()


@pytest.mark.usefixtures("unwritten")
def test_a_former_page_is_replaced_and_a_fit_replaces_the_folder(run):
    (run / "report.html").write_text(
        '<meta name="generator" content="pkmodel report">\nold', encoding="utf-8"
    )
    write_report(run)
    assert _page(run).texts == ["new"]
    pk.evaluate("theophylline").save(run)
    assert not (run / "report.html").exists()


@pytest.mark.usefixtures("unwritten")
def test_another_file_may_be_named(run, tmp_path):
    assert _run(run, "--out", tmp_path / "page.html").exit_code == 0
    assert (tmp_path / "page.html").is_file()
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("definition.toml", "title = 1", "ends in .html"),
        ("mine.html", "<p>my own page</p>", "no report of pkmodel"),
        ("run/other.html", None, "called report.html"),
        ("absent/page.html", None, "there is no folder"),
        ("folder.html/", None, "is a folder"),
    ],
)
def test_a_page_destroys_nothing(run, tmp_path, name, content, said):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    if name.endswith("/"):
        path.mkdir()
    before = sorted(tmp_path.rglob("*"))
    result = _run(run, "--out", path)
    assert result.exit_code == 2
    assert said in result.stderr
    assert sorted(tmp_path.rglob("*")) == before
    assert content is None or path.read_text() == content


def _cut(folder, file, rows):
    path = folder / file
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:rows]))


def _without(folder, key):
    document = _document(folder)
    del document[key]
    (folder / "fit.json").write_text(json.dumps(document))


FAULTS = {
    "no table": (lambda f: (f / "predictions.csv").unlink(), "predictions.csv is missing"),
    "cut table": (lambda f: _cut(f, "predictions.csv", 5), "4 rows, where fit.json counts 132"),
    "other subjects": (lambda f: _cut(f, "exposure.csv", 5), "are not those of individuals.csv"),
    "no JSON": (lambda f: (f / "fit.json").write_text("{"), "invalid json"),
    "no key": (lambda f: _without(f, "theta"), "theta: field required"),
    "a list": (lambda f: (f / "fit.json").write_text("[]"), "fit.json"),
    "not a number": (lambda f: _change(f, objective="low"), "objective"),
    "no column": (
        lambda f: (f / "trace.csv").write_text("start,evaluation\n0,1\n"),
        "no column objective",
    ),
    "a text among numbers": (
        lambda f: (f / "predictions.csv").write_text(
            (f / "predictions.csv").read_text().replace("0.74", "much", 1)
        ),
        "column DV holds something else than numbers",
    ),
    "no NetCDF": (lambda f: (f / "fit.nc").write_bytes(b"no"), "fit.nc"),
    "damaged contrasts": (
        lambda f: (f / "contrasts.json").write_text('[{"metric": 1}]'),
        "0.metric",
    ),
    "binary table": (
        lambda f: (f / "individuals.csv").write_bytes(b"\xff\xfe\x00"),
        "individuals.csv",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_run_is_refused_and_nothing_is_written(run, fault):
    damage, said = FAULTS[fault]
    damage(run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    result = _run(run)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_folder_without_a_run_is_refused(run, tmp_path):
    for folder, said in (
        (tmp_path / "absent", "does not exist"),
        (run / "fit.json", "is a file"),
        (tmp_path, "runs in it: run"),
    ):
        with pytest.raises(PkmodelError, match=said):
            write_report(folder)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]


def test_a_huge_coefficient_of_variation_is_written_short():
    """100 sqrt(exp(40.3) - 1) has eleven digits before the point."""
    entry = {"estimate": 40.3, "lower": 0.09, "upper": 60.0}
    assert variability(entry, "lognormal") == ("5.637e+10", "30.7\xa0to\xa01.069e+15")
