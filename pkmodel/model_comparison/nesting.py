"""Whether one model is another with some of its parameters held, shown from their definitions.

Only what can be shown counts: the same formulas for some value of the thetas that only the larger
model has, checked on every row of the data at scattered values of the others; the same variances
and residual errors but for some that are absent or fixed in the smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pkmodel.models.model import Model, OmegaBlock, Residual, Sigma
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

NO_EFFECT = (0.0, 1.0)
"""Values at which a theta usually has no effect: of a difference or exponent, and of a factor."""

MOST_EXTRA = 6
SCATTERED = 24
ENOUGH = 8
SAME = 1e-10

Entry = tuple[bool, str, str]
"""An element of Omega: between occasions or not, and two parameters in alphabetical order."""


@dataclass(frozen=True)
class Restriction:
    """What holds in the smaller model, and not in the larger.

    Attributes
    ----------
    inside : tuple of str
        Parameters of the larger model that the smaller holds at a value between their bounds.
    boundary : tuple of str
        Variances, and residual standard deviations, that are zero in the smaller.
    at_zero : tuple of str
        Covariances that go with variances of `boundary`.
    """

    inside: tuple[str, ...]
    boundary: tuple[str, ...]
    at_zero: tuple[str, ...]

    @property
    def size(self) -> int:
        """Parameters that the larger model has more."""
        return len(self.inside) + len(self.boundary) + len(self.at_zero)


class NotShown(Exception):
    """Why it cannot be shown that one model is nested in another."""


def restriction(small: Problem, large: Problem) -> Restriction:
    """Find what makes the smaller model of the larger.

    Parameters
    ----------
    small, large : Problem
        On the same data.

    Returns
    -------
    Restriction

    Raises
    ------
    NotShown
        Saying what stands against it.
    """
    _check_structure(small, large)
    thetas = _thetas(small, large)
    inside, boundary, at_zero = _omega(small.model, large.model)
    sigmas, errors = _residual(small.model.residual, large.model.residual)
    return Restriction((*thetas, *inside, *sigmas), (*boundary, *errors), at_zero)


def _check_structure(small: Problem, large: Problem) -> None:
    if small.model.structure != large.model.structure:
        raise NotShown(f"structures {small.model.structure} and {large.model.structure}")
    for effect in large.effects:
        one, two = (p.model.distribution.get(effect.parameter, "lognormal") for p in (small, large))
        if one != two:
            raise NotShown(f"{effect.parameter} is {one} in one and {two} in the other")
    rules = {p.dataset.covariate_rule for p in (small, large) if p.varies}
    if len(rules) > 1:
        raise NotShown("covariates hold backwards (nocb) in one and forwards (locf) in the other")


# -- thetas -------------------------------------------------------------------------------------


def _thetas(small: Problem, large: Problem) -> tuple[str, ...]:
    """Name the free thetas of the larger model that the smaller holds."""
    before = {t.name: t for t in small.model.theta}
    own = [n for n, t in before.items() if not t.fixed and n not in large.theta_names]
    if own:
        raise NotShown(f"theta {own[0]} is in the smaller model only")
    held: dict[str, float] = {}
    free = []
    for theta in large.model.theta:
        known = before.get(theta.name)
        if theta.fixed:
            if known is not None and not known.fixed:
                raise NotShown(f"theta {theta.name} is fixed in the larger model only")
            held[theta.name] = theta.init
        elif known is None:
            free.append(theta.name)
        elif known.fixed:
            held[theta.name] = known.init
        elif not theta.lower <= known.lower <= known.upper <= theta.upper:
            raise NotShown(f"theta {theta.name} has narrower bounds in the larger model")
    if len(free) > MOST_EXTRA:
        raise NotShown(f"the larger model has {len(free)} thetas of its own")
    points = list(_scattered(small))
    values = held | _values_without_effect(small, large, points, held, free)
    restricted = [t for t in large.model.theta if not t.fixed and t.name in values]
    for theta in restricted:
        if not theta.lower < values[theta.name] < theta.upper:
            raise NotShown(f"theta {theta.name} is {values[theta.name]:g} there, at its bound")
    _check_effects(small, large, points, values, {t.name for t in restricted})
    return tuple(f"theta {t.name}" for t in restricted)


def _values_without_effect(
    small: Problem,
    large: Problem,
    points: list[Vector],
    held: Mapping[str, float],
    free: list[str],
) -> dict[str, float]:
    """Find the values of the larger model's own thetas at which its formulas are the smaller's."""
    for values in product(NO_EFFECT, repeat=len(free)):
        own = dict(zip(free, values, strict=True))
        if _same_formulas(small, large, points, {**held, **own}):
            return own
    which = f", whatever of 0 and 1 {' and '.join(free)} may be" if free else ""
    raise NotShown(f"the formulas give other values{which}")


def _scattered(problem: Problem) -> Iterator[Vector]:
    """Yield thetas of a problem, scattered about the initial values within the bounds."""
    packing = problem.packing
    start = packing.initial()
    rng = np.random.default_rng(0)
    for _ in range(SCATTERED):
        x = start.copy()
        x[packing.theta_part] += rng.normal(size=len(packing.theta))
        yield packing.unpack(x).theta


def _same_formulas(
    small: Problem, large: Problem, points: list[Vector], others: Mapping[str, float]
) -> bool:
    """Tell whether all formulas agree on every row, at every point where they have values."""
    agreed = 0
    for theta in points:
        full = _thetas_of(large, small, theta, others)
        with np.errstate(all="ignore"):
            one, two = _by_row(small, theta), _by_row(large, full)
        if not np.all(np.isfinite(one)) or not np.all(np.isfinite(two)):
            continue
        if not np.allclose(one, two, rtol=SAME, atol=0.0):
            return False
        agreed += 1
    return agreed >= ENOUGH


def _thetas_of(
    large: Problem, small: Problem, theta: Vector, others: Mapping[str, float]
) -> Vector:
    """Thetas of the larger model: those of the smaller, and the others."""
    named = {**others, **dict(zip(small.theta_names, theta, strict=True))}
    return np.array([named[name] for name in large.theta_names])


def _check_effects(
    small: Problem,
    large: Problem,
    points: list[Vector],
    values: Mapping[str, float],
    restricted: set[str],
) -> None:
    """Refuse a theta of which nothing can be learnt where the smaller model is true."""
    moved = np.zeros(len(large.theta_names), dtype=bool)
    for theta in points:
        with np.errstate(all="ignore"):
            _, jacobian = large.typical(_thetas_of(large, small, theta, values))
        moved |= np.any(np.abs(np.nan_to_num(jacobian)) > 0.0, axis=(0, 1))
    for name, has_effect in zip(large.theta_names, moved, strict=True):
        if name in restricted and not has_effect:
            raise NotShown(f"theta {name} has no effect in the smaller model, at any value")


def _by_row(problem: Problem, theta: Vector) -> Vector:
    """Values of the structural parameters on every row of the data."""
    values = problem.typical_values(theta)
    return values if problem.varies else values[problem.dataset.subject]


# -- Omega --------------------------------------------------------------------------------------


def _omega(small: Model, large: Model) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Name the elements of the larger Omega that are held inside, at zero, and with these."""
    before, after = _entries(small), _entries(large)
    strangers = [entry for entry, (_, fixed) in before.items() if entry not in after]
    if strangers:
        raise NotShown(f"{_label(strangers[0])} is in the smaller model only")
    inside, boundary, at_zero = [], [], []
    for entry, (value, is_fixed) in after.items():
        occasion, p, q = entry
        absent = {x for x in (p, q) if (occasion, x, x) not in before}
        if entry in before:
            if _is_restricted(entry, before[entry], (value, is_fixed)):
                inside.append(_label(entry))
        elif is_fixed:
            raise NotShown(f"{_label(entry)} is fixed in the larger model and absent in the other")
        elif not absent:
            inside.append(_label(entry))
        elif p == q:
            boundary.append(_label(entry))
        else:
            at_zero.append(_label(entry))
    return tuple(inside), tuple(boundary), tuple(at_zero)


