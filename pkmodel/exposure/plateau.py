"""The samples on each constant-rate period, and their means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.exposure.fate import Fates, judge_samples
from pkmodel.exposure.periods import Periods, periods_of
from pkmodel.exposure.plateau_rule import DEFAULT_RULE, PlateauRule
from pkmodel.exposure.sample import Samples, locate_samples
from pkmodel.exposure.stretches import Stretches, find_stretches
from pkmodel.exposure.timeline import make_timeline
from pkmodel.models.structural import ONE_COMPARTMENT, Structure

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]

NO_PERIOD = -1


@dataclass(frozen=True, eq=False)
class Plateaus:
    """The constant-rate periods of a data set with the samples on each, and what has become of all.

    Attributes
    ----------
    dataset : Dataset
    rule : PlateauRule
    samples : Samples
    fates : Fates
    stretches : Stretches
    periods : Periods
    period : ndarray of int64
        Period of each observation, `NO_PERIOD` where no infusion runs.
    n, n_below : ndarray of int64, shape [n_periods]
        Plateau samples, and those below the limit among them or left out of them.
    css, css_gm, cl : ndarray of float64, shape [n_periods]
        NaN where the plateau samples are fewer than the rule asks for.
    """

    dataset: Dataset
    rule: PlateauRule
    samples: Samples
    fates: Fates
    stretches: Stretches
    periods: Periods
    period: Ints
    n: Ints
    n_below: Ints
    css: Vector
    css_gm: Vector
    cl: Vector


def find_plateaus(
    dataset: Dataset, rule: PlateauRule = DEFAULT_RULE, structure: Structure = ONE_COMPARTMENT
) -> Plateaus:
    """Choose the samples of each period by the rule, and average them.

    Parameters
    ----------
    dataset : Dataset
    rule : PlateauRule
    structure : Structure
        Says which compartment a dose enters.

    Returns
    -------
    Plateaus

    Raises
    ------
    ModelError
        The rule has a unit of time and the data declare none.
    """
    timeline = make_timeline(dataset, structure)
    stretches = find_stretches(timeline, rule.resolution(dataset.units))
    samples = locate_samples(timeline, stretches)
    fates = judge_samples(dataset, samples, stretches, rule)
    periods = periods_of(timeline, stretches)
    is_on = stretches.rate > 0.0
    number = np.where(is_on, np.cumsum(is_on) - 1, NO_PERIOD)
    period = np.append(number, NO_PERIOD)[samples.stretch]
    counts = fates.is_plateau

    def total(weights: Vector) -> Vector:
        return np.bincount(period[counts], weights=weights, minlength=periods.rate.size)

    n = np.bincount(period[counts], minlength=periods.rate.size)
    below = fates.is_below & (period != NO_PERIOD)
    enough = np.where(n >= rule.least_samples, n, np.nan)
    css = total(fates.value[counts]) / enough
    return Plateaus(
        dataset=dataset,
        rule=rule,
        samples=samples,
        fates=fates,
        stretches=stretches,
        periods=periods,
        period=period,
        n=n,
        n_below=np.bincount(period[below], minlength=periods.rate.size),
        css=css,
        css_gm=np.exp(total(np.log(fates.value[counts])) / enough),
        cl=periods.rate * dataset.units.scale / css,
    )
