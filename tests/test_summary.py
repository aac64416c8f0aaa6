"""What a fit says on the screen; the texts are whole so that a reader can judge them."""

from __future__ import annotations

import pytest

from fit_document import evaluated_document, failed_document, fit_document
from pkmodel.summary import checks, summary_text

CONVERGED = """\
Phenobarbital in newborn infants  ·  CONVERGED
one compartment  ·  FOCE-I  ·  59 subjects, 155 observations
data phenobarbital.csv  ·  time h, amount mg, concentration mg/L; volume L, clearance L/h
objective 586.276   -2LL 871.147   AIC 885.15   BIC 906.45

minimum          [ ok ]  21 evaluations, gradient norm 1.3e-05, 2.1e-09 left to gain
modes            [ ok ]  found for every subject; searched anew from zero: objective +0
starts           [ -  ]  one start only; fit.starts = 5 shows whether others agree
boundary         [ ok ]  no parameter at a bound, no variance at zero
standard errors  [ ok ]  sandwich of R and S, condition number 3.71
exact objective  [ ok ]  585.910 by quadrature: +0.366; largest for subject 12 (+0.12)
etabar           [ ok ]  CL +0.0017 (P 0.885), V -0.0012 (P 0.949)
shrinkage        [look]  CL 43 %, V 12 %, residual 27 %

parameter           estimate  RSE %     95 % interval  initial
theta cl            0.004696    4.5  0.0043 to 0.0051    0.005
theta v               0.9843    2.7     0.933 to 1.04        1
theta v_apgr          0.1589   52.7    0.006 to 0.337      0.1
omega CL             0.02935   45.7   0.012 to 0.0719      0.1  CV 17 %
omega CL,V            0.0143   35.7  0.0043 to 0.0243     0.05  correlation 0.50
omega V              0.02791   26.8  0.0165 to 0.0472      0.1  CV 17 %
sigma proportional    0.1151    8.6    0.097 to 0.136      0.2  SD
omega: variances on the transformed scale, with errors of the variance

seconds: read 0.02, compile 0.31, optimise 0.03, covariance 0.01, total 0.37; 2 threads, seed 1
"""

FAILED = """\
Untitled fit  ·  NOT CONVERGED
The search ended before the objective stopped falling.
one compartment  ·  Laplace without interaction  ·  59 subjects, 155 observations (18 censored, M3);
left out: 4812 rows where SD == 1
data phenobarbital.csv  ·  units not declared  ·  covariates change in time by NOCB
objective 586.276   of log DV -42.106   -2LL 871.147   AIC 885.15   BIC 906.45

minimum          [FAIL]  21 evaluations, gradient norm 1.3e-05, 12.4 left to gain
modes            [FAIL]  not found for subjects 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more
starts           [look]  1 of 3 agree; objectives 586.280 to 688.600
boundary         [look]  omega V
standard errors  [look]  from S, condition number not known; not determined: +0.71 theta cl -0.70
                         theta v
exact objective  [ ok ]  585.910 by quadrature: +0.366; largest for subject 12 (+0.12)
etabar           [look]  CL +0.041 (P < 0.001), V not known
shrinkage        [look]  CL 43 %, V not known, residual not known

parameter           estimate  RSE %     95 % interval  initial
theta cl            0.004696    4.5  0.0043 to 0.0051    0.005
theta v               0.9843    2.7     0.933 to 1.04        1
theta v_apgr          0.1589   52.7    0.006 to 0.337      0.1  fixed
omega CL             0.02935   45.7   0.012 to 0.0719      0.1  CV 17 %
omega CL,V            0.0143   35.7  0.0043 to 0.0243     0.05  correlation 0.50
omega V              0.02791                               0.1  CV 17 %, at a boundary
occasion CL             0.01   20.0    0.007 to 0.015     0.05  CV 10 %
sigma proportional    0.1151    8.6    0.097 to 0.136      0.2  SD
omega: variances on the transformed scale, with errors of the variance

warnings
  - omega V is at a boundary: no standard error is given for it

seconds: read 0.02, compile 0.31, optimise 0.03, covariance 0.01, total 0.37; 2 threads, seed 1
"""

EVALUATED = """\
Phenobarbital in newborn infants  ·  EVALUATED
Evaluated at the initial values; nothing was estimated.
one compartment  ·  FOCE-I  ·  59 subjects, 155 observations
data phenobarbital.csv  ·  time h, amount mg, concentration mg/L; volume L, clearance L/h
objective 586.276   -2LL 871.147   AIC 885.15   BIC 906.45

modes            [ ok ]  found for every subject
exact objective  [ ok ]  585.910 by quadrature: +0.366; largest for subject 12 (+0.12)
etabar           [ ok ]  CL +0.0017 (P 0.885), V -0.0012 (P 0.949)
shrinkage        [look]  CL 43 %, V 12 %, residual 27 %

parameter           estimate
theta cl            0.004696
theta v               0.9843
theta v_apgr          0.1589
omega CL             0.02935  CV 17 %
omega CL,V            0.0143  correlation 0.50
omega V              0.02791  CV 17 %
sigma proportional    0.1151  SD
omega: variances on the transformed scale

seconds: read 0.02, compile 0.31, optimise 0.03, covariance 0.01, total 0.37; 2 threads, seed 1
"""


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (fit_document(), CONVERGED),
        (failed_document(), FAILED),
        (evaluated_document(), EVALUATED),
    ],
    ids=["converged", "failed", "evaluated"],
)
def test_golden_text(document, text):
    assert summary_text(document) == text


