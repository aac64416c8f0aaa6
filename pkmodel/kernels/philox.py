"""Counter-based random numbers: each is a function of a key and a counter, and of nothing before.

Philox 4x64 with ten rounds (Salmon, Moraes, Dror and Shaw 2011, 10.1145/2063384.2063405). A key
and a counter of four words give four words; whoever asks for the same counter gets the same
numbers, in whatever order and by however many threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import kernel
from pkmodel.kernels.types import Vector

Words = NDArray[np.uint64]
FourWords = tuple[np.uint64, np.uint64, np.uint64, np.uint64]

MULTIPLIER_0 = np.uint64(0xD2E7470EE14C6C93)
MULTIPLIER_1 = np.uint64(0xCA5A826395121157)
WEYL_0 = np.uint64(0x9E3779B97F4A7C15)
WEYL_1 = np.uint64(0xBB67AE8584CAA73B)
ROUNDS = 10
HALF = np.uint64(32)
LOW = np.uint64(0xFFFFFFFF)
SPARE_BITS = np.uint64(12)
UNIT = 2.0**-52


@kernel
def _high_product(a: np.uint64, b: np.uint64) -> np.uint64:
    """Upper word of the product of two words."""
    a0, a1 = a & LOW, a >> HALF
    b0, b1 = b & LOW, b >> HALF
    cross = a1 * b0 + ((a0 * b0) >> HALF)
    other = a0 * b1 + (cross & LOW)
    return a1 * b1 + (cross >> HALF) + (other >> HALF)


@kernel
def philox(key: Words, a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64) -> FourWords:
    """Return the four random words of a counter (a, b, c, d) under a key of two words."""
    k0, k1 = key[0], key[1]
    for _ in range(ROUNDS):
        high_0, low_0 = _high_product(MULTIPLIER_0, a), MULTIPLIER_0 * a
        high_1, low_1 = _high_product(MULTIPLIER_1, c), MULTIPLIER_1 * c
        a, b, c, d = high_1 ^ b ^ k0, low_1, high_0 ^ d ^ k1, low_0
        k0 = k0 + WEYL_0
        k1 = k1 + WEYL_1
    return a, b, c, d


@kernel
def uniform(word: np.uint64) -> float:
    """Map a random word to the middle of one of 2^52 parts of (0, 1)."""
    return (np.float64(word >> SPARE_BITS) + 0.5) * UNIT


@kernel
def normals(key: Words, block: int, b: np.uint64, c: np.uint64, d: np.uint64, out: Vector) -> int:
    """Write standard normal numbers, four for each block of the counter from `block` on.

    By the transformation of Box and Muller (1958, 10.1214/aoms/1177706645).

    Returns
    -------
    int
        The next unused block.
    """
    count = out.size
    for first in range(0, count, 4):
        words = philox(key, np.uint64(block), b, c, d)
        block += 1
        for k in range(2):
            at = first + 2 * k
            if at < count:
                radius = np.sqrt(-2.0 * np.log(uniform(words[2 * k])))
                angle = 2.0 * np.pi * uniform(words[2 * k + 1])
                out[at] = radius * np.cos(angle)
                if at + 1 < count:
                    out[at + 1] = radius * np.sin(angle)
    return block
