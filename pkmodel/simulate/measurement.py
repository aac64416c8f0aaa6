"""What the assay would report of a true concentration: with error, digits, and a limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.models.model import Residual

Vector = NDArray[np.float64]

DIGITS = 5


def measure(f: Vector, residual: Residual, rng: np.random.Generator) -> Vector:
    """Add residual error to concentrations.

    Parameters
    ----------
    f : array (n,)
    residual : Residual
        Initial values are taken as the truth.
    rng : numpy Generator

    Returns
    -------
    array (n,)
        To five digits.
    """
    sigma = {s.name: s.init for s in residual.sigmas}
    noise = rng.standard_normal(f.size)
    if "lognormal" in sigma:
        return _to_digits(f * np.exp(sigma["lognormal"] * noise))
    slope = sigma.get("proportional", sigma.get("power", 0.0)) * f ** sigma.get("exponent", 1.0)
    constant = sigma.get("additive", 0.0)
    sd = constant + slope if residual.combine == "sd" else np.hypot(constant, slope)
    return _to_digits(f + sd * noise)


def _to_digits(values: Vector) -> Vector:
    size = np.where(values == 0.0, 1.0, np.abs(values))
    scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(size)))
    return np.asarray(np.round(values * scale) / scale)


def censor(values: Vector, lloq: float | None) -> tuple[Vector, NDArray[np.int64]]:
    """Return reported values, those below the limit as the limit, and which these are."""
    if lloq is None:
        return values, np.zeros(values.size, dtype=np.int64)
    below = values < lloq
    return np.where(below, lloq, values), below.astype(np.int64)