def test_summary_fits_one_screen():
    lines = summary_text(fit_document()).splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100


def test_notes_stand_below_the_names_where_a_row_would_be_too_long():
    document = fit_document()
    document["theta"] = {
        f"clearance_of_{name}_in_subjects_younger_than_two_years": entry
        for name, entry in document["theta"].items()
    }
    lines = summary_text(document).splitlines()
    row = lines.index(next(line for line in lines if line.startswith("omega CL,V")))
    assert lines[row + 1] == "  correlation 0.50"
    assert max(map(len, lines)) <= 100
    assert "0.0043 to 0.0051    0.005" in " ".join(lines)


def _mark(name, **changes):
    return {c.name: c.mark for c in checks(fit_document(**changes))}[name]


def test_a_fit_that_did_not_converge_fails_its_first_check():
    assert _mark("minimum") == "ok"
    assert _mark("minimum", converged=False, status="not at a minimum") == "FAIL"


def test_failed_modes_are_named():
    found = checks(fit_document(failed_subjects=["7", "12"]))
    assert any(c.mark == "FAIL" and "7, 12" in c.finding for c in found)


def test_a_cold_gap_asks_for_a_look():
    assert _mark("modes", cold_gap=0.02) == "look"


def test_objectives_of_starts_say_where_they_are_not_that_of_the_fit():
    starts = [{"objective": 586.3, "ending": "converged", "evaluations": 20}] * 3
    for method, end in {"focei": "586.300", "agq": "by Laplace", "saem": "refined"}.items():
        found = checks(fit_document(starts=starts, starts_agree=3, method=method))
        assert next(c.finding for c in found if c.name == "starts").endswith(end)


@pytest.mark.parametrize(
    ("draws", "error", "mark", "reason"),
    [
        (1, None, "look", "their error takes 36 to tell"),
        (35, 1.0, "look", "their error takes 36 to tell"),
        (36, None, "look", "their error is not known"),
        (36, 1.0, "ok", "at worst"),
    ],
)
def test_draws_whose_error_cannot_be_told_ask_for_a_look(draws, error, mark, reason):
    sampled = {"draws": draws, "error": error, "least_share": 0.8}
    (check,) = (c for c in checks(fit_document(importance=sampled)) if c.name == "draws")
    assert check.mark == mark
    assert reason in check.finding


def test_starts_that_disagree_ask_for_a_look():
    starts = [{"objective": 586.3, "ending": "converged", "evaluations": 20}] * 3
    assert _mark("starts", starts=starts, starts_agree=3) == "ok"
    assert _mark("starts", starts=starts, starts_agree=2) == "look"


def test_large_shrinkage_and_condition_number_ask_for_a_look():
    shrinkage = {"eta": {"CL": 0.1, "V": 0.1}, "epsilon": 0.1}
    assert _mark("shrinkage", shrinkage=shrinkage) == "ok"
    assert _mark("shrinkage") == "look"
    assert _mark("standard errors", condition_number=2000.0) == "look"


def test_standard_errors_that_cannot_be_computed_ask_for_a_look():
    document = fit_document(covariance="none", condition_number=None)
    assert "[look]  none: second derivatives are not defined here" in summary_text(document)
    assert _mark("standard errors", covariance="none", condition_number=None) == "look"


def test_brackets_in_a_title_are_text():
    assert "[bold]infants[/bold]" in summary_text(fit_document(title="[bold]infants[/bold]"))


def test_a_normal_effect_is_said_as_a_deviation():
    text = summary_text(fit_document(distribution={"CL": "normal", "V": "lognormal"}))
    assert "SD 0.1713" in text


def test_one_is_said_in_the_singular():
    text = summary_text(fit_document(n_subjects=1, n_observations=1, excluded={"MDV = 1": 1}))
    assert "1 subject, 1 observation; left out: 1 row MDV = 1" in text


def test_an_r_hat_below_one_is_printed_as_one():
    sampling = {
        "chains": 2,
        "iterations": 100,
        "acceptance": {"independent": 0.8},
        "is_settled": True,
        "monte_carlo_error": {"theta cl": 0.01},
        "r_hat": {"theta cl": 0.9987},
    }
    text = " ".join(summary_text(fit_document(method="saem", sampling=sampling)).split())
    assert "R-hat up to 1.000" in text
