"""What stands over the panel of a population parameter."""

from __future__ import annotations

from pkmodel.bayes.prior_scale import DEVIATIONS


def parameter_title(name: str) -> str:
    """Name a parameter, and say of omega what of it is drawn.

    Examples
    --------
    >>> parameter_title("omega CL"), parameter_title("occasion CL,V"), parameter_title("theta cl")
    ('omega CL (variance)', 'occasion CL,V (covariance)', 'theta cl')
    """
    kind, _, of = name.partition(" ")
    if kind not in DEVIATIONS:
        return name
    return f"{name} ({'covariance' if ',' in of else 'variance'})"
