"""Figures of the chains of a posterior: what is drawn, and that it says what it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import plot_cases
from pkmodel.errors import DataError
from pkmodel.plots import chain_ranks, chain_traces
from pkmodel.plots.chains import BINS
from pkmodel.plots.parameter_title import parameter_title
from pkmodel.plots.style import VIRTUAL


@pytest.fixture
def draws() -> pd.DataFrame:
    """Three chains of 200 draws: of `a` they agree, of `b` the last one lies above."""
    rng = np.random.default_rng(1)
    chain = np.repeat([0, 1, 2], 200)
    table = pd.DataFrame({"chain": chain, "draw": np.tile(np.arange(200), 3)})
    noise = rng.normal(size=(2, 600))
    return table.assign(**{"theta a$b$": noise[0], "omega b": noise[1] + 50.0 * (chain == 2)})


def test_traces_are_the_draws_of_each_chain(draws):
    plot = chain_traces(draws, is_virtual=False)
    for axes, name in zip(plot.figure.axes, ("theta a$b$", "omega b"), strict=True):
        assert axes.get_title("left") == parameter_title(name)
        for k, line in enumerate(axes.get_lines()):
            own = draws[draws["chain"] == k]
            np.testing.assert_array_equal(line.get_xdata(), own["draw"])
            np.testing.assert_array_equal(line.get_ydata(), own[name])
    assert plot.data is draws
    assert plot.figure.axes[1].get_title("left") == "omega b (variance)"


def test_ranks_are_shares_of_each_bin(draws):
    table = chain_ranks(draws, is_virtual=False).data
    for name in ("theta a$b$", "omega b"):
        rows = table[table["parameter"] == name]
        assert rows.groupby("chain")["share"].mean().tolist() == pytest.approx([1.0] * 3)
        assert rows.groupby("rank")["share"].mean().tolist() == pytest.approx([1.0] * BINS)
    highest = table[(table["parameter"] == "omega b") & (table["rank"] > 420)]
    assert highest.loc[highest["chain"] == 2, "share"].min() > 2.5
    assert highest.loc[highest["chain"] != 2, "share"].max() < 0.3
    own = draws["theta a$b$"].rank()[draws["chain"] == 0]
    first = table[(table["parameter"] == "theta a$b$") & (table["chain"] == 0)].iloc[0]
    assert first["share"] == pytest.approx(BINS * np.mean(own <= 30))


@pytest.mark.parametrize("draw", [chain_traces, chain_ranks])
@pytest.mark.parametrize("is_virtual", [True, False])
def test_the_figure_says_posterior_and_virtual(draws, draw, is_virtual):
    texts = "\n".join(plot_cases.texts(draw(draws, is_virtual=is_virtual).figure))
    assert "posterior" in texts
    assert "chain 2" in texts
    assert (VIRTUAL in texts) is is_virtual


def test_a_table_without_chains_is_refused(draws):
    with pytest.raises(DataError, match="the table of draws has no column chain"):
        chain_traces(draws.drop(columns="chain"), is_virtual=False)
