"""From the TOML file of a trial to its record, every fault found in one pass."""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

from pkmodel.contrast.margin import Margin
from pkmodel.covariates.age_group import DAYS
from pkmodel.definition import check_model
from pkmodel.definition.reading import effect_blocks, residual_error
from pkmodel.definition.shape import check_shape
from pkmodel.definition.source import read_document
from pkmodel.errors import ModelError, PkmodelError, Problem
from pkmodel.exposure.plateau_rule import PlateauRule
from pkmodel.models.model import Model, Theta
from pkmodel.shipped import shipped_trials
from pkmodel.simulate import checks
from pkmodel.simulate.record import Goal, Trial, TrialGroup
from pkmodel.simulate.regimen import Bags, Flush, Pauses, Regimen, Sampling, Step
from pkmodel.simulate.schema import (
    PlanSection,
    RegimenSection,
    SamplingSection,
    TrialDocument,
    TrialGroupSection,
)
from pkmodel.suggestion import suggest
from pkmodel.units import Units, read_dose_rate, read_units

_REQUIRED = {
    "units": 'write units = { time = "h", amount = "ug", concentration = "pg/mL" }',
    "groups": "write [groups.NAME] with n, age, regimen and sampling",
    "regimens": "write [regimens.NAME] with days and steps",
    "samplings": "write [samplings.NAME] with hours or after_stop",
    "model": 'write [model] with structure = "one_compartment"',
    "theta": "write [theta] with the true values, such as cl = 0.9",
    "omega": "write [omega] with the true variances, such as CL = 0.1",
    "residual": "write [residual] with the true error, such as proportional = 0.2",
}
_TRUTH = {"model", "theta", "omega", "residual"}


def read_trial(path: str | Path) -> Trial:
    """Read a trial.

    Parameters
    ----------
    path : str or Path
        A TOML file, or the bare name of a shipped trial.

    Returns
    -------
    Trial

    Raises
    ------
    ModelError
        With every fault found, and its place in the file.

    Examples
    --------
    >>> [group.name for group in read_trial("blinatumomab_cohorts").groups]
    ['infants', 'children 2 to 6 years', 'children 7 to 17 years']
    """
    file = _find(path)
    return build_trial(read_document(file), file)


def _find(name: str | Path) -> Path:
    path = Path(name)
    if os.path.isfile(path):
        return path
    try:
        shipped = shipped_trials()
    except PkmodelError:
        shipped = {}
    if str(name) in shipped:
        return shipped[str(name)]
    known = suggest(path.stem, shipped, "shipped trials")
    raise ModelError(f"there is no such file ({known})", ascii(str(name))[1:-1][:300])


def build_trial(raw: Mapping[str, Any], path: Path) -> Trial:
    """Check a parsed document and make its record.

    Parameters
    ----------
    raw : mapping
        As parsed from TOML.
    path : Path
        The file; names the source.

    Returns
    -------
    Trial

    Raises
    ------
    ModelError
        With every fault found.
    """
    shape = check_shape(raw, TrialDocument, _REQUIRED)
    document = shape.document
    units, unit_problems = _units(document)
    model, model_problems = _model(document, shape.incomplete)
    problems = [
        *shape.problems,
        *unit_problems,
        *_design_problems(document, units, shape.incomplete),
        *model_problems,
    ]
    if document.plan is not None and "plan" not in shape.incomplete:
        known = None if "groups" in shape.incomplete else list(document.groups or {})
        problems += checks.plan_problems(document.plan, known)
    if problems or units is None or model is None:
        raise ModelError(problems, str(path))
    return Trial(
        title=path.stem if document.title is None else document.title,
        seed=document.seed,
        units=units,
        groups=_groups(document, units),
        model=model,
        goal=_goal(document.plan or PlanSection(), list(document.groups or {})),
        bsa=document.bsa,
        lloq=document.lloq,
        path=path,
    )


