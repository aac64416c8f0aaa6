"""Models on which SAEM must find what quadrature finds. Virtual data of known truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pkmodel.models.model import Model, OmegaBlock, Residual, Sigma, Theta

TIMES = np.array([0.5, 2.0, 5.0, 12.0, 24.0, 36.0])


def infusions(
    subjects: int,
    times: np.ndarray = TIMES,
    *,
    spread_v: float = 0.25,
    occasions: int = 1,
    seed: int = 11,
) -> pd.DataFrame:
    """Simulate infusions of 2 h: CL and V of each subject, CL of each occasion besides."""
    rng = np.random.default_rng(seed)
    parts = []
    for subject in range(subjects):
        eta = rng.normal(size=2) * [0.3, spread_v]
        weight = rng.uniform(5.0, 60.0)
        for occasion in range(occasions):
            cl = 4.0 * (weight / 20.0) ** 0.5 * np.exp(eta[0])
            if occasions > 1:
                cl *= np.exp(0.2 * rng.normal())
            v = 70.0 * np.exp(eta[1])
            k = cl / v
            on = np.minimum(times, 2.0)
            f = 500.0 / cl * -np.expm1(-k * on) * np.exp(-k * (times - on))
            count = times.size
            parts.append(
                pd.DataFrame(
                    {
                        "ID": f"S{subject}",
                        "OCC": occasion + 1,
                        "TIME": 240.0 * occasion + np.r_[0.0, times],
                        "AMT": np.r_[1000.0, np.zeros(count)],
                        "RATE": np.r_[500.0, np.zeros(count)],
                        "DV": np.r_[0.0, np.maximum(f * (1 + 0.15 * rng.normal(size=count)), 1e-3)],
                        "EVID": np.r_[1, np.zeros(count, dtype=int)],
                        "MDV": np.r_[1, np.zeros(count, dtype=int)],
                        "WT": weight * (1.0 + 0.01 * np.r_[0.0, times]),
                        "W0": weight,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def censor(data: pd.DataFrame, share: float) -> pd.DataFrame:
    """Censor the lowest observations at one limit."""
    seen = data["MDV"] == 0
    limit = data.loc[seen, "DV"].quantile(share)
    is_low = seen & (data["DV"] < limit)
    return data.assign(CENS=is_low.astype(int), DV=data["DV"].where(~is_low, limit))


RICH = Model(
    structure="one_compartment",
    parameters={"CL": "cl * (W0 / 20)**b", "V": "v"},
    theta=(Theta("cl", 2.0, lower=0.0), Theta("v", 120.0, lower=0.0), Theta("b", 0.0)),
    omega=(OmegaBlock(("CL", "V"), ((0.3, 0.01), (0.01, 0.3))),),
    residual=Residual((Sigma("proportional", 0.4),)),
)


@dataclass(frozen=True)
class Case:
    """A model, its data, and what the case is about."""

    model: Model
    data: Callable[[], pd.DataFrame]


CASES = {
    "covariate": Case(RICH, lambda: infusions(40)),
    "no effect on V": Case(
        replace(RICH, omega=(OmegaBlock(("CL",), ((0.3,),)),)),
        lambda: infusions(40, spread_v=0.0),
    ),
    "M3": Case(RICH, lambda: censor(infusions(40), 0.3)),
    "no effect on V, M3": Case(
        replace(RICH, omega=(OmegaBlock(("CL",), ((0.3,),)),)),
        lambda: censor(infusions(40, spread_v=0.0), 0.3),
    ),
    "sparse": Case(RICH, lambda: infusions(120, np.array([2.0, 8.0, 30.0]))),
    "covariate in time": Case(
        replace(RICH, parameters={"CL": "cl * (WT / 20)**b", "V": "v"}), lambda: infusions(40)
    ),
    "two coefficients": Case(
        replace(RICH, residual=Residual((Sigma("additive", 0.3), Sigma("proportional", 0.3)))),
        lambda: infusions(40),
    ),
    "exponent": Case(
        replace(RICH, residual=Residual((Sigma("power", 0.3), Sigma("exponent", 0.8)))),
        lambda: infusions(40),
    ),
    "lognormal error": Case(
        replace(RICH, residual=Residual((Sigma("lognormal", 0.4),))), lambda: infusions(40)
    ),
    "normal CL": Case(
        replace(
            RICH,
            distribution={"CL": "normal"},
            omega=(OmegaBlock(("CL",), ((1.0,),)), OmegaBlock(("V",), ((0.3,),))),
        ),
        lambda: infusions(40),
    ),
    "fixed block and theta": Case(
        replace(
            RICH,
            theta=(Theta("cl", 2.0, lower=0.0), Theta("v", 70.0, fixed=True), Theta("b", 0.0)),
            omega=(
                OmegaBlock(("CL",), ((0.09,),), fixed=True),
                OmegaBlock(("V",), ((0.3,),)),
            ),
        ),
        lambda: infusions(40),
    ),
}
OCCASIONS = Case(
    replace(
        RICH,
        omega=(
            OmegaBlock(("CL",), ((0.3,),)),
            OmegaBlock(("CL",), ((0.1,),), occasion=True),
        ),
    ),
    lambda: infusions(40, occasions=2, spread_v=0.0),
)
"""With two occasions: three effects, which quadrature still manages."""
