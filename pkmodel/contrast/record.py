"""One comparison of one group with the reference: a row of contrasts.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from pkmodel.contrast.share import Share
from pkmodel.contrast.verdict import Verdict


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """A test that ratios are 1: deviance, number of ratios, p-value."""

    statistic: float
    df: int
    p_value: float


@dataclass(frozen=True)
class Contrast:
    """A ratio to the reference group, how sure it is, and what that means.

    Attributes
    ----------
    metric, group, reference : str
    kind : str
        Where the ratio is from: ``"individual"`` (estimates of each subject by the model),
        ``"noncompartmental"``, ``"model"`` (estimated inside the model), ``"posterior"`` (draws of
        each subject from a posterior), ``"posterior_model"`` (typical values at draws from a
        posterior), ``"summary"`` (published mean and SD).
    adjustment : str
        What the ratio is freed of: ``"none"``, ``"own rate"``, ``"BSA"``, ``"(WT/70)^0.75"``, or a
        formula of the model.
    ratio, lower, upper : float
        Of geometric means; of typical values for kinds ``"model"`` and ``"posterior_model"``. NaN
        where not known.
    level : float
        Of the interval.
    margin : (float, float)
    verdict : str
    p_value : float
        Of the two one-sided tests against the margin; NaN by draws from a posterior.
    p_holm : float
        The same, adjusted by Holm for all groups of this metric, kind and adjustment.
    interval : str
        How the interval is made; empty where there is none.
    n, n_reference : int
        Subjects that are in it.
    probability : float
        Posterior probability that the ratio lies inside the margin; NaN but by draws from a
        posterior.
    likelihood_ratio, likelihood_ratio_all : LikelihoodRatioTest or None
        That this ratio is 1, and that those of all groups are; kind ``"model"`` only.
    others : str
        What the model says of the other parameter meanwhile; kind ``"model"`` only.
    share : Share or None
        Of the group inside the reference's 5th to 95th percentiles.
    warnings : tuple of str
    """

    metric: str
    group: str
    reference: str
    kind: str
    adjustment: str
    ratio: float
    lower: float
    upper: float
    level: float
    margin: tuple[float, float]
    verdict: str
    p_value: float
    p_holm: float
    interval: str
    n: int
    n_reference: int
    probability: float = float("nan")
    likelihood_ratio: LikelihoodRatioTest | None = None
    likelihood_ratio_all: LikelihoodRatioTest | None = None
    others: str = ""
    share: Share | None = None
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the record with plain values: what is not known is None.

        Returns
        -------
        dict
        """
        return _plain(asdict(self))

    def with_warning(self, *texts: str) -> Contrast:
        """Return the same with more warnings."""
        return replace(self, warnings=(*self.warnings, *texts))

    def withheld(self, doubt: str) -> Contrast:
        """Return the same without what a fit says that is not to be used, and why."""
        unknown = float("nan")
        return replace(
            self,
            ratio=unknown,
            lower=unknown,
            upper=unknown,
            verdict=str(Verdict.INCONCLUSIVE),
            p_value=unknown,
            p_holm=unknown,
            interval="",
            share=None,
            warnings=(*self.warnings, f"no ratio of {self.metric}: {doubt}"),
        )


def _plain(entries: Mapping[str, object]) -> dict[str, object]:
    out: dict[str, object] = {}
    for name, value in entries.items():
        if isinstance(value, Mapping):
            out[name] = _plain(value)
        elif isinstance(value, tuple):
            out[name] = list(value)
        elif value == "" or (isinstance(value, float) and not np.isfinite(value)):
            out[name] = None
        else:
            out[name] = value
    return out
