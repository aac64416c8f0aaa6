"""Whether there are data enough for what is to be estimated, judged before any fit."""

from __future__ import annotations

from pkmodel.definition import FULL_BAYES
from pkmodel.number import count
from pkmodel.problem import Problem

ONE = "one subject tells nothing of variances between subjects"


def unfittable(problem: Problem) -> list[str]:
    """Say why no fit can find what is asked of it; nothing where one may.

    Parameters
    ----------
    problem : Problem
        Its method matters: full Bayes has priors for what one subject does not tell.
    """
    out = []
    if problem.n_quantified == 0:
        out.append(
            f"all {problem.dataset.n_observations} observations are censored: nothing in the data "
            "says how large a concentration is; check CENS and lloq"
        )
    between = _between(problem)
    if problem.n_observed == 1 and between and problem.options.method != FULL_BAYES:
        out.append(
            f"{ONE} ({', '.join(between)}): keep them at what is known of people, such as "
            f"{between[0]} = {{ init = 0.1, fixed = true }} in [omega], or at next to nothing, "
            "init = 1e-6, to fit the thetas to this subject alone; evaluate gives its random "
            "effects by the initial values"
        )
    return out


def scarce_data(problem: Problem) -> list[str]:
    """Warn where estimates rest on something else than the data."""
    out = []
    between, is_bayes = _between(problem), problem.options.method == FULL_BAYES
    if problem.n_observed == 1 and between and is_bayes:
        out.append(f"{ONE} ({', '.join(between)}): their posterior is their prior")
    size = problem.packing.size
    if problem.n_counted < size:
        remedy = "most of what is found is the priors" if is_bayes else "fix some, or simplify"
        out.append(
            f"{count(problem.n_counted, 'observation')} for {count(size, 'parameter')}: the data "
            f"cannot tell as many; {remedy}"
        )
    return out


def _between(problem: Problem) -> list[str]:
    """Parameters with a variance between subjects that is estimated."""
    blocks = (b for b in problem.model.omega if not b.fixed and not b.occasion)
    return [name for block in blocks for name in block.parameters]
