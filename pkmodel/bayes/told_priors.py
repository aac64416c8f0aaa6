"""The priors of a model in words: of which parameter, which distribution, declared or default."""

from __future__ import annotations

from dataclasses import dataclass

from pkmodel.bayes.default_priors import complete, has_correlations
from pkmodel.models.model import Model
from pkmodel.models.prior import Priors


@dataclass(frozen=True)
class ToldPrior:
    """A prior in words.

    Attributes
    ----------
    name : str
        Of its parameter: ``theta <name>``, ``sd of omega <parameter>``,
        ``sd of occasion <parameter>``, ``sigma <name>``, ``correlations``.
    text : str
        Its family with its numbers, on the parameter's own scale.
    is_default : bool
        The definition declares none.
    """

    name: str
    text: str
    is_default: bool


def told_priors(model: Model) -> list[ToldPrior]:
    """Say the prior of every free parameter of a model.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of ToldPrior

    Examples
    --------
    >>> import pkmodel as pk
    >>> for told in told_priors(pk.read_definition("phenobarbital").model)[2:4]:
    ...     print(told.name, "~", told.text, told.is_default)
    theta v_apgr ~ normal(mean 0.1, sd 5) True
    sd of omega CL ~ half-normal(scale 1) True
    """
    declared, used = model.priors or Priors(), complete(model)
    out = [
        ToldPrior(name, str(prior), name not in declared.by_name)
        for name, prior in used.by_name.items()
    ]
    if has_correlations(model):
        out.append(ToldPrior("correlations", f"LKJ({used.lkj:g})", declared.lkj is None))
    return out
