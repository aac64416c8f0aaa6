"""How many subjects a trial needs: the chance of the verdict "equivalent" by simulated trials.

Every virtual trial is analysed as a noncompartmental study would be: the metric of each subject
from its samples on the plateau, Welch's 90 % interval of the ratio of geometric means to the
reference group, and the verdict where all groups' intervals lie inside the margin. That all groups
are equivalent needs no correction for their number (intersection-union).

One set of simulated subjects serves every n: trial k with n per group is made of the first n
subjects of trial k in each group, so that the chance grows smoothly with n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.contrast.margin import Margin
from pkmodel.contrast.ratio import LogMoments, compare
from pkmodel.errors import FitError, Problem
from pkmodel.fitting import COMPILING, Progress
from pkmodel.prediction import is_cold
from pkmodel.simulate.group import simulate_group
from pkmodel.simulate.plateau import plateau_metric
from pkmodel.simulate.record import Trial

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEVEL = 0.9
FEWEST = 2
FIRST, MOST = 16, 256
"""Subjects per group that are simulated first, and at most; half as many more each time."""
ERRORS = 2.0
AT_ONCE = 20_000


@dataclass(frozen=True, eq=False)
class TrialPlan:
    """What `plan_trial` returns.

    Attributes
    ----------
    trial : Trial
        With the margin asked for.
    seed : int
    power : float
        The chance wanted.
    trials : int
        Simulated at every n.
    curve : DataFrame
        A row per n: n, chance (that all groups are equivalent to the reference), se (its Monte
        Carlo standard error), and ``chance of <group>`` for each single group.
    n : int or None
        The smallest n per group from which on the chance is reached; None if it is not up to the
        largest n of the curve.
    between : (int, int or None)
        The n at which the chance wanted is reached if all chances are `ERRORS` Monte Carlo
        standard errors higher, and lower.
    ratio : mapping of str to float
        Of geometric means to the reference, over all simulated subjects: the true ratio, but for
        Monte Carlo error.
    log_sd : mapping of str to float
        SD of the logarithm of the metric between subjects, by group.
    missing : mapping of str to float
        Share of subjects without a sample on the plateau, by group.
    """

    trial: Trial
    seed: int
    power: float
    trials: int
    curve: pd.DataFrame
    n: int | None
    between: tuple[int | None, int | None]
    ratio: Mapping[str, float]
    log_sd: Mapping[str, float]
    missing: Mapping[str, float]


def plan_trial(
    trial: Trial,
    power: float = 0.8,
    *,
    margin: Margin | None = None,
    trials: int = 1000,
    seed: int | None = None,
    progress: Progress | None = None,
) -> TrialPlan:
    """Find the number per group that gives a chance of the verdict "equivalent".

    Parameters
    ----------
    trial : Trial
        Its numbers per group are not used.
    power : float
        Chance wanted that all groups are found equivalent to the reference.
    margin, seed : optional
        Replace those of the trial.
    trials : int
        Simulated at every n.
    progress : callable, optional
        Told in a line what is being done.

    Returns
    -------
    TrialPlan

    Raises
    ------
    FitError
        There is one group only, nobody has a sample on the plateau, or what is asked makes no
        sense.
    """
    seed = trial.seed if seed is None else seed
    if margin is not None:
        trial = replace(trial, goal=replace(trial.goal, margin=margin))
    _check(trial, power, trials)
    logs = [np.empty((trials, 0)) for _ in trial.groups]
    size = FIRST
    say = progress or (lambda text: None)
    if is_cold():
        say(COMPILING)
    while True:
        say(f"simulating {trials} trials with up to {size} subjects per group")
        logs = [
            np.hstack([known, _simulate(trial, g, trials, known.shape[1], size, seed)])
            for g, known in enumerate(logs)
        ]
        curve, ratio = _curve(trial, logs), _ratios(trial, logs)
        reached = curve["chance"].iloc[-1] - ERRORS * curve["se"].iloc[-1] >= power
        if reached or size == MOST or _is_hopeless(trial, ratio):
            break
        size = min(size + size // 2, MOST)
    names = [group.name for group in trial.groups]
    return TrialPlan(
        trial,
        seed,
        power,
        trials,
        curve,
        _smallest(curve["n"], curve["chance"], power),
        (
            _smallest(curve["n"], curve["chance"] + ERRORS * curve["se"], power),
            _smallest(curve["n"], curve["chance"] - ERRORS * curve["se"], power),
        ),
        ratio,
        {name: float(np.nanstd(values)) for name, values in zip(names, logs, strict=True)},
        {name: float(np.mean(np.isnan(v))) for name, v in zip(names, logs, strict=True)},
    )


def chance_of(group: str) -> str:
    """Name the column that holds the chance of a single group."""
    return f"chance of {group}"


def _check(trial: Trial, power: float, trials: int) -> None:
    problems = []
    if len(trial.groups) < 2:
        problems.append(Problem("a trial of one group compares nothing; add a group", "[groups]"))
    if not 0.0 < power < 1.0:
        problems.append(Problem(f"{power:g} is no chance between 0 and 1, such as 0.8", "power"))
    if trials < 100:
        problems.append(Problem(f"{trials} are too few to know a chance; at least 100", "trials"))
    if problems:
        raise FitError(problems, str(trial.path or ""))


def _simulate(trial: Trial, index: int, trials: int, low: int, high: int, seed: int) -> Vector:
    """Logarithms of the metric of subjects low to high of every trial, (trials, high - low)."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, index, low)))
    count = trials * (high - low)
    parts = []
    for begin in range(0, count, AT_ONCE):
        group = simulate_group(trial, index, min(AT_ONCE, count - begin), rng)
        parts.append(np.log(plateau_metric(group, trial.goal.metric, trial.goal.rule)))
    values = np.concatenate(parts)
    if np.isnan(values).all():
        name = trial.groups[index].name
        raise FitError(
            f"nobody of {name} has a sample on the plateau ({trial.goal.rule}); sample later, or "
            "give a shorter time under [plan] settle",
            str(trial.path or ""),
        )
    return values.reshape(trials, high - low)


