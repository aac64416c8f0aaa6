"""The objective of log DV, and that of DV itself, which a lognormal residual sets apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk


def _data(without: int) -> pd.DataFrame:
    """Three subjects, of whom `without` has a dose and no observation."""
    rows = []
    for number in (1, 2, 3):
        rows.append({"ID": number, "TIME": 0.0, "AMT": 100.0, "DV": None, "EVID": 1, "MDV": 1})
        if number != without:
            rows += [
                {"ID": number, "TIME": t, "AMT": None, "DV": dv + number, "EVID": 0, "MDV": 0}
                for t, dv in ((1.0, 9.0), (4.0, 7.0), (8.0, 4.0))
            ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("without", [0, 1, 2, 3])
def test_every_observation_is_counted_once(without):
    """2 sum log DV, by subject, whichever subject has none."""
    data = pk.read_dataset(_data(without), allow=["no_observations"])
    model = pk.Model(
        "one_compartment",
        {"CL": "cl", "V": "v"},
        (pk.Theta("cl", 1.0, lower=0.0), pk.Theta("v", 10.0, lower=0.0)),
        (pk.OmegaBlock(("CL",), ((0.1,),)),),
        pk.Residual((pk.Sigma("lognormal", 0.1),)),
    )
    result = pk.evaluate(model, data)
    seen = data.dv[data.is_observation]
    assert result.objective_log is not None
    assert result.objective - result.objective_log == pytest.approx(2.0 * np.sum(np.log(seen)))
    if without:
        assert result.problem.own_scale[without - 1] == 0.0
