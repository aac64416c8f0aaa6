"""Chains and draws that are too few for the fit to pass its own checks, however well they mix."""

from __future__ import annotations

from pkmodel.bayes.inference import CHAINS, DRAWS
from pkmodel.models.model import Options
from pkmodel.number import count
from pkmodel.status import LEAST_CHAINS, SMALLEST_SIZE


def few_draws(options: Options) -> list[str]:
    """Warn where so few chains or draws are asked for that the draws will not count as enough.

    Parameters
    ----------
    options : Options
        Of full Bayes.

    Returns
    -------
    list of str

    Examples
    --------
    >>> few_draws(Options("nuts", chains=2, draws=100))[0].partition(":")[0]
    '2 chains of 100 draws give fewer than the 400 effective draws that each parameter needs'
    >>> few_draws(Options("nuts"))
    []
    """
    chains, draws = options.chains or CHAINS, options.draws or DRAWS
    out = []
    if chains * draws < SMALLEST_SIZE:
        out.append(
            f"{count(chains, 'chain')} of {count(draws, 'draw')} give fewer than the "
            f"{SMALLEST_SIZE:.0f} effective draws that each parameter needs: raise fit.draws"
        )
    if chains < LEAST_CHAINS:
        out.append(
            f"{count(chains, 'chain')} cannot tell whether chains agree, for R-hat takes "
            f"{LEAST_CHAINS}: raise fit.chains"
        )
    return out
