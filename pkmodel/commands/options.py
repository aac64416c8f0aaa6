"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

file_argument = click.argument("file")
out_option = click.option("--out", type=click.Path(path_type=Path), help="Folder for the outputs.")
method_option = click.option(
    "--method", metavar="M", help="fo, foce, focei, laplace, agq, imp, saem or nuts."
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), help="Of all draws: starts, imp, saem, nuts."
)
chains_option = click.option(
    "--chains", type=click.IntRange(min=1), help="Of nuts; of saem, for each subject."
)
draws_option = click.option(
    "--draws", type=click.IntRange(min=1), help="Of each chain of nuts; of imp, for each subject."
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads that share the subjects; results are the same to the bit for any number.",
)


def two_ratios(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[float, float] | None:
    """Read two numbers with a comma between them."""
    if value is None:
        return None
    try:
        low, high = (float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not two numbers, such as 0.8,1.25") from None
    return low, high


def check_folder(out: Path | None) -> None:
    """Refuse an output folder before any time is spent on the fit."""
    from pkmodel.output_folder import check_output_folder

    if out is not None:
        check_output_folder(out)
