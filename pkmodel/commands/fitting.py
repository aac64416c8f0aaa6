"""Commands that fit one definition, or evaluate it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

import pkmodel
from pkmodel.commands.console import announced_interrupts, progress, show
from pkmodel.commands.group import NOT_CONVERGED
from pkmodel.commands.options import (
    chains_option,
    check_folder,
    draws_option,
    file_argument,
    method_option,
    out_option,
    seed_option,
    threads_option,
)
from pkmodel.commands.running import Replaced, finish, fitted, named_options
from pkmodel.errors import FitError
from pkmodel.status import Status

if TYPE_CHECKING:
    from pkmodel.estimate.certificate import Certificate
    from pkmodel.interrupts import Interrupts
    from pkmodel.result import Fit

NO_CERTIFICATE = "Stopped from the keyboard: there is no certificate."


@click.command()
@file_argument
@out_option
@method_option
@seed_option
@chains_option
@draws_option
@threads_option
def fit(
    file: str,
    out: Path | None,
    method: str | None,
    seed: int | None,
    chains: int | None,
    draws: int | None,
    threads: int,
) -> None:
    """Fit, print the summary, write the outputs."""
    definition = pkmodel.read_definition(file, method=method)
    check_folder(out)
    with announced_interrupts() as stop:
        result = fitted(definition, Replaced(method, seed, chains, draws), threads, stop)
        finish(result, out, stop)
    if not result.converged:
        sys.exit(NOT_CONVERGED)


@click.command()
@file_argument
@method_option
@out_option
@threads_option
def evaluate(file: str, method: str | None, out: Path | None, threads: int) -> None:
    """Evaluate at the initial values of FILE; nothing is estimated."""
    definition = pkmodel.read_definition(file, method=method)
    check_folder(out)
    with progress() as say, named_options():
        result = pkmodel.evaluate(definition, method=method, threads=threads, progress=say)
    with announced_interrupts() as stop:
        finish(result, out, stop)


@click.command()
@file_argument
@method_option
def check(file: str, method: str | None) -> None:
    """Read data and model, print what was understood, fit nothing."""
    from pkmodel.definition import given_options
    from pkmodel.overview import overview

    definition = pkmodel.read_definition(file, method=method)
    with progress() as say, named_options():
        options = given_options(definition, method=method)
        result = pkmodel.evaluate(definition, method=method, progress=say)
    show(overview(replace(definition, options=options), result))


@click.command()
@file_argument
@method_option
@seed_option
@threads_option
def certify(file: str, method: str | None, seed: int | None, threads: int) -> None:
    """Fit, and say how far the fit is from the exact likelihood.

    Prints how the method's objective differs from the exact one, in total and for the worst
    subjects, and how far re-optimising the exact one moves each estimate.
    """
    from pkmodel.definition import FULL_BAYES
    from pkmodel.estimate.certificate import NO_CERTIFICATE as NONE_OF_DRAWS
    from pkmodel.summary import summary

    definition = pkmodel.read_definition(file, method=method)
    if (method or definition.options.method) == FULL_BAYES:
        raise FitError(NONE_OF_DRAWS)
    with announced_interrupts() as stop:
        result = fitted(definition, Replaced(method, seed), threads, stop)
        certificate = _certificate(result, stop)
    show(summary(result.to_dict()))
    show(Text(f"\n{certificate or NO_CERTIFICATE}"))
    if certificate is None or not result.converged:
        sys.exit(NOT_CONVERGED)


def _certificate(result: Fit, stop: Interrupts) -> Certificate | None:
    """Certify a fit; None where it or this was stopped."""
    if result.status is Status.INTERRUPTED:
        return None
    try:
        with stop.stopping("the fit is kept, without its certificate"), progress() as say:
            say("certificate")
            return result.certify()
    except KeyboardInterrupt:
        return None
