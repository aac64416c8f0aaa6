"""The certificate: how far a fit is from the exact likelihood of its model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import pkmodel as pk
from pkmodel.cli import main
from pkmodel.estimate.certificate import Certificate, is_cheap
from test_engine_against_twin import VARIANTS, definition_text, simulated


@pytest.fixture(scope="module")
def focei() -> pk.Fit:
    return pk.fit("phenobarbital")


@pytest.fixture(scope="module")
def certificate(focei: pk.Fit) -> Certificate:
    return focei.certify()


@pytest.fixture(scope="module")
def agq() -> pk.Fit:
    return pk.fit("phenobarbital", method="agq")


def test_difference_is_the_sum_of_the_subjects(focei: pk.Fit, certificate: Certificate) -> None:
    at = certificate.comparison
    assert at.difference == pytest.approx(np.sum(at.by_subject), abs=1e-9)
    assert at.objective == focei.objective
    exact = focei.problem.with_method("agq").with_order(41).evaluate(focei.estimate.x)
    assert at.exact_objective == pytest.approx(exact.objective, abs=2e-3)


def test_worst_subjects_come_first(certificate: Certificate) -> None:
    at = certificate.comparison
    worst = at.worst(3)
    assert abs(worst[0][1]) == np.max(np.abs(at.by_subject))
    assert abs(worst[0][1]) >= abs(worst[1][1]) >= abs(worst[2][1])


def test_moves_lead_to_the_estimates_of_quadrature(
    focei: pk.Fit, certificate: Certificate, agq: pk.Fit
) -> None:
    moves = certificate.to_frame()
    table = focei.summary()
    np.testing.assert_allclose(moves["estimate"], table["estimate"])
    np.testing.assert_allclose(moves["exact"], agq.summary()["estimate"], rtol=2e-3)
    np.testing.assert_allclose(
        moves["errors"], (moves["exact"] - moves["estimate"]) / table["se"], rtol=1e-9
    )
    assert certificate.gain == pytest.approx(
        certificate.comparison.exact_objective - agq.objective, abs=2e-3
    )


def test_verdict_names_the_estimate_that_moves_most(certificate: Certificate) -> None:
    assert "theta cl" in certificate.verdict
    assert "0.38 standard errors" in certificate.verdict
    shift = certificate.to_frame()["errors"].abs().max()
    coverage = 100.0 * (stats.norm.cdf(1.96 - shift) - stats.norm.cdf(-1.96 - shift))
    assert f"covers the truth in {coverage:.1f} % of studies" in certificate.verdict
    assert f"a likelihood ratio off by {certificate.gain:.2g}; 3.84" in certificate.verdict
    assert certificate.verdict in str(certificate)
    assert certificate.verdict in certificate._repr_html_()


def test_a_fit_by_quadrature_stands(agq: pk.Fit) -> None:
    found = agq.certify()
    assert found.comparison.nodes > np.max(agq.problem.orders)
    assert abs(found.comparison.difference) < 2e-3
    assert found.verdict.startswith("The estimates stand")


def test_laplace_of_rich_data_stands() -> None:
    found = pk.fit("theophylline", method="laplace").certify()
    assert found.verdict.startswith("The estimates stand")


def test_an_evaluation_is_compared_but_not_searched() -> None:
    found = pk.evaluate("phenobarbital").certify()
    assert found.moves == ()
    assert "Nothing was estimated" in str(found)
    assert np.isnan(found.gain)


def test_draws_for_few_effects_are_certified_by_quadrature() -> None:
    definition = pk.read_definition("phenobarbital")
    options = replace(definition.options, method="imp", draws=64)
    fit = pk.evaluate(replace(definition, options=options))
    at = fit.certify().comparison
    assert at.exact == "agq"
    assert abs(at.difference) < 4.0 * fit.estimate.final.error


def test_many_effects_are_certified_by_more_and_other_draws(scratch, define) -> None:
    data = scratch / "certificate.csv"
    simulated(False).to_csv(data, index=False)
    text = definition_text(VARIANTS["occasion block"], "imp", "draws = 256", data)
    fit = pk.evaluate(define("certificate", text))
    assert len(fit.problem.effects) == 6
    at = fit.certify().comparison
    assert (at.exact, at.nodes) == ("imp", 1024)
    assert abs(at.difference) < 4.0 * np.hypot(fit.estimate.final.error, at.error)
    assert at.error < fit.estimate.final.error


def test_the_document_has_a_line_of_it_where_that_is_cheap(
    focei: pk.Fit, certificate: Certificate
) -> None:
    assert is_cheap(focei.problem)
    found = focei.to_dict()["certificate"]
    assert found["difference"] == pytest.approx(certificate.comparison.difference, abs=1e-9)
    assert found["worst_subject"] == certificate.comparison.worst(1)[0][0]
    assert pk.evaluate("theophylline").to_dict()["certificate"] is None  # three effects


def test_the_command_prints_it() -> None:
    result = CliRunner().invoke(main, ["certify", "phenobarbital"])
    assert result.exit_code == 0, result.output
    assert "exact, by adaptive quadrature of order" in result.output
    assert "moves by SE" in result.output
    assert "standard errors (theta cl)" in " ".join(result.output.split())
    assert max(map(len, result.output.splitlines())) <= 100


def test_the_command_refuses_bad_input() -> None:
    result = CliRunner().invoke(main, ["certify", "phenobarbital", "--method", "agp"])
    assert result.exit_code == 2
    assert "does not exist" in result.output


def test_draws_of_a_posterior_are_not_certified():
    """Before any fit: exit status 2, and what to use instead."""
    ended = CliRunner().invoke(main, ["certify", "phenobarbital", "--method", "nuts"])
    assert ended.exit_code == 2
    assert "method = 'agq'" in ended.stderr
