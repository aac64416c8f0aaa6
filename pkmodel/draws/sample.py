"""Draws of population parameters and random effects, whatever law they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

CHAINS = 4
"""Chains of draws that no sampler made, so that ArviZ can compare them."""

DRAWS = 100
"""Draws of each chain where no number is asked for."""

POSTERIOR, ASYMPTOTIC, CONDITIONAL = "posterior", "asymptotic", "conditional"
PRIOR = "prior"

NOTES = {
    POSTERIOR: "draws from the posterior",
    PRIOR: "draws from the prior",
    ASYMPTOTIC: (
        "no posterior: population parameters drawn from the asymptotic normal law of their "
        "estimator on the packed scale, random effects from their conditional law given each draw"
    ),
    CONDITIONAL: (
        "no posterior: random effects drawn from their conditional law given the estimates, at "
        "which the population parameters are held"
    ),
}


@dataclass(frozen=True)
class Sample:
    """Draws that count equally.

    Attributes
    ----------
    kind : str
        ``"posterior"``, ``"asymptotic"``, ``"conditional"`` or ``"prior"``; `NOTES` says what each
        is.
    x : array (chains, draws, size)
        Packed population parameters.
    eta : array (chains, draws, subjects, effects)
        Random effects; NaN for a subject whose mode was not found.
    held : tuple of str
        Population parameters that were held at their estimates.
    redrawn : int
        Draws that were drawn again because the likelihood is not defined there.
    sample_stats : mapping of str to array (chains, draws)
        What a sampler tells of each draw; empty where there was none.
    number : array (draws,) or None
        Of each draw in its chain, where some are left out; None where they are counted from 0.
    """

    kind: str
    x: Vector
    eta: Vector
    held: tuple[str, ...] = ()
    redrawn: int = 0
    sample_stats: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    number: NDArray[np.int64] | None = None

    @property
    def note(self) -> str:
        """What the draws are."""
        return NOTES[self.kind]

    @property
    def shape(self) -> tuple[int, int]:
        """Chains and draws of each."""
        return self.x.shape[0], self.x.shape[1]

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Number of each draw in its chain."""
        return np.arange(self.shape[1]) if self.number is None else self.number

    def within(self, numbers: int, values: int, fewest: int) -> Sample:
        """Return evenly spaced draws that are so many numbers in all, with `values` of each.

        At least `fewest` of each chain, however many numbers these are.
        """
        return self.thinned(max(numbers // (self.shape[0] * max(values, 1)), fewest))

    def thinned(self, draws: int) -> Sample:
        """Return evenly spaced draws of each chain; all where there are no more."""
        there = self.shape[1]
        if draws >= there:
            return self
        kept = np.linspace(0, there - 1, draws).astype(np.int64)
        return replace(
            self,
            x=self.x[:, kept],
            eta=self.eta[:, kept],
            sample_stats={name: values[:, kept] for name, values in self.sample_stats.items()},
            number=self.numbers[kept],
        )
