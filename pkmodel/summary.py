"""The one-screen text of a fit, from its JSON document: checks first, then estimates.

Formats only; every number comes from the document (`Fit.to_dict`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pkmodel.method_name import METHOD_NAMES, STARTS_JUDGED
from pkmodel.nodes import LEAST_DRAWS, LEAST_SHARE, order_in_words
from pkmodel.number import UNKNOWN, count, fixed, listed, number, p_value, percent, r_hat
from pkmodel.parameter_text import ParameterTable
from pkmodel.posterior_text import (
    PRIORS,
    posterior_checks,
    prior_lines,
    sampler_text,
    seconds_text,
)

Document = Mapping[str, Any]

WIDTH = 100
LARGE_CONDITION_NUMBER = 1000.0
LARGE_SHRINKAGE = 0.3

LARGE_DIFFERENCE = 1.0
"""Of one subject's objective to its exact one."""

UNTOLD_SHRINKAGE = (
    "of an effect it takes two subjects with observations, and a variance that is not fixed at "
    "next to nothing"
)

COVARIANCES = {"sandwich": "sandwich of R and S", "r": "from R", "s": "from S"}
MARKS = {"ok": "green", "look": "yellow", "FAIL": "bold red", "-": "dim"}


@dataclass(frozen=True)
class Check:
    """One line of the checks: its mark, a key of `MARKS`, and what it rests on."""

    name: str
    mark: str
    finding: str


def summary_text(document: Document, width: int = WIDTH) -> str:
    """Return the summary of a fit as plain text.

    Parameters
    ----------
    document : mapping
        As `Fit.to_dict` returns it, or as read from a fit.json.
    width : int
        Columns.

    Returns
    -------
    str
    """
    return plain_text(summary(document), width)


def plain_text(what: RenderableType, width: int = WIDTH) -> str:
    """Return what would be printed, without colours and trailing blanks."""
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(what)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def summary(document: Document) -> RenderableType:
    """Return the summary of a fit, ready for a rich console."""
    blocks = [_header(document), _checks_table(document), _estimates(document)]
    if document["warnings"]:
        blocks.append(_warnings(document))
    blocks.append(Text(_times(document), style="dim"))
    spaced: list[RenderableType] = []
    for block in blocks:
        spaced += [block, Text("")]
    return Group(*spaced[:-1])


def _header(document: Document) -> RenderableType:
    status = str(document["status"])
    good = document["converged"] or status == "evaluated"
    first = Text.assemble(
        (document["title"] or "Untitled fit", "bold"),
        "  ·  ",
        (status.upper(), "bold green" if good else "bold red"),
    )
    lines = [
        first,
        Text(f"{_model(document)}  ·  {_counts(document)}"),
        Text(_units(document), style="dim"),
        Text(_objectives(document)),
    ]
    if document.get("posterior"):
        lines.insert(3, Text(sampler_text(document)))
    if not document["converged"]:
        lines.insert(1, Text(document["advice"]))
    return Group(*lines)


def _model(document: Document) -> str:
    method = METHOD_NAMES[document["method"]]
    if document["method"] == "laplace" and not document["interaction"]:
        method += " without interaction"
    return f"{document['structure'].replace('_', ' ')}  ·  {method}"


def _counts(document: Document) -> str:
    subjects = count(document["n_subjects"], "subject")
    text = f"{subjects}, {count(document['n_observations'], 'observation')}"
    if document["n_censored"]:
        text += f" ({document['n_censored']} censored, {document['censoring'].upper()})"
    excluded = document["excluded"]
    if excluded:
        text += "; left out: " + ", ".join(
            f"{count(n, 'row')} {why}" for why, n in excluded.items()
        )
    return text


def _units(document: Document) -> str:
    units = document["units"]
    text = f"data {Path(document['data']).name}"
    if units["time"]:
        text += (
            f"  ·  time {units['time']}, amount {units['amount']}, "
            f"concentration {units['concentration']}; volume L, clearance L/{units['time']}"
        )
    else:
        text += "  ·  units not declared"
    if document["covariate_rule"]:
        text += f"  ·  covariates change in time by {document['covariate_rule'].upper()}"
    return text


def _objectives(document: Document) -> str:
    sampled = document["importance"]
    error = f" ± {number(sampled['error']) or UNKNOWN}" if sampled else ""
    parts = [f"objective {fixed(document['objective'], 3)}{error}"]
    if document["objective_log"] is not None:
        parts.append(f"of log DV {fixed(document['objective_log'], 3)}")
    parts.append(f"-2LL {fixed(document['minus2ll'], 3)}")
    criteria = (("AIC", document["aic"]), ("BIC", document["bic"]))
    parts += [f"{name} {fixed(value, 2)}" for name, value in criteria if value is not None]
    return "   ".join(parts)


