"""Nodes of the integrals over random effects: quadrature, and draws for importance sampling.

What they are nodes of is written in `kernels.quadrature`. Draws are made once from the seed, so
that the objective by them is a smooth function of the parameters without any noise of its own
("common random numbers"): it is off by a Monte Carlo error, and the same for the same seed.
"""

from __future__ import annotations

from functools import lru_cache, partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pkmodel.kernels.terms import Nodes

REPLICATES = 4
"""Parts of the draws, randomised independently; the objective without each tells the error."""

DEGREES = 4.0
"""Degrees of freedom of the proposal about the mode: heavier tails than those of the posterior."""

DEFENSIVE = 9
"""One of so many draws of each part is from the prior, which bounds all weights."""

LEAST_DRAWS = REPLICATES * DEFENSIVE
"""With fewer no part has a draw from the prior: weights have no bound, and no error is told."""

LEAST_SHARE = 0.1
"""A subject whose draws are worth less than this share of them is not integrated well; where the
integrand is near to normal they are worth some 0.9 for each effect, multiplied."""

MOST_NUMBERS = 2**22
"""Room for draws, in numbers; where subjects need more, some have the same ones."""

STRETCH = 0.3
"""Of the nodes of quadrature: z = sinh(STRETCH t) / STRETCH."""

_BITS = 30


def quadrature_nodes(orders: NDArray[np.int64], n: int) -> Nodes:
    """Make nodes of Gauss-Hermite quadrature in `n` effects, stretched in the tails.

    With few samples what is known of a subject is sharp about the mode and falls off like the
    prior, many deviations wide, which nodes for a normal integrand meet only by hundreds. So the
    rule integrates over t with z = sinh(s t) / s, s = 0.3: next to the mode as it was, and ever
    wider beyond. On virtual infusions of 1 to 10 samples 11 nodes then do what 31 to 81 plain ones
    do; the price is that a normal integrand has an error too, 2e-4 by 7 nodes and 1e-5 by 11.

    Parameters
    ----------
    orders : array
        Nodes in each effect, of every subject; of subject i the i-th one modulo their number.
    n : int
        Effects.

    Examples
    --------
    >>> quadrature_nodes(np.array([1, 3, 1]), 2).first
    array([ 0,  1, 10])
    """
    return _quadrature(np.asarray(orders, dtype=np.int64).tobytes(), n)


def order_in_words(least: int, most: int) -> str:
    """Say which orders of quadrature subjects have.

    Examples
    --------
    >>> order_in_words(7, 7), order_in_words(7, 15)
    ('order 7', 'orders 7 to 15')
    """
    return f"order {most}" if least == most else f"orders {least} to {most}"


@lru_cache(maxsize=8)
def _quadrature(orders: bytes, n: int) -> Nodes:
    """Lay out the rules of all different orders; whole numbers of 64 bits, as bytes."""
    different, chosen = np.unique(np.frombuffer(orders, dtype=np.int64), return_inverse=True)
    rules = [_rule(int(order), n) for order in different]
    z, log_weight = (np.concatenate(parts) for parts in zip(*rules, strict=True))
    return Nodes(
        z=z,
        is_prior=np.zeros(log_weight.size, dtype=bool),
        log_weight=log_weight,
        first=np.concatenate([[0], np.cumsum(different**n)]),
        chosen=chosen,
        is_drawn=False,
        defensive=0.0,
    )


@lru_cache(maxsize=32)
def _rule(order: int, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes, array (order^n, n), and log weights of a product rule."""
    t, weight = np.polynomial.hermite_e.hermegauss(order)
    log_weight = np.log(weight / np.sum(weight)) + 0.5 * t**2 + np.log(np.cosh(STRETCH * t))
    shape = order**n, n
    z = np.array(list(product(np.sinh(STRETCH * t) / STRETCH, repeat=n))).reshape(shape)
    return z, np.sum(np.array(list(product(log_weight, repeat=n))).reshape(shape), axis=1)


@lru_cache(maxsize=4)
def drawn_nodes(draws: int, n: int, subjects: int, seed: int) -> Nodes:
    """Draw for importance sampling, another set for each subject.

    Draws are from a product of Student's t with 4 degrees of freedom about the mode, and every
    ninth from the prior. Each set has `REPLICATES` parts, each two scrambled Sobol nets with
    random digital shifts of their own, so that parts and sets are independent and every draw has
    exactly the law of the proposal (Owen 1998, 10.1006/jcom.1998.0487; L'Ecuyer and Lemieux 2002,
    10.1007/0-306-48102-2_20).

    Parameters
    ----------
    draws : int
        Of each subject. The most even are 4 parts of a power of two and an eighth of it: 1152.
    n : int
        Effects.
    subjects : int
    seed : int

    Examples
    --------
    >>> drawn_nodes(100, 2, 12, 1).z.shape
    (1200, 2)
    """
    from scipy.special import ndtri, stdtrit  # slow to load, and only for these draws

    sets = max(1, min(subjects, MOST_NUMBERS // (draws * (n + 1))))
    parts = replicates(draws)
    part = np.arange(draws) * parts // draws
    inside = np.arange(draws) - np.searchsorted(part, part)
    length = draws // parts
    is_prior = (inside >= length - length // DEFENSIVE) & (inside < length)
    rng = np.random.default_rng([seed, draws, n])
    z = np.empty((sets, draws, n))
    for chosen, quantile in (
        (~is_prior, partial(stdtrit, DEGREES)),
        (is_prior, ndtri),
    ):
        z[:, chosen] = quantile(_uniform(part[chosen], sets, n, rng))
    return Nodes(
        z=z.reshape(-1, n),
        is_prior=np.tile(is_prior, sets),
        log_weight=np.full(sets * draws, -0.5 * n * np.log(2.0 * np.pi) - np.log(draws)),
        first=np.arange(sets + 1) * draws,
        chosen=np.arange(sets),
        is_drawn=True,
        defensive=float(np.mean(is_prior)),
    )


def _uniform(
    part: NDArray[np.int64], sets: int, n: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw points between 0 and 1, array (sets, draws, n): of each part the same net, shifted."""
    from scipy.stats import qmc  # slow to load

    inside = np.arange(part.size) - np.searchsorted(part, part)
    longest = int(np.max(inside, initial=0))
    net = qmc.Sobol(max(n, 1), bits=_BITS, rng=rng).random_base2(longest.bit_length())[:, :n]
    shift = rng.integers(2**_BITS, size=(sets, int(np.max(part, initial=0)) + 1, n))
    digits = (net * 2.0**_BITS).astype(np.int64)[inside] ^ shift[:, part]
    return np.asarray((digits + 0.5) / 2.0**_BITS)


def replicates(draws: int) -> int:
    """Parts of so many draws that are randomised independently."""
    return min(REPLICATES, draws)
