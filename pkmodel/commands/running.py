"""Fit, write, print: what commands that fit have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

import pkmodel
from pkmodel.commands.console import progress, show
from pkmodel.errors import PkmodelError
from pkmodel.status import Status

if TYPE_CHECKING:
    from pkmodel.definition import Definition
    from pkmodel.interrupts import Interrupts
    from pkmodel.result import Fit

WRITING = "writing the results"


def fitted(
    definition: Definition, method: str | None, seed: int | None, threads: int, stop: Interrupts
) -> Fit:
    """Fit with a line that tells how far it has come, so that Ctrl-C keeps what there is."""
    from pkmodel.interrupted import kept_by

    kept = kept_by(method or definition.options.method)
    with stop.stopping(f"keeping {kept}"), progress() as say:
        return pkmodel.fit(definition, method=method, seed=seed, threads=threads, progress=say)


def finish(result: Fit, out: Path | None, stop: Interrupts) -> None:
    """Write the outputs, then print the summary and where they are, or why they are not."""
    from pkmodel.summary import summary

    fault = None
    try:
        with stop.finishing(WRITING):
            where = _write(result, out)
    except PkmodelError as error:
        fault = error
    show(summary(result.to_dict()))
    if fault is not None:
        raise fault
    click.echo(where)


def _write(result: Fit, out: Path | None) -> str:
    """Write the outputs, and say where they are and what they replace."""
    from pkmodel.output_folder import folder_of_interrupted, former_fit

    if out is None:
        return "nothing written; --out DIR keeps the results"
    folder = folder_of_interrupted(out) if result.status is Status.INTERRUPTED else out
    former = former_fit(folder)
    result.save(folder)
    text = f"written to {folder}" + (f"; replaces {former}" if former else "")
    return text if folder == out else f"interrupted, so {text}; {out} is what it was"
