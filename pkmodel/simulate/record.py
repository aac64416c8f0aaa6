"""A trial to be simulated, as read from its file or made in Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pkmodel.contrast.margin import Margin
from pkmodel.exposure.plateau_rule import PlateauRule
from pkmodel.models.model import Model
from pkmodel.simulate.regimen import Regimen, Sampling
from pkmodel.units import Units

COVARIATES = ("AGE", "SEX", "WT", "HT", "BSA", "GROUP")
"""What formulas of a trial may use; GROUP is 1 for the first group of the file."""


@dataclass(frozen=True)
class TrialGroup:
    """A group of virtual people.

    Attributes
    ----------
    name : str
    n : int
    age : (float, float)
        Years, the upper end not included.
    regimen : Regimen
    sampling : Sampling
    """

    name: str
    n: int
    age: tuple[float, float]
    regimen: Regimen
    sampling: Sampling


@dataclass(frozen=True)
class Goal:
    """The equivalence that a trial is planned to show.

    Attributes
    ----------
    reference : str
        The group that the others are compared with.
    metric : str
        A metric of clearance or concentration, of `pkmodel.exposure.metric.METRICS`.
    margin : Margin
    rule : PlateauRule
        Which samples count.
    """

    reference: str
    metric: str
    margin: Margin
    rule: PlateauRule


@dataclass(frozen=True)
class Trial:
    """A trial: groups, their regimens and samples, and the truth.

    Attributes
    ----------
    title : str
    seed : int
    units : Units
    groups : tuple of TrialGroup
    model : Model
        The truth: initial values are the true ones.
    goal : Goal
    bsa : str
        Formula of body surface area.
    lloq : float or None
        Limit of quantification.
    path : Path or None
        The file that it was read from.
    """

    title: str
    seed: int
    units: Units
    groups: tuple[TrialGroup, ...]
    model: Model
    goal: Goal
    bsa: str = "mosteller"
    lloq: float | None = None
    path: Path | None = None
