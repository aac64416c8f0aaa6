"""The whole page, from a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pkmodel.number import effective, fixed, r_hat
from pkmodel.report.absent_section import absent_section
from pkmodel.report.content import Section
from pkmodel.report.contrast_section import contrast_section
from pkmodel.report.data_section import data_section
from pkmodel.report.exposure_section import exposure_section
from pkmodel.report.figure_section import effect_section, goodness_section, individual_section
from pkmodel.report.fit_section import (
    criteria_section,
    method_name,
    record_section,
    trust_section,
)
from pkmodel.report.parameter_section import parameter_section
from pkmodel.report.posterior_section import posterior_section, sampler_section
from pkmodel.report.run_folder import Run
from pkmodel.report.subjects import subjects_of

GENERATOR = "pkmodel report"
"""Stands in the head of every page, by which a former report is known."""

TONES = {
    "ok": "good",
    "look": "look",
    "FAIL": "bad",
    "not done": "neutral",
    "equivalent": "good",
    "not equivalent": "bad",
    "inconclusive": "look",
    "": "neutral",
}
"""How a verdict is to be taken."""

VIRTUAL = (
    "Virtual data: some or all subjects of this run are simulated, not observed. Nothing on this "
    "page is a result of a study."
)


@dataclass(frozen=True)
class Page:
    """What the template shows.

    Attributes
    ----------
    title, subtitle : str
    tone : str
        ``"good"``, ``"bad"`` or ``"neutral"``: how the status is to be taken.
    status, advice : str
    virtual : str
        What is said at the top of simulated data; empty otherwise.
    facts : tuple of (str, str)
        The few numbers that stand at the top.
    sections : tuple of Section
    """

    title: str
    subtitle: str
    tone: str
    status: str
    advice: str
    virtual: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def page_of(run: Run) -> Page:
    """Make the page of a run."""
    document = run.document
    return Page(
        title=document["title"] or "Untitled fit",
        subtitle=_subtitle(document),
        tone=_tone(document),
        status=document["status"],
        advice=document["advice"],
        virtual=VIRTUAL if document["virtual"] else "",
        facts=_facts(document),
        sections=_sections(run),
    )


def html(run: Run) -> str:
    """Write the page of a run as HTML; every text from its files is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_unbroken,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.jinja")
    return template.render(page=page_of(run), generator=GENERATOR, tones=TONES)


def _unbroken(value: object) -> object:
    """Keep a number and its percent sign on one line."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) else value


def _sections(run: Run) -> tuple[Section, ...]:
    subjects, is_virtual = subjects_of(run), bool(run.document["virtual"])
    sections = (
        trust_section(run),
        data_section(run, subjects),
        *_estimates(run, is_virtual),
        goodness_section(run, subjects, is_virtual),
        effect_section(run, subjects, is_virtual),
        exposure_section(run, subjects, is_virtual),
        contrast_section(run, subjects, is_virtual),
        individual_section(run, subjects, is_virtual),
        record_section(run, is_virtual),
        absent_section(run, subjects),
    )
    return tuple(section for section in sections if section is not None)


def _estimates(run: Run, is_virtual: bool) -> tuple[Section, ...]:
    """Tell of the parameters; of a posterior by its draws, which have no criteria."""
    if run.document["posterior"]:
        return posterior_section(run), sampler_section(run, is_virtual)
    return parameter_section(run), criteria_section(run)


def _tone(document: dict[str, Any]) -> str:
    if document["converged"]:
        return "good"
    return "neutral" if document["status"] == "evaluated" else "bad"


def _subtitle(document: dict[str, Any]) -> str:
    model = document["structure"].replace("_", " ")
    return f"Population pharmacokinetic analysis: {model}, {method_name(document)}"


def _facts(document: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return (
        ("subjects", str(document["n_subjects"])),
        ("observations", str(document["n_observations"])),
        ("below quantification", str(document["n_censored"])),
        *(_drawn_facts(document["posterior"]) if document["posterior"] else _criteria(document)),
    )


def _criteria(document: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return (
        ("objective", fixed(document["objective"], 3) or "not known"),
        ("AIC", fixed(document["aic"], 2) or "not known"),
        ("BIC", fixed(document["bic"], 2) or "not known"),
    )


def _drawn_facts(told: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return (
        ("posterior draws", str(told["chains"] * told["draws"])),
        ("divergences", str(told["divergences"])),
        ("largest R-hat", r_hat(told["r_hat"]) or "not known"),
        ("fewest effective, bulk", effective(told["ess_bulk"])),
        ("fewest effective, tails", effective(told["ess_tail"])),
    )
