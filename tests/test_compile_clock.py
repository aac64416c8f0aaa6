"""Seconds of compiling are told apart from those of the phase in which kernels are first needed."""

from __future__ import annotations

import time

import numpy as np

from pkmodel._jit import compile_clock, kernel
from pkmodel.fitting import _timed


@kernel
def _sum_of_squares(values: np.ndarray) -> float:
    total = 0.0
    for value in values:
        total += value * value
    return total


def test_compiling_inside_a_phase_counts_to_compile_and_only_once():
    """Whether it is compiled or found on disk; together both are no more than went by."""
    asleep, values = 0.05, np.arange(4.0)
    seconds = {"compile": 0.0}
    begin = time.perf_counter()
    with _timed(seconds, "optimise"):
        assert _sum_of_squares(values) == 14.0
        time.sleep(asleep)
    elapsed = time.perf_counter() - begin
    assert 0.0 < seconds["compile"] <= elapsed - asleep
    assert asleep <= seconds["optimise"] <= elapsed - seconds["compile"]
    with compile_clock() as clock:
        _sum_of_squares(values)
    assert clock.seconds == 0.0
