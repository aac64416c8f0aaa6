"""Data that cannot tell what is to be estimated: one subject, or fewer records than parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import pkmodel as pk
from pkmodel.bayes.diagnosis import diagnose
from pkmodel.bayes.posterior import Posterior
from pkmodel.cli import main
from pkmodel.contrast.comparison import given_comparison
from pkmodel.contrast.group_shrinkage import group_shrinkage
from pkmodel.document import posterior_part
from pkmodel.status import Status
from pkmodel.summary import summary_text

TIMES = (0.5, 2.0, 5.0, 9.0)
HALVES = given_comparison(("a", "b"), np.repeat([0, 1], 3), reference="a")

DEFINITION = """
[data]
file = "data.csv"
[model]
structure = "one_compartment"
[model.parameters]
CL = "cl"
V = "v"
[theta]
cl = { init = 1.2, lower = 0 }
v = { init = 9, lower = 0 }
[omega]
CL = 0.1
V = 0.1
[residual]
proportional = 0.1
"""


def bolus(subjects: int, times: tuple[float, ...] = TIMES) -> pd.DataFrame:
    """A bolus of 100 in each subject, of clearance 1 and volume 10, 5 % off in turn."""
    rows = []
    for i in range(1, subjects + 1):
        rows.append((i, 0.0, 100.0, np.nan))
        for k, t in enumerate(times):
            y = 10.0 * np.exp(-0.1 * t) * (1.05 if (i + k) % 2 else 0.95)
            rows.append((i, t, np.nan, y))
    return pd.DataFrame(rows, columns=["ID", "TIME", "AMT", "DV"])


def model(*, fixed: bool = False) -> pk.Model:
    return pk.Model(
        structure="one_compartment",
        parameters={"CL": "cl", "V": "v"},
        theta=(pk.Theta("cl", 1.2, lower=0.0), pk.Theta("v", 9.0, lower=0.0)),
        omega=tuple(pk.OmegaBlock((p,), ((1e-6 if fixed else 0.1,),), fixed) for p in ("CL", "V")),
        residual=pk.Residual((pk.Sigma("proportional", 0.1),)),
    )


def words(fit: pk.Fit) -> str:
    """Return the summary in one line."""
    return " ".join(summary_text(fit.to_dict()).split())


@pytest.mark.parametrize("method", ["focei", "saem"])
def test_variances_between_subjects_are_not_estimated_from_one(method):
    with pytest.raises(pk.FitError, match=r"one subject .* between subjects \(CL, V\): keep"):
        pk.fit(model(), bolus(1), method=method)


@pytest.mark.parametrize(
    ("data", "fit"),
    [('allow = ["no_observations"]', ""), ("lloq = 0.5", '[fit]\ncensoring = "m1"')],
)
def test_subjects_without_an_observation_that_counts_are_none_beside_it(tmp_path, data, fit):
    """The second subject has a dose alone, or nothing but a row below the limit, left out."""
    rows = pd.concat([bolus(1), bolus(2, (40.0,) if fit else ()).iloc[-(2 if fit else 1) :]])
    rows.to_csv(tmp_path / "data.csv", index=False, na_rep=".")
    text = DEFINITION.replace('"data.csv"', f'"data.csv"\n{data}') + fit
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(pk.FitError, match="one subject tells nothing of variances"):
        pk.fit(pk.read_definition(tmp_path / "x.toml"))


def test_check_refuses_what_a_fit_would(tmp_path):
    (tmp_path / "x.toml").write_text(DEFINITION)
    bolus(1).to_csv(tmp_path / "data.csv", index=False, na_rep=".")
    result = CliRunner().invoke(main, ["check", str(tmp_path / "x.toml")])
    assert result.exit_code == 2
    assert "In order" not in result.output
    assert "one subject tells nothing of variances between subjects (CL, V)" in result.output
    evaluated = CliRunner().invoke(main, ["evaluate", str(tmp_path / "x.toml")])
    assert evaluated.exit_code == 0


def test_one_subject_is_fitted_alone_where_its_effects_are_next_to_nothing():
    """By the logarithms' least squares, whose line the alternating errors hardly bend."""
    fit = pk.fit(model(fixed=True), bolus(1))
    assert fit.converged
    log = np.log(bolus(1)["DV"].dropna())
    slope, intercept = np.polyfit(TIMES, log, 1)
    volume = 100.0 / np.exp(intercept)
    cl, v = fit.summary().loc[["theta cl", "theta v"], "estimate"]
    assert v == pytest.approx(volume, rel=0.01)
    assert cl == pytest.approx(-slope * volume, rel=0.02)


def test_full_bayes_of_one_subject_says_that_variances_are_those_of_the_prior():
    options = pk.Options("nuts", draws=20, tune=40, chains=1)
    definition = replace(pk.Definition("one", None, model()), options=options)
    fit = pk.fit(definition, bolus(1))
    assert any("(CL, V): their posterior is their prior" in text for text in fit.warnings)


def test_fewer_observations_than_parameters_are_warned_of():
    def told(data: pd.DataFrame) -> list[str]:
        warnings = pk.evaluate(model(), data).warnings
        return [text for text in warnings if "the data cannot tell as many" in text]

    assert told(bolus(2, TIMES[:2])) == [
        "4 observations for 5 parameters: the data cannot tell as many; fix some, or simplify"
    ]
    assert told(bolus(2, TIMES[:3])) == []


def test_an_effect_next_to_nothing_is_not_said_to_be_shrunk():
    """Nor is one of a single subject, whatever its variance: one says nothing of a spread."""
    absent = pk.evaluate(model(fixed=True), bolus(6))
    assert np.isnan(list(absent.shrinkage["eta"].values())).all()
    assert group_shrinkage(absent.problem, absent.estimate, HALVES) == {}
    assert "of an effect it takes two subjects" in words(absent)
    alone = pk.evaluate(model(), bolus(1)).shrinkage["eta"]
    assert np.isnan(list(alone.values())).all()
    present = pk.evaluate(model(), bolus(6))
    assert np.isfinite(list(present.shrinkage["eta"].values())).all()
    assert set(group_shrinkage(present.problem, present.estimate, HALVES)) == {"CL", "V"}
    assert "of an effect it takes two subjects" not in words(present)


def test_divergences_without_variances_to_estimate_are_not_laid_to_variances():
    """Nor are effects next to nothing told among those that were sampled centred or not."""
    rng = np.random.default_rng(1)
    statistics = {"diverging": np.ones((2, 10), bool)}
    for fixed in (True, False):
        fit = pk.evaluate(model(fixed=fixed), bolus(2), method="nuts")
        posterior = Posterior(
            rng.normal(size=(2, 10, fit.problem.packing.size)),
            np.zeros((2, 10, 2, 2)),
            statistics,
            centred=(False, True),
        )
        sampled = replace(fit, posterior=posterior, status=Status.DIVERGENT)
        assert ("variances away from zero" in sampled.advice) != fixed
        told = posterior_part(fit.problem, posterior, diagnose(fit.problem, posterior))
        assert told is not None
        assert told["centred"] + told["non_centred"] == ([] if fixed else ["ETA_V", "ETA_CL"])
