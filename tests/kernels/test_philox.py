"""Random numbers by counter against NumPy's generator of the same name, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from pkmodel._jit import allocating_kernel
from pkmodel.kernels.philox import normals, philox, uniform

KEY = np.array([7, 11], dtype=np.uint64)


@allocating_kernel
def _words(key, counter):
    out = np.zeros(4, dtype=np.uint64)
    words = philox(key, counter[0], counter[1], counter[2], counter[3])
    for k in range(4):
        out[k] = words[k]
    return out


@allocating_kernel
def _fill(key, count, out):
    for i in range(out.shape[0]):
        normals(key, 0, np.uint64(i), np.uint64(0), np.uint64(0), out[i, :count])


@allocating_kernel
def _uniform(words, out):
    for k in range(words.size):
        out[k] = uniform(words[k])


@pytest.mark.parametrize("seed", range(8))
def test_words_are_those_of_numpy(seed):
    """NumPy counts up before its first block."""
    rng = np.random.default_rng(seed)
    key = rng.integers(0, 2**64, 2, dtype=np.uint64)
    counter = rng.integers(0, 2**64, 4, dtype=np.uint64)
    before = counter.copy()
    before[0] -= np.uint64(1)
    expected = np.random.Philox(counter=before, key=key).random_raw(4)
    np.testing.assert_array_equal(_words(key, counter), expected)


def test_uniform_numbers_are_never_0_or_1():
    words = np.array([0, 2**64 - 1], dtype=np.uint64)
    found = np.zeros(2)
    _uniform(words, found)
    assert 0.0 < found[0] < 1e-15
    assert 1.0 - 1e-15 < found[1] < 1.0


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_normal_numbers_are_normal_and_independent(count):
    """Moments of 40,000 numbers, within 4.5 of their standard errors (7 numbers, 5 cases)."""
    out = np.zeros((40000, count))
    _fill(KEY, count, out)
    root = np.sqrt(len(out))
    assert np.all(np.abs(np.mean(out, axis=0)) < 4.5 / root)
    assert np.all(np.abs(np.mean(out**2, axis=0) - 1.0) < 4.5 * np.sqrt(2.0) / root)
    assert np.all(np.abs(np.mean(out**4, axis=0) - 3.0) < 4.5 * np.sqrt(96.0) / root)
    cross = out.T @ out / len(out)
    assert np.all(np.abs(cross[np.triu_indices(count, 1)]) < 4.5 / root)
    later = np.mean(out[1:] * out[:-1], axis=0)
    assert np.all(np.abs(later) < 4.5 / root)
