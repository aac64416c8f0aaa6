"""The shape of a fit definition: which tables and keys there are, and what each may hold.

Shape only: whether a model makes sense is for the checks beside this module. The description of a
field is what a message says was expected.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pkmodel.models.prior import FAMILIES, SD_FAMILIES, THETA_FAMILIES

_LARGEST = 2**63 - 1


def _expects(description: str, **limits: Any) -> Any:
    """Declare an optional field by what it holds."""
    return Field(default=None, description=description, **limits)


def _needs(description: str, **limits: Any) -> Any:
    """Declare a field that must be given."""
    return Field(description=description, **limits)


class Section(BaseModel):
    """A table of a definition; unknown keys and lenient types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    expected: ClassVar[str] = "a table"


class UnitsSection(Section):
    """Units of the data."""

    expected = 'a table { time = "h", amount = "mg", concentration = "mg/L" }'
    time: str = _needs('a unit of time, such as "h"')
    amount: str = _needs('a unit of amount, such as "mg"')
    concentration: str = _needs('a unit of concentration, such as "mg/L"')


class DataSection(Section):
    """Which table, and how to read it."""

    file: str = _needs("the name of the data file, relative to the definition", min_length=1)
    units: UnitsSection | None = _expects(UnitsSection.expected)
    columns: dict[str, str] | None = _expects(
        'standard names and names in the file: { DV = "conc" }'
    )
    where: str | None = _expects('a condition on columns, such as "SD == 1"')
    lloq: float | None = _expects("a positive concentration", gt=0)
    covariates: Literal["nocb", "locf"] = Field("nocb", description='"nocb" or "locf"')
    allow: list[str] = Field([], description='faults to tolerate, such as ["no_dose"]')


class ModelSection(Section):
    """Structure and typical values."""

    structure: str = _needs('the name of a structure, such as "one_compartment"')
    parameters: dict[str, str] = _needs('formulas in quotes, such as CL = "cl * WT"')


class ThetaSection(Section):
    """A fixed effect."""

    expected = "a table such as { init = 0.1, lower = 0, fixed = false }"
    init: float = _needs("the initial value, a number")
    lower: Annotated[float, Field(allow_inf_nan=True)] | None = _expects("a number")
    upper: Annotated[float, Field(allow_inf_nan=True)] | None = _expects("a number")
    fixed: bool = Field(False, description="true or false")


class NumberSection(Section):
    """A number, or a table with that number and whether it is fixed."""

    expected = "a number or { init = 0.1, fixed = true }"
    init: float = _needs("the initial value, a number")
    fixed: bool | None = _expects("true or false")

    @model_validator(mode="before")
    @classmethod
    def _accept_number(cls, value: object) -> object:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return {"init": value} if is_number else value


class BlockSection(Section):
    """Correlated random effects."""

    expected = 'a table { parameters = ["CL", "V"], matrix = [[0.1], [0.05, 0.1]] }'
    parameters: list[str] = _needs('names of parameters, such as ["CL", "V"]', min_length=1)
    matrix: list[list[float]] = _needs("rows of numbers, such as [[0.1], [0.05, 0.1]]")
    fixed: bool = Field(False, description="true or false")


