"""Whether a trial makes sense: groups, regimens, samples and the question, each fault by place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf, isnan

from pkmodel.covariates.age_group import DAYS
from pkmodel.definition.schema import EffectsSection, OmegaSection, ResidualSection
from pkmodel.errors import ModelError, Problem
from pkmodel.exposure.metric import METRICS
from pkmodel.formula import parse_formula
from pkmodel.models.model import Model
from pkmodel.models.structural import STRUCTURES
from pkmodel.simulate.growth import OLDEST
from pkmodel.simulate.record import COVARIATES
from pkmodel.simulate.schema import (
    PlanSection,
    RegimenSection,
    SamplingSection,
    StepSection,
    TrialGroupSection,
)
from pkmodel.suggestion import label, quoted, suggest
from pkmodel.units import Units, read_dose_rate

HOURS = 24.0

PLANNED_METRICS = tuple(name for name, metric in METRICS.items() if metric.v == 0)
"""Those that follow from the concentration on the plateau and the dose."""

# -- groups -------------------------------------------------------------------------------------


def group_problems(
    groups: Mapping[str, TrialGroupSection],
    regimens: Iterable[str] | None,
    samplings: Iterable[str] | None,
) -> Iterator[Problem]:
    """Check ages, and that regimens and samplings exist and are used; None where not known."""
    if not groups:
        yield Problem("no group is given; write [groups.NAME]", "[groups]")
    for name, group in groups.items():
        place = f"[groups] {label(name)}"
        age = [value * DAYS[group.unit] / DAYS["year"] for value in group.age]
        if len(age) != 2 or not 0 <= age[0] < age[1] <= OLDEST:
            message = f"expected [lower, upper] with 0 <= lower < upper, up to {OLDEST:g} years"
            yield Problem(message, f"{place} age")
        elif age[1] - age[0] < 1 / DAYS["year"]:
            yield Problem("the range is shorter than a day", f"{place} age")
    for kind, known in (("regimen", regimens), ("sampling", samplings)):
        if known is not None:
            yield from _reference_problems(kind, groups, list(known))


def _reference_problems(
    kind: str, groups: Mapping[str, TrialGroupSection], known: Sequence[str]
) -> Iterator[Problem]:
    used = {name: getattr(group, kind) for name, group in groups.items()}
    for name, wanted in used.items():
        if wanted not in known:
            message = f"no {kind} {quoted(wanted)} ({suggest(wanted, known, f'{kind}s')})"
            yield Problem(message, f"[groups] {label(name)} {kind}")
    for name in known:
        if name not in used.values():
            yield Problem(f"no group uses this {kind}", f"[{kind}s] {label(name)}")


# -- regimens and samples ---------------------------------------------------------------------


def regimen_problems(name: str, regimen: RegimenSection, units: Units | None) -> Iterator[Problem]:
    """Check one regimen; its units only where those of the data are known."""
    place = f"[regimens] {label(name)}"
    for k, step in enumerate(regimen.steps, 1):
        yield from _step_problems(step, regimen.days, f"{place} steps entry {k}", units)
    bands = [step for step in regimen.steps if _is_band(step)]
    if len(bands) == len(regimen.steps):
        yield from _band_problems(bands, f"{place} steps")
    for k, pause in enumerate(regimen.interruptions, 1):
        if pause.day >= regimen.days + 1:
            message = f"begins after the infusion, which ends with day {regimen.days:g}"
            yield Problem(message, f"{place} interruptions entry {k} day")
    drawn = regimen.random_interruptions
    if drawn is not None and not _is_range(drawn.hours):
        message = "expected [shortest, longest]"
        yield Problem(message, f"{place} random_interruptions hours")
    if regimen.flush is not None and regimen.bags is None:
        yield Problem("there are no changes of bags: bags is not given", f"{place} flush")


def _step_problems(
    step: StepSection, days: float, place: str, units: Units | None
) -> Iterator[Problem]:
    if step.day >= days + 1:
        yield Problem(f"begins after the infusion, which ends with day {days:g}", f"{place} day")
    if not _is_band(step):
        message = "expected [lower, upper] in kg with 0 <= lower < upper, such as [45, inf]"
        yield Problem(message, f"{place} weight")
    if units is None:
        return
    try:
        rate = read_dose_rate(step.unit, units)
    except ModelError as error:
        for problem in error.problems:
            yield Problem(problem.message, f"{place} unit")
        return
    if not rate.per and step.cap is not None:
        yield Problem("a flat dose needs no cap; lower the dose", f"{place} cap")


def weight_band(step: StepSection) -> tuple[float, float]:
    """Return the weights that a step is for; all, where none are said."""
    if step.weight is None:
        return 0.0, inf
    return step.weight[0], step.weight[1]


def _is_band(step: StepSection) -> bool:
    weight = step.weight
    if weight is None:
        return True
    return len(weight) == 2 and not any(map(isnan, weight)) and 0 <= weight[0] < weight[1]


def _band_problems(steps: Sequence[StepSection], place: str) -> Iterator[Problem]:
    """Check that everybody has one step on the first day, and never two at one time."""
    for day in sorted({step.day for step in steps} | {1.0}):
        bands = sorted(weight_band(step) for step in steps if step.day == day)
        for (_, high), (low, _) in pairwise(bands):
            if low < high:
                yield Problem(f"two steps begin on day {day:g} for a weight of {low:g} kg", place)
        if day == 1.0:
            gap = _first_gap(bands)
            if gap is not None:
                yield Problem(f"no step begins on day 1 for weights from {gap:g} kg on", place)


def _first_gap(bands: Sequence[tuple[float, float]]) -> float | None:
    reached = 0.0
    for low, high in bands:
        if low > reached:
            break
        reached = max(reached, high)
    return None if reached == inf else reached


def _is_range(values: Sequence[float]) -> bool:
    return len(values) == 2 and values[0] <= values[1]


def sampling_problems(
    name: str, sampling: SamplingSection, days: Sequence[float]
) -> Iterator[Problem]:
    """Check one sampling; `days` are the lengths of the infusions that it belongs to."""
    place = f"[samplings] {label(name)}"
    if not sampling.hours and not sampling.after_stop:
        yield Problem("no samples; give hours or after_stop", place)
    for key in ("hours", "after_stop"):
        times = getattr(sampling, key)
        least = 2 * sampling.spread if key == "hours" else 0.0
        if any(b - a <= least for a, b in pairwise(times)):
            apart = f", more than {least:g} h apart (twice the spread)" if least else ""
            yield Problem(f"times must increase{apart}", f"{place} {key}")
    if sampling.hours and sampling.hours[0] <= sampling.spread:
        yield Problem("the spread brings the first sample before the start", f"{place} spread")
    if sampling.hours and days and sampling.hours[-1] + sampling.spread > HOURS * min(days):
        message = (
            f"the last of them ({sampling.hours[-1]:g} h) may be after the stop, which is at "
            f"{HOURS * min(days):g} h; use after_stop for those"
        )
        yield Problem(message, f"{place} hours")
    if sampling.spread and not sampling.hours:
        yield Problem("there are no hours that it could spread", f"{place} spread")


# -- truth --------------------------------------------------------------------------------------


def truth_problems(model: Model) -> Iterator[Problem]:
    """Check what a trial asks of its model beyond what every model must be."""
    structure = STRUCTURES.get(model.structure)
    if structure is not None and structure.compartments[structure.default_dose - 1] != "central":
        message = f"{model.structure} takes no infusion; a trial needs one_compartment"
        yield Problem(message, "[model] structure")
    names = {theta.name for theta in model.theta}
    for name in sorted(names & set(COVARIATES)):
        yield Problem(f"{name} is a column of the trial; choose another name", "[theta]")
    for parameter, text in model.parameters.items():
        place = f"[model.parameters] {label(parameter)}"
        try:
            formula = parse_formula(text, place)
        except ModelError:
            continue
        for name in sorted(formula.names - names - set(COVARIATES)):
            known = suggest(name, [*names, *COVARIATES])
            yield Problem(f"`{name}` is no theta and no column of the trial ({known})", place)


def idle_problems(omega: OmegaSection, residual: ResidualSection) -> Iterator[Problem]:
    """Refuse what only a fit could use: fixed values, and occasions."""
    message = "a trial fits nothing: give the number alone"
    for name, entry in omega.variances.items():
        if entry.fixed is not None:
            yield Problem(message, f"[omega] {label(name)} fixed")
    for k, block in enumerate(omega.blocks, 1):
        if block.fixed:
            yield Problem(message, f"[omega] blocks entry {k} fixed")
    if isinstance(omega.occasion, EffectsSection):
        yield Problem("a trial has one occasion; leave it out", "[omega] occasion")
    for name in ("additive", "proportional", "power", "exponent", "lognormal"):
        entry = getattr(residual, name)
        if entry is not None and entry.fixed is not None:
            yield Problem(message, f"[residual] {name} fixed")


# -- plan ---------------------------------------------------------------------------------------


def plan_problems(plan: PlanSection, groups: Sequence[str] | None) -> Iterator[Problem]:
    """Check the question; its reference only where the groups are known."""
    reference = plan.reference
    if groups is not None and reference is not None and reference not in groups:
        message = f"no group {quoted(reference)} ({suggest(reference, groups, 'groups')})"
        yield Problem(message, "[plan] reference")
    if plan.metric not in PLANNED_METRICS:
        message = f"{quoted(plan.metric)} is not known ({suggest(plan.metric, PLANNED_METRICS)})"
        yield Problem(message, "[plan] metric")
    margin = plan.margin
    if len(margin) != 2 or not 0 < margin[0] < 1 < margin[1]:
        yield Problem("expected [lower, upper] about 1, such as [0.8, 1.25]", "[plan] margin")
