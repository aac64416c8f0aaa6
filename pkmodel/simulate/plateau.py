"""Noncompartmental metrics of many simulated subjects at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.exposure.metric import METRICS, Subject
from pkmodel.exposure.periods import longest
from pkmodel.exposure.plateau import find_plateaus
from pkmodel.exposure.plateau_rule import PlateauRule
from pkmodel.simulate.group import VirtualGroup

Vector = NDArray[np.float64]


def plateau_metric(group: VirtualGroup, name: str, rule: PlateauRule) -> Vector:
    """Compute a metric of every subject from its longest period of constant rate.

    Parameters
    ----------
    group : VirtualGroup
    name : str
        A metric of clearance or concentration.
    rule : PlateauRule

    Returns
    -------
    array (n_subjects,)
        NaN for subjects without enough samples on the plateau.
    """
    data, people = group.dataset, group.people
    plateaus = find_plateaus(data, rule)
    main = longest(plateaus.periods, data.n_subjects)
    rate, cl = (np.append(values, np.nan)[main] for values in (plateaus.periods.rate, plateaus.cl))
    unknown = np.full(rate.size, np.nan)
    factor = METRICS[name].factor(
        Subject(data.units.scale, rate, unknown, people.bsa, people.weight)
    )
    assert factor is not None
    return np.asarray(factor * cl ** METRICS[name].cl)