def _units(document: TrialDocument) -> tuple[Units | None, list[Problem]]:
    if document.units is None:
        return None, []
    try:
        return read_units(document.units.model_dump()), []
    except ModelError as error:
        places = [(p.message, p.place.removeprefix("units, ")) for p in error.problems]
        return None, [Problem(message, f"[units] {place}") for message, place in places]


def _design_problems(
    document: TrialDocument, units: Units | None, incomplete: frozenset[str]
) -> list[Problem]:
    groups, regimens = document.groups or {}, document.regimens or {}
    samplings = document.samplings or {}
    problems: list[Problem] = []
    if "groups" not in incomplete:
        known = [
            None if table in incomplete else list(getattr(document, table))
            for table in ("regimens", "samplings")
        ]
        problems += checks.group_problems(groups, *known)
    for name, regimen in regimens.items():
        problems += checks.regimen_problems(name, regimen, units)
    for name, sampling in samplings.items():
        days = [
            regimens[group.regimen].days
            for group in groups.values()
            if group.sampling == name and group.regimen in regimens
        ]
        problems += checks.sampling_problems(name, sampling, days)
    return problems


def _model(
    document: TrialDocument, incomplete: frozenset[str]
) -> tuple[Model | None, list[Problem]]:
    """Make the model of the truth, where all of it could be read."""
    table, omega, residual = document.model, document.omega, document.residual
    if incomplete & _TRUTH or table is None or omega is None or residual is None:
        return None, []
    model = Model(
        structure=table.structure,
        parameters=table.parameters,
        theta=tuple(Theta(name, value) for name, value in (document.theta or {}).items()),
        omega=effect_blocks(omega),
        residual=residual_error(residual),
        distribution=omega.distribution,
    )
    problems = [*checks.idle_problems(omega, residual), *checks.truth_problems(model)]
    try:
        check_model(model)
    except ModelError as error:
        problems += error.problems
    return model, problems


def _groups(document: TrialDocument, units: Units) -> tuple[TrialGroup, ...]:
    regimens = {name: _regimen(entry, units) for name, entry in (document.regimens or {}).items()}
    samplings = {name: _sampling(entry) for name, entry in (document.samplings or {}).items()}
    return tuple(
        TrialGroup(name, entry.n, _years(entry), regimens[entry.regimen], samplings[entry.sampling])
        for name, entry in (document.groups or {}).items()
    )


def _years(entry: TrialGroupSection) -> tuple[float, float]:
    low, high = (value * DAYS[entry.unit] / DAYS["year"] for value in entry.age)
    return low, high


def _regimen(entry: RegimenSection, units: Units) -> Regimen:
    steps = []
    for step in sorted(entry.steps, key=lambda step: step.day):
        unit = read_dose_rate(step.unit, units)
        steps.append(
            Step(
                start=_hours(step.day),
                rate=step.dose * unit.factor,
                per=unit.per,
                cap=inf if step.cap is None else step.cap * unit.factor,
                weight=checks.weight_band(step),
            )
        )
    drawn = entry.random_interruptions
    return Regimen(
        hours=checks.HOURS * entry.days,
        steps=tuple(steps),
        bags=Bags(tuple(entry.bags.hours), entry.bags.choice) if entry.bags else None,
        pauses=Pauses(
            planned=tuple((_hours(pause.day), pause.hours) for pause in entry.interruptions),
            mean=drawn.mean if drawn else 0.0,
            hours=(drawn.hours[0], drawn.hours[1]) if drawn else (1.0, 1.0),
        ),
        flush=Flush(entry.flush.hours, entry.flush.chance) if entry.flush else None,
    )


def _hours(day: float) -> float:
    """Hours after the start at which a day begins, the first being 1."""
    return checks.HOURS * (day - 1.0)


def _sampling(entry: SamplingSection) -> Sampling:
    return Sampling(tuple(entry.hours), entry.spread, tuple(entry.after_stop))


def _goal(plan: PlanSection, groups: list[str]) -> Goal:
    return Goal(
        reference=groups[-1] if plan.reference is None else plan.reference,
        metric=plan.metric,
        margin=Margin(plan.margin[0], plan.margin[1]),
        rule=PlateauRule(plan.settle),
    )
