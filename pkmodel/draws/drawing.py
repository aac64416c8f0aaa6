"""Draws about an estimate: of its asymptotic law, or of the random effects alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.posterior import Posterior
from pkmodel.diagnostics.conditional import conditional_draws
from pkmodel.draws.asymptotic import held_parameters, population_draws
from pkmodel.draws.effects import draw_effects, mode_problem
from pkmodel.draws.sample import ASYMPTOTIC, CHAINS, CONDITIONAL, POSTERIOR, Sample
from pkmodel.errors import FitError
from pkmodel.estimate.covariance import Covariance
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.problem import LOOSE, Evaluation, Problem

Vector = NDArray[np.float64]

MOST_VALUES, FEWEST_DRAWS = 4_000_000, 100
"""Draws times values of each; of more, evenly spaced draws are taken, but at least so many."""

MOST_UNDEFINED = 1.0
"""Draws at which the likelihood is not defined, of those kept, from which the law is refused."""


def posterior_sample(posterior: Posterior, draws: int | None = None) -> Sample:
    """Take evenly spaced draws of each chain from a posterior.

    Parameters
    ----------
    posterior : Posterior
    draws : int, optional
        Of each chain; all where it is absent, or there are no more.

    Returns
    -------
    Sample
    """
    sample = Sample(
        POSTERIOR, posterior.x, posterior.eta, sample_stats=dict(posterior.sample_stats)
    )
    return sample if draws is None else sample.thinned(draws)


def few_enough(posterior: Posterior, values: int) -> Sample:
    """Take as many evenly spaced draws as memory is spent on.

    Parameters
    ----------
    posterior : Posterior
    values : int
        What each draw is kept for, such as subjects.

    Returns
    -------
    Sample
    """
    return posterior_sample(posterior).within(MOST_VALUES, values, FEWEST_DRAWS // len(posterior.x))


def draw_about(
    problem: Problem, estimate: Estimate, covariance: Covariance | None, draws: int, seed: int
) -> Sample:
    """Draw population parameters and random effects about an estimate.

    Parameters
    ----------
    problem : Problem
    estimate : Estimate
    covariance : Covariance or None
        Without one, or with one that knows no parameter's variance, all are held.
    draws : int
        Of each of four chains.
    seed : int

    Returns
    -------
    Sample
        Of kind ``"asymptotic"`` or ``"conditional"``.

    Raises
    ------
    FitError
        Where the likelihood is not defined in half of the asymptotic law.
    """
    held = held_parameters(problem, covariance)
    if covariance is None or len(held) == problem.packing.size:
        return _conditional(problem, estimate, draws, seed)
    rng = np.random.default_rng(seed)
    x = np.empty((CHAINS, draws, problem.packing.size))
    eta = np.empty((CHAINS, draws, *estimate.final.terms.eta.shape))
    redrawn = 0
    for chain in range(CHAINS):
        x[chain], eta[chain], again = _chain(problem, estimate, covariance, draws, rng)
        redrawn += again
    return Sample(ASYMPTOTIC, x, eta, held, redrawn)


def _conditional(problem: Problem, estimate: Estimate, draws: int, seed: int) -> Sample:
    """Draw the effects alone."""
    source = mode_problem(problem)
    there = source.evaluate(estimate.x, estimate.final.terms.eta)
    drawn = conditional_draws(source, estimate.x, there, CHAINS * draws, seed)
    eta = drawn.eta.reshape(CHAINS, draws, *drawn.eta.shape[1:])
    x = np.tile(estimate.x, (CHAINS, draws, 1))
    return Sample(CONDITIONAL, x, eta, problem.packing.names)


def _chain(
    problem: Problem,
    estimate: Estimate,
    covariance: Covariance,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Vector, Vector, int]:
    """Draw one chain; return also how many draws were drawn again."""
    source = mode_problem(problem)
    modes = estimate.final.terms.eta
    failed = set(problem.failed(estimate.final.terms))
    x = population_draws(estimate.x, covariance, draws, rng)
    eta = np.empty((draws, *modes.shape))
    place = None
    redrawn = 0
    for k in range(draws):
        there = source.evaluate(x[k], modes, tolerance=LOOSE)
        while not _is_defined(source, there, failed):
            redrawn += 1
            if redrawn > MOST_UNDEFINED * draws:
                raise _reaches_too_far(redrawn, k)
            x[k] = population_draws(estimate.x, covariance, 1, rng)[0]
            there = source.evaluate(x[k], modes, tolerance=LOOSE)
        eta[k], place = draw_effects(source, x[k], there, place, rng)
    return x, eta, redrawn


def _is_defined(problem: Problem, there: Evaluation, failed: set[int]) -> bool:
    """Tell whether every mode is found, but those that were not at the estimates either."""
    is_finite = bool(np.all(np.isfinite(there.terms.objective)))
    return is_finite and set(problem.failed(there.terms)) <= failed


def _reaches_too_far(undefined: int, defined: int) -> FitError:
    return FitError(
        f"the likelihood is not defined in {undefined} of {undefined + defined} draws from the "
        "asymptotic law of the estimates: the standard errors are too large for such a law to be "
        "of use; fix or leave out what the data do not determine, or fit without standard errors "
        '(covariance = "none") for draws of the random effects at the estimates'
    )
