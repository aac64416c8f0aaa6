"""Bent coordinates: volume and slopes against differences, and skewness taken out."""

from __future__ import annotations

import numpy as np
import pytest

from pkmodel.bayes.skewness import third_derivatives
from pkmodel.kernels.bend import MOST, Bent, bend, bend_back, make_bent

STEP = 1e-6


def _bent(skew: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, float, Bent]:
    """Bend the coordinates of one subject."""
    w, bent = np.empty((z.size, 1)), make_bent(z.size, 1)
    return w[:, 0], bend(skew[..., None], z[:, None].copy(), w, bent), bent


def _bent_back(skew: np.ndarray, z: np.ndarray, bent: Bent, by_w: np.ndarray) -> np.ndarray:
    by_z = np.empty((z.size, 1))
    bend_back(skew[..., None], z[:, None].copy(), bent, by_w[:, None].copy(), by_z)
    return by_z[:, 0]


def _skew(n: int, size: float, seed: int) -> np.ndarray:
    """Any symmetric array (n, n, n) with entries up to `size`."""
    full = np.random.default_rng(seed).uniform(-size, size, size=(n, n, n))
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    return np.mean([full.transpose(order) for order in orders], axis=0)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_volume_and_slopes_are_those_of_the_map(n):
    """Central differences with step 1e-6; worst seen 5e-10 of the volume, 2e-9 of a slope."""
    rng = np.random.default_rng(n)
    units = STEP * np.eye(n)
    for seed in range(5):
        skew, z, by_w = _skew(n, MOST, seed), 3.0 * rng.normal(size=n), rng.normal(size=n)
        _, volume, kept = _bent(skew, z)
        up, down = ([_bent(skew, z + s * e)[:2] for e in units] for s in (1.0, -1.0))
        jacobian = np.array([(a[0] - b[0]) / (2 * STEP) for a, b in zip(up, down, strict=True)]).T
        assert np.log(np.linalg.det(jacobian)) == pytest.approx(volume, abs=1e-7)
        by_volume = np.array([(a[1] - b[1]) / (2 * STEP) for a, b in zip(up, down, strict=True)])
        by_z = _bent_back(skew, z, kept, by_w)
        np.testing.assert_allclose(by_z, by_w @ jacobian - by_volume, rtol=1e-6, atol=1e-7)


def test_the_map_is_one_to_one_however_skewed():
    z = np.linspace(-50.0, 50.0, 20_001)
    for own in (-MOST, MOST):
        skew = np.full((1, 1, 1), own)
        w = [_bent(skew, np.array([value]))[0][0] for value in z]
        assert np.all(np.diff(w) > 0.0)


def test_a_skewed_law_becomes_nearly_normal():
    """A log-gamma law of shape 20, whitened at its mode, has a skewness of 1 / sqrt(20) = 0.22.

    Its slopes in z stay within 0.11 of those of the normal law up to two deviations, those in w
    within 0.53; the square of the skewness times two deviations is 0.1.
    """
    shape = 20.0

    def slope(w: np.ndarray) -> np.ndarray:
        return np.sqrt(shape) * (np.exp(w / np.sqrt(shape)) - 1.0)

    skew = third_derivatives(lambda step: slope(step)[:, None], 1)[..., 0]
    assert skew[0, 0, 0] == pytest.approx(1.0 / np.sqrt(shape), rel=0.02)
    gaps, plain = [], []
    for value in np.linspace(-2.0, 2.0, 41):
        z = np.array([value])
        w, _, kept = _bent(skew, z)
        by_z = _bent_back(skew, z, kept, slope(w))
        gaps.append(abs(by_z[0] - value))
        plain.append(abs(slope(z)[0] - value))
    print("worst gap", max(gaps), "without", max(plain))
    assert max(gaps) < 0.12
    assert max(plain) > 0.4
