"""The shape of the files of a run, as far as a report reads them; every fault in one pass."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Number = float | None


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class Entry(_Part):
    """One parameter."""

    estimate: float
    se: Number
    rse: Number
    lower: Number
    upper: Number
    init: float
    fixed: bool
    note: str


class Shrinkage(_Part):
    """Shrinkage as fractions."""

    eta: dict[str, Number]
    epsilon: Number


class EtaBar(_Part):
    """The mean of a random effect over subjects."""

    mean: Number
    se: Number
    p: Number
    n: int
    differs: bool


class UnitNames(_Part):
    """Units as declared; empty where nothing was declared."""

    time: str
    amount: str
    concentration: str


class Start(_Part):
    """One start of the search."""

    objective: Number
    ending: str
    evaluations: int


class Sampling(_Part):
    """How the draws of SAEM went."""

    chains: int
    iterations: int
    acceptance: dict[str, Number]
    is_settled: bool
    monte_carlo_error: dict[str, Number]
    r_hat: dict[str, Number]


class Mixing(_Part):
    """How well the chains told of a parameter."""

    r_hat: Number
    bulk: Number
    tail: Number
    error: Number


class PriorLaw(_Part):
    """A prior by its numbers, and its bounds."""

    family: str
    numbers: list[float]
    lower: Number
    upper: Number


class Cut(_Part):
    """What an interrupt left of the chains."""

    kept: list[int]
    chains: int
    draws: int


class Posterior(_Part):
    """How a posterior was sampled, and how well."""

    target: Literal["joint", "marginal"]
    chains: int
    draws: int
    tune: int
    gradients: int
    cut: Cut | None = None
    divergences: int
    r_hat: Number
    ess_bulk: Number
    ess_tail: Number
    pareto_k: Number
    weight_efficiency: Number
    centred: list[str]
    non_centred: list[str]
    priors: dict[str, str]
    prior_laws: dict[str, PriorLaw] = {}
    default_priors: list[str]
    contradicted_priors: list[str] = []
    median: dict[str, Number]
    mixing: dict[str, Mixing]


class GroupNames(_Part):
    """The division of the subjects."""

    title: str
    names: list[str]
    source: str
    bsa_source: str | None = None


class FitDocument(_Part):
    """A ``fit.json``."""

    pkmodel: str
    title: str
    method: str
    interaction: bool
    structure: str
    distribution: dict[str, str]
    seed: int
    threads: int
    data: str
    data_sha256: str
    covariate_rule: str | None
    units: UnitNames
    status: str
    advice: str
    converged: bool
    warnings: list[str]
    n_subjects: int
    n_observations: int
    n_censored: int
    censoring: str | None
    excluded: dict[str, int]
    objective: Number
    objective_log: Number
    minus2ll: Number
    aic: Number
    bic: Number
    theta: dict[str, Entry]
    omega: dict[str, Entry]
    occasion: dict[str, Entry]
    sigma: dict[str, Entry]
    shrinkage: Shrinkage
    etabar: dict[str, EtaBar] = {}
    condition_number: Number
    covariance: str | None
    flat_directions: list[str]
    boundary: list[str]
    failed_subjects: list[str]
    starts: list[Start]
    starts_agree: int
    evaluations: int
    gradient_norm: Number
    decrease_left: Number
    cold_gap: Number
    seconds: dict[str, Number]
    sampling: Sampling | None = None
    posterior: Posterior | None = None
    covariates: dict[str, str | None] = {}
    virtual: bool = False
    groups: GroupNames | None = None


class Comparison(_Part):
    """What a comparison of groups was asked, ``comparison.json``."""

    title: str
    names: list[str]
    source: str
    reference: str
    margin: tuple[float, float]
    level: float
    multiplicity: str
    rule: str
    bsa_source: str | None


class Contrast(_Part):
    """One row of ``contrasts.json``."""

    metric: str
    group: str
    reference: str
    kind: str
    ratio: Number
    lower: Number
    upper: Number
    level: float
    margin: tuple[float, float]
    verdict: Literal["equivalent", "not equivalent", "inconclusive"] | None
    n: Number
    n_reference: Number
    warnings: list[str]
