"""The posterior: parameters by its draws, how the chains mixed, the priors, and the sampler."""

from __future__ import annotations

from math import inf
from typing import Any

from pkmodel.bayes.correlation_prior import LKJ, CorrelationPrior
from pkmodel.bayes.prior_curves import prior_curves
from pkmodel.bayes.told_priors import BoundedPrior, MarginalPrior
from pkmodel.interrupted import kept_draws
from pkmodel.models.prior import Prior
from pkmodel.number import UNKNOWN, effective, fixed, number, percent, r_hat
from pkmodel.plots.chains import chain_ranks, chain_traces
from pkmodel.plots.prior_and_posterior import prior_and_posterior
from pkmodel.posterior_text import TARGETS, search_evaluations
from pkmodel.report.between import interval
from pkmodel.report.content import Part, Section, Table, Text, table
from pkmodel.report.drawing import draw
from pkmodel.report.parameter_section import (
    CV,
    SCALES,
    SHRINKAGE,
    SIGMAS,
    correlation_table,
    effect_tables,
    units_text,
    variability,
)
from pkmodel.report.run_folder import Run

Document = dict[str, Any]

COLUMNS = ("mean", "median", "SD", "95 % interval", "R-hat", "bulk ESS", "tail ESS")
MIXING = (
    "R-hat: rank-normalised and folded, 1 where chains agree; ESS: effective draws of the bulk and "
    "of the 5 % and 95 % quantiles (Vehtari et al. 2021, 10.1214/20-BA1221)."
)


def posterior_section(run: Run) -> Section:
    """Tabulate every parameter by its draws, and draw the chains."""
    document = run.document
    effects = effect_tables(document, _variances, _covariances)
    parts: list[Part] = [Text(_about(document)), _thetas(document), *effects]
    parts.append(_sigmas(document))
    if run.correlations is not None:
        parts.append(correlation_table(run.correlations, "draws"))
    return Section("parameters", "Parameters: the posterior", tuple(parts))


def _about(document: Document) -> str:
    return (
        f"{units_text(document)} Numbers are those of the draws from the posterior: their mean, "
        "median and standard deviation, and the equal-tailed interval that holds 95 % of them. "
        "What follows below is at one point, the mean of the unconstrained parameters: modes, "
        "predictions and residuals; exposure of single subjects is that of the draws, medians with "
        "the interval that holds 90 % of them."
    )


def _cells(document: Document, label: str, entry: dict[str, Any]) -> tuple[str, ...]:
    """Write what the draws say of a parameter; of one that is fixed its value alone."""
    told = document["posterior"]
    mixing = told["mixing"].get(label)
    if mixing is None:
        return (number(entry["estimate"]), "", "", "", "", "", "")
    return (
        number(entry["estimate"]),
        number(told["median"][label]),
        number(entry["se"]),
        interval(entry["lower"], entry["upper"]),
        r_hat(mixing["r_hat"]) or UNKNOWN,
        effective(mixing["bulk"]),
        effective(mixing["tail"]),
    )


