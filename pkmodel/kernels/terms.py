"""What the kernels of the marginal likelihood are told of the method, and what they write."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FO, CONDITIONAL, LAPLACE, NODES = 0, 1, 2, 3


class Nodes(NamedTuple):
    """Nodes of the integral over a subject's effects, see `quadrature`.

    Attributes
    ----------
    z : array (nodes of all sets, n)
    is_prior : array (nodes of all sets,)
        Whether `z` are the effects u themselves, drawn from their prior; else they are in units
        of the curvature at the mode.
    log_weight : array (nodes of all sets,)
        Of quadrature, or of each draw without the density of the proposal.
    first : array (sets + 1,)
        Where the nodes of each set begin.
    chosen : array
        Set of each subject; of subject i the i-th one modulo their number.
    is_drawn : bool
        Draws of the proposal instead of quadrature nodes.
    defensive : float
        Share of the prior in the proposal.
    """

    z: NDArray[np.float64]
    is_prior: NDArray[np.bool_]
    log_weight: NDArray[np.float64]
    first: NDArray[np.int64]
    chosen: NDArray[np.int64]
    is_drawn: bool
    defensive: float


class Method(NamedTuple):
    """How to integrate over the effects.

    Attributes
    ----------
    kind : int
        FO, CONDITIONAL (FOCE, FOCE-I), LAPLACE or NODES.
    interaction : bool
    is_cold : bool
        Nothing is known of the modes, so that more than one is looked for.
    tolerance : float
        Newton decrement at which a mode is found.
    nodes : Nodes
    """

    kind: int
    interaction: bool
    is_cold: bool
    tolerance: float
    nodes: Nodes


class Terms(NamedTuple):
    """What the kernel writes of each subject.

    Attributes
    ----------
    objective : array (subjects,)
    by_direction : array (subjects, m)
        Derivative in the directions that are no effects, and in the shift of the effects.
    by_sigma : array (subjects, 3)
    by_factor : array (subjects, n, n)
        Derivative in the lower triangle of L, Omega = L L': dOFV = sum(by_factor * dL).
    eta : array (subjects, n)
        Read as the start of the search, written as the mode.
    covariance : array (subjects, n, n)
        Inverse of the curvature in eta.
    deviation : array (subjects, replicates)
        How far the integral by each of so many equal parts of the nodes is from that by all,
        relative to it.
    share : array (subjects,)
        Effective number of nodes, as a share of their number; 1 without nodes.
    status : array (subjects,)
    """

    objective: NDArray[np.float64]
    by_direction: NDArray[np.float64]
    by_sigma: NDArray[np.float64]
    by_factor: NDArray[np.float64]
    eta: NDArray[np.float64]
    covariance: NDArray[np.float64]
    deviation: NDArray[np.float64]
    share: NDArray[np.float64]
    status: NDArray[np.int8]