def _is_restricted(entry: Entry, before: tuple[float, bool], after: tuple[float, bool]) -> bool:
    """Tell whether the smaller model fixes what is free in the larger; refuse the contrary."""
    (value, is_held), (other, is_fixed) = before, after
    if is_fixed and not (is_held and value == other):
        raise NotShown(f"{_label(entry)} is fixed in the larger model, and not so in the other")
    return is_held and not is_fixed


def _entries(model: Model) -> dict[Entry, tuple[float, bool]]:
    """Elements of Omega with value and whether fixed."""
    out: dict[Entry, tuple[float, bool]] = {}
    for block in model.omega:
        out |= {entry: (value, block.fixed) for entry, value in _block_entries(block)}
    return out


def _block_entries(block: OmegaBlock) -> Iterator[tuple[Entry, float]]:
    for i, p in enumerate(block.parameters):
        for j, q in enumerate(block.parameters[: i + 1]):
            first, second = sorted((p, q))
            yield (block.occasion, first, second), block.matrix[i][j]


def _label(entry: Entry) -> str:
    occasion, p, q = entry
    kind = "occasion" if occasion else "omega"
    return f"{kind} {p}" if p == q else f"{kind} {p},{q}"


# -- residual error -----------------------------------------------------------------------------


def _residual(small: Residual, large: Residual) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the residual coefficients that are held inside, and those that are zero."""
    before, after = _coefficients(small), _coefficients(large)
    strangers = [name for name in before if name not in after]
    if strangers:
        raise NotShown(f"sigma {before[strangers[0]].name} is in the smaller model only")
    if small.combine != large.combine and {"additive", "slope"} <= set(before):
        raise NotShown("residual errors combine as variances in one and as SDs in the other")
    inside, boundary = [], []
    for slot, sigma in after.items():
        known = before.get(slot)
        if known is None and slot == "exponent":
            if "slope" not in before:
                raise NotShown("the exponent has no effect in the smaller model, at any value")
            known = Sigma(sigma.name, 1.0, fixed=True)
        if known is None:
            if sigma.fixed:
                raise NotShown(f"sigma {sigma.name} is fixed in the larger, absent in the smaller")
            boundary.append(f"sigma {sigma.name}")
        elif sigma.fixed and (known.init, known.fixed) != (sigma.init, True):
            raise NotShown(f"sigma {sigma.name} is fixed in the larger model, and not so in both")
        elif known.fixed and not sigma.fixed:
            inside.append(f"sigma {sigma.name}")
    return tuple(inside), tuple(boundary)


def _coefficients(residual: Residual) -> dict[str, Sigma]:
    """Coefficients by what they do: proportional is a power of exponent 1."""
    same = {"proportional": "slope", "power": "slope"}
    return {same.get(s.name, s.name): s for s in residual.sigmas}
