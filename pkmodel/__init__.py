"""Population pharmacokinetics of infusions: from a data file to a fit that can be trusted.

The public names are below; each is loaded when it is first asked for, so that importing the
package costs little.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pkmodel import plots
    from pkmodel.comparability import Comparability
    from pkmodel.contrast.summaries import compare_summaries
    from pkmodel.covariates.body_surface import body_surface_area
    from pkmodel.dataset import Dataset, read_dataset
    from pkmodel.definition import Definition, read_definition, write_definition
    from pkmodel.errors import DataError, FitError, ModelError, PkmodelError
    from pkmodel.exposure.plateau_rule import PlateauRule
    from pkmodel.fitting import evaluate, fit
    from pkmodel.model_comparison import ModelComparison, compare
    from pkmodel.models.model import Model, OmegaBlock, Options, Residual, Sigma, Theta
    from pkmodel.models.prior import Prior, Priors
    from pkmodel.published import published_figures, published_model
    from pkmodel.result import Fit
    from pkmodel.simulate import plan_trial, read_trial, simulate_trial

__version__ = "0.1.0"

__all__ = [
    "Comparability",
    "DataError",
    "Dataset",
    "Definition",
    "Fit",
    "FitError",
    "Model",
    "ModelComparison",
    "ModelError",
    "OmegaBlock",
    "Options",
    "PkmodelError",
    "PlateauRule",
    "Prior",
    "Priors",
    "Residual",
    "Sigma",
    "Theta",
    "__version__",
    "body_surface_area",
    "compare",
    "compare_summaries",
    "evaluate",
    "fit",
    "plan_trial",
    "plots",
    "published_figures",
    "published_model",
    "read_dataset",
    "read_definition",
    "read_trial",
    "simulate_trial",
    "write_definition",
]

_MODULES = {
    "Comparability": "comparability",
    "DataError": "errors",
    "Dataset": "dataset",
    "Definition": "definition",
    "Fit": "result",
    "FitError": "errors",
    "Model": "models.model",
    "ModelComparison": "model_comparison",
    "ModelError": "errors",
    "OmegaBlock": "models.model",
    "Options": "models.model",
    "PkmodelError": "errors",
    "PlateauRule": "exposure.plateau_rule",
    "Prior": "models.prior",
    "Priors": "models.prior",
    "Residual": "models.model",
    "Sigma": "models.model",
    "Theta": "models.model",
    "body_surface_area": "covariates.body_surface",
    "compare": "model_comparison",
    "compare_summaries": "contrast.summaries",
    "evaluate": "fitting",
    "fit": "fitting",
    "plan_trial": "simulate",
    "published_figures": "published",
    "published_model": "published",
    "read_dataset": "dataset",
    "read_definition": "definition",
    "read_trial": "simulate",
    "simulate_trial": "simulate",
    "write_definition": "definition",
}


def __getattr__(name: str) -> object:
    if name == "plots":
        return import_module("pkmodel.plots")
    if name not in _MODULES:
        raise AttributeError(f"module 'pkmodel' has no attribute {name!r}")
    value = getattr(import_module(f"pkmodel.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
