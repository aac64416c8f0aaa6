"""What a definition and its data say, and what is shipped: the texts of ``check`` and ``list``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pkmodel.bayes.far_priors import excluded_priors
from pkmodel.bayes.inference import CHAINS, DRAWS, TUNE
from pkmodel.bayes.told_priors import told_priors
from pkmodel.dataset import Dataset
from pkmodel.definition import FULL_BAYES, Definition
from pkmodel.diagnostics.individuals import individual_parameters
from pkmodel.diagnostics.too_few_data import unfittable
from pkmodel.errors import FitError
from pkmodel.errors import Problem as Fault
from pkmodel.formula import parse_formula
from pkmodel.formula.block_check import argument_ranges
from pkmodel.formula.syntax import BlockUse
from pkmodel.marks import MARKS
from pkmodel.models.model import Model, OmegaBlock, Options
from pkmodel.number import count
from pkmodel.posterior_text import PRIORS, prior_lines
from pkmodel.problem import Problem
from pkmodel.result import Fit
from pkmodel.shipped import shipped_data, shipped_fits, shipped_folder, shipped_trials

Vector = NDArray[np.float64]


def overview(definition: Definition, evaluation: Fit) -> RenderableType:
    """Say what was understood of a definition and its data.

    Parameters
    ----------
    definition : Definition
    evaluation : Fit
        The definition evaluated at its initial values.

    Raises
    ------
    FitError
        A fit would be refused, for the data cannot tell what is to be estimated, or the bounds
        leave nothing of a prior.
    """
    faults: list[str | Fault] = [*unfittable(evaluation.problem), *_excluded(definition)]
    if faults:
        raise FitError(faults, str(definition.path or ""))
    data, model = evaluation.problem.dataset, definition.model
    blocks = [
        Text(definition.title or "Untitled fit", style="bold"),
        _grid(
            [
                *_data_lines(evaluation.problem),
                *_subject_lines(evaluation),
                ("ranges", _ranges(evaluation)),
            ]
        ),
        _covariates(data, model),
        _grid(_model_lines(definition, evaluation)),
        _structural(evaluation),
        *_blocks(data, model),
        _thetas(model),
        *_priors(definition),
    ]
    if evaluation.warnings:
        blocks.append(Group(*(Text(f"- {text}", style="yellow") for text in evaluation.warnings)))
    spaced = [part for block in blocks for part in (block, Text(""))]
    return Group(*spaced, Text("In order; nothing was fitted.", style="green"))


def shipped_overview() -> RenderableType:
    """Tabulate the shipped fit definitions, data sets and trials."""
    fits, trials = (
        [(name, _title(path.read_text(encoding="utf-8"))) for name, path in shipped.items()]
        for shipped in (shipped_fits(), shipped_trials())
    )
    data = [
        (name, entry.title, ", ".join(entry.units.values()) or "in each row", entry.kind)
        for name, entry in shipped_data().items()
    ]
    return Group(
        _table(("fit definition", "title"), fits),
        Text(f"in {shipped_folder('fits')}", style="dim"),
        Text(""),
        _table(("data set", "title", "units", "kind"), data),
        Text(f"in {shipped_folder('data')}", style="dim"),
        Text(""),
        _table(("trial", "title"), trials),
        Text(f"below {shipped_folder('data')}", style="dim"),
    )


def _title(definition: str) -> str:
    return str(tomllib.loads(definition).get("title", ""))


# -- data ---------------------------------------------------------------------------------------


def _data_lines(problem: Problem) -> list[tuple[str, str]]:
    data = problem.dataset
    units = data.units
    declared = (
        f"time {units.time}, amount {units.amount}, concentration {units.concentration}; "
        f"volume {units.volume}, clearance {units.clearance}; "
        f"concentration = amount / volume x {units.scale:g}"
    )
    seen = np.bincount(data.subject[data.is_observation], minlength=data.n_subjects)
    lines = [
        ("data", f"{Path(data.source).name}, sha256 {data.sha256[:12]}..."),
        ("subjects", f"{data.n_subjects}"),
        (
            "observations",
            f"{data.n_observations}, {seen.min()} to {seen.max()} a subject, "
            f"{data.n_censored} censored",
        ),
        ("doses", _doses(data)),
        ("units", declared if units.is_declared else "not declared, taken as consistent"),
        ("covariates", _rule(problem)),
    ]
    excluded = [f"{count} rows {why}" for why, count in data.excluded.items()]
    return [*lines, ("left out", ", ".join(excluded))] if excluded else lines


def _rule(problem: Problem) -> str:
    """Say by which rule covariates change in time, where the model has use for one."""
    if problem.varies:
        return f"{problem.dataset.covariate_rule.upper()} where they change in time"
    return "none that the model uses changes in time"


def _ranges(evaluation: Fit) -> str:
    """Say how large the numbers are, and the predictions beside DV, so that a wrong unit is seen.

    Typical predictions are those at the initial values without random effects.
    """
    data, table = evaluation.problem.dataset, evaluation.predictions
    is_dose, units = data.is_dose, data.units
    infused = is_dose & (data.rate > 0) & (data.amt > 0)
    parts = [
        f"DV {_span(table['DV'].to_numpy())} {units.concentration}",
        f"typical predictions {_span(table['PRED'].to_numpy())} {units.concentration}",
        f"AMT {_span(data.amt[is_dose])} {units.amount}",
    ]
    if np.any(is_dose & (data.rate > 0)):
        per_time = f" {units.amount}/{units.time}" if units.is_declared else ""
        parts.append(f"RATE {_span(data.rate[is_dose & (data.rate > 0)])}{per_time}")
    if np.any(infused):
        parts.append(f"duration {_span(data.amt[infused] / data.rate[infused])} {units.time}")
    return "; ".join(part.strip() for part in parts)


def _span(values: Vector) -> str:
    known = values[np.isfinite(values)]
    if not known.size:
        return "none"
    low, high = known.min(), known.max()
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _doses(data: Dataset) -> str:
    is_dose = (data.evid == 1) | (data.evid == 4)
    is_infusion = is_dose & (data.rate > 0)
    parts = {
        "boluses": np.sum(is_dose & ~is_infusion),
        "infusions": np.sum(is_infusion),
        "with ADDL": np.sum(is_dose & (data.addl > 0)),
        "at steady state": np.sum(is_dose & (data.ss > 0)),
        "resets": np.sum(data.evid >= 3),
    }
    counts = ", ".join(f"{count} {name}" for name, count in parts.items() if count)
    return f"{np.sum(is_dose)}: {counts}"


def _covariates(data: Dataset, model: Model) -> RenderableType:
    used = {p: parse_formula(text, p).names for p, text in model.parameters.items()}
    rows = [
        (name, *_range(values), _changes(values, data.subject), _users(name, used))
        for name, values in data.covariates.items()
    ]
    if not rows:
        return Text("no covariates")
    header = ("covariate", "minimum", "median", "maximum", "missing", "in time", "used by")
    return _table(header, rows, right=range(1, 5))


def _range(values: Vector) -> tuple[str, str, str, str]:
    known = values[np.isfinite(values)]
    missing = str(values.size - known.size)
    if known.size == 0:
        return "", "", "", missing
    ends = (known.min(), np.median(known), known.max())
    low, middle, high = (f"{value:.4g}" for value in ends)
    return low, middle, high, missing


def _changes(values: Vector, subject: NDArray[np.int64]) -> str:
    if np.isnan(values).all():
        return "no value"
    is_same = (values[1:] == values[:-1]) | np.isnan(values[1:]) & np.isnan(values[:-1])
    return "changes" if np.any(~is_same & (subject[1:] == subject[:-1])) else "constant"


def _users(name: str, used: dict[str, frozenset[str]]) -> str:
    return ", ".join(p for p, names in used.items() if name in names)


# -- model --------------------------------------------------------------------------------------


def _model_lines(definition: Definition, evaluation: Fit) -> list[tuple[str, str]]:
    model, options = definition.model, definition.options
    sigmas = ", ".join(
        f"{s.name} {s.init:g}{' fixed' if s.fixed else ''}" for s in model.residual.sigmas
    )
    lines = [
        ("model", model.structure.replace("_", " ")),
        ("residual", sigmas),
        ("fit", _how(options)),
        ("objective", f"{evaluation.objective:.3f} at the initial values"),
    ]
    return lines


def _how(options: Options) -> str:
    """Say by which method, and what of its options matters."""
    if options.method == FULL_BAYES:
        chains, draws, tune = (
            options.chains or CHAINS,
            options.draws or DRAWS,
            options.tune or TUNE,
        )
        target = options.target or "chosen when it is fitted"
        return (
            f"{options.method}, {count(chains, 'chain')} of {count(draws, 'draw')} after {tune}, "
            f"target {target}, seed {options.seed}"
        )
    starts = f"{options.starts} start{'s' if options.starts > 1 else ''}"
    return f"{options.method}, {starts}, seed {options.seed}, covariance {options.covariance}"


def _subject_lines(evaluation: Fit) -> list[tuple[str, str]]:
    """Say how many subjects are in each group, and where body surface is from."""
    subjects = evaluation.subjects
    lines = [("VIRTUAL", "simulated subjects, none of a patient")] if subjects.is_virtual else []
    if subjects.groups is not None:
        groups = subjects.groups
        counts = np.bincount(groups.code, minlength=len(groups.names))
        listed = ", ".join(f"{name} {n}" for name, n in zip(groups.names, counts, strict=True))
        lines += [(groups.title, f"{listed} ({groups.source})")]
    if subjects.bsa is not None:
        lines.append(("body surface", f"{_span(subjects.bsa)} m2, {subjects.bsa_source}"))
    return lines


def _structural(evaluation: Fit) -> Table:
    """Tabulate the structural parameters, with the range of the typical values over subjects."""
    problem, estimate = evaluation.problem, evaluation.estimate
    rows = []
    no_effects = np.zeros_like(estimate.final.terms.eta)
    for name, values in individual_parameters(problem, estimate.x, no_effects).items():
        formula = problem.model.parameters[name]
        typical = f"{values.min():.4g}"
        if values.max() > values.min():
            typical += f" to {values.max():.4g}"
        distribution = problem.model.distribution.get(name, "lognormal")
        rows.append((name, formula, typical, distribution, _effects(name, problem.model.omega)))
    return _table(("parameter", "formula", "typical", "distribution", "omega"), rows)


def _effects(name: str, omega: Iterable[OmegaBlock]) -> str:
    parts = []
    for block in omega:
        if name in block.parameters:
            k = block.parameters.index(name)
            text = f"{block.matrix[k][k]:g}"
            text += " between occasions" if block.occasion else ""
            text += " fixed" if block.fixed else ""
            parts.append("; ".join([text, *_covariances(block, k)]))
    return "; ".join(parts) or "none"


def _covariances(block: OmegaBlock, k: int) -> list[str]:
    """Write the initial covariances of an effect with the others of its block."""
    deviations = np.sqrt(np.diag(np.array(block.matrix)))
    return [
        f"covariance with {other} {block.matrix[k][j]:g} "
        f"(correlation {block.matrix[k][j] / (deviations[k] * deviations[j]):.3g})"
        for j, other in enumerate(block.parameters)
        if j != k
    ]


def _blocks(data: Dataset, model: Model) -> list[RenderableType]:
    """Say what each covariate block of the formulas means here, and where it comes from."""
    return [
        _grid([(f"{use.text} in {parameter}", use.block.text), *_block_lines(use, data)])
        for parameter, text in model.parameters.items()
        for use in parse_formula(text, parameter).blocks
    ]


def _block_lines(use: BlockUse, data: Dataset) -> list[tuple[str, str]]:
    ranges = {
        found.argument.name: f"; here {found.text}"
        for found in argument_ranges(use, data.covariates, data.subject.size)
    }
    lines = [("", use.block.meaning)]
    lines += [(a.name, f"{a.meaning}{ranges.get(a.name, '')}") for a in use.block.arguments]
    lines += [("source", f"{use.block.source} ({MARKS[use.block.mark]})")]
    return [*lines, ("caution", use.block.caution)] if use.block.caution else lines


def _thetas(model: Model) -> Table:
    rows = [
        (t.name, f"{t.init:g}", f"{t.lower:g}", f"{t.upper:g}", "fixed" if t.fixed else "")
        for t in model.theta
    ]
    return _table(("theta", "initial", "lower", "upper", ""), rows, right=range(1, 4))


def _excluded(definition: Definition) -> list[Fault]:
    is_bayes = definition.options.method == FULL_BAYES
    return excluded_priors(definition.model) if is_bayes else []


def _priors(definition: Definition) -> list[RenderableType]:
    """List the priors that will be used; none by a method that uses none."""
    if definition.options.method != FULL_BAYES:
        return []
    told = told_priors(definition.model)
    lines = prior_lines(
        {prior.name: prior.text for prior in told},
        [prior.name for prior in told if prior.is_default],
    )
    return [Group(Text(PRIORS, style="bold"), *(Text(f"  {line}") for line in lines))]


# -- layout -------------------------------------------------------------------------------------


def _grid(lines: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in lines:
        table.add_row(Text(name, style="bold"), Text(value))
    return table


def _table(
    header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()
) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    numbers = set(right)
    for k, name in enumerate(header):
        table.add_column(name, justify="right" if k in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