# -- checks -------------------------------------------------------------------------------------


def checks(document: Document) -> list[Check]:
    """Judge a fit by what its document says.

    Parameters
    ----------
    document : mapping
        As `Fit.to_dict` returns it.

    Returns
    -------
    list of Check
    """
    if document.get("posterior"):
        judged = [Check(*finding) for finding in posterior_checks(document)]
        return [_modes(document), *judged, _shrinkage(document)]
    found = [_modes(document)]
    if document["status"] != "evaluated":
        found = [
            _minimum(document),
            *_draws(document),
            *found,
            _starts(document),
            _boundary(document),
            _standard_errors(document),
        ]
    found += [*_integration(document), *_exactness(document)]
    return [*found, *_etabar(document), _shrinkage(document)]


def _minimum(document: Document) -> Check:
    evaluations = document["evaluations"]
    gradient = number(document["gradient_norm"])
    finding = f"{evaluations} evaluations, gradient norm {gradient}"
    if document.get("sampling"):
        finding = f"norm of the exact gradient {gradient}"
    if document["decrease_left"] is not None:
        finding += f", {number(document['decrease_left'])} left to gain"
    return Check("minimum", "ok" if document["converged"] else "FAIL", finding)


def _draws(document: Document) -> list[Check]:
    """Judge the draws of SAEM."""
    sampling = document.get("sampling")
    if not sampling:
        return []
    errors = [v for v in sampling["monte_carlo_error"].values() if v is not None]
    ratios = [v for v in sampling["r_hat"].values() if v is not None]
    accepted = percent(sampling["acceptance"]["independent"])
    finding = (
        f"{count(sampling['chains'], 'chain')} of each subject, {sampling['iterations']} "
        f"iterations, {accepted} of the independent proposals accepted"
    )
    if errors and ratios:
        finding += (
            f"; Monte Carlo errors up to {percent(max(errors), 1)} of the standard errors, R-hat "
            f"up to {r_hat(max(ratios))}"
        )
    return [Check("draws", "ok" if sampling["is_settled"] else "FAIL", finding)]


def _modes(document: Document) -> Check:
    failed = document["failed_subjects"]
    if failed:
        return Check("modes", "FAIL", f"not found for subjects {listed(failed)}")
    gap = document["cold_gap"]
    finding = "found for every subject"
    if document["status"] != "evaluated" and gap is not None:
        finding += f"; searched anew from zero: objective {gap:+.2g}"
    return Check("modes", "ok" if gap is None or abs(gap) <= 1e-4 else "look", finding)


def _integration(document: Document) -> Iterator[Check]:
    """Judge the integral over the effects, where there were nodes."""
    quadrature, sampled = document["quadrature"], document["importance"]
    if quadrature:
        change = number(quadrature["error"]) or UNKNOWN
        by = order_in_words(quadrature["lowest_order"], quadrature["highest_order"])
        finding = f"{by}; the next ones change the objective by {change} at most"
        yield Check("quadrature", "ok" if quadrature["settled"] else "look", finding)
    if sampled:
        share = sampled["least_share"]
        draws = count(sampled["draws"], "draw")
        finding = f"{draws} a subject, worth {percent(share) or UNKNOWN} of them at worst"
        is_known = sampled["error"] is not None
        if sampled["draws"] < LEAST_DRAWS:
            finding += f"; their error takes {LEAST_DRAWS} to tell: raise fit.draws"
        elif not is_known:
            finding += "; their error is not known, so the objective is not to be used"
        is_enough = is_known and sampled["draws"] >= LEAST_DRAWS
        is_good = is_enough and share is not None and share >= LEAST_SHARE
        yield Check("draws", "ok" if is_good else "look", finding)


def _exactness(document: Document) -> Iterator[Check]:
    """Set the objective beside the exact one, where that was computed."""
    found = document["certificate"]
    if found is None:
        return
    if found["difference"] is None:
        yield Check("exact objective", "look", "not defined at these values")
        return
    by = "quadrature" if found["method"] == "agq" else "importance sampling"
    finding = (
        f"{fixed(found['objective'], 3)} by {by}: {found['difference']:+.3g}; "
        f"largest for subject {found['worst_subject']} ({found['worst_difference']:+.2g})"
    )
    is_near = abs(found["worst_difference"]) <= LARGE_DIFFERENCE
    yield Check("exact objective", "ok" if is_near else "look", finding)


