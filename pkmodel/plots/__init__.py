"""Figures, each drawn from a table that comes back with it."""

from __future__ import annotations

from pkmodel.plots.chains import chain_ranks, chain_traces
from pkmodel.plots.clearance import PublishedCurve, clearance_plot
from pkmodel.plots.concentration import concentration_time
from pkmodel.plots.exposure_by_group import exposure_plot
from pkmodel.plots.forest import forest_plot
from pkmodel.plots.goodness_of_fit import observed_against_predicted, weighted_residuals
from pkmodel.plots.individual_fits import individual_fits
from pkmodel.plots.iterations import parameter_path
from pkmodel.plots.prior_and_posterior import prior_and_posterior
from pkmodel.plots.random_effects import effect_against_covariates, effect_distribution
from pkmodel.plots.search import search_path
from pkmodel.plots.style import Plot
from pkmodel.plots.typical import typical_parameter
from pkmodel.plots.weight_band import weight_band_plot

__all__ = [
    "Plot",
    "PublishedCurve",
    "chain_ranks",
    "chain_traces",
    "clearance_plot",
    "concentration_time",
    "effect_against_covariates",
    "effect_distribution",
    "exposure_plot",
    "forest_plot",
    "individual_fits",
    "observed_against_predicted",
    "parameter_path",
    "prior_and_posterior",
    "search_path",
    "typical_parameter",
    "weight_band_plot",
    "weighted_residuals",
]