def _curve(trial: Trial, logs: Sequence[Vector]) -> pd.DataFrame:
    """Chance of the verdict at every n."""
    names = [group.name for group in trial.groups]
    moments = dict(zip(names, map(_nested_moments, logs), strict=True))
    reference = moments.pop(trial.goal.reference)
    margin = trial.goal.margin
    inside = {name: _is_inside(own, reference, margin) for name, own in moments.items()}
    chance = np.logical_and.reduce(list(inside.values())).mean(axis=0)
    trials, most = logs[0].shape
    table = {
        "n": np.arange(1, most + 1),
        "chance": chance,
        "se": np.sqrt(chance * (1.0 - chance) / trials),
        **{chance_of(name): found.mean(axis=0) for name, found in inside.items()},
    }
    return pd.DataFrame(table).iloc[FEWEST - 1 :].reset_index(drop=True)


def _is_inside(own: LogMoments, reference: LogMoments, margin: Margin) -> Bools:
    found = compare(own, reference, margin, LEVEL)
    return np.asarray((found.lower >= margin.low) & (found.upper <= margin.high))


def _nested_moments(values: Vector) -> LogMoments:
    """Moments of the first 1, 2, ... subjects of every trial; those without a value left out."""
    known = ~np.isnan(values)
    centre = np.nanmean(values)
    away = np.where(known, values - centre, 0.0)
    n = np.cumsum(known, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.cumsum(away, axis=1) / n
        variance = (np.cumsum(away**2, axis=1) - n * mean**2) / (n - 1)
    return LogMoments(n, centre + mean, np.where(n > 1, variance, np.nan))


def _ratios(trial: Trial, logs: Sequence[Vector]) -> dict[str, float]:
    """Ratios of geometric means to the reference over all simulated subjects."""
    means = {
        group.name: np.nanmean(values) for group, values in zip(trial.groups, logs, strict=True)
    }
    reference = means.pop(trial.goal.reference)
    return {name: float(np.exp(mean - reference)) for name, mean in means.items()}


def _is_hopeless(trial: Trial, ratio: Mapping[str, float]) -> bool:
    """Whether a true ratio is outside the margin, where more subjects make the chance smaller."""
    margin = trial.goal.margin
    return any(not margin.low < value < margin.high for value in ratio.values())


def _smallest(n: pd.Series[int], chance: pd.Series[float], power: float) -> int | None:
    """Return the n from which on a chance is reached."""
    short = np.flatnonzero((chance < power).to_numpy())
    first = int(short[-1]) + 1 if short.size else 0
    return int(n.iloc[first]) if first < n.size else None
