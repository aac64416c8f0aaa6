"""A model and a data set, joined: what every estimator works on."""

from pkmodel.problem.arrays import has_interaction
from pkmodel.problem.likelihood import (
    DRAWS,
    EXACT,
    LOOSE,
    MOST_NODES,
    ORDER,
    TIGHT,
    Evaluation,
    Problem,
    exact_method,
)

__all__ = [
    "DRAWS",
    "EXACT",
    "LOOSE",
    "MOST_NODES",
    "ORDER",
    "TIGHT",
    "Evaluation",
    "Problem",
    "exact_method",
    "has_interaction",
]
