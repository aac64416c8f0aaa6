"""The command that compares exposure and clearance between groups."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

import pkmodel
from pkmodel.commands.console import announced_interrupts, progress, show
from pkmodel.commands.group import NOT_CONVERGED, BadInput
from pkmodel.commands.options import (
    chains_option,
    check_folder,
    draws_option,
    file_argument,
    method_option,
    out_option,
    seed_option,
    threads_option,
    two_ratios,
)
from pkmodel.commands.running import WRITING, Replaced, finish, fitted
from pkmodel.errors import PkmodelError
from pkmodel.status import Status

if TYPE_CHECKING:
    from pkmodel.comparability import Comparability
    from pkmodel.definition import Definition
    from pkmodel.exposure.plateau_rule import PlateauRule
    from pkmodel.interrupts import Interrupts
    from pkmodel.result import Fit

OF_A_FIT = "--settle, --by, --method, --seed, --chains and --draws"
NOT_USED = "Not converged: use nothing of what follows that is by the model.\n"


@click.command(name="compare-groups")
@file_argument
@click.option("--reference", metavar="GROUP", help="The group that others are compared with.")
@click.option(
    "--margin",
    callback=two_ratios,
    metavar="LOW,HIGH",
    help="Ratios that count as equivalent, such as 0.8,1.25.",
)
@click.option("--by", default="age_group", help="A covariate with few values instead of the age.")
@click.option(
    "--multiplicity",
    type=click.Choice(["none", "bonferroni"]),
    default="none",
    show_default=True,
    help="Simultaneous intervals for all groups, by Bonferroni.",
)
@click.option(
    "--settle",
    type=float,
    help="Hours after the start or change of a rate before a sample is on the plateau; 10 if not "
    "given. In the data's own unit of time where no units are declared.",
)
@out_option
@method_option
@seed_option
@chains_option
@draws_option
@threads_option
def compare_groups(
    file: str,
    reference: str | None,
    margin: tuple[float, float] | None,
    by: str,
    multiplicity: str,
    settle: float | None,
    out: Path | None,
    method: str | None,
    seed: int | None,
    chains: int | None,
    draws: int | None,
    threads: int,
) -> None:
    """Fit, then compare exposure and clearance between groups.

    FILE may also be a CSV of published summaries with columns group, metric, n, mean, sd.
    """
    from pkmodel.exposure.plateau_rule import PlateauRule

    check_folder(out)
    replaced = Replaced(method, seed, chains, draws)
    if Path(file).suffix == ".csv":
        if settle is not None or by != "age_group" or replaced != Replaced():
            raise click.UsageError(f"{OF_A_FIT} belong to a fit, not to published summaries")
        _compare_published(Path(file), reference, margin, multiplicity, out)
        return
    definition = pkmodel.read_definition(file, method=method)
    has_units = definition.data is not None and definition.data.units is not None
    if settle is None and not has_units:
        raise BadInput(
            "[data] units are not declared, so 10 h cannot be told: declare them, or say --settle "
            "in the data's own unit of time"
        )
    rule = PlateauRule(10.0 if settle is None else settle, "h" if has_units else "")
    asked = Asked(by, reference, margin, multiplicity, rule)
    _check_asked(definition, asked)
    with announced_interrupts() as stop:
        result = fitted(definition, replaced, threads, stop)
        folder = finish(result, out, stop, is_unfinished=True)
        is_compared = _compare_groups(result, folder, out, stop, asked)
    if not (result.converged and is_compared):
        sys.exit(NOT_CONVERGED)


@dataclass(frozen=True)
class Asked:
    """What groups are compared by, and how."""

    by: str
    reference: str | None
    margin: tuple[float, float] | None
    multiplicity: str
    rule: PlateauRule


def _check_asked(definition: Definition, asked: Asked) -> None:
    """Refuse what cannot be asked before any time is spent on the fit."""
    from pkmodel.comparability import asked_comparison
    from pkmodel.definition import given_data
    from pkmodel.errors import within
    from pkmodel.grouping import asked_groups
    from pkmodel.subjects import declared_subjects

    with within(str(definition.path or "")):
        dataset, subjects = declared_subjects(given_data(definition, None), definition.groups)
    asked_comparison(
        asked_groups(dataset, subjects.groups, asked.by),
        reference=asked.reference,
        margin=asked.margin,
        multiplicity=asked.multiplicity,
    )


def _compare_groups(
    result: Fit, folder: Path | None, out: Path | None, stop: Interrupts, asked: Asked
) -> bool:
    """Compare, print and write besides the fit; say whether that was done, and if not, why not."""
    from pkmodel.comparability_text import comparability_summary
    from pkmodel.output_folder import finish_folder

    alone = f"{folder} holds the fit alone" if folder else "nothing of it is written"
    if folder != out:
        alone += f"; {out} is what it was"
    if result.status is Status.INTERRUPTED:
        click.echo("The groups were not compared.")
        return False
    try:
        with stop.stopping(f"no comparison; {alone}"), progress() as say:
            found = _contrast(result, asked, say)
    except KeyboardInterrupt:
        click.echo(f"\nStopped from the keyboard: the groups were not compared; {alone}.")
        return False
    except PkmodelError as error:
        click.echo(f"\nThe groups were not compared; {alone}.\nError: {error}", err=True)
        return False
    click.echo(f"\n{'' if result.converged else NOT_USED}", nl=False)
    show(comparability_summary(found))
    if out is not None and folder is not None:
        with stop.finishing(WRITING):
            finish_folder(folder, out, found.write)
        click.echo(f"fit and comparison written to {out}")
    return True


def _contrast(result: Fit, asked: Asked, say: Callable[[str], None]) -> Comparability:
    say("comparing groups")
    return result.contrast(
        asked.by,
        reference=asked.reference,
        margin=asked.margin,
        multiplicity=asked.multiplicity,
        rule=asked.rule,
        progress=say,
    )


def _compare_published(
    file: Path,
    reference: str | None,
    margin: tuple[float, float] | None,
    multiplicity: str,
    out: Path | None,
) -> None:
    """Compare groups of which only summaries are published."""
    from pkmodel.comparability_text import summary_comparison
    from pkmodel.contrast.margin import DEFAULT_MARGIN
    from pkmodel.contrast.summaries import compare_summaries, read_summaries
    from pkmodel.output_folder import replace_folder

    found = compare_summaries(
        read_summaries(file),
        reference=reference,
        margin=margin or DEFAULT_MARGIN,
        multiplicity=multiplicity,
        source=str(file),
    )
    if out is not None:
        replace_folder(out, found.write)
    show(summary_comparison(found))
    click.echo(f"written to {out}" if out else "nothing written; --out DIR keeps the results")
