"""Infusion regimens as data: doses by size or flat, with caps, steps, bags, pauses and flushes."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Step:
    """A rate of infusion from a time on.

    Attributes
    ----------
    start : float
        Hours after the start of the infusion.
    rate : float
        Amount per time of the data, per m2 or kg where it is by size.
    per : str
        ``"m2"``, ``"kg"``, or ``""`` for a flat dose.
    cap : float
        Highest rate, amount per time.
    weight : (float, float)
        Body weights (kg) that it is for, the upper one not included.
    """

    start: float
    rate: float
    per: str = ""
    cap: float = inf
    weight: tuple[float, float] = (0.0, inf)


@dataclass(frozen=True)
class Bags:
    """How the infusion is put up in bags, each a dose record of its own.

    Attributes
    ----------
    hours : tuple of float
        How long bags last.
    choice : str
        ``"in turn"``: one length after the other; ``"per subject"``: one length for each subject,
        drawn with equal chance; ``"per bag"``: drawn for each bag.
    """

    hours: tuple[float, ...]
    choice: str = "in turn"


@dataclass(frozen=True)
class Pauses:
    """Interruptions; the time is lost: the infusion stops when it was planned to.

    Attributes
    ----------
    planned : tuple of (float, float)
        Start (hours after that of the infusion) and length (hours), the same for everybody.
    mean : float
        Of the number of random ones in a subject, which is Poisson.
    hours : (float, float)
        Shortest and longest random pause; uniform. They begin at any time from the first hour on.
    """

    planned: tuple[tuple[float, float], ...] = ()
    mean: float = 0.0
    hours: tuple[float, float] = (4.0, 4.0)


@dataclass(frozen=True)
class Flush:
    """The content of the old bag's line, pushed into the subject at a change of bags.

    Attributes
    ----------
    hours : float
        What runs in this time is in the line.
    chance : float
        That it happens at a change.
    """

    hours: float
    chance: float


@dataclass(frozen=True)
class Regimen:
    """An infusion.

    Attributes
    ----------
    hours : float
        From start to stop.
    steps : tuple of Step
        In order of their start.
    bags : Bags or None
        None gives one dose record for each step.
    pauses : Pauses
    flush : Flush or None
    """

    hours: float
    steps: tuple[Step, ...]
    bags: Bags | None = None
    pauses: Pauses = Pauses()
    flush: Flush | None = None


@dataclass(frozen=True)
class Sampling:
    """When samples are drawn.

    Attributes
    ----------
    hours : tuple of float
        After the start of the infusion.
    spread : float
        Each of `hours` is met within so many hours, uniformly; the true time is recorded.
    after_stop : tuple of float
        Hours after the stop, met exactly.
    """

    hours: tuple[float, ...] = ()
    spread: float = 0.0
    after_stop: tuple[float, ...] = ()
