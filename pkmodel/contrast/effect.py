"""What the likelihood says of one ratio: its interval, its tests, and what it cannot say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pkmodel.contrast.group_effects import GroupEffects
from pkmodel.contrast.profile import BETTER, REACH, BetterFound, Profile
from pkmodel.contrast.record import LikelihoodRatioTest
from pkmodel.contrast.refit import refit
from pkmodel.errors import FitError

FLAT = 0.2
"""A ratio is not known where no signed root within reach exceeds this."""


@dataclass(frozen=True)
class Effect:
    """A ratio of a metric on the logarithmic scale; NaN where not known."""

    estimate: float
    lower: float
    upper: float
    p_value: float
    likelihood_ratio: LikelihoodRatioTest | None
    warnings: tuple[str, ...]


def read_effect(
    effects: GroupEffects, group: int, sign: int, margin: tuple[float, float], level: float
) -> Effect:
    """Read the ratio of a metric from the profile likelihood of its target's.

    Parameters
    ----------
    effects : GroupEffects
    group : int
    sign : int
        The metric's ratio is that of the target (1), or its inverse (-1).
    margin : (float, float)
        Logarithms of the margin of the metric.
    level : float

    Returns
    -------
    Effect
        What a refit that did not settle stood for is NaN, with a warning.

    Raises
    ------
    BetterFound
        The free fit has to start anew.
    """
    profile, threshold = effects.profiles[group], effects.threshold
    warnings: list[str] = []

    def tail(end: float, side: int) -> float:
        return threshold.tail(-side * sign * profile.root(sign * end))

    below = _tried("p-value", lambda: tail(margin[0], -1), warnings)
    above = _tried("p-value", lambda: tail(margin[1], 1), warnings)
    deviance = _tried("likelihood-ratio test", lambda: profile.deviance(0.0), warnings)
    lower = _tried("lower end", lambda: _end(profile, -1, sign, level), warnings)
    upper = _tried("upper end", lambda: _end(profile, 1, sign, level), warnings)
    estimate = sign * profile.estimate
    if np.isinf(lower) or np.isinf(upper):
        is_flat = bool(np.isinf(lower) and np.isinf(upper) and _is_flat(profile))
        estimate = float("nan") if is_flat else estimate
        warnings.append(_unbounded(profile, sign, lower, upper, is_flat=is_flat))
    return Effect(
        estimate=estimate,
        lower=lower if np.isfinite(lower) else float("nan"),
        upper=upper if np.isfinite(upper) else float("nan"),
        p_value=float(np.maximum(below, above)),
        likelihood_ratio=_test(effects, deviance, 1),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def test_of_all(effects: GroupEffects) -> tuple[LikelihoodRatioTest | None, str]:
    """Test that the ratios of all groups are 1.

    Returns
    -------
    test : LikelihoodRatioTest or None
    warning : str
        Why there is none; empty where there is one.

    Raises
    ------
    BetterFound
        The free fit has to start anew.
    """
    problem, best = effects.model.problem, effects.estimate
    names = problem.packing.names
    places = [names.index(f"theta {theta}") for theta in effects.model.ratios.values()]
    held = dict.fromkeys(effects.model.ratios.values(), 1.0)
    x = np.delete(best.x, places)
    try:
        found = refit(problem, held, x, best.final.terms.eta)
    except FitError as error:
        return None, f"no likelihood-ratio test of all groups: {error}"
    deviance = found.final.objective - best.final.objective
    if deviance < -BETTER:
        whole = np.zeros_like(best.x)
        whole[np.delete(np.arange(best.x.size), places)] = found.x
        raise BetterFound(whole, found.final.terms.eta)
    return _test(effects, deviance, len(places)), ""


def _test(effects: GroupEffects, deviance: float, df: int) -> LikelihoodRatioTest | None:
    if not np.isfinite(deviance):
        return None
    statistic = max(deviance, 0.0)
    return LikelihoodRatioTest(statistic, df, effects.threshold.p_value(statistic, df))


def _tried(what: str, compute: Callable[[], float], warnings: list[str]) -> float:
    """Compute a number; NaN and a warning where a refit for it does not settle."""
    try:
        return compute()
    except FitError as error:
        warnings.append(f"no {what}: {error}")
        return float("nan")


def _end(profile: Profile, side: int, sign: int, level: float) -> float:
    """Return an end of the metric's interval; infinite where none is within reach."""
    end = profile.end(sign * side, level)
    return side * np.inf if end is None else sign * end


def _is_flat(profile: Profile) -> bool:
    ends = (profile.estimate - REACH, profile.estimate + REACH)
    return all(abs(profile.root(end)) < FLAT for end in ends)


def _unbounded(profile: Profile, sign: int, lower: float, upper: float, *, is_flat: bool) -> str:
    """Say which ends the data do not tell, and what moves along with the ratio towards them."""
    sides = [(side, end) for side, end in ((-1, lower), (1, upper)) if np.isinf(end)]
    moving = [profile.companions(profile.estimate + sign * side * REACH) for side, _ in sides]
    names = ", ".join(dict.fromkeys(name for some in moving for name in some))
    apart = f": the data do not tell it apart from {names}" if names else ""
    if is_flat:
        return f"no ratio, for its likelihood is flat{apart}"
    ends = " and no ".join("lower end" if side < 0 else "upper end" for side, _ in sides)
    return f"no {ends} within a factor of {np.exp(REACH):.0f} of the estimate{apart}"
