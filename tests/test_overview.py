"""What `check` says of a definition, beside what the fit's document says of the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from pkmodel.overview import overview
from pkmodel.summary import plain_text


def checked(weights: tuple[float, float], omega: tuple[pk.OmegaBlock, ...]) -> tuple[str, pk.Fit]:
    """Return the words of `check`, and an evaluation, of two subjects with a bolus each."""
    rows = [
        (i, t, 100.0 if t == 0.0 else np.nan, np.nan if t == 0.0 else 8.0 - t, w)
        for i in (1, 2)
        for t, w in zip((0.0, 1.0, 4.0), (weights[0], *weights), strict=True)
    ]
    model = pk.Model(
        structure="one_compartment",
        parameters={"CL": "cl * WT", "V": "v"},
        theta=(pk.Theta("cl", 0.1, lower=0.0), pk.Theta("v", 10.0, lower=0.0)),
        omega=omega,
        residual=pk.Residual((pk.Sigma("proportional", 0.1),)),
    )
    definition = pk.Definition("", None, model)
    fit = pk.evaluate(definition, pd.DataFrame(rows, columns=["ID", "TIME", "AMT", "DV", "WT"]))
    return " ".join(plain_text(overview(definition, fit), 200).split()), fit


SINGLE = (pk.OmegaBlock(("CL",), ((0.1,),)),)


@pytest.mark.parametrize(("weights", "rule"), [((10.0, 10.0), None), ((10.0, 11.0), "nocb")])
def test_check_tells_a_covariate_rule_where_the_document_has_one(weights, rule):
    text, fit = checked(weights, SINGLE)
    assert fit.to_dict()["covariate_rule"] == rule
    assert ("NOCB where they change in time" in text) == (rule is not None)
    assert ("none that the model uses changes in time" in text) == (rule is None)


def test_check_prints_the_initial_covariances_of_a_block():
    text, _ = checked((10.0, 10.0), (pk.OmegaBlock(("CL", "V"), ((0.1, 0.05), (0.05, 0.4))),))
    assert "0.1; covariance with V 0.05 (correlation 0.25)" in text
    assert "0.4; covariance with CL 0.05 (correlation 0.25)" in text
    fixed = replace(SINGLE[0], fixed=True)
    assert "0.1 fixed" in checked((10.0, 10.0), (fixed,))[0]
