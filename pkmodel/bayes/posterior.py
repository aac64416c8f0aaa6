"""Draws from the posterior of a population model, as the sampler left them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

JOINT, MARGINAL = "joint", "marginal"


@dataclass(frozen=True)
class Cut:
    """What an interrupt left of the chains that were asked for.

    Attributes
    ----------
    kept : tuple of int
        Numbers of the chains that are kept, the first is 1.
    chains, draws : int
        Asked for; draws of each chain.
    """

    kept: tuple[int, ...]
    chains: int
    draws: int


@dataclass(frozen=True)
class Posterior:
    """Draws of the population parameters and the random effects.

    Draws count equally: where the sampler's target was an approximation, they have been drawn
    again in proportion to their importance weights, which are kept here for what they tell.

    Attributes
    ----------
    x : array (chains, draws, size)
        Packed population parameters.
    eta : array (chains, draws, subjects, effects)
        Random effects, those of `Problem.effects` in their order.
    sample_stats : mapping of str to array (chains, draws)
        What the sampler tells of each draw, by ArviZ's names: ``diverging``, ``lp``, ``n_steps``,
        ``tree_depth``, ``step_size``, ``energy``.
    target : str
        ``"joint"`` or ``"marginal"``.
    tune : int
        Draws of each chain that adapted the sampler.
    gradients : int
        Log densities and gradients that the sampler computed, tuning included, the search for a
        start not: `Estimate.evaluations` counts both.
    cpu_seconds : float
        That sampling took on all threads, tuning included, the search for a start not.
    centred : tuple of bool
        Which effects were sampled in centred coordinates; empty for the marginal target.
    weights : array (chains, draws) or None
        Normalised importance weights of the sampler's own draws, before they were drawn again;
        None where its target was exact.
    pareto_k : float or None
        Shape of the tail of the weights; below 0.7 they can be relied on.
    cut : Cut or None
        Of an interrupt before the last draw.
    alone : array (size,) or None
        Packed parameters where the likelihood alone, by FOCE-I and without priors, is largest.
    rise : float
        By how much its objective is larger where the posterior is highest.
    contradicted : mapping of str to str
        Warnings of the priors that the data contradict, by parameter.
    """

    x: Vector
    eta: Vector
    sample_stats: Mapping[str, NDArray[Any]]
    target: str = JOINT
    tune: int = 0
    gradients: int = 0
    cpu_seconds: float = 0.0
    centred: tuple[bool, ...] = ()
    weights: Vector | None = None
    pareto_k: float | None = None
    cut: Cut | None = None
    alone: Vector | None = None
    rise: float = 0.0
    contradicted: Mapping[str, str] = field(default_factory=dict)

    @property
    def divergences(self) -> int:
        """Kept draws whose trajectory left the region where the sampler can be trusted."""
        return int(np.sum(self.sample_stats["diverging"]))

    @property
    def efficiency(self) -> float | None:
        """Effective share of the weighted draws; None without weights."""
        if self.weights is None:
            return None
        return float(np.sum(self.weights) ** 2 / np.sum(self.weights**2) / self.weights.size)
