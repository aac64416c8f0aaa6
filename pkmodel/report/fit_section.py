"""How far a run can be trusted, and how it was made: checks, warnings, criteria, the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pkmodel.method_name import METHOD_NAMES, STARTS_JUDGED
from pkmodel.number import count, fixed, listed, number
from pkmodel.plots.iterations import parameter_path
from pkmodel.plots.search import search_path
from pkmodel.posterior_text import seconds_text
from pkmodel.report.content import Items, Part, Section, Table, Text, table
from pkmodel.report.drawing import draw
from pkmodel.report.run_folder import Run
from pkmodel.summary import checks

MARKS = {"ok": "ok", "look": "look", "FAIL": "FAIL", "-": "not done"}


def trust_section(run: Run) -> Section:
    """Tabulate every check of the summary, and list every warning."""
    document = run.document
    rows = [(c.name, MARKS[c.mark], c.finding) for c in checks(document)]
    parts: list[Part] = [
        Table(
            "",
            ("check", "verdict", "finding"),
            tuple(rows),
            "lll",
            "ok: nothing to object; look: read it before you rely on the numbers; FAIL: do not "
            "rely on them; not done: not asked for.",
        )
    ]
    warnings = document["warnings"]
    if warnings:
        parts += [Text("Warnings of the run:"), Items(tuple(("", text) for text in warnings))]
    else:
        parts.append(Text("The run gave no warnings."))
    if document["failed_subjects"]:
        names = listed(document["failed_subjects"], len(document["failed_subjects"]))
        parts.append(
            Text(
                f"No mode was found for {names}: they are left out of the figures and of the "
                "random effects below."
            )
        )
    return Section("checks", "Checks and warnings", tuple(parts))


def criteria_section(run: Run) -> Section:
    """Tabulate the objective and the information criteria."""
    document = run.document
    rows = [
        ("objective", fixed(document["objective"], 3), "−2 log likelihood without n log 2π"),
        (
            "objective of log DV",
            fixed(document["objective_log"], 3),
            "the same on the scale of the logarithms",
        ),
        ("−2LL", fixed(document["minus2ll"], 3), "with n log 2π of the quantified rows"),
        ("AIC", fixed(document["aic"], 2), "−2LL + 2 × free parameters"),
        ("BIC", fixed(document["bic"], 2), "−2LL + free parameters × log of the rows counted"),
        (
            "condition number",
            number(document["condition_number"]),
            "largest over smallest eigenvalue of the correlation of the estimates",
        ),
    ]
    kept = tuple(row for row in rows if row[1])
    lacking = [row[0] for row in rows if not row[1] and row[0] != "objective of log DV"]
    note = f"Not known for this run: {', '.join(lacking)}." if lacking else ""
    return Section(
        "criteria",
        "Objective and criteria",
        (Table("", ("criterion", "value", "meaning"), kept, "lrl", note),),
    )


def method_name(document: dict[str, Any]) -> str:
    """Name the method as the summary does."""
    method = METHOD_NAMES.get(document["method"], str(document["method"]))
    if document["method"] == "laplace" and not document["interaction"]:
        method += " without interaction"
    return method


def record_section(run: Run, is_virtual: bool) -> Section:
    """Say how the run was made, so that it can be made again."""
    document = run.document
    rows = [
        ("program", f"pkmodel {document['pkmodel']}"),
        ("model", document["structure"].replace("_", " ")),
        ("method", method_name(document)),
        ("status", document["status"]),
        ("seed", str(document["seed"])),
        ("threads", str(document["threads"])),
        ("data file", Path(document["data"]).name),
        ("sha256 of the data", document["data_sha256"]),
        ("sha256 of fit.json", run.digest),
        *_search(document),
        ("seconds", seconds_text(document)),
    ]
    parts: list[Part] = [table("", ("", ""), rows, "ll")]
    if len(document["starts"]) > 1:
        parts.append(_starts(document))
    if run.iterations is not None:
        parts.append(
            draw(
                parameter_path(run.iterations, is_virtual=is_virtual),
                "The way of the parameters through the iterations of SAEM, with the phases marked: "
                "exploration, smoothing, averaging.",
            )
        )
    elif len(run.trace) > 1:
        parts.append(
            draw(
                search_path(run.trace, is_virtual=is_virtual),
                "The search: what the objective still had to fall to the estimates, and the norm "
                "of its gradient, at each evaluation. First steps are those of FOCE-I for every "
                "method, from variances of effects that are widened: they begin elsewhere than at "
                "the objective of the initial values.",
            )
        )
    return Section("record", "Run record", tuple(parts))


def _search(document: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Say what the search came to; of a posterior the likelihood at one point of it."""
    if document["posterior"]:
        what = "exact objective at the mean of the unconstrained parameters"
        return ((what, fixed(document["objective"], 3)),)
    return (
        ("evaluations", str(document["evaluations"])),
        ("norm of the gradient", number(document["gradient_norm"])),
    )


def _starts(document: dict[str, Any]) -> Table:
    rows = [
        (str(k), fixed(s["objective"], 3) or "none", s["ending"], str(s["evaluations"]))
        for k, s in enumerate(document["starts"], start=1)
    ]
    agree = f"{count(document['starts_agree'], 'start')} reached the lowest of these objectives"
    judged = STARTS_JUDGED.get(document["method"])
    agree += f", which are {judged}." if judged else "."
    header = ("start", "objective", "ending", "evaluations")
    return Table("Starts of the search", header, tuple(rows), "lrlr", agree)
