"""Are exposure and clearance comparable between groups? All that answers it, of one fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from pkmodel.bayes.posterior import Posterior
from pkmodel.contrast.basis import (
    Basis,
    margin_basis,
    plateau_basis,
    reference_basis,
    steady_state_basis,
)
from pkmodel.contrast.comparison import Comparison, given_comparison
from pkmodel.contrast.group_shrinkage import group_shrinkage
from pkmodel.contrast.in_model import in_model_contrasts
from pkmodel.contrast.individual import individual_contrasts, noncompartmental_contrasts
from pkmodel.contrast.margin import DEFAULT_MARGIN
from pkmodel.contrast.posterior import PosteriorRatios, posterior_contrasts
from pkmodel.contrast.progress import Say, silent
from pkmodel.contrast.record import Contrast
from pkmodel.errors import ModelError
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.exposure.metric import METRICS
from pkmodel.exposure.noncompartmental import noncompartmental_table, sample_table
from pkmodel.exposure.plateau_rule import DEFAULT_RULE, PlateauRule
from pkmodel.exposure.summary import group_summary
from pkmodel.grouping import Groups
from pkmodel.problem import Problem
from pkmodel.published import published_beside
from pkmodel.subjects import Subjects
from pkmodel.suggestion import quoted, suggest

_UNTABULATED = frozenset(
    {
        "margin",
        "interval",
        "likelihood_ratio",
        "likelihood_ratio_all",
        "others",
        "share",
        "warnings",
    }
)

LEVEL = 0.90

NO_DRAWS = PosteriorRatios((), {})

NO_PRIORS = "by profile likelihood of the exact objective: the priors are not in it"

NO_RATIO = (
    "the posterior has no ratio inside the model: nothing that is estimated tells these groups "
    'apart; for one write a theta into the formula, such as CL = "cl * where(AGE < 2, ratio, 1)"'
)


@dataclass(frozen=True)
class Comparability:
    """Exposure by group, the contrasts with the reference group, and what was published.

    Attributes
    ----------
    groups : Groups
    reference : str
    margin : (float, float)
    level : float
        Asked for; each contrast says its own.
    multiplicity : str
    summary : DataFrame
        A row per group, metric and kind; see `group_summary`.
    contrasts : tuple of Contrast
    noncompartmental : DataFrame
        A row per subject.
    samples : DataFrame
        A row per observation: what the non-compartmental analysis did with it.
    both : DataFrame
        A row per subject and metric: by the model, non-compartmental, and the difference.
    rule : str
        How plateau samples were chosen.
    rests_on : tuple of Basis
        What was declared, and whether steady state was met.
    published : DataFrame
        Rows of published summaries of groups of these names; may be empty.
    units : dict of str to str
        By metric.
    bsa_source : str
    is_virtual : bool
    """

    groups: Groups
    reference: str
    margin: tuple[float, float]
    level: float
    multiplicity: str
    summary: pd.DataFrame
    contrasts: tuple[Contrast, ...]
    noncompartmental: pd.DataFrame
    samples: pd.DataFrame
    both: pd.DataFrame
    rule: str
    rests_on: tuple[Basis, ...]
    published: pd.DataFrame
    units: Mapping[str, str]
    bsa_source: str
    is_virtual: bool

    def table(self) -> pd.DataFrame:
        """Tabulate the contrasts, a row each.

        Returns
        -------
        DataFrame
            metric, group, reference, kind, adjustment, ratio, lower, upper, level, verdict,
            p_value, p_holm, n, n_reference, probability, warnings (joined).
        """
        names = [f.name for f in fields(Contrast) if f.name not in _UNTABULATED]
        rows = [
            {name: getattr(c, name) for name in names} | {"warnings": "; ".join(c.warnings)}
            for c in self.contrasts
        ]
        return pd.DataFrame(rows, columns=[*names, "warnings"])

    def checks(self) -> pd.DataFrame:
        """Tabulate what the verdicts rest on, a row each.

        Returns
        -------
        DataFrame
            check, mark (``"ok"``, ``"look"``, or ``"-"`` for nothing to check), finding.
        """
        rows = [(basis.name, basis.mark, basis.finding) for basis in self.rests_on]
        return pd.DataFrame(rows, columns=["check", "mark", "finding"])

    @property
    def assumed(self) -> tuple[str, ...]:
        """What was not declared, and was taken as usual."""
        declared = (b for b in self.rests_on if b.name in ("reference", "margin"))
        return tuple(text for basis in declared for text in basis.warning)

    def to_dict(self) -> dict[str, Any]:
        """Return what the comparison was asked, for programs and the report."""
        return {
            "title": self.groups.title,
            "names": list(self.groups.names),
            "source": self.groups.source,
            "reference": self.reference,
            "margin": list(self.margin),
            "level": self.level,
            "multiplicity": self.multiplicity,
            "rule": self.rule,
            "assumed": list(self.assumed),
            "units": dict(self.units),
            "bsa_source": self.bsa_source or None,
            "virtual": self.is_virtual,
        }

    def write(self, folder: Path) -> None:
        """Write groups.csv, contrasts.json, comparison.json and the non-compartmental tables."""
        self.summary.to_csv(folder / "groups.csv", index=False)
        _write_json(folder / "contrasts.json", [c.to_dict() for c in self.contrasts])
        _write_json(folder / "comparison.json", self.to_dict())
        self.noncompartmental.to_csv(folder / "noncompartmental.csv", index=False)
        self.samples.to_csv(folder / "samples.csv", index=False)
        self.published.to_csv(folder / "published.csv", index=False)


def _write_json(path: Path, document: object) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def asked_comparison(
    groups: Groups,
    *,
    reference: str | None = None,
    margin: Sequence[float] | None = None,
    level: float = LEVEL,
    multiplicity: str = "none",
) -> Comparison:
    """Check what is asked of groups, with what they declare, or what is usual.

    Parameters
    ----------
    groups : Groups
    reference, margin, level, multiplicity
        As for `compare_groups`.

    Returns
    -------
    Comparison

    Raises
    ------
    ModelError
        With every fault.
    """
    return given_comparison(
        groups.names,
        groups.code,
        reference=reference or groups.reference or _last(groups),
        margin=margin or groups.margin or DEFAULT_MARGIN,
        level=level,
        multiplicity=multiplicity,
    )


def compare_groups(
    problem: Problem,
    estimate: Estimate,
    subjects: Subjects,
    groups: Groups,
    exposure: pd.DataFrame,
    *,
    reference: str | None = None,
    margin: Sequence[float] | None = None,
    level: float = LEVEL,
    multiplicity: str = "none",
    rule: PlateauRule = DEFAULT_RULE,
    metrics: Sequence[str] | None = None,
    doubt: str = "",
    posterior: Posterior | None = None,
    say: Say = silent,
) -> Comparability:
    """Compare groups of subjects.

    Parameters
    ----------
    problem : Problem
    estimate : Estimate
    subjects : Subjects
    groups : Groups
    exposure : DataFrame
        Model-based, a row per subject.
    reference : str, optional
        Group that the others are compared with; that of `groups`, else the last one with
        subjects.
    margin : (low, high), optional
        Ratios that count as equivalent; those of `groups`, else 0.8 to 1.25.
    level : float
    multiplicity : str
    rule : PlateauRule
        Of the non-compartmental analysis.
    metrics : sequence of str, optional
        Those to compare; all that the data allow if absent.
    doubt : str
        Why the estimate is not to be used; then no ratio rests on it, and each row says why.
    posterior : Posterior, optional
        Draws, from which ratios are read as well.
    say : callable
        Told in a line how far the ratios inside the model have come.

    Returns
    -------
    Comparability

    Raises
    ------
    ModelError, DataError
        What is asked cannot be answered with these groups.
    """
    asked = asked_comparison(
        groups, reference=reference, margin=margin, level=level, multiplicity=multiplicity
    )
    structure, dataset = problem.structure, problem.dataset
    shrinkage = group_shrinkage(problem, estimate, asked)
    plain = noncompartmental_table(
        dataset, rule, bsa=subjects.bsa, weight=subjects.weight, structure=structure
    )
    steady, plateau = steady_state_basis(exposure), plateau_basis(plain)
    wanted = _given_metrics(metrics, [m for m in METRICS if m in exposure or m in plain])
    drawn = NO_DRAWS
    if posterior is not None:
        drawn = posterior_contrasts(
            problem, posterior, exposure, subjects, asked, shrinkage, wanted, doubt=doubt
        )
    inside = in_model_contrasts(
        problem, estimate, exposure, subjects, asked, metrics=wanted, doubt=doubt, say=say
    )
    units = {
        name: metric.unit(dataset.units, subjects.bsa is not None)
        for name, metric in METRICS.items()
    }
    return Comparability(
        groups=groups,
        reference=asked.names[asked.reference],
        margin=asked.margin.pair,
        level=level,
        multiplicity=multiplicity,
        summary=pd.concat(
            [
                group_summary(exposure, groups, "individual", wanted),
                group_summary(plain, groups, "noncompartmental", wanted),
            ],
            ignore_index=True,
        ),
        contrasts=_warned(
            (
                *individual_contrasts(exposure, asked, shrinkage, wanted, doubt=doubt),
                *noncompartmental_contrasts(plain, asked, wanted),
                *drawn.contrasts,
                *(inside if posterior is None else _beside_draws(inside, drawn)),
            ),
            steady.warning,
            plateau.warning,
        ),
        noncompartmental=plain,
        samples=sample_table(dataset, rule, structure=structure),
        both=side_by_side(exposure, plain, wanted),
        rule=str(rule),
        rests_on=(
            reference_basis(
                asked.names[asked.reference], is_declared=bool(reference or groups.reference)
            ),
            margin_basis(asked.margin.pair, is_declared=bool(margin or groups.margin)),
            steady,
            plateau,
        ),
        published=published_beside(groups.published, groups.names, units),
        units={name: units[name] for name in wanted if name in exposure},
        bsa_source=subjects.bsa_source,
        is_virtual=subjects.is_virtual,
    )


def _given_metrics(asked: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """Check what is to be compared; all that is known where nothing is asked for."""
    if asked is None:
        return list(known)
    if isinstance(asked, str):
        raise ModelError(f"expected a list of metrics: say metrics = [{quoted(asked)}]")
    problems = []
    for name in dict.fromkeys(asked):
        if name not in METRICS:
            problems.append(f"no metric {quoted(name)}; {suggest(str(name), METRICS, 'metrics')}")
        elif name not in known:
            problems.append(f"these data do not tell {name}; they tell {', '.join(known)}")
    if not asked:
        problems.append(f"no metric is asked for; the data tell {', '.join(known)}")
    if problems:
        raise ModelError(problems)
    return [name for name in METRICS if name in asked]


def _last(groups: Groups) -> str:
    present = [name for k, name in enumerate(groups.names) if (groups.code == k).any()]
    if not present:
        raise ModelError("no subject is in any group")
    return present[-1]


def _beside_draws(inside: Sequence[Contrast], drawn: PosteriorRatios) -> list[Contrast]:
    """Say of ratios by likelihood what they are without, and why the draws have none of their kind.

    A ratio that is adjusted by a formula of the model has no counterpart in the draws.
    """
    out = []
    for row in inside:
        texts = [NO_PRIORS]
        if row.group in drawn.untold.get(row.metric, ()):
            texts.append(NO_RATIO)
        out.append(row.with_warning(*texts))
    return out


def _warned(
    contrasts: Sequence[Contrast], by_model: tuple[str, ...], without: tuple[str, ...]
) -> tuple[Contrast, ...]:
    """Warn of a steady state that was not reached, by a model and without one."""
    out = []
    for c in contrasts:
        if c.kind == "noncompartmental":
            texts = without if c.metric != "HALF_LIFE" else ()
        else:
            texts = by_model if c.metric == "CSS" else ()
        out.append(c.with_warning(*texts) if texts else c)
    return tuple(out)


def side_by_side(
    exposure: pd.DataFrame, plain: pd.DataFrame, metrics: Iterable[str] = METRICS
) -> pd.DataFrame:
    """Put each subject's exposure by the model beside that without a model.

    Parameters
    ----------
    exposure, plain : DataFrame
        A row per subject, in the same order.
    metrics : iterable of str
        Those that both tables have are used.

    Returns
    -------
    DataFrame
        ID, METRIC, MODEL, NONCOMPARTMENTAL, DIFFERENCE (percent of the non-compartmental value).
    """
    parts = []
    for name in metrics:
        if name in exposure and name in plain:
            own, other = exposure[name].to_numpy(float), plain[name].to_numpy(float)
            parts.append(
                pd.DataFrame(
                    {
                        "ID": exposure["ID"],
                        "METRIC": name,
                        "MODEL": own,
                        "NONCOMPARTMENTAL": other,
                        "DIFFERENCE": 100.0 * (own / other - 1.0),
                    }
                )
            )
    columns = ["ID", "METRIC", "MODEL", "NONCOMPARTMENTAL", "DIFFERENCE"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
