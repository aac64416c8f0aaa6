"""The command line: parses, calls, prints.

Exit status 0: done; 1: the fit ran but did not converge, or was stopped, its outputs are written;
2: bad input, one message on standard error, nothing written; 130: stopped with nothing to show.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.text import Text

import pkmodel
from pkmodel.errors import FitError, PkmodelError
from pkmodel.interrupts import ENDED, Interrupts, interrupts
from pkmodel.status import Status

if TYPE_CHECKING:
    from pkmodel.comparability import Comparability
    from pkmodel.definition import Definition
    from pkmodel.estimate.certificate import Certificate
    from pkmodel.exposure.plateau_rule import PlateauRule
    from pkmodel.result import Fit
    from pkmodel.simulate.record import Trial

NOT_CONVERGED = 1
BAD_INPUT = 2

SECONDS_APART = 10.0
"""At least, between lines that tell how far a fit has come, where there is no terminal."""


NOT_USED = "Not converged: use nothing of what follows that is by the model.\n"
WRITING = "writing the results"
NO_CERTIFICATE = "Stopped from the keyboard: there is no certificate."


class BadInput(click.ClickException):
    """What the user can mend, said on standard error."""

    exit_code = BAD_INPUT


class Stopped(click.ClickException):
    """What Ctrl-C ended before there was a result."""

    exit_code = ENDED


class Commands(click.Group):
    """Commands that turn errors of the package, and files that cannot be read, into `BadInput`."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except PkmodelError as error:
            raise BadInput(str(error)) from error
        except KeyboardInterrupt as stop:
            reason = f" ({stop})" if str(stop) else ""
            raise Stopped(f"stopped before there was a result{reason}; nothing written") from stop
        except BrokenPipeError:
            raise
        except OSError as error:
            raise BadInput(f"{error.filename or ''}: {error.strerror or error}") from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(pkmodel.__version__, package_name="pkmodel")
