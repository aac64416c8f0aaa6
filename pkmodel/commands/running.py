"""Fit, write, print: what commands that fit have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
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


@dataclass(frozen=True)
class Replaced:
    """What the command line says in place of the definition; None leaves what that says."""

    method: str | None = None
    seed: int | None = None
    chains: int | None = None
    draws: int | None = None


@contextmanager
def named_options() -> Iterator[None]:
    """Name what the command line says by its options, in the errors of a block."""
    names = {field.name for field in fields(Replaced)}
    try:
        yield
    except PkmodelError as error:
        problems = [
            replace(problem, place=f"--{problem.place}") if problem.place in names else problem
            for problem in error.problems
        ]
        raise type(error)(problems, error.source) from error


def fitted(definition: Definition, replaced: Replaced, threads: int, stop: Interrupts) -> Fit:
    """Fit with a line that tells how far it has come, so that Ctrl-C keeps what there is."""
    from pkmodel.interrupted import kept_by

    kept = kept_by(replaced.method or definition.options.method)
    with stop.stopping(f"keeping {kept}"), progress() as say, named_options():
        return pkmodel.fit(definition, **vars(replaced), threads=threads, progress=say)


def finish(
    result: Fit, out: Path | None, stop: Interrupts, *, is_unfinished: bool = False
) -> Path | None:
    """Write the outputs, then print the summary and where they are, or why they are not.

    Returns
    -------
    Path or None
        The folder: that beside `out` where a whole run is in `out` and this is none, for it is
        interrupted or more will come (`is_unfinished`).
    """
    from pkmodel.output_folder import folder_beside
    from pkmodel.summary import summary

    folder = out
    if out is not None and (is_unfinished or result.status is Status.INTERRUPTED):
        folder = folder_beside(out)
    fault = None
    try:
        with stop.finishing(WRITING):
            where = _write(result, out, folder)
    except PkmodelError as error:
        fault = error
    show(summary(result.to_dict()))
    if fault is not None:
        raise fault
    click.echo(where)
    return folder


def _write(result: Fit, out: Path | None, folder: Path | None) -> str:
    """Write the outputs, and say where they are and what they replace."""
    from pkmodel.output_folder import former_fit, left_beside

    if folder is None:
        return "nothing written; --out DIR keeps the results"
    former = former_fit(folder)
    result.save(folder)
    text = f"written to {folder}" + (f"; replaces {former}" if former else "")
    if folder == out:
        left = left_beside(out)
        return text + (f"; {left} is left of a former run that was not finished" if left else "")
    is_interrupted = result.status is Status.INTERRUPTED
    return f"{'interrupted' if is_interrupted else 'unfinished'}, so {text}; {out} is what it was"
