"""Ratios of geometric means: interval, two one-sided tests, verdict, corrections, share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pkmodel.contrast.margin import Margin, given_level, given_margin
from pkmodel.contrast.multiplicity import given_multiplicity, holm, interval_level
from pkmodel.contrast.ratio import compare, published_moments, ratio_interval
from pkmodel.contrast.share import binomial_interval, share_in_band
from pkmodel.contrast.verdict import verdicts
from pkmodel.errors import ModelError

USUAL = Margin(0.8, 1.25)

YIELD_A = [452, 874, 554, 447, 356, 754, 558, 574, 664, 682, 547, 435, 245]
YIELD_B = [546, 547, 774, 465, 459, 665, 467, 365, 589, 534, 456, 651, 654, 665, 546, 537]


def test_textbook_example_with_unequal_variances() -> None:
    """Chapter 198 of the NCSS manual, as in tests/testthat/test-NCSS1.R of the R package TOSTER.

    Its margin is +- 110 of a difference of yields; here a thousandth of a yield is a logarithm.
    """
    margin = Margin(np.exp(-0.110), np.exp(0.110))
    a, b = np.array(YIELD_A) / 1000.0, np.array(YIELD_B) / 1000.0
    found = ratio_interval(a, b, margin, level=0.95)
    assert round(float(found.freedom), 3) == 19.169
    assert round(float(found.p_value), 5) == 0.03628
    ends = 1000.0 * np.log([found.ratio, found.lower, found.upper])
    np.testing.assert_allclose(ends, [-8.1153846, -120.27336, 104.04259], atol=5e-6)


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 40),
    m=st.integers(2, 40),
    shift=st.floats(-0.6, 0.6),
    spread=st.floats(0.05, 2.0),
)
def test_agrees_with_scipy_and_interval_agrees_with_the_tests(
    seed: int, n: int, m: int, shift: float, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(shift, spread * 0.3, n), rng.normal(0.0, 0.3, m)
    found = ratio_interval(a, b, USUAL)
    known = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.90)
    np.testing.assert_allclose(np.log([found.lower, found.upper]), known, rtol=1e-9, atol=1e-12)
    above = stats.ttest_ind(a - np.log(0.8), b, equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind(a - np.log(1.25), b, equal_var=False, alternative="less").pvalue
    np.testing.assert_allclose(found.p_value, max(above, below), rtol=1e-9, atol=1e-300)
    is_equivalent = str(verdicts(found.lower, found.upper, USUAL)) == "equivalent"
    assert is_equivalent == (found.p_value <= 0.05)


def test_many_trials_at_once_are_each_trial_alone() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.1, 0.3, (7, 12)), rng.normal(0.0, 0.5, (7, 20))
    together = ratio_interval(a, b, USUAL)
    for k in range(7):
        alone = ratio_interval(a[k], b[k], USUAL)
        for name in ("ratio", "lower", "upper", "p_value", "freedom"):
            assert getattr(together, name)[k] == getattr(alone, name)


def test_ratio_and_its_inverse_tell_the_same() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(0.2, 0.3, 9), rng.normal(0.0, 0.5, 14)
    one = ratio_interval(a, b, Margin(0.7, 1.25))
    other = ratio_interval(b, a, Margin(0.8, 1 / 0.7))
    np.testing.assert_allclose(
        [one.ratio, one.lower, one.upper, one.p_value],
        [1 / other.ratio, 1 / other.upper, 1 / other.lower, other.p_value],
        rtol=1e-12,
    )


def test_interval_covers_at_its_level() -> None:
    """20,000 pairs of normal samples with unequal variances: +- 4 standard errors is 0.0085."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(np.log(1.25), 0.2, (20_000, 8)), rng.normal(0.0, 0.5, (20_000, 15))
    found = ratio_interval(a, b, USUAL)
    covered = np.mean((found.lower <= 1.25) & (found.upper >= 1.25))
    assert covered == pytest.approx(0.90, abs=0.0085)
    is_equivalent = verdicts(found.lower, found.upper, USUAL) == "equivalent"
    assert np.mean(is_equivalent) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 20_000)


def test_published_summary_of_the_infants() -> None:
    """706 +- 194 pg/mL of 30 infants: geometric mean 681, SD of the logarithms 0.270."""
    infants = published_moments(30, 706.0, 194.0)
    assert f"{np.exp(infants.mean):.0f}" == "681"
    assert f"{np.sqrt(infants.variance):.3f}" == "0.270"


