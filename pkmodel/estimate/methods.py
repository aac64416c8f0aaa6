"""Which estimator each method is that maximises a likelihood."""

from __future__ import annotations

from collections.abc import Callable

from pkmodel.estimate.exact import maximise_exact
from pkmodel.estimate.maximum_likelihood import Estimate, Progress, maximise
from pkmodel.estimate.saem import saem
from pkmodel.problem import Problem

Estimator = Callable[[Problem, Progress | None], Estimate | None]

ESTIMATORS: dict[str, Estimator] = {
    "fo": maximise,
    "foce": maximise,
    "focei": maximise,
    "laplace": maximise,
    "agq": maximise_exact,
    "imp": maximise_exact,
    "saem": saem,
}
