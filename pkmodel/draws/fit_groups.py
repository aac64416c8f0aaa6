"""All draws of a fit as groups of a DataTree: those of its posterior and prior, or about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pkmodel.bayes.flat_priors import improper_priors
from pkmodel.bayes.posterior import Posterior
from pkmodel.draws.drawing import draw_about, posterior_sample
from pkmodel.draws.groups import prior_groups, sample_groups
from pkmodel.draws.prior_draws import draw_prior
from pkmodel.draws.sample import DRAWS
from pkmodel.estimate.covariance import Covariance
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.problem import Problem

if TYPE_CHECKING:
    import xarray


def fit_groups(
    problem: Problem,
    estimate: Estimate,
    covariance: Covariance | None,
    posterior: Posterior | None,
    draws: int | None,
    seed: int,
    most_values: int | None = None,
) -> dict[str, xarray.Dataset]:
    """Lay out draws, and what follows from them.

    Parameters
    ----------
    problem : Problem
    estimate : Estimate
    covariance : Covariance or None
    posterior : Posterior or None
        Without one draws are those about the estimate; see `draw_about`.
    draws : int or None
        Of each chain; None for all of a posterior, `DRAWS` without one.
    seed : int
    most_values : int, optional
        As for `sample_groups`.

    Returns
    -------
    dict of str to Dataset
        Those of `sample_groups`; with a posterior ``/prior`` and ``/prior_predictive`` too, or
        attribute ``prior`` of ``/posterior``, which says why not.
    """
    x, modes = estimate.x, estimate.final.terms.eta
    if posterior is None:
        number = DRAWS if draws is None else draws
        sample = draw_about(problem, estimate, covariance, number, seed)
        return sample_groups(problem, x, modes, sample, seed)
    sample = posterior_sample(posterior, draws)
    groups = sample_groups(problem, x, modes, sample, seed, most_values)
    prior = draw_prior(problem, seed)
    if prior is not None:
        return groups | prior_groups(problem, prior, seed, most_values)
    flat = ", ".join(improper_priors(problem.model))
    groups["/posterior"].attrs["prior"] = f"not drawn: flat without bounds is that of {flat}"
    return groups
