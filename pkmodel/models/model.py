"""A population model as a declaration: formulas, thetas, random effects, residual error.

Plain frozen records, the same from Python and from TOML; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from pkmodel.errors import ModelError, Problem
from pkmodel.models.prior import EXAMPLE_OF_ALL, Priors
from pkmodel.suggestion import quoted

DISTRIBUTIONS = ("lognormal", "normal", "logitnormal")


@dataclass(frozen=True)
class Theta:
    """A fixed effect: its initial value and bounds."""

    name: str
    init: float
    lower: float = -inf
    upper: float = inf
    fixed: bool = False


@dataclass(frozen=True)
class OmegaBlock:
    """Covariance of the random effects of some parameters, on their transformed scale.

    Attributes
    ----------
    parameters : tuple of str
        Structural parameters that carry the effects; one name makes a plain variance.
    matrix : tuple of tuple of float
        Full symmetric initial matrix.
    fixed : bool
        Keep the whole block at its initial value.
    occasion : bool
        Between occasions (column OCC) instead of between subjects.
    """

    parameters: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]
    fixed: bool = False
    occasion: bool = False


@dataclass(frozen=True)
class Sigma:
    """One coefficient of the residual error, a standard deviation (or the exponent of a power)."""

    name: str
    init: float
    fixed: bool = False


@dataclass(frozen=True)
class Residual:
    """Residual error.

    Attributes
    ----------
    sigmas : tuple of Sigma
        Some of ``additive``, ``proportional``, ``power`` with ``exponent``, or ``lognormal`` alone.
    combine : str
        ``"variance"``: a^2 + b^2 f^2 (p); ``"sd"``: (a + b f^p)^2.
    """

    sigmas: tuple[Sigma, ...]
    combine: str = "variance"


@dataclass(frozen=True)
class Model:
    """A population model.

    Attributes
    ----------
    structure : str
        A key of `pkmodel.models.structural.STRUCTURES`.
    parameters : mapping of str to str
        Formula of the typical value of each structural parameter.
    theta : tuple of Theta
    omega : tuple of OmegaBlock
    residual : Residual
    distribution : mapping of str to str
        ``"lognormal"`` (default), ``"normal"`` or ``"logitnormal"`` by parameter.
    priors : Priors or None
        For ``method = "nuts"`` only.

    Raises
    ------
    ModelError
        Something else stands where `Priors` are expected.
    """

    structure: str
    parameters: Mapping[str, str]
    theta: tuple[Theta, ...]
    omega: tuple[OmegaBlock, ...]
    residual: Residual
    distribution: Mapping[str, str] = field(default_factory=dict)
    priors: Priors | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.priors, Priors | None):
            message = f"expected Priors, such as {EXAMPLE_OF_ALL}, got {quoted(self.priors)}"
            raise ModelError(Problem(message, "priors"))


@dataclass(frozen=True)
class Options:
    """How to fit.

    Attributes
    ----------
    method : str
        ``"fo"``, ``"foce"``, ``"focei"``, ``"laplace"``, ``"agq"``, ``"imp"``, ``"saem"`` or
        ``"nuts"``.
    interaction : bool or None
        For ``"laplace"`` only: residual variance follows the random effects (default) or is kept
        at eta = 0.
    censoring : str
        ``"m3"``: a censored row adds the probability to be below its limit; ``"m1"``: it is left
        out, and counted.
    covariance : str
        ``"sandwich"`` (R^-1 S R^-1), ``"r"``, ``"s"`` or ``"none"``.
    starts : int
        Scattered starts, the first at the initial values.
    seed : int
        For the scatter of the starts, and for all that is drawn.
    max_evaluations : int
        Objectives evaluated before a start gives up; of ``"saem"`` its iterations; not of
        ``"nuts"``.
    order : int or None
        Of ``"agq"``: quadrature nodes in each effect; None has it raised until the objective
        settles.
    draws : int or None
        Of ``"imp"``: draws of each subject, 1152 if None; of ``"nuts"``: draws that each chain
        keeps.
    chains : int or None
        Of ``"saem"``, for each subject: two, with fewer than 50 subjects as many as make 100
        chains of subjects; and of ``"nuts"``.
    tune : int or None
        Of ``"nuts"``: draws of each chain that adapt the sampler and are not kept.
    target : str or None
        Of ``"nuts"``: ``"joint"``, the density of population parameters and effects, or
        ``"marginal"``, that of the population parameters alone; None has it chosen by what the
        data tell of the effects.

    An option that is None has the method's own default; one given to a method that has no use for
    it is refused.
    """

    method: str = "focei"
    interaction: bool | None = None
    censoring: str = "m3"
    covariance: str = "sandwich"
    starts: int = 1
    seed: int = 1
    max_evaluations: int = 1000
    order: int | None = None
    draws: int | None = None
    chains: int | None = None
    tune: int | None = None
    target: str | None = None