class EffectsSection(Section):
    """Random effects: variances by parameter name, and blocks."""

    expected = "a table of variances such as CL = 0.1, and blocks = [...]"
    variances: dict[str, NumberSection] = Field({}, description=expected)
    blocks: list[BlockSection] = Field([], description=f"an array of {BlockSection.expected}")

    @model_validator(mode="before")
    @classmethod
    def _collect_variances(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        named = [key for key in cls.model_fields if key != "variances"]
        rest = {key: entry for key, entry in value.items() if key not in named}
        return {"variances": rest} | {key: value[key] for key in named if key in value}


class OmegaSection(EffectsSection):
    """Random effects between subjects, and between occasions."""

    distribution: dict[str, str] = Field({}, description='names, such as { CL = "lognormal" }')
    occasion: EffectsSection | None = _expects(EffectsSection.expected)


class ResidualSection(Section):
    """Residual error."""

    expected = "a table such as proportional = 0.2"
    additive: NumberSection | None = _expects(NumberSection.expected)
    proportional: NumberSection | None = _expects(NumberSection.expected)
    power: NumberSection | None = _expects(NumberSection.expected)
    exponent: NumberSection | None = _expects(NumberSection.expected)
    lognormal: NumberSection | None = _expects(NumberSection.expected)
    combine: Literal["variance", "sd"] | None = _expects('"variance" or "sd"')


class DistributionSection(Section):
    """A prior distribution: the name of one family with its numbers."""

    expected = 'a table such as { lognormal = [0.005, 0.5] }, or "flat"'
    allowed: ClassVar[tuple[str, ...]] = tuple(FAMILIES)
    normal: list[float] | None = _expects("[mean, sd]")
    lognormal: list[float] | None = _expects("[median, sd of the logarithm]")
    student_t: list[float] | None = _expects("[degrees of freedom, location, scale]")
    half_normal: float | None = _expects("a scale")
    half_t: list[float] | None = _expects("[degrees of freedom, scale]")
    flat: Literal[True] | None = _expects("true")

    @model_validator(mode="before")
    @classmethod
    def _accept_name(cls, value: object) -> object:
        return {"flat": True} if value == "flat" else value


class ThetaPriorSection(DistributionSection):
    """A prior of a theta; another family is understood, and refused with the model."""

    allowed = THETA_FAMILIES


class DeviationPriorSection(DistributionSection):
    """A prior of the standard deviation of an effect, or of a residual coefficient."""

    allowed = SD_FAMILIES


class PriorSection(Section):
    """Priors of thetas, of standard deviations of effects, and of residual coefficients."""

    expected = "a table with theta, omega, occasion, sigma and lkj"
    theta: dict[str, ThetaPriorSection] = Field({}, description=DistributionSection.expected)
    omega: dict[str, DeviationPriorSection] = Field({}, description=DistributionSection.expected)
    occasion: dict[str, DeviationPriorSection] = Field({}, description=DistributionSection.expected)
    sigma: dict[str, DeviationPriorSection] = Field({}, description=DistributionSection.expected)
    lkj: float | None = _expects("a positive number", gt=0)


class BsaSection(Section):
    """Body surface area: a column, or a formula of weight and height."""

    expected = 'a column or { weight = "WT", height = "HT", formula = "mosteller" }'
    column: str | None = _expects("the name of a column")
    weight: str | None = _expects("the column of body weight in kg")
    height: str | None = _expects("the column of height in cm")
    formula: Literal["mosteller", "du_bois", "haycock", "gehan_george", "boyd"] | None = _expects(
        "the name of a formula"
    )

    @model_validator(mode="before")
    @classmethod
    def _accept_column(cls, value: object) -> object:
        return {"column": value} if isinstance(value, str) else value


class GroupsSection(Section):
    """Age groups."""

    age: str = _needs("the column that holds the age")
    unit: Literal["year", "month", "week", "day"] = Field("year", description="the unit of age")
    scheme: Literal["ich_e11", "blinatumomab_trials"] | None = _expects("the name of a scheme")
    cuts: dict[str, list[Annotated[float, Field(allow_inf_nan=True)]]] | None = _expects(
        "half-open ranges, such as { infant = [0, 2], child = [2, 7] }"
    )
    bsa: BsaSection | None = _expects(BsaSection.expected)
    weight: str | None = _expects("the column of body weight in kg, where bsa names none")
    reference: str | None = _expects("the name of the group that others are compared with")
    margin: list[float] | None = _expects("ratios that count as equivalent, such as [0.8, 1.25]")
    published: str | None = _expects("a file of published summaries, relative to the definition")


class FitSection(Section):
    """How to fit."""

    method: str = Field("focei", description="the name of a method")
    interaction: bool | None = _expects("true or false")
    censoring: str = Field("m3", description='"m3" or "m1"')
    covariance: str = Field("sandwich", description='"sandwich", "r", "s" or "none"')
    starts: int = Field(1, description="a whole number from 1 on", ge=1, le=10_000)
    seed: int = Field(1, description="a whole number from 0 on", ge=0, le=_LARGEST)
    max_evaluations: int = Field(1000, description="a whole number from 1 on", ge=1, le=_LARGEST)
    order: int | None = _expects("a whole number from 1 to 100", ge=1, le=100)
    draws: int | None = _expects("a whole number from 1 on", ge=1, le=_LARGEST)
    chains: int | None = _expects("a whole number from 1 to 1000", ge=1, le=1000)
    tune: int | None = _expects("a whole number from 1 on", ge=1, le=_LARGEST)
    target: Literal["joint", "marginal"] | None = _expects('"joint" or "marginal"')


class Document(Section):
    """A whole fit definition; a table that is absent is None."""

    title: str | None = _expects("a text")
    data: DataSection | None = _expects("a table [data]")
    model: ModelSection | None = _expects("a table [model]")
    theta: dict[str, ThetaSection] | None = _expects("a table [theta]")
    omega: OmegaSection | None = _expects("a table [omega]")
    residual: ResidualSection | None = _expects("a table [residual]")
    prior: PriorSection | None = _expects("a table [prior]")
    groups: GroupsSection | None = _expects("a table [groups]")
    fit: FitSection | None = _expects("a table [fit]")
