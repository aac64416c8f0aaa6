"""Commands that show what there is: a run as a page, what is shipped."""

from __future__ import annotations

from pathlib import Path

import click

from pkmodel.commands.console import progress, show


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="File for the page, instead of RUN/report.html."
)
def report(run: Path, out: Path | None) -> None:
    """Write one self-contained HTML page about the run in the folder RUN."""
    from pkmodel.report import write_report

    with progress() as say:
        say("drawing the report")
        path = write_report(run, out)
    click.echo(f"written to {path}")


@click.command(name="list")
def list_shipped() -> None:
    """List the shipped fit definitions, data sets and trials."""
    from pkmodel.overview import shipped_overview

    show(shipped_overview())
