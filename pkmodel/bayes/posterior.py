"""Draws from the posterior of a population model, as the sampler left them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


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
        ``tree_depth``, ``step_size``.
    weights : array (chains, draws) or None
        Normalised importance weights of the sampler's own draws, before they were drawn again;
        None where its target was exact.
    pareto_k : float or None
        Shape of the tail of the weights; below 0.7 they can be relied on.
    """

    x: Vector
    eta: Vector
    sample_stats: Mapping[str, NDArray[np.generic]]
    weights: Vector | None = None
    pareto_k: float | None = None
