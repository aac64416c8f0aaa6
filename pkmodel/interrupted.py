"""What an interrupted fit is worth, in words."""

from __future__ import annotations

from pkmodel.bayes.posterior import Cut, Posterior
from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.method_name import METHOD_NAMES
from pkmodel.number import count
from pkmodel.problem import Problem

STOPPED = "Stopped from the keyboard"


def kept_by(method: str) -> str:
    """Say what a method keeps when it is interrupted."""
    return {"nuts": "the draws so far", "saem": "the last iteration"}.get(
        method, "the best point so far"
    )


def interrupted_advice(problem: Problem, estimate: Estimate, posterior: Posterior | None) -> str:
    """Say how far an interrupted fit had come, and that its estimates are provisional."""
    if posterior is not None and posterior.cut is not None:
        return _of_draws(posterior.cut, posterior.x.shape[1])
    if estimate.ending != Ending.INTERRUPTED:
        return (
            f"{STOPPED} before the standard errors, without which it is not known whether the "
            "search ended at an optimum: the estimates are provisional."
        )
    if estimate.sampling is not None:
        last = estimate.sampling.records[-1] if estimate.sampling.records else None
        where = "before the first iteration" if last is None else f"in the {last.phase} phase"
        iterations = count(estimate.sampling.iterations, "iteration")
        return (
            f"{STOPPED} after {iterations}, {where}: the estimates are those of the last "
            "iteration, not settled, and provisional."
        )
    return _of_search(problem, estimate)


def _of_draws(cut: Cut, length: int) -> str:
    return (
        f"{STOPPED} while sampling: {kept_draws(cut.kept, length)}, of {cut.chains} chains of "
        f"{cut.draws} draws that were asked for. The posterior is not finished: means, standard "
        "deviations and intervals are provisional."
    )


def _of_search(problem: Problem, estimate: Estimate) -> str:
    wanted, last = problem.options.method, estimate.trace[-1].likelihood
    search = f"the search by {METHOD_NAMES[last]}"
    if last != wanted:
        search += f", after which that by {METHOD_NAMES[wanted]} was to come"
    return (
        f"{STOPPED} after {count(estimate.evaluations, 'evaluation')}, in {search}: the estimates "
        "are the best point so far, no optimum, and provisional."
    )


def kept_draws(chains: tuple[int, ...], draws: int) -> str:
    """Say which chains have how many draws.

    Examples
    --------
    >>> kept_draws((1, 2, 4), 498)
    '498 draws of each of chains 1, 2 and 4'
    >>> kept_draws((3,), 1000)
    '1000 draws of chain 3'
    """
    if len(chains) == 1:
        return f"{draws} draws of chain {chains[0]}"
    first = ", ".join(str(k) for k in chains[:-1])
    return f"{draws} draws of each of chains {first} and {chains[-1]}"