def main() -> None:
    """Fit population pharmacokinetic models.

    FILE is a fit definition (TOML), or the name of a shipped one; see "pkmodel list".
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


_file = click.argument("file")
_out = click.option("--out", type=click.Path(path_type=Path), help="Folder for the outputs.")
_method = click.option(
    "--method", metavar="M", help="fo, foce, focei, laplace, agq, imp, saem or nuts."
)
_seed = click.option(
    "--seed", type=click.IntRange(min=0), help="Of all draws: starts, imp, saem, nuts."
)
_threads = click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads that share the subjects; results are the same to the bit for any number.",
)


@main.command()
@_file
@_out
@_method
@_seed
@_threads
def fit(file: str, out: Path | None, method: str | None, seed: int | None, threads: int) -> None:
    """Fit, print the summary, write the outputs."""
    definition = pkmodel.read_definition(file)
    _check_folder(out)
    with _interrupts() as stop:
        result = _fit(definition, method, seed, threads, stop)
        _finish(result, out, stop)
    if not result.converged:
        sys.exit(NOT_CONVERGED)


@main.command()
@_file
@_method
@_out
@_threads
def evaluate(file: str, method: str | None, out: Path | None, threads: int) -> None:
    """Evaluate at the initial values of FILE; nothing is estimated."""
    definition = pkmodel.read_definition(file)
    _check_folder(out)
    with _progress() as say:
        result = pkmodel.evaluate(definition, method=method, threads=threads, progress=say)
    with _interrupts() as stop:
        _finish(result, out, stop)


@main.command()
@_file
@_method
def check(file: str, method: str | None) -> None:
    """Read data and model, print what was understood, fit nothing."""
    from pkmodel.definition import given_options
    from pkmodel.errors import within
    from pkmodel.overview import overview

    definition = pkmodel.read_definition(file)
    if method is not None:
        with within(str(definition.path)):
            options = given_options(definition, method=method)
        definition = replace(definition, options=options)
    with _progress() as say:
        result = pkmodel.evaluate(definition, progress=say)
    _print(overview(definition, result))


@main.command()
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
@_out
@_threads
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

    _check_folder(out)
    definitions = [pkmodel.read_definition(file) for file in files]
    with _interrupts() as stop:
        with _progress() as say:
            fits = [
                pkmodel.fit(definition, method=method, threads=threads, progress=say)
                for definition in definitions
                for method in methods or (None,)
            ]
            say("comparing")
            found = pkmodel.compare(fits, nested=nested)
        where = "nothing written; --out DIR keeps the results"
        with stop.finishing(WRITING):
            if out is not None:
                former = former_fit(out)
                replace_folder(out, found.write)
                where = f"written to {out}" + (f"; replaces {former}" if former else "")
    _print(comparison_summary(found.to_dict()))
    click.echo(where)
    if not all(fit.converged for fit in fits):
        sys.exit(NOT_CONVERGED)


@main.command()
@_file
@_method
@_threads
def certify(file: str, method: str | None, threads: int) -> None:
    """Fit, and say how far the fit is from the exact likelihood.

    Prints how the method's objective differs from the exact one, in total and for the worst
    subjects, and how far re-optimising the exact one moves each estimate.
    """
    from pkmodel.definition import FULL_BAYES
    from pkmodel.estimate.certificate import NO_CERTIFICATE as NONE_OF_DRAWS
    from pkmodel.summary import summary

    definition = pkmodel.read_definition(file)
    if (method or definition.options.method) == FULL_BAYES:
        raise FitError(NONE_OF_DRAWS)
    with _interrupts() as stop:
        result = _fit(definition, method, None, threads, stop)
        certificate = _certificate(result, stop)
    _print(summary(result.to_dict()))
    _print(Text(f"\n{certificate or NO_CERTIFICATE}"))
    if certificate is None or not result.converged:
        sys.exit(NOT_CONVERGED)


def _certificate(result: Fit, stop: Interrupts) -> Certificate | None:
    """Certify a fit; None where it or this was stopped."""
    if result.status is Status.INTERRUPTED:
        return None
    try:
        with stop.stopping("the fit is kept, without its certificate"), _progress() as say:
            say("certificate")
            return result.certify()
    except KeyboardInterrupt:
        return None


def _two_ratios(
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


@main.command(name="compare-groups")
@_file
@click.option("--reference", metavar="GROUP", help="The group that others are compared with.")
@click.option(
    "--margin",
    callback=_two_ratios,
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
@_out
@_method
@_seed
@_threads
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
    threads: int,
) -> None:
    """Fit, then compare exposure and clearance between groups.

    FILE may also be a CSV of published summaries with columns group, metric, n, mean, sd.
    """
    from pkmodel.exposure.plateau_rule import PlateauRule

    _check_folder(out)
    if Path(file).suffix == ".csv":
        if settle is not None or by != "age_group":
            raise click.UsageError("--settle and --by belong to a fit, not to published summaries")
        _compare_published(Path(file), reference, margin, multiplicity, out)
        return
    definition = pkmodel.read_definition(file)
    has_units = definition.data is not None and definition.data.units is not None
    if settle is None and not has_units:
        raise BadInput(
            "[data] units are not declared, so 10 h cannot be told: declare them, or say --settle "
            "in the data's own unit of time"
        )
    rule = PlateauRule(10.0 if settle is None else settle, "h" if has_units else "")
    asked = Asked(by, reference, margin, multiplicity, rule)
    _check_asked(definition, asked)
    with _interrupts() as stop:
        result = _fit(definition, method, seed, threads, stop)
        _finish(result, out, stop)
        is_compared = _compare_groups(result, out, stop, asked)
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


def _compare_groups(result: Fit, out: Path | None, stop: Interrupts, asked: Asked) -> bool:
    """Compare, print and write besides the fit; say whether that was done, and if not, why not."""
    from pkmodel.comparability_text import comparability_summary
    from pkmodel.output_folder import add_to_folder

    alone = f"{out} holds the fit alone" if out else "nothing of it is written"
    if result.status is Status.INTERRUPTED:
        click.echo("The groups were not compared.")
        return False
    try:
        with stop.stopping(f"no comparison; {alone}"), _progress() as say:
            found = _contrast(result, asked, say)
    except KeyboardInterrupt:
        click.echo(f"\nStopped from the keyboard: the groups were not compared; {alone}.")
        return False
    except PkmodelError as error:
        click.echo(f"\nThe groups were not compared; {alone}.\nError: {error}", err=True)
        return False
    click.echo(f"\n{'' if result.converged else NOT_USED}", nl=False)
    _print(comparability_summary(found))
    if out is not None:
        with stop.finishing(WRITING):
            add_to_folder(out, found.write)
        click.echo(f"comparison written to {out}")
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
    _print(summary_comparison(found))
    click.echo(f"written to {out}" if out else "nothing written; --out DIR keeps the results")


@main.command()
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
    callback=_two_ratios,
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
    with _progress() as say:
        if power is not None:
            text = _plan(declared, power, margin, trials or 1000, seed, say)
        else:
            text = _simulation(declared, out, seed, say)
    _print(text)


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


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="File for the page, instead of RUN/report.html."
)
def report(run: Path, out: Path | None) -> None:
    """Write one self-contained HTML page about the run in the folder RUN."""
    from pkmodel.report import write_report

    with _progress() as say:
        say("drawing the report")
        path = write_report(run, out)
    click.echo(f"written to {path}")


@main.command(name="list")
def list_shipped() -> None:
    """List the shipped fit definitions, data sets and trials."""
    from pkmodel.overview import shipped_overview

    _print(shipped_overview())


def _check_folder(out: Path | None) -> None:
    """Refuse an output folder before any time is spent on the fit."""
    from pkmodel.output_folder import check_output_folder

    if out is not None:
        check_output_folder(out)


def _fit(
    definition: Definition, method: str | None, seed: int | None, threads: int, stop: Interrupts
) -> Fit:
    """Fit with a line that tells how far it has come, so that Ctrl-C keeps what there is."""
    from pkmodel.interrupted import kept_by

    kept = kept_by(method or definition.options.method)
    with stop.stopping(f"keeping {kept}"), _progress() as say:
        return pkmodel.fit(definition, method=method, seed=seed, threads=threads, progress=say)


def _finish(result: Fit, out: Path | None, stop: Interrupts) -> None:
    """Write the outputs, then print the summary and where they are, or why they are not."""
    from pkmodel.summary import summary

    fault = None
    try:
        with stop.finishing(WRITING):
            where = _write(result, out)
    except PkmodelError as error:
        fault = error
    _print(summary(result.to_dict()))
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


def _print(what: RenderableType) -> None:
    """Print to a terminal as wide as it is, and plainly to anything else."""
    from pkmodel.summary import plain_text

    console = Console()
    if console.is_terminal:
        console.print(what)
    else:
        click.echo(plain_text(what), nl=False)


def _interrupts() -> AbstractContextManager[Interrupts]:
    """Handle Ctrl-C, and say so on standard error."""
    return interrupts(partial(click.echo, err=True))


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows one changing line on standard error.

    Where that is no terminal, what takes long has a line now and then.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _told_now_and_then()
        return
    with console.status("reading") as line:
        yield lambda text: line.update(escape(text))


def _told_now_and_then() -> Callable[[str], None]:
    """Return what prints a line where the last one, or the first that was told, is long ago.

    The one long wait that is known beforehand, that for the compilation, is always announced.
    """
    from pkmodel.fitting import COMPILING

    since: float | None = None

    def say(text: str) -> None:
        nonlocal since
        now = time.monotonic()
        if text == COMPILING:
            click.echo(text, err=True)
            since = None
        elif since is None:
            since = now
        elif now - since >= SECONDS_APART:
            click.echo(text, err=True)
            since = now

    return say