def _starts(document: Document) -> Check:
    starts, agree = document["starts"], document["starts_agree"]
    if len(starts) < 2:
        return Check("starts", "-", "one start only; fit.starts = 5 shows whether others agree")
    reached = [s["objective"] for s in starts if s["objective"] is not None]
    finding = f"{agree} of {len(starts)} agree"
    if reached:
        finding += f"; objectives {fixed(min(reached), 3)} to {fixed(max(reached), 3)}"
        judged = STARTS_JUDGED.get(document["method"])
        finding += f", {judged}" if judged else ""
    return Check("starts", "ok" if agree == len(starts) else "look", finding)


def _boundary(document: Document) -> Check:
    boundary = document["boundary"]
    if boundary:
        return Check("boundary", "look", f"{listed(boundary)}")
    return Check("boundary", "ok", "no parameter at a bound, no variance at zero")


def _standard_errors(document: Document) -> Check:
    source, condition = document["covariance"], document["condition_number"]
    if source is None:
        return Check("standard errors", "-", "not computed")
    if source == "none":
        return Check("standard errors", "look", "none: second derivatives are not defined here")
    label = COVARIANCES[source]
    finding = f"{label}, condition number {number(condition) or UNKNOWN}"
    flat = document["flat_directions"]
    if flat:
        finding += f"; not determined: {'; '.join(flat)}"
    is_good = not flat and condition is not None and condition < LARGE_CONDITION_NUMBER
    return Check("standard errors", "ok" if is_good else "look", finding)


def _etabar(document: Document) -> Iterator[Check]:
    """Yield the means of the effects with their P values; nothing of a document without them."""
    bars = document.get("etabar") or {}
    if not bars:
        return
    finding = ", ".join(f"{name} {_mean(bar)}" for name, bar in bars.items())
    is_off = document["status"] != "evaluated" and any(bar["differs"] for bar in bars.values())
    yield Check("etabar", "look" if is_off else "ok", finding)


def _mean(bar: Mapping[str, Any]) -> str:
    if bar["mean"] is None:
        return UNKNOWN
    p = p_value(bar["p"])
    return f"{bar['mean']:+.2g}" + (f" (P {p})" if p else "")


def _shrinkage(document: Document) -> Check:
    shrinkage = document["shrinkage"]
    values = {**shrinkage["eta"], "residual": shrinkage["epsilon"]}
    finding = ", ".join(f"{name} {percent(value) or UNKNOWN}" for name, value in values.items())
    if None in shrinkage["eta"].values() and not document["failed_subjects"]:
        finding += f"; {UNTOLD_SHRINKAGE}"
    is_large = any(v is not None and v > LARGE_SHRINKAGE for v in values.values())
    return Check("shrinkage", "look" if is_large else "ok", finding)


def _checks_table(document: Document) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks(document):
        table.add_row(
            check.name, Text(f"[{check.mark:^4}]", MARKS[check.mark]), Text(check.finding)
        )
    return table


# -- estimates ----------------------------------------------------------------------------------


def _estimates(document: Document) -> RenderableType:
    note = "omega: variances on the transformed scale"
    if document["covariance"] not in (None, "none"):
        note += ", with errors of the variance"
    if not document.get("posterior"):
        return Group(ParameterTable(document), Text(note, style="dim"))
    note += (
        "\nbulk, tail: effective draws of the middle, and of the 5 % and 95 % quantiles"
        "\nobjective, predictions, modes with their parameters (individuals.csv): at the mean of"
        "\nthe unconstrained parameters; exposure (exposure.csv; CSS, CL_BSA of individuals.csv):"
        "\nmedians of draws"
    )
    told = document["posterior"]
    lines = prior_lines(told["priors"], told["default_priors"])
    priors = [Padding(Text(line), (0, 0, 0, 2)) for line in lines]
    return Group(
        ParameterTable(document),
        Text(note, style="dim"),
        Text(""),
        Text(PRIORS, style="bold"),
        *priors,
    )


# -- the rest -----------------------------------------------------------------------------------


def _warnings(document: Document) -> RenderableType:
    lines = [Padding(Text(f"- {text}"), (0, 0, 0, 2)) for text in document["warnings"]]
    return Group(Text("warnings", style="bold yellow"), *lines)


def _times(document: Document) -> str:
    threads = count(document["threads"], "thread")
    return f"seconds: {seconds_text(document)}; {threads}, seed {document['seed']}"
