"""The command that simulates trials of virtual people, or plans their size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType

from pkmodel.commands.console import progress, show
from pkmodel.commands.options import two_ratios

if TYPE_CHECKING:
    from pkmodel.simulate.record import Trial


@click.command()
@click.argument("trial")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="CSV file to write.")
@click.option("--seed", type=click.IntRange(min=0), help="Replaces that of TRIAL.")
@click.option(
    "--power",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Find the number per group for this chance of the verdict, such as 0.8.",
)
@click.option(
    "--margin",
    callback=two_ratios,
    metavar="LOW,HIGH",
    help="With --power: ratios that count as equivalent.",
)
@click.option("--trials", type=click.IntRange(min=100), help="With --power; 1000 if not given.")
def simulate(
    trial: str,
    out: Path | None,
    seed: int | None,
    power: float | None,
    margin: tuple[float, float] | None,
    trials: int | None,
) -> None:
    """Simulate a trial of virtual people, or plan its size.

    TRIAL is a TOML file, or the name of a shipped trial; see "pkmodel list".
    """
    from pkmodel.simulate import read_trial

    if power is None and (margin is not None or trials is not None):
        raise click.UsageError("--margin and --trials belong to --power")
    if power is not None and out is not None:
        raise click.UsageError("--power prints a plan and writes no table: leave out --out")
    declared = read_trial(trial)
    with progress() as say:
        if power is not None:
            text = _plan(declared, power, margin, trials or 1000, seed, say)
        else:
            text = _simulation(declared, out, seed, say)
    show(text)


def _plan(
    trial: Trial,
    power: float,
    margin: tuple[float, float] | None,
    trials: int,
    seed: int | None,
    say: Callable[[str], None],
) -> RenderableType:
    """Plan the size of a trial."""
    from pkmodel.contrast.margin import given_margin
    from pkmodel.simulate import plan_trial
    from pkmodel.simulate.printing import plan_summary

    wanted = None if margin is None else given_margin(margin)
    plan = plan_trial(trial, power, margin=wanted, trials=trials, seed=seed, progress=say)
    return plan_summary(plan)


def _simulation(
    trial: Trial, out: Path | None, seed: int | None, say: Callable[[str], None]
) -> RenderableType:
    """Simulate a trial and write its table."""
    from pkmodel.simulate import simulate_trial
    from pkmodel.simulate.output import check_table_file, write_table
    from pkmodel.simulate.printing import simulation_summary

    replaces = out is not None and check_table_file(out)
    simulated = simulate_trial(trial, seed, progress=say)
    if out is not None:
        write_table(simulated.table, out)
    return simulation_summary(simulated, out, replaces=replaces)
