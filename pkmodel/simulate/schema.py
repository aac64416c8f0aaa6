"""The shape of a trial's file: which tables and keys there are, and what each may hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pkmodel.definition.schema import (
    ModelSection,
    OmegaSection,
    ResidualSection,
    Section,
    UnitsSection,
)

LARGEST_SEED = 2**63 - 1
MOST_SUBJECTS = 100_000

Number = Annotated[float, Field(allow_inf_nan=True)]


def _may(description: str, default: Any = None, **limits: Any) -> Any:
    return Field(default=default, description=description, **limits)


def _must(description: str, **limits: Any) -> Any:
    return Field(description=description, **limits)


class TrialGroupSection(Section):
    """A group of virtual people."""

    expected = "a table with n, age, regimen and sampling, such as n = 30, age = [0, 2], ..."
    n: int = _must("a whole number of people from 1 on", ge=1, le=MOST_SUBJECTS)
    age: list[float] = _must("a half-open range of age, such as [0, 2]")
    unit: Literal["year", "month", "week", "day"] = _may("the unit of age", "year")
    regimen: str = _must("the name of a table under [regimens]")
    sampling: str = _must("the name of a table under [samplings]")


class StepSection(Section):
    """A rate of infusion from a day on."""

    expected = 'a table such as { day = 1, dose = 15, unit = "ug/m2/day", cap = 28 }'
    day: float = _must("the day it begins, 1 for the first; a number from 1 on", ge=1)
    dose: float = _must("a positive dose in `unit`", gt=0)
    unit: str = _must('a unit of doses per time, such as "ug/m2/day" or "ug/day"')
    cap: float | None = _may(
        "the highest dose per time, a positive number, in `unit` without /m2", gt=0
    )
    weight: list[Number] | None = _may("body weights in kg that it is for, such as [0, 45]")


class BagsSection(Section):
    """How the infusion is put up."""

    expected = "a table such as { hours = [96, 72] }"
    hours: list[Annotated[float, Field(ge=1)]] = _must(
        "lengths of bags in hours from 1 on, such as [96, 72]", min_length=1
    )
    choice: Literal["in turn", "per subject", "per bag"] = _may("how lengths are chosen", "in turn")


class PauseSection(Section):
    """A planned interruption."""

    expected = "a table such as { day = 10.5, hours = 6 }"
    day: float = _must("the day it begins, 1 for the first; a number above 1", gt=1)
    hours: float = _must("its length in hours, a positive number", gt=0)


class RandomPausesSection(Section):
    """Interruptions that are drawn."""

    expected = "a table such as { mean = 0.5, hours = [4, 24] }"
    mean: float = _must("their mean number in a subject, from 0 to 20", ge=0, le=20)
    hours: list[Annotated[float, Field(gt=0)]] = _must("shortest and longest, such as [4, 24]")


class FlushSection(Section):
    """The old line pushed at a change of bags."""

    expected = "a table such as { hours = 0.5, chance = 0.1 }"
    hours: float = _must("how many hours of infusion the line holds, a positive number", gt=0)
    chance: float = _must("the chance of it at a change of bags, above 0 up to 1", gt=0, le=1)


class RegimenSection(Section):
    """An infusion."""

    expected = "a table with days and steps"
    days: float = _must("how many days the infusion lasts, a positive number", gt=0, le=1000)
    steps: list[StepSection] = _must(f"an array of {StepSection.expected}", min_length=1)
    bags: BagsSection | None = _may(BagsSection.expected)
    interruptions: list[PauseSection] = _may(f"an array of {PauseSection.expected}", [])
    random_interruptions: RandomPausesSection | None = _may(RandomPausesSection.expected)
    flush: FlushSection | None = _may(FlushSection.expected)


class SamplingSection(Section):
    """When samples are drawn."""

    expected = "a table such as { hours = [48, 168], after_stop = [1, 4] }"
    hours: list[Annotated[float, Field(gt=0)]] = _may(
        "hours after the start, such as [48, 168]", []
    )
    spread: float = _may("hours by which `hours` are missed at most, from 0 on", 0.0, ge=0)
    after_stop: list[Annotated[float, Field(gt=0)]] = _may(
        "hours after the stop, such as [1, 4]", []
    )


class PlanSection(Section):
    """The equivalence that the trial is planned to show."""

    reference: str | None = _may("the name of a group")
    metric: str = _may("a metric of clearance or concentration", "CL_BSA")
    margin: list[float] = _may(
        "the ratios that count as equivalent, such as [0.8, 1.25]", [0.8, 1.25]
    )
    settle: float = _may("hours before samples count, a positive number", 10.0, gt=0)


class TrialDocument(Section):
    """A whole trial; a table that is absent is None."""

    title: str | None = _may("a text")
    seed: int = _may("a whole number from 0 on", 1, ge=0, le=LARGEST_SEED)
    bsa: Literal["mosteller", "du_bois", "haycock", "gehan_george", "boyd"] = _may(
        "the name of a formula", "mosteller"
    )
    lloq: float | None = _may("a positive concentration", gt=0)
    units: UnitsSection | None = _may(UnitsSection.expected)
    groups: dict[str, TrialGroupSection] | None = _may("tables [groups.NAME]")
    regimens: dict[str, RegimenSection] | None = _may("tables [regimens.NAME]")
    samplings: dict[str, SamplingSection] | None = _may("tables [samplings.NAME]")
    model: ModelSection | None = _may("a table [model]")
    theta: dict[str, float] | None = _may("the true values, such as cl = 0.9")
    omega: OmegaSection | None = _may("a table [omega]")
    residual: ResidualSection | None = _may("a table [residual]")
    plan: PlanSection | None = _may("a table [plan]")
