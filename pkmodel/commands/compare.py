"""The command that compares fits on one likelihood."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

import pkmodel
from pkmodel.commands.console import announced_interrupts, progress, show
from pkmodel.commands.group import NOT_CONVERGED
from pkmodel.commands.options import check_folder, out_option, threads_option
from pkmodel.commands.running import WRITING, named_options

if TYPE_CHECKING:
    from pkmodel.definition import Definition


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE [FILE]...")
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="M",
    help="Instead of that of the definitions; given more than once, each FILE is fitted by each.",
)
@click.option(
    "--nested",
    is_flag=True,
    help="Say that of two models the one with fewer parameters is nested in the other.",
)
@out_option
@threads_option
def compare(
    files: tuple[str, ...],
    methods: tuple[str, ...],
    nested: bool,
    out: Path | None,
    threads: int,
) -> None:
    """Fit several definitions to the same data, and compare the fits on one likelihood.

    Each FILE is a fit definition (TOML), or the name of a shipped one. One FILE will do where
    --method is given more than once.
    """
    from pkmodel.model_comparison.text import comparison_summary
    from pkmodel.output_folder import former_fit, replace_folder

    check_folder(out)
    asked = [
        (pkmodel.read_definition(file, method=method), method)
        for file in files
        for method in methods or (None,)
    ]
    _check_asked(asked)
    with announced_interrupts() as stop:
        with progress() as say:
            fits = [
                pkmodel.fit(definition, method=method, threads=threads, progress=say)
                for definition, method in asked
            ]
            say("comparing")
            found = pkmodel.compare(fits, nested=nested)
        where = "nothing written; --out DIR keeps the results"
        with stop.finishing(WRITING):
            if out is not None:
                former = former_fit(out)
                replace_folder(out, found.write)
                where = f"written to {out}" + (f"; replaces {former}" if former else "")
    show(comparison_summary(found.to_dict()))
    click.echo(where)
    if not all(fit.converged for fit in fits):
        sys.exit(NOT_CONVERGED)


def _check_asked(asked: Sequence[tuple[Definition, str | None]]) -> None:
    """Refuse what cannot be fitted or compared before any time is spent on a fit."""
    from pkmodel.fitting import fit_problem
    from pkmodel.model_comparison.comparing import check_several
    from pkmodel.model_comparison.same_data import check_same_data

    check_several(len(asked))
    problems = {}
    with named_options():
        for number, (definition, method) in enumerate(asked, 1):
            problem = fit_problem(definition, method)
            problems[f"{number}. {definition.title} ({problem.options.method})"] = problem
    check_same_data(problems)
