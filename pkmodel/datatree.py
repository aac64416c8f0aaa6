"""A fit as an xarray DataTree, which ArviZ reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from pkmodel.diagnostics.individuals import effect_label
from pkmodel.draws.groups import observation_coordinates
from pkmodel.estimate.covariance import Covariance
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.problem import Problem

if TYPE_CHECKING:
    import xarray

PREDICTIONS = ("PRED", "IPRED", "IRES", "IWRES", "CWRES")


def fit_tree(
    problem: Problem,
    estimate: Estimate,
    covariance: Covariance | None,
    predictions: pd.DataFrame,
    document: Mapping[str, Any],
    draws: Mapping[str, xarray.Dataset],
) -> xarray.DataTree:
    """Lay out a fit as a DataTree.

    Parameters
    ----------
    problem : Problem
    estimate : Estimate
    covariance : Covariance or None
    predictions : DataFrame
        A row per observation; see `predictions_table`.
    document : mapping
        The JSON document, kept in the root's attribute ``fit``.
    draws : mapping of str to Dataset
        Groups of draws, see `pkmodel.draws.groups`; may be empty.

    Returns
    -------
    xarray.DataTree
        Groups ``estimates``, ``modes``, ``predictions``, ``observed_data``, and those of `draws`.
    """
    import xarray

    groups = {
        "/estimates": _estimates(problem, estimate, covariance),
        "/modes": _modes(problem, estimate),
        "/predictions": _observations(problem, predictions, PREDICTIONS),
        "/observed_data": _observations(problem, predictions, ("DV",)),
        **draws,
    }
    tree = xarray.DataTree.from_dict(groups)
    tree.attrs["fit"] = json.dumps(document)
    return tree


def _estimates(
    problem: Problem, estimate: Estimate, covariance: Covariance | None
) -> xarray.Dataset:
    """Lay out the free parameters on their own scale, and their covariance."""
    import xarray

    names = list(problem.packing.names)
    out = xarray.Dataset(
        {"estimate": ("parameter", problem.packing.natural(estimate.x))},
        coords={"parameter": names},
    )
    if covariance is not None:
        out["covariance"] = (("parameter", "parameter_2"), covariance.natural)
        out = out.assign_coords(parameter_2=names)
    return out


def _modes(problem: Problem, estimate: Estimate) -> xarray.Dataset:
    """Lay out the effects of each subject, their conditional covariance, and the objective."""
    import xarray

    effects = [effect_label(e.parameter, e.occasion) for e in problem.effects]
    terms = estimate.final.terms
    return xarray.Dataset(
        {
            "eta": (("id", "effect"), terms.eta),
            "covariance": (("id", "effect", "effect_2"), terms.covariance),
            "objective": ("id", terms.objective),
        },
        coords={
            "id": problem.dataset.ids.astype(str),
            "effect": effects,
            "effect_2": effects,
        },
    )


def _observations(
    problem: Problem, predictions: pd.DataFrame, names: tuple[str, ...]
) -> xarray.Dataset:
    """Lay out columns of the predictions, a value per observation."""
    import xarray

    return xarray.Dataset(
        {name: ("obs", predictions[name].to_numpy()) for name in names},
        coords=observation_coordinates(problem),
    )
