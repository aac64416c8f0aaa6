"""The law of the likelihood ratio: scipy's chi-squares, normal means in cones, simulated trials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.stats import chi2, kstest

import pkmodel as pk
from pkmodel.model_comparison.judgement import judged
from pkmodel.model_comparison.likelihood_ratio import Law, law_of
from pkmodel.model_comparison.nesting import Restriction
from pkmodel.model_comparison.testing import likelihood_ratios
from simulation import make_design, simulate

STATISTICS = (0.1, 1.0, 2.7055, 3.84, 6.0, 12.0)


@pytest.mark.parametrize("df", [1, 2, 5])
def test_inside_the_bounds_it_is_a_chi_square(df):
    law = law_of(Restriction(tuple("abcde"[:df]), (), ()))
    for t in STATISTICS:
        assert law.tail(t) == chi2.sf(t, df)


@pytest.mark.parametrize(("inside", "covariances"), [(0, 0), (0, 1), (0, 2), (1, 0), (2, 1)])
def test_a_variance_at_zero_takes_half_a_degree(inside, covariances):
    """Stram and Lee 1994, case 3: q + 1 effects instead of q, an equal mixture of q and q + 1."""
    law = law_of(Restriction(tuple("abc"[:inside]), ("v",), tuple("xyz"[:covariances])))
    df = inside + covariances
    for t in STATISTICS:
        lower = chi2.sf(t, df) if df else 0.0
        assert law.tail(t) == pytest.approx(0.5 * lower + 0.5 * chi2.sf(t, df + 1), rel=1e-14)
    assert not law.is_bound


@pytest.mark.parametrize("statistic", [0.0, -0.3])
def test_a_larger_model_that_fits_no_better_says_nothing(statistic):
    assert law_of(Restriction((), ("v",), ())).tail(statistic) == 1.0
    assert Law(((1, 1.0),)).tail(statistic) == 1.0


def _ratios(rng: np.random.Generator, information: np.ndarray, boundary: int, n: int) -> np.ndarray:
    """Likelihood ratios of a normal mean: zero against a cone, by non-negative least squares.

    The first `boundary` components are not negative; the others, split in two, are free.
    """
    root = np.linalg.cholesky(information).T
    size = len(root)
    columns = np.hstack([root, -root[:, boundary:]])
    z = rng.normal(size=(n, size))
    rest = np.array([nnls(columns, row)[1] for row in z])
    return np.sum(z**2, axis=1) - rest**2


@pytest.mark.parametrize(("size", "boundary"), [(1, 1), (2, 1), (3, 1), (2, 2), (3, 2), (3, 3)])
def test_the_law_is_that_of_a_normal_mean_in_a_cone(size, boundary):
    """Self and Liang 1987: with one component at its edge equal, with several no larger.

    Whatever the correlation; 20000 draws, within 5 standard errors.
    """
    rng = np.random.default_rng(10 * size + boundary)
    half = rng.normal(size=(size, size))
    found = _ratios(rng, half @ half.T + 0.3 * np.eye(size), boundary, 20000)
    names = tuple(f"v{k}" for k in range(boundary))
    law = law_of(Restriction(tuple("abc"[: size - boundary]), names, ()))
    for t in STATISTICS[1:]:
        expected, share = law.tail(t), float(np.mean(found >= t))
        allowed = 5.0 * np.sqrt(expected * (1.0 - expected) / found.size)
        assert share < expected + allowed
        if boundary == 1:
            assert share > expected - allowed


@pytest.mark.slow
def test_the_test_of_a_variance_keeps_its_level():
    """250 trials of 100 subjects without an effect on V, by FOCE-I; the exact likelihood judges.

    At the level of 5 % a share of 0.05 +- 0.014 is expected, half of the ratios at zero, and those
    above it like chi-square of one degree. Measured over 500 trials of 150 subjects: 0.044 and
    0.526; over 1600 trials of 24 subjects 0.029 and 0.57, for there are more zeros in small data.
    A plain chi-square rejects a third of that.
    """
    design = make_design([(0.0, 100.0, 0.0)], [0.5, 2.0, 6.0, 12.0])
    thetas = (pk.Theta("cl", 1.0, lower=0.0), pk.Theta("v", 10.0, lower=0.0))
    residual = pk.Residual((pk.Sigma("proportional", 0.15),))
    blocks = tuple(pk.OmegaBlock((name,), ((0.1,),)) for name in ("CL", "V"))
    formulas = {"CL": "cl", "V": "v"}
    small = pk.Model("one_compartment", formulas, thetas, blocks[:1], residual)
    large = pk.Model("one_compartment", formulas, thetas, blocks, residual)
    rng = np.random.default_rng(7)
    tests = []
    for _ in range(250):
        data = simulate(
            rng, design, {"CL": 1.0, "V": 10.0}, {"CL": 0.09}, {"proportional": 0.15}, subjects=100
        )
        fits = {name: pk.fit(m, data, covariance=False) for name, m in (("0", small), ("1", large))}
        judgements = {name: judged(fit) for name, fit in fits.items()}
        tests += likelihood_ratios(judgements, nested=False)
    assert all(test.law is not None for test in tests)
    p, statistic = (np.array([getattr(t, name) for t in tests]) for name in ("p", "statistic"))
    level = float(np.mean(p < 0.05))
    assert 0.015 < level < 0.09
    assert float(np.mean(chi2.sf(np.maximum(statistic, 0.0), 1) < 0.05)) < level
    assert 0.4 < float(np.mean(statistic < 1e-3)) < 0.65
    assert statistic.min() > -0.05
    assert kstest(statistic[statistic > 1e-3], chi2(1).cdf).pvalue > 1e-3
