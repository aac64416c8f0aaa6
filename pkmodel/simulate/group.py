"""A group of virtual people: drawn, treated, sampled and measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.models.structural import STRUCTURES
from pkmodel.prediction import compile_records, predict_subjects
from pkmodel.simulate.administration import Boluses, Infusions, flush, infuse, sample_times
from pkmodel.simulate.measurement import censor, measure
from pkmodel.simulate.people import People, draw_people
from pkmodel.simulate.record import Trial
from pkmodel.simulate.truth import draw_parameters
from pkmodel.units import Units, convert_time

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VirtualGroup:
    """A simulated group.

    Attributes
    ----------
    dataset : Dataset
        Records in order of subject and time, with the measured concentrations.
    people : People
    parameters : mapping of str to array (n,)
        True CL and V.
    """

    dataset: Dataset
    people: People
    parameters: Mapping[str, Vector]


def simulate_group(trial: Trial, index: int, n: int, rng: np.random.Generator) -> VirtualGroup:
    """Simulate people of one group of a trial.

    Parameters
    ----------
    trial : Trial
    index : int
        Of the group.
    n : int
        People, whatever the trial says.
    rng : numpy Generator

    Returns
    -------
    VirtualGroup

    Raises
    ------
    ModelError
        A formula gives somebody an impossible parameter.
    """
    group, model = trial.groups[index], trial.model
    people = draw_people(rng, n, *group.age, trial.bsa)
    covariates = people.covariates() | {"GROUP": np.full(n, index + 1.0)}
    parameters = draw_parameters(model, covariates, rng)
    infusions = infuse(group.regimen, people, rng)
    boluses = flush(group.regimen.flush, infusions, rng)
    times = sample_times(group.sampling, n, group.regimen.hours, rng)
    dataset = _records(infusions, boluses, times, trial.units, covariates)
    structure = STRUCTURES[model.structure]
    steps = compile_records(dataset, structure)
    f = predict_subjects(structure, steps, trial.units.scale, parameters)
    values, below = censor(measure(f, model.residual, rng), trial.lloq)
    return VirtualGroup(_with_values(dataset, values, below), people, parameters)


def _records(
    infusions: Infusions,
    boluses: Boluses,
    times: Vector,
    units: Units,
    covariates: Mapping[str, Vector],
) -> Dataset:
    """Lay doses and samples out as rows; at one time a sample stands before a dose."""
    n, samples = times.shape
    hour = convert_time(1.0, "h", units.time)
    parts = (infusions.rate.size, boluses.rate.size, times.size)
    nothing = np.zeros(times.size)
    subject = np.concatenate([infusions.subject, boluses.subject, np.repeat(np.arange(n), samples)])
    time = hour * np.concatenate([infusions.start, boluses.time, times.ravel()])
    length = infusions.stop - infusions.start
    amount = np.concatenate(
        [infusions.rate * length * hour, boluses.rate * boluses.hours * hour, nothing]
    )
    rate = np.concatenate([infusions.rate, np.zeros(boluses.rate.size), nothing])
    is_dose = np.repeat([1, 1, 0], parts)
    order = np.lexsort([is_dose, time, subject])
    rows = order.size
    zeros = np.zeros(rows, dtype=np.int64)
    who = subject[order]
    return Dataset(
        source="simulated",
        sha256="",
        ids=np.arange(1, n + 1),
        subject=who,
        row=np.arange(2, rows + 2),
        time=time[order],
        amt=amount[order],
        rate=rate[order],
        ii=np.zeros(rows),
        dv=np.full(rows, np.nan),
        limit=np.full(rows, np.nan),
        evid=is_dose[order],
        mdv=is_dose[order],
        cmt=zeros,
        addl=zeros,
        ss=zeros,
        cens=zeros,
        occ=np.ones(rows, dtype=np.int64),
        covariates={name: values[who] for name, values in covariates.items()},
        units=units,
    )


def _with_values(dataset: Dataset, values: Vector, below: NDArray[np.int64]) -> Dataset:
    dv, cens = np.full(dataset.time.size, np.nan), np.zeros(dataset.time.size, dtype=np.int64)
    dv[dataset.is_observation] = values
    cens[dataset.is_observation] = below
    return replace(dataset, dv=dv, cens=cens)
