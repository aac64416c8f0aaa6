"""The JSON document of a fit, part by part; what a method does not give is null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pkmodel.bayes.correlation_prior import LKJ, CorrelationPrior
from pkmodel.bayes.diagnosis import Diagnosis
from pkmodel.bayes.posterior import Cut, Posterior
from pkmodel.bayes.told_priors import MarginalPrior, marginal_priors, told_priors
from pkmodel.diagnostics.etabar import EtaBar
from pkmodel.diagnostics.individuals import effect_label
from pkmodel.diagnostics.parameters import Parameter
from pkmodel.diagnostics.shrinkage import absent_effects
from pkmodel.estimate.certificate import ExactComparison
from pkmodel.estimate.covariance import Covariance
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.grouping import Groups
from pkmodel.problem import Problem, has_interaction
from pkmodel.shipped import column_meanings
from pkmodel.status import Status
from pkmodel.subjects import Subjects

Part = dict[str, Any]


def number(value: float | None) -> float | None:
    """Make a number fit for JSON: what is not finite is null.

    Examples
    --------
    >>> number(1.5), number(float("nan")), number(None)
    (1.5, None, None)
    """
    return None if value is None or not np.isfinite(value) else float(value)


def model_part(title: str, problem: Problem) -> Part:
    """Say what was fitted, with which method, seed, threads and units."""
    from pkmodel import __version__

    model, options, dataset = problem.model, problem.options, problem.dataset
    return {
        "pkmodel": __version__,
        "title": title,
        "method": options.method,
        "interaction": options.method != "fo" and has_interaction(options),
        "structure": model.structure,
        "distribution": {
            p: model.distribution.get(p, "lognormal") for p in problem.structure.parameters
        },
        "seed": options.seed,
        "threads": problem.threads,
        "data_sha256": dataset.sha256,
        "data": dataset.source,
        "covariate_rule": dataset.covariate_rule if problem.varies else None,
        "units": {
            "time": dataset.units.time,
            "amount": dataset.units.amount,
            "concentration": dataset.units.concentration,
        },
    }


def subjects_part(subjects: Subjects) -> Part:
    """Say whether the subjects are virtual, and how many are in each age group."""
    groups = subjects.groups
    return {
        "virtual": subjects.is_virtual,
        "groups": None if groups is None else _groups(groups, subjects.bsa_source),
    }


def _groups(groups: Groups, bsa_source: str) -> Part:
    counts = np.bincount(groups.code, minlength=len(groups.names))
    return {
        "title": groups.title,
        "names": list(groups.names),
        "counts": [int(n) for n in counts],
        "source": groups.source,
        "bsa_source": bsa_source or None,
    }


def ending_part(status: Status, advice: str, warnings: Sequence[str]) -> Part:
    """Say how the fit ended, what that means and what it warns of."""
    return {
        "status": str(status),
        "advice": advice,
        "converged": status.is_good,
        "warnings": list(warnings),
    }


def data_part(problem: Problem) -> Part:
    """Say what the covariates are, where it is known; count subjects, observations, rows left out.

    A covariate has the meaning and unit that the birth certificate of a shipped table gives it,
    else None.
    """
    dataset = problem.dataset
    meanings = column_meanings(dataset.sha256)
    return {
        "covariates": {name: meanings.get(name) for name in dataset.covariates},
        "n_subjects": problem.n_subjects,
        "n_observations": int(dataset.n_observations),
        "n_censored": int(dataset.n_censored),
        "censoring": problem.options.censoring if dataset.n_censored else None,
        "excluded": dict(dataset.excluded),
    }


def parameters_part(parameters: Mapping[str, Mapping[str, Parameter]]) -> Part:
    """Write the parameters by kind and name, as `pkmodel.diagnostics.parameters` gives them."""
    return {
        kind: {name: _parameter(entry) for name, entry in entries.items()}
        for kind, entries in parameters.items()
    }


def _parameter(entry: Parameter) -> Part:
    return {
        key: number(value) if isinstance(value, float) else value
        for key, value in vars(entry).items()
    }


def shrinkage_part(shrinkage: Mapping[str, Any]) -> Part:
    """Write the shrinkage of effects and residuals, as fractions."""
    return {
        "shrinkage": {
            "eta": {name: number(v) for name, v in shrinkage["eta"].items()},
            "epsilon": number(shrinkage["epsilon"]),
        }
    }


def etabar_part(bars: Mapping[str, EtaBar]) -> Part:
    """Write the means of the random effects between subjects, and whether they are zero."""
    return {
        "etabar": {
            name: {
                "mean": number(bar.mean),
                "se": number(bar.se),
                "p": number(bar.p),
                "n": bar.n,
                "differs": bar.differs,
            }
            for name, bar in bars.items()
        }
    }


def covariance_part(covariance: Covariance | None) -> Part:
    """Say where standard errors come from, and what has none."""
    return {
        "condition_number": number(covariance.condition_number if covariance else None),
        "covariance": covariance.source if covariance else None,
        "flat_directions": list(covariance.flat) if covariance else [],
        "boundary": list(covariance.boundary) if covariance else [],
    }


def sampling_part(problem: Problem, estimate: Estimate) -> Part:
    """Say how the draws of the estimation went; null for a method without."""
    sampling = estimate.sampling
    if sampling is None:
        return {"sampling": None}
    found = sampling.averaged
    names = problem.packing.names
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = found.error / found.standard_error
    acceptance = dict(zip(("independent", "together", "single"), sampling.acceptance, strict=True))
    return {
        "sampling": {
            "chains": sampling.chains,
            "iterations": sampling.iterations,
            "acceptance": {kind: number(value) for kind, value in acceptance.items()},
            "is_settled": found.is_settled,
            "monte_carlo_error": {n: number(v) for n, v in zip(names, relative, strict=True)},
            "r_hat": {n: number(v) for n, v in zip(names, found.r_hat, strict=True)},
        }
    }


def search_part(problem: Problem, estimate: Estimate) -> Part:
    """Say how the search went: subjects without a mode, starts, evaluations, what is left."""
    failed = problem.failed(estimate.final.terms)
    return {
        "failed_subjects": [str(v) for v in problem.dataset.ids[failed]],
        "starts": [
            {
                "objective": number(s.objective),
                "ending": s.ending,
                "evaluations": s.evaluations,
            }
            for s in estimate.starts
        ],
        "starts_agree": estimate.agree,
        "evaluations": estimate.evaluations,
        "gradient_norm": number(float(np.linalg.norm(estimate.final.gradient))),
        "decrease_left": number(estimate.decrease),
        "cold_gap": number(estimate.cold_gap),
    }


def integration_part(problem: Problem, estimate: Estimate) -> Part:
    """Say how fine an integral over the effects was, and the error of the objective by it."""
    orders, final = estimate.orders, estimate.final
    is_sampled = problem.likelihood == "imp"
    return {
        "quadrature": None
        if orders is None
        else {
            "lowest_order": int(np.min(orders.nodes)),
            "highest_order": int(np.max(orders.nodes)),
            "error": number(orders.error),
            "settled": orders.is_settled,
        },
        "importance": {
            "draws": problem.draws,
            "error": number(final.error),
            "least_share": number(float(np.min(final.terms.share))),
        }
        if is_sampled
        else None,
    }


def certificate_part(comparison: ExactComparison | None) -> Part:
    """Write how far the objective is from the exact one, where that was computed."""
    if comparison is None:
        return {"certificate": None}
    worst, by = comparison.worst(1)[0]
    return {
        "certificate": {
            "method": comparison.exact,
            "nodes": comparison.nodes,
            "objective": number(comparison.exact_objective),
            "error": number(comparison.error),
            "difference": number(comparison.difference),
            "worst_subject": worst,
            "worst_difference": number(by),
        }
    }


def posterior_part(
    problem: Problem, posterior: Posterior | None, diagnosis: Diagnosis | None
) -> Part | None:
    """Say how the posterior was sampled, by which priors, and how well; None without draws."""
    if posterior is None or diagnosis is None:
        return None
    chains, draws, _ = posterior.x.shape
    priors = told_priors(problem.model)
    return {
        "target": posterior.target,
        "chains": chains,
        "draws": draws,
        "tune": posterior.tune,
        "gradients": posterior.gradients,
        "cut": None if posterior.cut is None else _cut(posterior.cut),
        "divergences": posterior.divergences,
        "r_hat": number(diagnosis.worst_r_hat),
        "ess_bulk": number(diagnosis.smallest_bulk),
        "ess_tail": number(diagnosis.smallest_tail),
        "pareto_k": number(posterior.pareto_k),
        "weight_efficiency": number(posterior.efficiency),
        "centred": _effects_sampled(problem, posterior, centred=True),
        "non_centred": _effects_sampled(problem, posterior, centred=False),
        "priors": {told.name: told.text for told in priors},
        "prior_laws": {name: _law(prior) for name, prior in marginal_priors(problem.model).items()},
        "default_priors": [told.name for told in priors if told.is_default],
        "contradicted_priors": list(posterior.contradicted),
        "median": {
            name: number(float(np.median(diagnosis.natural[:, :, k])))
            for k, name in enumerate(problem.packing.names)
        },
        "mixing": {
            name: {key: number(value) for key, value in vars(mixing).items()}
            for name, mixing in diagnosis.mixing.items()
        },
    }


def _effects_sampled(problem: Problem, posterior: Posterior, *, centred: bool) -> list[str]:
    """Name the effects in centred coordinates, or the others, but none that is absent."""
    absent = absent_effects(problem.model)
    return [
        effect_label(e.parameter, e.occasion)
        for e, is_centred in zip(problem.effects, posterior.centred, strict=False)
        if is_centred == centred and (e.occasion or e.parameter not in absent)
    ]


def _law(prior: MarginalPrior) -> Part:
    """Write a prior by its numbers, of a correlation by shape and size of its matrix.

    A bound that there is not is null.
    """
    if isinstance(prior, CorrelationPrior):
        family, numbers, bounds = LKJ, [prior.shape, float(prior.size)], prior.support
    else:
        family, numbers, bounds = prior.prior.family, [*prior.prior.numbers], prior.bounds
    lower, upper = map(number, bounds)
    return {"family": family, "numbers": numbers, "lower": lower, "upper": upper}


def _cut(cut: Cut) -> Part:
    """Say which chains an interrupt left, and what was asked for."""
    return {"kept": list(cut.kept), "chains": cut.chains, "draws": cut.draws}