def _notes(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def _is_fixed(entry: dict[str, Any]) -> str:
    return "fixed" if entry["fixed"] else ""


def _thetas(document: Document) -> Table:
    rows = [
        (
            name,
            *_cells(document, f"theta {name}", entry),
            _notes(_is_fixed(entry), entry["note"]),
        )
        for name, entry in document["theta"].items()
    ]
    return table("Fixed effects (θ)", ("θ", *COLUMNS, "note"), rows, "lrrrrrrrl", MIXING)


def _variances(document: Document, kind: str, title: str) -> Table:
    shrinkage = document["shrinkage"]["eta"] if kind == "omega" else {}
    rows = []
    for name, entry in document[kind].items():
        if "," in name:
            continue
        distribution = document["distribution"].get(name, "lognormal")
        shrunk = percent(shrinkage[name]) or UNKNOWN if name in shrinkage else ""
        rows.append(
            (
                name,
                *_cells(document, f"{kind} {name}", entry),
                *variability(entry, distribution),
                shrunk,
                _notes(SCALES.get(distribution, ""), _is_fixed(entry), entry["note"]),
            )
        )
    header = ("ω²", *COLUMNS, "CV %", "CV 95 % interval", "η-shrinkage", "note")
    return table(f"Variability {title} (ω²)", header, rows, "lrrrrrrrrrrl", f"{CV} {SHRINKAGE}")


def _covariances(document: Document, kind: str, title: str) -> Table:
    rows = [
        (
            name.replace(",", ", "),
            *_cells(document, f"{kind} {name}", entry),
            _notes(_is_fixed(entry), entry["note"]),
        )
        for name, entry in document[kind].items()
        if "," in name
    ]
    header = ("covariance", *COLUMNS, "note")
    return table(f"Covariance of the effects {title}", header, rows, "lrrrrrrrl")


def _sigmas(document: Document) -> Table:
    rows = [
        (
            name,
            *_cells(document, f"sigma {name}", entry),
            _notes(SIGMAS.get(name, ""), _is_fixed(entry), entry["note"]),
        )
        for name, entry in document["sigma"].items()
    ]
    shrinkage = percent(document["shrinkage"]["epsilon"]) or UNKNOWN
    note = f"ε-shrinkage {shrinkage} = 1 − root mean square of IWRES."
    return table("Residual error (σ)", ("σ", *COLUMNS, "note"), rows, "lrrrrrrrl", note)


# -- sampler and priors -------------------------------------------------------------------------


def sampler_section(run: Run, is_virtual: bool) -> Section:
    """Say how the posterior was sampled and by which priors, and draw the chains."""
    told = run.document["posterior"]
    parts: list[Part] = [_priors(told), _sampler(run.document)]
    laws = {name: _prior_of(law) for name, law in told["prior_laws"].items()}
    if run.draws is not None and laws:
        curves = prior_curves(laws, run.draws)
        parts.append(
            draw(
                prior_and_posterior(run.draws, curves, is_virtual=is_virtual),
                "Posterior and prior of each parameter.",
            )
        )
    if run.draws is not None:
        traces = chain_traces(run.draws, is_virtual=is_virtual)
        ranks = chain_ranks(run.draws, is_virtual=is_virtual)
        parts += [
            draw(
                traces,
                "Traces of the posterior draws: chains that mix lie on each other, without trend.",
            ),
            draw(ranks, "Ranks of each chain among all posterior draws: level where chains agree."),
        ]
    return Section("sampler", "Priors and sampler", tuple(parts))


def _prior_of(law: dict[str, Any]) -> MarginalPrior:
    if law["family"] == LKJ:
        shape, size = law["numbers"]
        return CorrelationPrior(shape, int(size))
    return BoundedPrior(
        Prior(law["family"], tuple(law["numbers"])),
        -inf if law["lower"] is None else law["lower"],
        inf if law["upper"] is None else law["upper"],
    )


def _priors(told: dict[str, Any]) -> Table:
    default = set(told["default_priors"])
    rows = tuple(
        (name, prior, "default" if name in default else "declared")
        for name, prior in told["priors"].items()
    )
    return Table(
        "Priors",
        ("parameter", "prior", "from"),
        rows,
        "lll",
        "Of an effect the prior is of its standard deviation (sd), not of the variance ω². "
        "Default: weak, and not declared by the definition.",
    )


def _cut(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Say what an interrupt left of the chains."""
    cut = told.get("cut")
    if cut is None:
        return []
    asked = f"{cut['chains']} chains of {cut['draws']} draws"
    kept = kept_draws(tuple(cut["kept"]), told["draws"])
    return [("interrupted", f"{kept}, of {asked} that were asked for")]


def _sampler(document: dict[str, Any]) -> Table:
    told = document["posterior"]
    total = told["chains"] * told["draws"]
    rows = [
        ("target", TARGETS[told["target"]]),
        ("centred effects", ", ".join(told["centred"])),
        ("non-centred effects", ", ".join(told["non_centred"])),
        *_cut(told),
        ("chains", str(told["chains"])),
        ("draws of each chain", f"{told['draws']}, after {told['tune']} that adapted the sampler"),
        ("log densities and gradients", str(told["gradients"])),
        ("evaluations before, in the search for a start", str(search_evaluations(document))),
        ("divergences", f"{told['divergences']} of {total}"),
        ("largest R-hat", r_hat(told["r_hat"]) or UNKNOWN),
        ("fewest effective draws, bulk", effective(told["ess_bulk"])),
        ("fewest effective draws, tails", effective(told["ess_tail"])),
        ("Pareto k of the weights", fixed(told["pareto_k"], 2)),
        ("effective share of the weighted draws", percent(told["weight_efficiency"])),
    ]
    return Table(
        "NUTS (No-U-Turn sampler)",
        ("", ""),
        tuple(row for row in rows if row[1]),
        "ll",
        "Centred: sampled as the subject's own parameter; non-centred: as its standard deviate. "
        "Weights correct draws of the marginal target, where effects are integrated out by "
        "Laplace; the joint one needs none.",
    )
