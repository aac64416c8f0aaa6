"""The log prior density on the packed vector, its exact gradient, and draws from it.

Priors are those of thetas, of standard deviations of effects, of their correlation matrices (LKJ)
and of residual coefficients, each on its own scale; the Jacobians of the packing are added. For a
row i (from 1) of the Cholesky factor of a block of size K, with standard deviation s, the standard
deviation times a row w of the factor of the correlations, the density in the packed row is

    p(s) w_ii^(K - i + 2 (lkj - 1)) (w_ii / s^(i - 1)) L_ii,      w_ii = L_ii / s,

up to the constant of the LKJ distribution (Lewandowski, Kurowicka and Joe 2009,
10.1016/j.jmva.2009.04.008); the first row has w_11 = 1.
"""

from __future__ import annotations

from math import exp, inf, isfinite, lgamma, log, log1p, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.default_priors import complete
from pkmodel.bayes.family import density, draw
from pkmodel.models.model import OmegaBlock, Theta
from pkmodel.models.prior import Prior, Priors
from pkmodel.packing import Packing

Vector = NDArray[np.float64]


def _theta_at(theta: Theta, x: float, scale: float) -> tuple[float, float, float, float]:
    """Return a theta, its slope in `x`, the logarithm of that slope, and the slope of this."""
    low, high = theta.lower, theta.upper
    if isfinite(low) and isfinite(high):
        share = 1.0 / (1.0 + exp(-x)) if x > -700.0 else 0.0
        slope = (high - low) * share * (1.0 - share)
        log_slope = log(high - low) - abs(x) - 2.0 * log1p(exp(-abs(x)))
        return low + (high - low) * share, slope, log_slope, 1.0 - 2.0 * share
    if isfinite(low):
        distance = exp(x)
        return low + distance, distance, x, 1.0
    if isfinite(high):
        distance = exp(-x)
        return high - distance, distance, -x, -1.0
    return x * scale, scale, log(scale), 0.0


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
        ones = np.ones(packing.size)
        self._scales: list[float] = packing.theta_slopes(ones).tolist()
        self._sigma_priors = [
            self.priors.sigma[model.residual.sigmas[i].name] for i in packing.sigma
        ]

        self._blocks = [
            (self._deviations(block), part)
            for block, part in zip(packing.blocks, packing.block_parts, strict=True)
        ]

    def _deviations(self, block: OmegaBlock) -> list[Prior]:
        table = self.priors.occasion if block.occasion else self.priors.omega
        return [table[p] for p in block.parameters]

    @property
    def lkj(self) -> float:
        """Shape of the LKJ distribution."""
        assert self.priors.lkj is not None
        return self.priors.lkj

    def __call__(self, x: Vector) -> tuple[float, Vector]:
        """Return the log density at a packed vector and its gradient.

        Returns
        -------
        value : float
            Normalised but for truncation at bounds and flat priors; -inf out of range.
        gradient : array (size,)
        """
        values: list[float] = x.tolist()
        gradient = [0.0] * len(values)
        try:
            value = self._thetas_into(values, gradient) + self._sigmas_into(values, gradient)
            for priors, part in self._blocks:
                value += self._block_into(priors, part.start, values, gradient)
        except (OverflowError, ZeroDivisionError, ValueError):
            return -inf, np.zeros(x.size)
        return value if isfinite(value) else -inf, np.array(gradient)

    def _thetas_into(self, x: list[float], gradient: list[float]) -> float:
        total = 0.0
        for k, (theta, prior) in enumerate(zip(self._thetas, self._theta_priors, strict=True)):
            value, slope, log_slope, by_x = _theta_at(theta, x[k], self._scales[k])
            log_density, by_value = density(prior, value)
            total += log_density + log_slope
            gradient[k] = by_value * slope + by_x
        return total

    def _sigmas_into(self, x: list[float], gradient: list[float]) -> float:
        total = 0.0
        for k, prior in enumerate(self._sigma_priors, start=self.packing.sigma_part.start):
            value = exp(x[k])
            log_density, by_value = density(prior, value)
            total += log_density + x[k]
            gradient[k] = by_value * value + 1.0
        return total

    def _block_into(
        self, priors: list[Prior], start: int, x: list[float], gradient: list[float]
    ) -> float:
        size = len(priors)
        total = 0.0
        for i, prior in enumerate(priors):
            first = start + i * (i + 1) // 2
            log_diagonal = x[first + i]
            square = exp(2.0 * log_diagonal)
            variance = square
            for k in range(first, first + i):
                variance += x[k] * x[k]
            deviation = sqrt(variance)
            log_density, slope = density(prior, deviation)
            total -= _row_constant(i, size, self.lkj)
            power = 0.0 if i == 0 else size - i - 1 + 2.0 * (self.lkj - 1.0) + 1.0
            total += log_density + (power + 1.0) * log_diagonal
            total -= (power + i) * 0.5 * log(variance)
            by_variance = 0.5 * (slope / deviation - (power + i) / variance)
            for k in range(first, first + i):
                gradient[k] = 2.0 * by_variance * x[k]
            gradient[first + i] = 2.0 * by_variance * square + power + 1.0
        return total

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
        for priors, _ in self._blocks:
            deviations = [draw(prior, rng, 0.0) for prior in priors]
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
