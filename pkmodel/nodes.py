"""Nodes of the integrals over random effects: quadrature, and draws for importance sampling.

In units of the curvature at each subject's mode, see `kernels.quadrature`. Draws are made once from
the seed, so that the objective by them is a smooth function of the parameters without any noise of
its own ("common random numbers"): it is off by a Monte Carlo error, and the same for the same seed.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from pkmodel.kernels.terms import Nodes

REPLICATES = 4
"""Parts of the draws that are randomised independently; their spread tells the error."""

DEGREES = 4.0
"""Degrees of freedom of the proposal: tails so heavy that no weight can grow without bound."""

LEAST_SHARE = 0.1
"""A subject whose draws are worth less than this share of them is not integrated well; where the
integrand is near to normal they are worth some 0.9 for each effect, multiplied."""

MOST_NUMBERS = 2**22
"""Room for draws, in numbers; where subjects need more, some have the same ones."""

_BITS = 30


@lru_cache(maxsize=8)
def quadrature_nodes(order: int, n: int) -> Nodes:
    """Nodes of Gauss-Hermite quadrature in `n` effects, the same for every subject.

    Parameters
    ----------
    order : int
        Nodes in each effect.
    n : int
        Effects.

    Examples
    --------
    >>> quadrature_nodes(1, 2).z.shape
    (1, 1, 2)
    """
    points, weights = np.polynomial.hermite_e.hermegauss(order)
    shape = order**n, n
    z = np.array(list(product(points, repeat=n))).reshape(shape)
    shares = np.array(list(product(weights / np.sum(weights), repeat=n))).reshape(shape)
    log_weight = np.sum(np.log(shares) + 0.5 * z**2, axis=1)
    return Nodes(z[None], log_weight[None])


@lru_cache(maxsize=4)
def drawn_nodes(draws: int, n: int, subjects: int, seed: int) -> Nodes:
    """Draw from a product of Student's t with 4 degrees of freedom, another set for each subject.

    Each set is `REPLICATES` parts of a scrambled Sobol net, each with its own random digital
    shift, so that parts and sets are independent and every draw has exactly the law of the
    proposal (Owen 1998, 10.1006/jcom.1998.0487; L'Ecuyer and Lemieux 2002,
    10.1007/0-306-48102-2_20).

    Parameters
    ----------
    draws : int
        Of each subject; a multiple of 4 powers of two is the most even.
    n : int
        Effects.
    subjects : int
    seed : int

    Examples
    --------
    >>> drawn_nodes(100, 2, 12, 1).z.shape
    (12, 100, 2)
    """
    from scipy.special import stdtrit
    from scipy.stats import qmc  # slow to load, and only for these draws

    sets = max(1, min(subjects, MOST_NUMBERS // (draws * (n + 1))))
    parts = replicates(draws)
    part = np.arange(draws) * parts // draws
    inside = np.arange(draws) - np.searchsorted(part, part)
    rng = np.random.default_rng([seed, draws, n])
    longest = int(np.max(inside))
    net = qmc.Sobol(max(n, 1), bits=_BITS, rng=rng).random_base2(longest.bit_length())[:, :n]
    shift = rng.integers(2**_BITS, size=(sets, parts, n))
    digits = (net * 2.0**_BITS).astype(np.int64)[inside] ^ shift[:, part]
    z = stdtrit(DEGREES, (digits + 0.5) / 2.0**_BITS)
    log_density = np.sum(np.log(0.375) - 2.5 * np.log1p(0.25 * z**2), axis=2)
    log_weight = -log_density - 0.5 * n * np.log(2.0 * np.pi) - np.log(draws)
    return Nodes(z, log_weight)


def replicates(draws: int) -> int:
    """Parts of so many draws that are randomised independently."""
    return min(REPLICATES, draws)
