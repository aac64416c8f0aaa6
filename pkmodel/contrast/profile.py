"""The profile likelihood of one positive theta, and where it ends an interval.

The signed root of the deviance is nearly linear in the logarithm of a ratio, so that a few refits,
each from its neighbours' optimum, find the ends. All values here are logarithms of the theta.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pkmodel.contrast.progress import Say, silent
from pkmodel.contrast.refit import refit
from pkmodel.contrast.threshold import Threshold
from pkmodel.errors import FitError
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

REACH = float(np.log(100.0))
"""No end of an interval is sought farther from the estimate than this."""

CLOSE = 1e-4
"""An end is found where the signed root is as near as this to its quantile."""

NARROW = 1e-5
"""A bracket of this width has found it too, as far as the roots at its sides agree to..."""

SMALL_JUMP = 0.02
"""...this: the objective is as smooth as the modes of all subjects are."""

MOST_REFITS = 30

MOST_UNSETTLED = 2
"""Refits of a profile that fail before the others are searched from their neighbours alone."""

DECIMALS = 12
"""Of a value: refits at the same value, but for rounding, are one."""

BETTER = 1e-3
"""A refit with a theta held that is better by more than this shows that the free fit was not."""

FIRST_SPREAD = 0.2
"""Standard error of the logarithm that the first step takes for granted."""


class BetterFound(Exception):
    """A refit with a theta held is better than the free fit, which has to start anew from there."""

    def __init__(self, x: Vector, eta: Vector) -> None:
        super().__init__("the free fit was not the best one")
        self.x = x
        self.eta = eta


@dataclass(frozen=True)
class _Point:
    """A refit: where the theta is held, deviance and its signed root, the other parameters."""

    value: float
    deviance: float
    root: float
    x: Vector
    eta: Vector


class Profile:
    """Refits of a problem with one theta held, remembered, those that did not settle as well.

    Parameters
    ----------
    problem : Problem
    best : Estimate
        With the theta free.
    theta : str
        Its lower bound is 0, and it has no upper one.
    threshold : Threshold
    say : callable
        Told of each refit.
    """

    def __init__(
        self,
        problem: Problem,
        best: Estimate,
        theta: str,
        threshold: Threshold,
        say: Say = silent,
    ) -> None:
        self.problem = problem
        self.best = best
        self.theta = theta
        self.threshold = threshold
        self._say = say
        self._place = problem.packing.names.index(f"theta {theta}")
        self.estimate = round(float(best.x[self._place]), DECIMALS)
        x = np.delete(best.x, self._place)
        self._points = {self.estimate: _Point(self.estimate, 0.0, 0.0, x, best.final.terms.eta)}
        self._unsettled: dict[float, str] = {}

    def root(self, value: float) -> float:
        """Return the signed root of the deviance at a value: positive below the estimate.

        Raises
        ------
        FitError
            The refit did not settle.
        BetterFound
            It is better than the free fit.
        """
        return self._point(value).root

    def deviance(self, value: float) -> float:
        """Return what the objective at a value is above its minimum; raises as `root` does."""
        return self._point(value).deviance

    def companions(self, value: float) -> list[str]:
        """Name the thetas that move along with this one from the estimate to a value.

        Returns
        -------
        list of str
            Those whose packed value moves by more than a tenth of the way, farthest first.
        """
        there, here = self._point(value), self._points[self.estimate]
        names = np.delete(self.problem.packing.names, self._place)
        share = np.abs(there.x - here.x) / abs(value - self.estimate)
        order = np.argsort(-share, kind="stable")
        return [
            str(names[k]).removeprefix("theta ")
            for k in order
            if share[k] > 0.1 and str(names[k]).startswith("theta ")
        ]

    def end(self, side: int, level: float) -> float | None:
        """Find an end of the interval.

        Parameters
        ----------
        side : int
            -1 for the lower, 1 for the upper end.
        level : float

        Returns
        -------
        float or None
            None where there is none within `REACH` of the estimate.

        Raises
        ------
        FitError
            A refit did not settle, or the profile has a jump there.
        BetterFound
        """
        wanted = -side * self.threshold.quantile(level)
        for _ in range(MOST_REFITS):
            known = min(self._points.values(), key=lambda p: abs(p.root - wanted))
            if abs(known.root - wanted) < CLOSE:
                return known.value
            inner, outer = self._bracket(side, wanted)
            if outer is not None and abs(outer.value - inner.value) < NARROW:
                if abs(outer.root - inner.root) < SMALL_JUMP:
                    return outer.value
                break
            if outer is not None:
                value = self._between(inner, outer, wanted)
            elif abs(inner.value - self.estimate) < REACH - CLOSE:
                value = self._beyond(inner, side, wanted)
            else:
                return None
            self._point(value)
        raise FitError(f"the profile likelihood of {self.theta} has a jump near its interval's end")

    def _point(self, value: float) -> _Point:
        """Return the refit at a value, from memory or from its neighbours' optimum."""
        value = round(value, DECIMALS)
        if value in self._unsettled:
            raise FitError(self._unsettled[value])
        if value not in self._points:
            near = sorted(self._points.values(), key=lambda p: abs(p.value - value))[:2]
            x = near[0].x
            if len(near) == 2:
                share = (value - near[0].value) / (near[1].value - near[0].value)
                x = x + np.clip(share * (near[1].x - near[0].x), -0.3, 0.3)
            self._say(f"refit {len(self._points) + len(self._unsettled)}")
            held = {self.theta: float(np.exp(value))}
            try:
                found = refit(self.problem, held, x, near[0].eta, also_afar=not self._is_hopeless)
            except FitError as error:
                self._unsettled[value] = str(error)
                raise
            deviance = found.final.objective - self.best.final.objective
            if deviance < -BETTER:
                raise BetterFound(np.insert(found.x, self._place, value), found.final.terms.eta)
            root = float(np.sign(self.estimate - value)) * self.threshold.root(deviance)
            self._points[value] = _Point(value, deviance, root, found.x, found.final.terms.eta)
        return self._points[value]

    @property
    def _is_hopeless(self) -> bool:
        return len(self._unsettled) >= MOST_UNSETTLED

    def _bracket(self, side: int, wanted: float) -> tuple[_Point, _Point | None]:
        """Return the last point inside the interval and the first outside, going to one side."""
        points = [p for p in self._points.values() if side * (p.value - self.estimate) >= 0.0]
        points.sort(key=lambda p: side * p.value)
        for inner, outer in pairwise(points):
            if abs(outer.root) >= abs(wanted):
                return inner, outer
        return points[-1], None

    def _between(self, inner: _Point, outer: _Point, wanted: float) -> float:
        """Interpolate the value by the roots of the nearest points, inside the bracket."""
        points = sorted(self._points.values(), key=lambda p: abs(p.root - wanted))[:3]
        guess = _interpolated(points, wanted)
        low, high = sorted((inner.value, outer.value))
        if not low < guess < high:
            guess = _interpolated([inner, outer], wanted)
        room = 1e-3 * (high - low)
        return float(np.clip(guess, low + room, high - room))

    def _beyond(self, inner: _Point, side: int, wanted: float) -> float:
        """Step outwards, a little farther than the line through the estimate says."""
        others = [p for p in self._points.values() if p.root != 0.0]
        spread = FIRST_SPREAD
        if others:
            near = min(others, key=lambda p: abs(p.value - inner.value))
            spread = abs((near.value - self.estimate) / near.root)
        known = abs(inner.value - self.estimate)
        distance = float(np.clip(1.02 * spread * abs(wanted), 1.2 * known, 4.0 * known + 1.0))
        return self.estimate + side * min(distance, REACH)


def _interpolated(points: list[_Point], wanted: float) -> float:
    """Lagrange's polynomial of the value in the root, at the root that is wanted."""
    total = 0.0
    for p in points:
        others = [q for q in points if q is not p]
        with np.errstate(all="ignore"):
            weights = [np.divide(wanted - q.root, p.root - q.root) for q in others]
        total += p.value * float(np.prod(weights))
    return total