def test_published_summaries_of_a_log_normal_sample_give_back_its_logarithms() -> None:
    """Mean and SD of a log-normal variable with mu = 1.2 and sigma = 0.5 in closed form."""
    variable = stats.lognorm(s=0.5, scale=np.exp(1.2))
    found = published_moments(10, variable.mean(), variable.std())
    np.testing.assert_allclose([found.mean, found.variance], [1.2, 0.25], rtol=1e-12)
    same = compare(found, found, USUAL)
    assert float(same.ratio) == 1.0
    width = stats.t.ppf(0.95, 18) * np.sqrt(2 * 0.25 / 10)
    assert float(same.upper) == pytest.approx(np.exp(width), rel=1e-12)


@pytest.mark.parametrize(
    ("a", "b"), [([0.1], [0.0, 0.1, 0.2]), ([0.1, 0.1], [0.2, 0.2]), ([np.log(3.0)] * 7, [0.1] * 5)]
)
def test_too_little_to_know_an_interval(a: list[float], b: list[float]) -> None:
    found = ratio_interval(a, b, USUAL)
    assert np.isfinite(found.ratio)
    assert np.isnan([found.lower, found.upper, found.p_value]).all()
    assert str(verdicts(found.lower, found.upper, USUAL)) == "inconclusive"


def test_verdict_at_the_ends_of_the_margin() -> None:
    lower = [0.8, 0.79999, 1.25, 1.25001, 0.5, 0.9]
    upper = [1.25, 1.2, 1.4, 1.4, 0.79999, np.inf]
    expected = ["equivalent", "inconclusive", "inconclusive", "not equivalent", "not equivalent"]
    assert verdicts(lower, upper, USUAL).tolist() == [*expected, "inconclusive"]


def test_one_known_end_outside_decides_and_one_inside_does_not() -> None:
    lower = [np.nan, np.nan, 1.3, 0.9, np.nan]
    upper = [0.5, 1.0, np.nan, np.nan, np.nan]
    outside, open_ = "not equivalent", "inconclusive"
    assert verdicts(lower, upper, USUAL).tolist() == [outside, open_, outside, open_, open_]


def _holm_by_definition(p: list[float]) -> list[float]:
    """Largest over the smaller p-values of p times the number not yet rejected."""
    return [min(1.0, max(q * (len(p) - sum(r < q for r in p)) for q in p if q <= own)) for own in p]


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6, unique=True))
def test_holm_is_its_definition(p: list[float]) -> None:
    np.testing.assert_allclose(holm(p), _holm_by_definition(p), rtol=1e-12)


def test_holm_counts_a_comparison_that_failed() -> None:
    found = holm([0.02, float("nan")])
    assert found[0] == 0.04
    assert np.isnan(found[1])


def test_bonferroni_shares_the_error() -> None:
    assert interval_level(0.90, 1, "bonferroni") == pytest.approx(0.90)
    assert interval_level(0.90, 4, "bonferroni") == pytest.approx(0.975)
    assert interval_level(0.90, 4, "none") == 0.90


@pytest.mark.parametrize(("count", "n"), [(0, 12), (12, 12), (3, 12), (28, 30), (1, 1)])
def test_exact_interval_is_that_of_scipy(count: int, n: int) -> None:
    known = stats.binomtest(count, n).proportion_ci(0.90, method="exact")
    np.testing.assert_allclose(binomial_interval(count, n, 0.90), known, rtol=1e-9, atol=1e-12)


def test_share_inside_the_band_of_the_reference() -> None:
    found = share_in_band([1.0, 0.999, 10.0, 19.0, 19.001], np.arange(21.0))
    assert found is not None
    assert (found.inside, found.n, found.share) == (3, 5, 0.6)
    assert share_in_band([1.0], [2.0]) is None
    empty = share_in_band([], np.arange(21.0))
    assert empty is not None
    assert np.isnan(empty.share)


@pytest.mark.parametrize(
    "pair", [(0.8, 1.0), (1.25, 0.8), (0.0, 1.2), (0.8,), "0.8", (0.8, np.inf), None, ("a", 2)]
)
def test_margin_that_is_none(pair: object) -> None:
    with pytest.raises(ModelError, match="is no range of ratios about 1"):
        given_margin(pair)


@pytest.mark.parametrize("level", [0.0, 1.0, 90, "0.9", float("nan")])
def test_level_that_is_none(level: object) -> None:
    with pytest.raises(ModelError, match="no share between 0 and 1"):
        given_level(level)


def test_multiplicity_that_is_none() -> None:
    with pytest.raises(ModelError, match="did you mean `bonferroni`"):
        given_multiplicity("bonferoni")
