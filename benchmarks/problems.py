"""The benchmark problems: virtual data of known truth, made here with a fixed seed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pkmodel.models.model import Model, OmegaBlock, Residual, Sigma, Theta

TIMES = np.array([0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 30, 36, 48.0])


def infusion_data(subjects: int, times: np.ndarray = TIMES, seed: int = 7) -> pd.DataFrame:
    """Simulate a single 2 h infusion: CL and V correlated, proportional error. Virtual data."""
    rng = np.random.default_rng(seed)
    omega = np.array([[0.09, 0.03], [0.03, 0.06]])
    eta = rng.multivariate_normal(np.zeros(2), omega, subjects)
    cl = 4.0 * np.exp(eta[:, :1])
    v = 70.0 * np.exp(eta[:, 1:])
    k = cl / v
    amount, rate, stop = 1000.0, 500.0, 2.0
    on = np.minimum(times, stop)
    f = rate / cl * -np.expm1(-k * on) * np.exp(-k * (times - on))
    y = f * (1.0 + 0.15 * rng.normal(size=f.shape))
    rows = times.size + 1
    table = {
        "ID": np.repeat(np.arange(1, subjects + 1), rows),
        "TIME": np.tile(np.r_[0.0, times], subjects),
        "AMT": np.tile(np.r_[amount, np.zeros(times.size)], subjects),
        "RATE": np.tile(np.r_[rate, np.zeros(times.size)], subjects),
        "DV": np.column_stack([np.zeros(subjects), np.maximum(y, 1e-3)]).ravel(),
        "EVID": np.tile(np.r_[1, np.zeros(times.size, dtype=int)], subjects),
        "MDV": np.tile(np.r_[1, np.zeros(times.size, dtype=int)], subjects),
    }
    return pd.DataFrame(table)


def infusion_model(scale: float = 1.0) -> Model:
    """Return the model of the data, from starts that are wrong by `scale` to both sides."""
    return Model(
        structure="one_compartment",
        parameters={"CL": "cl", "V": "v"},
        theta=(
            Theta("cl", 2.0 * scale, lower=0.0),
            Theta("v", 150.0 / scale, lower=0.0),
        ),
        omega=(OmegaBlock(("CL", "V"), ((0.3, 0.01), (0.01, 0.3))),),
        residual=Residual((Sigma("proportional", 0.5),)),
    )
