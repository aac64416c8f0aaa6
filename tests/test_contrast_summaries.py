"""Groups of which only n, mean and SD are published."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import stats

import pkmodel as pk
from pkmodel.cli import main
from pkmodel.contrast.summaries import compare_summaries

TABLE = pd.DataFrame(
    {
        "group": ["infants", "children", "infants", "children"],
        "metric": ["CSS", "CSS", "CL_BSA", "CL_BSA"],
        "unit": ["pg/mL", "pg/mL", "L/h/m2", "L/h/m2"],
        "n": [30, 40, 30, 40],
        "mean": [706.0, 720.0, 0.93, 0.95],
        "sd": [194.0, 260.0, 0.27, 0.40],
    }
)


def test_the_founding_study_by_its_mean_and_sd():
    """GM 681 and log-SD 0.270, as derived from 706 +- 194 in the literature."""
    row = compare_summaries(TABLE, reference="children").table.iloc[0]
    assert round(row["geometric_mean"]) == 681
    assert round(row["log_sd"], 3) == 0.270


def test_the_interval_is_that_of_welch_from_scipy():
    """Samples with exactly these logarithmic moments, given to scipy's own test."""
    (c,) = [c for c in compare_summaries(TABLE).contrasts if c.metric == "CSS"]
    samples = []
    for n, mean, sd in ((30, 706.0, 194.0), (40, 720.0, 260.0)):
        variance = np.log1p((sd / mean) ** 2)
        z = np.random.default_rng(n).normal(size=n)
        z = (z - z.mean()) / z.std(ddof=1)
        samples.append(np.log(mean) - variance / 2 + np.sqrt(variance) * z)
    test = stats.ttest_ind(*samples, equal_var=False)
    interval = test.confidence_interval(0.90)
    expected = np.exp([samples[0].mean() - samples[1].mean(), interval.low, interval.high])
    np.testing.assert_allclose([c.ratio, c.lower, c.upper], expected, rtol=1e-12)
    assert (c.kind, c.n, c.n_reference, c.reference) == ("summary", 30, 40, "children")


def test_rows_without_numbers_are_left_out_by_name():
    found = compare_summaries(TABLE.assign(sd=[194.0, 260.0, None, 0.40]))
    assert {c.metric for c in found.contrasts} == {"CSS"}
    assert any("line 4 left out" in note and "infants, CL_BSA" in note for note in found.notes)
    assert any("CL_BSA: nothing to compare" in note for note in found.notes)


def test_one_subject_has_no_interval():
    (c, _) = compare_summaries(TABLE.assign(n=[1, 40, 30, 40])).contrasts
    assert np.isnan(c.lower)
    assert c.verdict == "inconclusive"
    assert "infants has 1 value of CSS" in " ".join(c.warnings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": [-1.0, 1.0, 1.0, 1.0]}, r"line 2: mean = -1; expected one above 0"),
        ({"sd": [-1.0, 1.0, 1.0, 1.0]}, r"line 2: sd = -1; expected one above 0"),
        ({"sd": [1.0, 0.0, 1.0, 1.0]}, r"line 3: sd = 0; expected one above 0"),
        ({"n": [2.5, 4, 4, 4]}, r"line 2: n = 2\.5 is no number of subjects"),
        ({"n": ["ten", 4, 4, 4]}, r"line 2, column n: not a number"),
        ({"metric": ["CSS"] * 4, "unit": ["pg/mL"] * 4}, r"line 4: CSS of infants stands there"),
        ({"unit": ["pg/mL", "ng/mL", "", ""]}, r"CSS is in pg/mL and in ng/mL; convert"),
        ({"group": ["a", "b", "c", "d"], "metric": list("wxyz")}, "no metric is known of two"),
    ],
)
def test_faults_name_their_line(changes, message):
    with pytest.raises(pk.DataError, match=message):
        compare_summaries(TABLE.assign(**changes))


def test_missing_columns_and_unknown_groups():
    with pytest.raises(pk.DataError, match="header: no column sd; expected group, metric"):
        compare_summaries(TABLE.drop(columns="sd"))
    with pytest.raises(pk.ModelError, match="the reference 'child' is no group; did you mean"):
        compare_summaries(TABLE, reference="child")


def test_the_command_compares_a_csv(tmp_path):
    file, out = tmp_path / "papers.csv", tmp_path / "run"
    TABLE.to_csv(file, index=False)
    arguments = ["compare-groups", str(file), "--reference", "infants", "--out", str(out)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "Published groups, ratio to infants, margin 0.8 to 1.25" in done.output
    rows = json.loads((out / "contrasts.json").read_text())
    assert [row["kind"] for row in rows] == ["summary", "summary"]
    assert len(pd.read_csv(out / "groups.csv")) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no such file"),
        ("", "the file is empty"),
        ("group,metric,n,mean,sd\n", "the file has a header and no rows"),
    ],
)
def test_the_command_refuses_a_table_that_is_none(tmp_path, text, message):
    file = tmp_path / "papers.csv"
    if text is not None:
        file.write_text(text)
    done = CliRunner().invoke(main, ["compare-groups", str(file), "--out", str(tmp_path / "run")])
    assert done.exit_code == 2
    said = " ".join(done.output.split())
    assert f"papers.csv: {message}; expected a CSV of published summaries with the col" in said
    assert not (tmp_path / "run").exists()
