"""The text of a comparison of fits; formats only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pkmodel.number import count, fixed, number

Document = Mapping[str, Any]

WIDTH = 100

RULES = (
    "exact: objective at each fit's own estimates by one likelihood, random effects integrated "
    "out, ± the error of quadrature or of the draws; above minimum: how far it would still fall if "
    "it were minimised, to second order",
    "AIC, BIC and mixed BIC are of the exact likelihood. BIC counts observations; mixed BIC counts "
    "subjects for variances of effects and for thetas that act through parameters with an effect, "
    "and observations for the rest (Delattre et al. 2014, 10.1214/14-EJS890)",
    "elpd: log density of each subject by the estimates, or the posterior, without it, summed; "
    "of a posterior by weights of its draws, as az.loo of the fit's tree has it; larger is better, "
    "and differences within twice their standard error say little",
)
OF_TESTS = (
    "statistic: exact objective of the smaller model less that of the larger one, each at its own "
    "estimates; p is of it"
)
NO_SCORES = "no elpd of any fit: the warnings say why"
NOTHING = (
    "nothing to compare: no fit ended as it should, so that none has criteria or elpd; the "
    "warnings say how each ended and what to do"
)
BY_OWN = "; by own: the same difference of the objectives by the fits' own method"


def comparison_text(document: Document) -> str:
    """Return the text as it is printed where there is no terminal."""
    out = StringIO()
    console = Console(width=WIDTH, force_terminal=False, color_system=None, file=out)
    console.print(comparison_summary(document))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def comparison_summary(document: Document) -> RenderableType:
    """Return a comparison of fits, ready for a rich console.

    Parameters
    ----------
    document : mapping
        See `ModelComparison.to_dict`.
    """
    place = {row["fit"]: str(k) for k, row in enumerate(document["fits"], 1)}
    blocks = [
        _header(document),
        _fits(document, place),
        _criteria(document, place),
        _scores(document, place),
        _tests(document, place),
        *_list("not tested", _untested(document, place)),
        *_list("warnings", document["warnings"]),
        *_list("how to read", RULES),
    ]
    spaced: list[RenderableType] = []
    for block in blocks:
        spaced += [block, Text("")]
    return Group(*spaced[:-1])


def _header(document: Document) -> RenderableType:
    size = (
        f"{count(document['n_subjects'], 'subject')}, "
        f"{count(document['n_observations'], 'observation')}"
    )
    lines = [Text("Comparison of fits", style="bold")]
    if document["virtual"]:
        lines.append(Text("VIRTUAL: simulated subjects, none of a patient", style="bold red"))
    judges = sorted(set(document["likelihoods"].values()))
    lines.append(Text(f"{size}  ·  data {Path(document['data']).name}"))
    lines.append(Text(f"exact likelihood: {'; '.join(judges)}"))
    return Group(*lines)


def _fits(document: Document, place: Mapping[str, str]) -> RenderableType:
    names = ("", "fit", "method", "parameters", "status", "objective")
    rows = [
        (
            place[row["fit"]],
            row["fit"],
            row["method"],
            str(row["parameters"]),
            row["status"],
            fixed(row["objective"], 3),
        )
        for row in document["fits"]
    ]
    return _table(names, rows, left={1, 2, 4})


def _criteria(document: Document, place: Mapping[str, str]) -> RenderableType:
    names = ("", "exact", "above minimum", "difference", "AIC", "BIC", "mixed BIC")
    rows = [
        (
            place[row["fit"]],
            _with_error(row["exact"], row["error"]),
            fixed(row["above_minimum"], 2),
            _with_error(row["difference"], row["difference_error"]),
            fixed(row["aic"], 2),
            fixed(row["bic"], 2),
            fixed(row["mixed_bic"], 2),
        )
        for row in document["fits"]
    ]
    return _table(names, rows, left=set())


def _scores(document: Document, place: Mapping[str, str]) -> RenderableType:
    names = ("", "elpd", "± SE", "difference", "± SE", "Pareto k")
    fits = document["fits"]
    if all(row["elpd"] is None for row in fits):
        has_criteria = any(row["aic"] is not None for row in fits)
        return Text(NO_SCORES if has_criteria else NOTHING)
    rows = [
        (
            place[row["fit"]],
            fixed(row["elpd"], 2),
            fixed(row["elpd_se"], 2),
            fixed(row["elpd_difference"], 2),
            fixed(row["elpd_difference_se"], 2),
            fixed(row["pareto_k"], 2),
        )
        for row in document["fits"]
    ]
    return _table(names, rows, left=set())


def _tests(document: Document, place: Mapping[str, str]) -> RenderableType:
    names = ("test", "statistic", "by own", "law", "p", "held, and what to mind")
    rows = [
        (
            f"{place[row['smaller']]} in {place[row['larger']]}",
            _with_error(row["statistic"], row["error"]),
            fixed(row["own_statistic"], 3),
            row["law"],
            number(row["p"]),
            "; ".join(part for part in (row["held"], row["note"]) if part),
        )
        for row in document["tests"]
        if row["law"]
    ]
    if not rows:
        return Text("no likelihood-ratio test")
    note = OF_TESTS + (BY_OWN if any(row[2] for row in rows) else "")
    return Group(_table(names, rows, left={0, 3, 5}), Text(note, style="dim"))


def _untested(document: Document, place: Mapping[str, str]) -> list[str]:
    """Say why pairs are not tested, the pairs of one reason together."""
    reasons: dict[str, list[str]] = {}
    for row in document["tests"]:
        if not row["law"]:
            pair = f"{place[row['smaller']]} and {place[row['larger']]}"
            reasons.setdefault(row["note"], []).append(pair)
    return [f"{', '.join(pairs)}: {reason}" for reason, pairs in reasons.items()]


def _with_error(value: float | None, error: float | None) -> str:
    """Write a value, and its error where it has one."""
    text = fixed(value, 3)
    return f"{text} ± {number(error)}" if text and error else text


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], left: set[int]) -> RenderableType:
    """Lay out the columns in which anything stands."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    kept = [k for k in range(len(names)) if any(row[k] for row in rows)]
    for k in kept:
        justify: JustifyMethod = "left" if k in left else "right"
        table.add_column(names[k], justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[k]) for k in kept))
    return table


def _list(title: str, lines: Sequence[str]) -> list[RenderableType]:
    if not lines:
        return []
    items = [Padding(Text(f"- {text}"), (0, 0, 0, 2)) for text in lines]
    return [Group(Text(title, style="bold"), *items)]
