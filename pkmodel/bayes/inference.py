"""Full Bayes: from a problem to draws from its posterior.

NUTS walks either over the joint density of population parameters and effects, or over that of the
population parameters alone, effects integrated out by Laplace, whose draws are then corrected.
Both walk in coordinates in which the posterior is nearly standard normal (see `find_anchor`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.anchor import Anchor, find_anchor
from pkmodel.bayes.coordinates import is_nearly_normal, known_effects
from pkmodel.bayes.correction import Corrected, correct
from pkmodel.bayes.diagnosis import Diagnosis, diagnose
from pkmodel.bayes.far_priors import contradicted_priors
from pkmodel.bayes.joint import JointTarget
from pkmodel.bayes.marginal import MarginalTarget
from pkmodel.bayes.posterior import JOINT, MARGINAL, Cut, Posterior
from pkmodel.bayes.prior import PackedPrior
from pkmodel.bayes.sampler import Chains, Settings, Told, sample
from pkmodel.bayes.skewness import bent
from pkmodel.estimate.bfgs import Ending
from pkmodel.estimate.covariance import Covariance
from pkmodel.estimate.maximum_likelihood import Estimate, Progress
from pkmodel.problem import Problem

Vector = NDArray[np.float64]

CHAINS, TUNE, DRAWS = 4, 100, 1000
"""Where no number is asked for."""

BOLD, CAREFUL = (0.7, 0.0), (0.8, 0.1)
"""Mean acceptance that steps are adapted to, and how they scatter about that: where the posterior
is nearly normal they may be so long that three of them turn round, and somewhat shorter ones would
take seven; in the neck of a funnel, and in the wide tails that few subjects leave, long ones end in
divergences."""

SAMPLED = "sampled"


@dataclass(frozen=True)
class Inference:
    """What full Bayes found.

    Attributes
    ----------
    estimate : Estimate
        At the posterior mean of the packed parameters.
    covariance : Covariance
        Of the draws.
    posterior : Posterior
    diagnosis : Diagnosis
    """

    estimate: Estimate
    covariance: Covariance
    posterior: Posterior
    diagnosis: Diagnosis


def infer(
    problem: Problem, progress: Progress | None = None, told: Told | None = None
) -> Inference | None:
    """Sample the posterior of a problem.

    Parameters
    ----------
    problem : Problem
    progress : callable, optional
        Told of the search of the highest point, as by `maximise`.
    told : callable, optional
        Told of the sampler, as by `sample`.

    Returns
    -------
    Inference or None
        None where the likelihood is not defined at the initial values.

    Raises
    ------
    KeyboardInterrupt
        Before any draws were kept.
    """
    prior = PackedPrior(problem.packing)
    anchor = find_anchor(problem, prior, progress)
    if anchor is None:
        return None
    sampler = SAMPLERS[target_of(problem, anchor)]
    posterior = sampler(problem, prior, anchor, told)
    return _inferred(problem, anchor, replace(posterior, alone=anchor.alone, rise=anchor.rise))


def target_of(problem: Problem, anchor: Anchor) -> str:
    """Name the density that is sampled: the one asked for, else what is the faster one.

    That is the joint one where the data tell of every effect and of its variance. Elsewhere the
    variance is the neck of a funnel, through which a walk over the effects creeps.
    """
    if problem.options.target is not None:
        return problem.options.target
    return JOINT if np.all(known_effects(problem, anchor)) else MARGINAL


def _settings(problem: Problem, steps: tuple[float, float]) -> Settings:
    options, (acceptance, jitter) = problem.options, steps
    return Settings(
        chains=options.chains or CHAINS,
        tune=options.tune or TUNE,
        draws=options.draws or DRAWS,
        seed=options.seed,
        acceptance=acceptance,
        jitter=jitter,
        cores=problem.threads,
    )


def _joint(problem: Problem, prior: PackedPrior, anchor: Anchor, told: Told | None) -> Posterior:
    target = bent(JointTarget(problem, prior, anchor))
    settings = _settings(problem, BOLD if is_nearly_normal(problem, anchor) else CAREFUL)
    chains = sample(target, settings, told)
    x, eta = target.effects(chains.vectors)
    centred = tuple(bool(c) for c in target.coordinates.centred)
    return Posterior(
        x,
        eta,
        chains.statistics,
        JOINT,
        settings.tune,
        chains.gradients,
        chains.cpu_seconds,
        centred,
        cut=chains.cut,
    )


def _marginal(problem: Problem, prior: PackedPrior, anchor: Anchor, told: Told | None) -> Posterior:
    target = MarginalTarget(problem, prior, anchor)
    settings = _settings(problem, CAREFUL)
    chains = sample(target, settings, told)
    corrected = correct(target, chains, problem.options.seed)
    statistics = {
        name: np.take_along_axis(values[corrected.chains], corrected.kept, axis=1)
        for name, values in chains.statistics.items()
    }
    return Posterior(
        corrected.x,
        corrected.eta,
        statistics,
        MARGINAL,
        settings.tune,
        chains.gradients,
        chains.cpu_seconds,
        (),
        corrected.weights,
        corrected.pareto_k,
        _cut(settings, chains, corrected),
    )


def _cut(settings: Settings, chains: Chains, corrected: Corrected) -> Cut | None:
    """Say what interrupts of sampler and correction left together."""
    if corrected.kept.shape == chains.vectors.shape[:2]:
        return chains.cut
    numbers = chains.cut.kept if chains.cut else range(1, settings.chains + 1)
    return Cut(tuple(numbers[k] for k in corrected.chains), settings.chains, settings.draws)


Sampler = Callable[[Problem, PackedPrior, Anchor, Told | None], Posterior]

SAMPLERS: dict[str, Sampler] = {JOINT: _joint, MARGINAL: _marginal}


def _inferred(problem: Problem, anchor: Anchor, posterior: Posterior) -> Inference:
    drawn = posterior.x.reshape(-1, posterior.x.shape[2])
    diagnosis = diagnose(problem, posterior)
    natural = diagnosis.natural.reshape(drawn.shape)
    mean = np.mean(drawn, axis=0)
    final = problem.evaluate(mean)
    covariance = Covariance(
        packed=np.cov(drawn, rowvar=False).reshape(2 * (mean.size,)),
        natural=np.cov(natural, rowvar=False).reshape(2 * (mean.size,)),
        source="posterior",
        condition_number=_condition(natural),
        boundary=(),
        flat=(),
        hessian=np.zeros((mean.size, mean.size)),
    )
    estimate = Estimate(
        x=mean,
        final=final,
        ending=str(Ending.INTERRUPTED) if posterior.cut else SAMPLED,
        decrease=float("nan"),
        cold_gap=0.0,
        evaluations=anchor.evaluations + posterior.gradients,
        starts=(),
        trace=[],
    )
    contradicted = contradicted_priors(problem, posterior, diagnosis)
    posterior = replace(posterior, contradicted=contradicted)
    return Inference(estimate, covariance, posterior, diagnosis)


def _condition(natural: Vector) -> float:
    """Ratio of the extreme eigenvalues of the correlation matrix of the draws."""
    values = np.linalg.eigvalsh(np.atleast_2d(np.corrcoef(natural, rowvar=False)))
    return float(values[-1] / values[0]) if values[0] > 0.0 else float("inf")
