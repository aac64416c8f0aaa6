"""Prior distributions of the population parameters, as a declaration.

Plain frozen records, the same from Python and from ``[prior]`` of a definition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pkmodel.errors import ModelError, Problem
from pkmodel.models.real import is_finite
from pkmodel.number import count
from pkmodel.suggestion import label, quoted, suggest

FAMILIES = {
    "normal": ("mean", "sd"),
    "lognormal": ("median", "log sd"),
    "student_t": ("df", "location", "scale"),
    "half_normal": ("scale",),
    "half_t": ("df", "scale"),
    "flat": (),
}
"""Families of distributions, and their numbers in order."""

POSITIVE = ("sd", "log sd", "df", "scale", "median")
"""Numbers that must be positive."""

THETA_FAMILIES = ("normal", "lognormal", "student_t", "flat")
SD_FAMILIES = ("half_normal", "half_t", "lognormal", "flat")

ALLOWED = {
    "theta": THETA_FAMILIES,
    "omega": SD_FAMILIES,
    "occasion": SD_FAMILIES,
    "sigma": SD_FAMILIES,
}
"""Tables of `Priors`, and the families that parameters of each may have."""

EXAMPLE = 'Prior("lognormal", (1.0, 0.5))'
EXAMPLE_OF_ALL = f"Priors(theta={{'cl': {EXAMPLE}}})"


@dataclass(frozen=True)
class Prior:
    """A distribution of one parameter on its own scale, within its bounds.

    Attributes
    ----------
    family : str
        A key of `FAMILIES`: ``"normal"`` (mean, sd), ``"lognormal"`` (median, sd of the
        logarithm), ``"student_t"`` (degrees of freedom, location, scale), ``"half_normal"``
        (scale), ``"half_t"`` (degrees of freedom, scale), ``"flat"``.
    numbers : tuple of float

    Raises
    ------
    ModelError
        There is no such family, or its numbers are others.

    Examples
    --------
    >>> print(Prior("lognormal", (0.005, 0.5)))
    lognormal(median 0.005, log sd 0.5)
    >>> Prior("lognorm", (0.005, 0.5))
    Traceback (most recent call last):
    ...
    pkmodel.errors.ModelError: no prior 'lognorm' (did you mean `lognormal`? known: normal, \
lognormal, student_t, half_normal, half_t, flat)
    """

    family: str
    numbers: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        faults = prior_faults(self.family, self.numbers)
        if faults:
            raise ModelError(faults)
        object.__setattr__(self, "numbers", tuple(self.numbers))

    def __str__(self) -> str:
        """Say the family and its numbers by name."""
        names = FAMILIES[self.family]
        told = ", ".join(f"{n} {v:g}" for n, v in zip(names, self.numbers, strict=True))
        return f"{self.family.replace('_', '-')}({told})" if told else self.family


def prior_faults(family: str, numbers: Sequence[float]) -> list[str]:
    """Say what is wrong with a family and its numbers; nothing if they make a prior."""
    if family not in FAMILIES:
        return [f"no prior {quoted(family)} ({suggest(str(family), FAMILIES)})"]
    wanted = FAMILIES[family]
    told = f"[{', '.join(wanted)}]" if len(wanted) != 1 else wanted[0]
    if not isinstance(numbers, Sequence) or isinstance(numbers, str):
        return [f"{family} takes {told}, such as (1.0,): a tuple, not {quoted(numbers)}"]
    if len(numbers) != len(wanted):
        what = told if wanted else "no number"
        return [f"{family} takes {what}, got {count(len(numbers), 'number')}"]
    faults = []
    for what, value in zip(wanted, numbers, strict=True):
        if not is_finite(value):
            faults.append(f"{what} of {family} must be a finite number, not {quoted(value)}")
        elif what in POSITIVE and not value > 0.0:
            faults.append(f"{what} of {family} must be positive, not {value:g}")
    return faults


def lkj_faults(lkj: float | None) -> list[Problem]:
    """Say what is wrong with a shape of the distribution of correlations."""
    if lkj is None or (is_finite(lkj) and lkj > 0.0):
        return []
    return [Problem(f"expected a positive number, got {quoted(lkj)}", "lkj")]


def _table_faults(kind: str, table: object) -> list[Problem]:
    """Say what in a table of priors is none."""
    if not isinstance(table, Mapping):
        message = f"expected priors by name, such as {{'cl': {EXAMPLE}}}, got {quoted(table)}"
        return [Problem(message, kind)]
    return [
        Problem(fault, f"{kind} {label(name)}")
        for name, prior in table.items()
        for fault in family_faults(kind, prior)
    ]


def family_faults(kind: str, prior: object) -> list[str]:
    """Say why something is no prior of a parameter of a kind in `ALLOWED`."""
    if not isinstance(prior, Prior):
        return [f"expected a Prior, such as {EXAMPLE}, got {quoted(prior)}"]
    if prior.family in ALLOWED[kind]:
        return []
    hint = suggest(prior.family, ALLOWED[kind])
    return [f"{quoted(prior.family)} is no distribution of this parameter ({hint})"]


@dataclass(frozen=True)
class Priors:
    """Priors of a model; a parameter that none is given for has a weak default.

    Attributes
    ----------
    theta : mapping of str to Prior
        By name.
    omega, occasion : mapping of str to Prior
        Of the standard deviation of each effect, by its parameter, between subjects and between
        occasions.
    sigma : mapping of str to Prior
        Of each residual coefficient.
    lkj : float or None
        Shape of the distribution of every correlation matrix of effects (Lewandowski, Kurowicka
        and Joe 2009, 10.1016/j.jmva.2009.04.008): 1 is uniform, more is nearer to none.

    Raises
    ------
    ModelError
        Something else stands where these are expected, or a family that goes with other
        parameters.

    Examples
    --------
    >>> Priors(theta={"cl": 0.5}, lkj=-1.0)
    Traceback (most recent call last):
    ...
    pkmodel.errors.ModelError: theta cl: expected a Prior, such as Prior("lognormal", (1.0, 0.5)), \
got 0.5
    lkj: expected a positive number, got -1.0
    """

    theta: Mapping[str, Prior] = field(default_factory=dict)
    omega: Mapping[str, Prior] = field(default_factory=dict)
    occasion: Mapping[str, Prior] = field(default_factory=dict)
    sigma: Mapping[str, Prior] = field(default_factory=dict)
    lkj: float | None = None

    def __post_init__(self) -> None:
        faults = [f for kind in ALLOWED for f in _table_faults(kind, getattr(self, kind))]
        faults += lkj_faults(self.lkj)
        if faults:
            raise ModelError(faults)

    @property
    def by_name(self) -> dict[str, Prior]:
        """All but that of the correlations, by kind and parameter: ``sd of omega CL``."""
        tables = {
            "theta": self.theta,
            "sd of omega": self.omega,
            "sd of occasion": self.occasion,
            "sigma": self.sigma,
        }
        return {
            f"{kind} {name}": prior
            for kind, table in tables.items()
            for name, prior in table.items()
        }
