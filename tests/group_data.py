"""Simulated groups on infusions per m2 with known ratios; shares nothing with the package."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

NAMES = ("infant", "child", "adolescent")
SURFACE = {"infant": (0.25, 0.45), "child": (0.5, 0.9), "adolescent": (1.1, 1.9)}
STOP, RATE = 48.0, 600.0


def group_data(
    seed: int,
    n: Sequence[int],
    cl: Sequence[float],
    *,
    v: Sequence[float] = (3.5, 3.5, 3.5),
    spread: tuple[float, float] = (0.3, 0.2),
    residual: float = 0.15,
    times: Sequence[float] = (2.0, 8.0, 24.0, 47.0, 50.0, 53.0),
    surface: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Simulate groups of `n` subjects with typical `cl` (L/h/m2) and `v` (L/m2) of each.

    `spread` holds the SDs of log CL and log V; `surface` is the one BSA of each group, if given.
    """
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(len(n)), n)
    low, high = np.array([SURFACE[name] for name in NAMES]).T
    bsa = rng.uniform(low[code], high[code])
    if surface is not None:
        bsa = np.array(surface)[code]
    own_cl = np.array(cl)[code] * bsa * np.exp(spread[0] * rng.normal(size=code.size))
    own_v = np.array(v)[code] * bsa * np.exp(spread[1] * rng.normal(size=code.size))
    rows = []
    for i, (c, volume, size) in enumerate(zip(own_cl, own_v, bsa, strict=True)):
        k, rate = c / volume, RATE * size
        rows.append((i + 1, 0.0, rate * STOP, rate, np.nan, code[i], size, c))
        for t in times:
            on = min(t, STOP)
            f = rate / c * -np.expm1(-k * on) * np.exp(-k * (t - on))
            dv = f * np.exp(residual * rng.normal())
            rows.append((i + 1, t, 0.0, 0.0, dv, code[i], size, c))
    columns = ["ID", "TIME", "AMT", "RATE", "DV", "CODE", "BSA", "TRUE_CL"]
    return pd.DataFrame(rows, columns=columns)
