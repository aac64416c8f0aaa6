"""Exponential and logarithm by arithmetic alone, in loops over several numbers at a time.

A float is m 2^n; what x leaves over a whole n log 2 goes into Taylor's series (Cody and Waite
1980, Software Manual for the Elementary Functions).
"""

from __future__ import annotations

import math
import sys

import numpy as np

from pkmodel._jit import arithmetic_kernel, bits_of, float_of, kernel, vector_kernel
from pkmodel.kernels.types import Vector

PER_OCTAVE = 1.0 / math.log(2.0)
OCTAVE, REST_OF_OCTAVE = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""log 2 in two parts; the first ends in zeros, so that a whole number times it is exact."""

WHOLE = 1.5 * 2.0**52
"""Added to a number, leaves it rounded to a whole one, which stands in the last bits."""

MANTISSA_BITS, EXPONENT_OF_ONE = 52, 1023
MANTISSA = (1 << MANTISSA_BITS) - 1
ONE = EXPONENT_OF_ONE << MANTISSA_BITS

LEAST, MOST = sys.float_info.min, sys.float_info.max

BLOCK = 512
"""So many mantissas, each below 2, have a product that is a float."""

FARTHEST = 700.0
"""Exponentials of numbers up to this, of both signs, are ordinary floats."""

C_2, C_3, C_4, C_5, C_6, C_7, C_8, C_9, C_10, C_11, C_12, C_13 = (
    1.0 / math.factorial(k) for k in range(2, 14)
)


@arithmetic_kernel
def exponential(x: float) -> float:
    """Exponential of a number not beyond `FARTHEST`, within one unit in the last place."""
    shifted = x * PER_OCTAVE + WHOLE
    octaves = shifted - WHOLE
    r = (x - octaves * OCTAVE) - octaves * REST_OF_OCTAVE
    p = C_13
    p = p * r + C_12
    p = p * r + C_11
    p = p * r + C_10
    p = p * r + C_9
    p = p * r + C_8
    p = p * r + C_7
    p = p * r + C_6
    p = p * r + C_5
    p = p * r + C_4
    p = p * r + C_3
    p = p * r + C_2
    power = float_of((bits_of(shifted) + EXPONENT_OF_ONE) << MANTISSA_BITS)
    return float((1.0 + (r + r * r * p)) * power)


@vector_kernel
def _are_near(x: Vector) -> bool:
    """Tell whether no number is beyond `FARTHEST`."""
    others = 0
    for k in range(x.size):
        others += 0 if abs(x[k]) <= FARTHEST else 1
    return others == 0


@vector_kernel
def _near_exponentials(x: Vector) -> None:
    for k in range(x.size):
        x[k] = exponential(x[k])


@kernel
def exponentials(x: Vector) -> None:
    """Replace numbers by their exponentials."""
    if _are_near(x):
        _near_exponentials(x)
    else:
        for k in range(x.size):
            x[k] = np.exp(x[k])


@vector_kernel
def log_product(x: Vector) -> float:
    """Sum of the logarithms of an array, of positive numbers for which `is_ordinary`.

    Mantissas are multiplied, exponents added, and one logarithm is taken of many numbers.
    """
    total, exponents = 0.0, 0
    for begin in range(0, x.size, BLOCK):
        product = 1.0
        for k in range(begin, min(begin + BLOCK, x.size)):
            bits = bits_of(x[k])
            exponents += bits >> MANTISSA_BITS
            product *= float_of((bits & MANTISSA) | ONE)
        total += np.log(product)
    return float(total + (exponents - EXPONENT_OF_ONE * x.size) / PER_OCTAVE)


@vector_kernel
def is_ordinary(x: Vector) -> bool:
    """Tell whether all numbers are positive, not subnormal, finite."""
    others = 0
    for k in range(x.size):
        others += 0 if LEAST <= x[k] <= MOST else 1
    return others == 0
