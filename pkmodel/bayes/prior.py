"""The log prior density on the packed vector, its exact gradient, and draws from it.

Priors are those of thetas, of standard deviations of effects, of their correlation matrices (LKJ)
and of residual coefficients, each on its own scale; the Jacobians of the packing are added.
"""

from __future__ import annotations

from math import isfinite, lgamma, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.default_priors import complete
from pkmodel.bayes.family import draw, encode
from pkmodel.kernels.prior import Law, log_prior
from pkmodel.models.model import OmegaBlock
from pkmodel.models.prior import Prior, Priors
from pkmodel.packing import Packing

Vector = NDArray[np.float64]


def _row_constant(i: int, size: int, lkj: float) -> float:
    """Logarithm of the integral of row `i` (from 0) of an LKJ factor over the unit ball."""
    shape = lkj + 0.5 * (size - 1 - i)
    return 0.5 * i * log(pi) + lgamma(shape) - lgamma(shape + 0.5 * i)


class PackedPrior:
    """The prior of the packed vector of a model.

    Parameters
    ----------
    packing : Packing

    Attributes
    ----------
    priors : Priors
        One for every free parameter.
    """

    def __init__(self, packing: Packing) -> None:
        self.packing = packing
        self.priors: Priors = complete(packing.model)
        model = packing.model
        self._thetas = [model.theta[i] for i in packing.theta]
        self._theta_priors = [self.priors.theta[t.name] for t in self._thetas]
        self._sigma_priors = [
            self.priors.sigma[model.residual.sigmas[i].name] for i in packing.sigma
        ]
        self._blocks = [self._deviations(block) for block in packing.blocks]
        self.law = self._law()
        self._layout = packing.layout()

    def _deviations(self, block: OmegaBlock) -> list[Prior]:
        table = self.priors.occasion if block.occasion else self.priors.omega
        return [table[p] for p in block.parameters]

    @property
    def lkj(self) -> float:
        """Shape of the LKJ distribution."""
        assert self.priors.lkj is not None
        return self.priors.lkj

    def _law(self) -> Law:
        """Write the priors out for the kernel."""
        deviations = [prior for block in self._blocks for prior in block]
        coded = [encode(p) for p in (*self._theta_priors, *deviations, *self._sigma_priors)]
        rows, powers = [], []
        constant = sum(found[2] for found in coded)
        for block, part in zip(self._blocks, self.packing.block_parts, strict=True):
            for i in range(len(block)):
                rows.append((part.start + i * (i + 1) // 2, i))
                powers.append(0.0 if i == 0 else len(block) - i + 2.0 * (self.lkj - 1.0))
                constant -= _row_constant(i, len(block), self.lkj)
        return Law(
            family=np.array([found[0] for found in coded], dtype=np.int64),
            numbers=np.array([found[1] for found in coded], dtype=float).reshape(-1, 3),
            row=np.array(rows, dtype=np.int64).reshape(-1, 2),
            power=np.array(powers, dtype=float),
            constant=constant,
        )

    def __call__(self, x: Vector) -> tuple[float, Vector]:
        """Return the log density at a packed vector and its gradient.

        Returns
        -------
        value : float
            Normalised but for truncation at bounds and flat priors; -inf out of range.
        gradient : array (size,)
        """
        gradient = np.zeros(x.size)
        value = log_prior(self.law, self._layout, x, gradient)
        return value, gradient if isfinite(value) else np.zeros(x.size)

    def draw(self, rng: np.random.Generator) -> Vector:
        """Draw a packed vector.

        Raises
        ------
        ValueError
            A prior is flat where the parameter has not two bounds.
        """
        thetas = [
            draw(prior, rng, t.lower, t.upper)
            for t, prior in zip(self._thetas, self._theta_priors, strict=True)
        ]
        factors = []
        for block in self._blocks:
            deviations = [draw(prior, rng, 0.0) for prior in block]
            factors.append(
                np.array(deviations)[:, None] * draw_correlations(len(deviations), self.lkj, rng)
            )
        sigmas = [draw(prior, rng, 0.0) for prior in self._sigma_priors]
        return self.packing.pack(thetas, factors, sigmas)


def draw_correlations(size: int, lkj: float, rng: np.random.Generator) -> Vector:
    """Draw the Cholesky factor of a correlation matrix from the LKJ distribution.

    Row by row: the squared length of what is off the diagonal has a beta distribution, and its
    direction is uniform (the onion method of Lewandowski, Kurowicka and Joe 2009).
    """
    lower = np.zeros((size, size))
    lower[0, 0] = 1.0
    for i in range(1, size):
        square = rng.beta(0.5 * i, lkj + 0.5 * (size - 1 - i))
        direction = rng.normal(size=i)
        lower[i, :i] = sqrt(square) * direction / np.linalg.norm(direction)
        lower[i, i] = sqrt(1.0 - square)
    return lower
