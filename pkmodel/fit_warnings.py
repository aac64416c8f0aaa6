"""What a fit is warned of: its data, its priors, its search, its integrals, its estimates."""

from __future__ import annotations

import numpy as np

from pkmodel.bayes.far_priors import far_priors
from pkmodel.bayes.few_draws import few_draws
from pkmodel.bayes.flat_priors import improper_prior_warning
from pkmodel.definition import FULL_BAYES
from pkmodel.diagnostics.etabar import (
    BAYES_CAUSES,
    CAUSES,
    EXACT_CAUSES,
    biased_effects,
    eta_bars,
)
from pkmodel.diagnostics.individuals import individual_parameters
from pkmodel.diagnostics.parameters import parameters
from pkmodel.diagnostics.plausibility import implausible_estimates, implausible_start
from pkmodel.diagnostics.too_few_data import scarce_data
from pkmodel.estimate.boundary import at_boundary
from pkmodel.estimate.covariance import Covariance
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.formula import parse_formula
from pkmodel.formula.block_check import implausible_arguments
from pkmodel.nodes import LEAST_DRAWS, LEAST_SHARE
from pkmodel.number import count
from pkmodel.problem import EXACT, Problem

NOTED_GAIN = 0.05
"""Where estimates come from draws, a gain of the exact objective from which it is said."""

NO_ERROR = ": no standard error is given for it"

FINER_NODES = "a higher fit.order, or method = 'imp', tells more"
MORE_DRAWS = "more draws tell more, see fit.draws"
DRAWN = "it is told at one point of the posterior, and the draws do not rest on it"


def fit_warnings(
    problem: Problem, estimate: Estimate, uncertainty: Covariance | None
) -> tuple[str, ...]:
    """Collect all that a reader of a fit must know, what comes first in it first.

    Parameters
    ----------
    problem : Problem
    estimate : Estimate
    uncertainty : Covariance or None
        Standard errors, where there are any.
    """
    out = list(problem.dataset.warnings)
    if problem.options.method == FULL_BAYES:
        out += few_draws(problem.options)
    out += _prior_warnings(problem)
    out += scarce_data(problem)
    out += implausible_start(problem)
    out += _data(problem)
    out += _modes(problem, estimate)
    out += _integration(problem, estimate)
    out += _search(problem, estimate)
    if uncertainty is not None:
        flat = [f"the data do not determine the direction {d}" for d in uncertainty.flat]
        out += flat + _errors_from_elsewhere(problem, uncertainty)
    if estimate.ending != "evaluated":
        found = parameters(problem, estimate.x, uncertainty)
        out += implausible_estimates(problem, estimate.x, found)
        out += biased_effects(eta_bars(problem, estimate.x, estimate.final), _causes(problem))
    return tuple(out)


def _data(problem: Problem) -> list[str]:
    """Say how the likelihood takes the data, and where they are beyond a formula or too few."""
    data, out = problem.dataset, []
    if data.n_censored:
        how = "as probabilities (M3)" if problem.options.censoring == "m3" else "left out (M1)"
        out.append(f"{data.n_censored} of {data.n_observations} observations are censored: {how}")
    for name, text in problem.model.parameters.items():
        formula = parse_formula(text, f"[model.parameters] {name}")
        out += implausible_arguments(formula, data.covariates, data.subject.size)
    most = int(np.max(np.diff(problem.steps.first)))
    if most == 1 and problem.effects and problem.packing.sigma:
        out.append(
            "no subject has more than one observation: residual error and variances between "
            "subjects cannot be told apart; fix one of them"
        )
    return out


def _modes(problem: Problem, estimate: Estimate) -> list[str]:
    """Warn where modes of the effects were not found, or are not the only ones."""
    failed = problem.failed(estimate.final.terms)
    if failed.size:
        listed = ", ".join(str(v) for v in problem.dataset.ids[failed][:10])
        more = f" and {failed.size - 10} more" if failed.size > 10 else ""
        return [f"no mode was found for {failed.size} subjects: {listed}{more}"]
    if abs(estimate.cold_gap) > 1e-4:
        return [
            f"with modes searched from zero the objective differs by {estimate.cold_gap:+.4g} from "
            "the search's: some subjects have several modes"
        ]
    return []


