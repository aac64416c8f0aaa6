"""Draws and what follows from them as groups of a DataTree, by ArviZ's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.diagnostics.individuals import effect_label, individual_parameters
from pkmodel.draws.by_subject import subject_log_likelihoods
from pkmodel.draws.pointwise import counted, log_likelihood, predictive_draws
from pkmodel.draws.sample import CONDITIONAL, Sample
from pkmodel.problem import Problem

if TYPE_CHECKING:
    import xarray

Vector = NDArray[np.float64]

DRAW = ("chain", "draw")

FEWEST_DRAWS = 100
"""Of each chain, however many observations there are."""

INDIVIDUAL = "with the covariates of the subject's first row, without effects between occasions"

GIVEN_EFFECTS = "given the random effects, by the method's own model"

MARGINAL = (
    "random effects integrated out: by Laplace's method at each draw, corrected to the exact "
    "likelihood to first order about the estimates"
)

SIMULATED = (
    "simulated observations with residual error, by no limit of quantification: of a censored row "
    "the concentration itself"
)


def sample_groups(
    problem: Problem,
    x: Vector,
    modes: Vector,
    sample: Sample,
    seed: int,
    most_values: int | None = None,
) -> dict[str, xarray.Dataset]:
    """Lay out draws, their log likelihoods and predictive draws.

    Parameters
    ----------
    problem : Problem
    x : array (size,)
        Packed parameters amid the draws.
    modes : array (subjects, effects)
        Those at `x`.
    sample : Sample
    seed : int
        Of the residual errors of the predictive draws.
    most_values : int, optional
        Of each group with a value for every observation and draw, which has evenly spaced draws
        where all would be more.

    Returns
    -------
    dict of str to Dataset
        ``/posterior``, ``/log_likelihood``, ``/posterior_predictive`` and, from a sampler,
        ``/sample_stats``. The one variable of the log likelihoods is ``subject``, for it is
        subjects whom a population model is to predict, and ``observation`` is a coordinate;
        ``observation`` is the variable where the population parameters are held.
    """
    rng = np.random.default_rng([seed, 1])
    kept = _within(problem, sample, most_values)
    given = _given_effects(problem, kept)
    if sample.kind != CONDITIONAL:
        by_subject = _by_subject(problem, x, modes, kept)
        given = given.merge(by_subject).set_coords("observation")  # one variable: az.loo takes it
    return {
        "/posterior": _parameters(problem, sample),
        "/log_likelihood": given,
        "/posterior_predictive": _predictive(problem, kept, rng),
        **_statistics(sample),
    }


def prior_groups(
    problem: Problem, sample: Sample, seed: int, most_values: int | None = None
) -> dict[str, xarray.Dataset]:
    """Lay out draws from the prior as ``/prior`` and ``/prior_predictive``.

    Parameters are those of `sample_groups`.
    """
    rng = np.random.default_rng([seed, 3])
    kept = _within(problem, sample, most_values)
    return {
        "/prior": _parameters(problem, sample),
        "/prior_predictive": _predictive(problem, kept, rng),
    }


def _within(problem: Problem, sample: Sample, most_values: int | None) -> Sample:
    """Leave out draws where each with a value for every observation would be too many values."""
    if most_values is None:
        return sample
    return sample.within(most_values, problem.dataset.n_observations, FEWEST_DRAWS)


def _statistics(sample: Sample) -> dict[str, xarray.Dataset]:
    """Lay out what a sampler tells of each draw, where there was one."""
    if not sample.sample_stats:
        return {}
    told = {name: (DRAW, values) for name, values in sample.sample_stats.items()}
    return {"/sample_stats": _by_draw(sample).assign(told)}


def observation_coordinates(problem: Problem) -> dict[str, tuple[str, NDArray[np.generic]]]:
    """Return line, subject, time and CENS of every observation, as coordinates of ``obs``."""
    data = problem.dataset
    seen = data.is_observation
    return {
        "obs": ("obs", data.row[seen]),
        "ID": ("obs", data.ids[data.subject[seen]].astype(str)),
        "TIME": ("obs", data.time[seen]),
        "CENS": ("obs", data.cens[seen]),
    }


def _by_draw(sample: Sample) -> xarray.Dataset:
    """Return a data set of chains and draws, which says what the draws are."""
    import xarray

    return xarray.Dataset(
        coords={"chain": np.arange(sample.shape[0]), "draw": sample.numbers},
        attrs={"kind": sample.kind, "note": sample.note},
    )


def _parameters(problem: Problem, sample: Sample) -> xarray.Dataset:
    """Lay out population parameters that vary, effects, and individual parameters."""
    out = _by_draw(sample).assign_coords(
        id=problem.dataset.ids.astype(str),
        effect=[effect_label(e.parameter, e.occasion) for e in problem.effects],
    )
    names = problem.packing.names
    free = [k for k, name in enumerate(names) if name not in sample.held]
    if free:
        natural = problem.packing.natural(sample.x)
        out = out.assign_coords(parameter=[names[k] for k in free])
        out["population"] = ((*DRAW, "parameter"), natural[:, :, free])
    out["eta"] = ((*DRAW, "id", "effect"), sample.eta)
    for name, values in individual_parameters(problem, sample.x, sample.eta).items():
        out[name] = ((*DRAW, "id"), values, {"note": INDIVIDUAL})
    return out.assign_attrs(held=list(sample.held), redrawn=sample.redrawn)


def _given_effects(problem: Problem, sample: Sample) -> xarray.Dataset:
    """Lay out the log likelihood of every counted observation."""
    used = np.flatnonzero(counted(problem))
    out = _by_draw(sample).assign_coords(observation_coordinates(problem)).isel(obs=used)
    given = log_likelihood(problem, sample)
    out["observation"] = ((*DRAW, "obs"), given, {"note": GIVEN_EFFECTS})
    return out


def _by_subject(problem: Problem, x: Vector, modes: Vector, sample: Sample) -> xarray.Dataset:
    """Lay out the log likelihood of every subject."""
    out = _by_draw(sample).assign_coords(id=problem.dataset.ids.astype(str))
    marginal = subject_log_likelihoods(problem, x, modes, sample)
    out["subject"] = ((*DRAW, "id"), marginal, {"note": MARGINAL})
    return out


def _predictive(problem: Problem, sample: Sample, rng: np.random.Generator) -> xarray.Dataset:
    """Lay out simulated observations."""
    out = _by_draw(sample).assign_coords(observation_coordinates(problem))
    out["DV"] = ((*DRAW, "obs"), predictive_draws(problem, sample, rng))
    return out.assign_attrs(simulated=SIMULATED)