def _search(problem: Problem, estimate: Estimate) -> list[str]:
    """Warn of where the search has ended."""
    out = []
    if estimate.sampling is not None and NOTED_GAIN < estimate.decrease < np.inf:
        out.append(
            f"by the exact likelihood the objective could fall by {estimate.decrease:.2g}: the "
            "draws and the integral differ, as where the effects of a subject have several modes"
        )
    if estimate.ending == "evaluated" or problem.options.method != FULL_BAYES:
        no_error = "" if problem.options.method == FULL_BAYES else NO_ERROR
        out += [f"{name} is at a boundary{no_error}" for name in at_boundary(problem, estimate.x)]
    out += _flip_flop(problem, estimate)
    if len(estimate.starts) > 1 and estimate.agree < len(estimate.starts):
        out.append(f"only {estimate.agree} of {len(estimate.starts)} starts reached this objective")
    return out


def _flip_flop(problem: Problem, estimate: Estimate) -> list[str]:
    """Warn where most subjects absorb more slowly than they eliminate."""
    values = individual_parameters(problem, estimate.x, estimate.final.terms.eta)
    if "KA" not in values:
        return []
    count = int(np.sum(values["KA"] < values["CL"] / values["V"]))
    if 2 * count <= problem.n_subjects:
        return []
    return [
        f"flip-flop: KA is below CL / V in {count} of {problem.n_subjects} subjects; after oral "
        "doses alone KA and CL / V can be exchanged, with another V: judge by intravenous data or "
        "physiology, and if KA should be the larger, start or bound it above CL / V"
    ]


def _causes(problem: Problem) -> str:
    """Say what may put the mean of an effect off: no approximation where there is none."""
    if problem.options.method == FULL_BAYES:
        return BAYES_CAUSES
    return EXACT_CAUSES if problem.likelihood in EXACT else CAUSES


def _prior_warnings(problem: Problem) -> list[str]:
    """Warn of priors that may be wrong; where the method uses none, that there are some."""
    method = problem.options.method
    if method == FULL_BAYES:
        return [*far_priors(problem.model), *improper_prior_warning(problem.model)]
    if problem.model.priors is None:
        return []
    return [f"the priors that are declared are not used: {method} has none"]


def _integration(problem: Problem, estimate: Estimate) -> list[str]:
    """Warn where nodes or draws are too few for the integral over the effects."""
    orders = estimate.orders
    remedy = DRAWN if problem.options.method == FULL_BAYES else ""
    out = []
    if orders is not None and not orders.is_settled:
        change = f"{orders.error:.2g}" if np.isfinite(orders.error) else "an unknown amount"
        out.append(
            f"quadrature of {orders} has not settled: with more nodes the objective changes by up "
            f"to {change}; {remedy or FINER_NODES}"
        )
    if problem.options.method == "imp" and problem.draws < LEAST_DRAWS:
        out.append(
            f"{count(problem.draws, 'draw')} a subject cannot tell how far the objective is off by "
            f"chance, which takes {LEAST_DRAWS}: use nothing of this, and raise fit.draws"
        )
    few = np.flatnonzero(estimate.final.terms.share < LEAST_SHARE)
    if problem.likelihood == "imp" and few.size:
        ids = problem.dataset.ids[few]
        listed = ", ".join(str(v) for v in ids[:10]) + (" ..." if few.size > 10 else "")
        out.append(
            f"the draws of {few.size} subjects are worth less than {LEAST_SHARE:.0%} of their "
            f"number ({listed}): their part of the objective is not to be trusted; "
            f"{remedy or MORE_DRAWS}"
        )
    return out


def _errors_from_elsewhere(problem: Problem, uncertainty: Covariance) -> list[str]:
    """Say where standard errors come from, if not from where they were asked from."""
    wanted, source = problem.options.covariance, uncertainty.source
    if wanted != source and source == "r":
        return [
            f"S is singular, as one gradient per subject ({problem.n_subjects}) does not span "
            f"{problem.packing.size} parameters: standard errors are from R"
        ]
    if source == "none":
        return ["no standard errors: the second derivatives of the objective are not defined here"]
    if wanted != source:
        return ["R is not positive definite: standard errors are from S"]
    if uncertainty.flat:
        return ["R is not positive definite: parameters in these directions have no standard error"]
    return []
