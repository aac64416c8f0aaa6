"""What commands print: results, how far they have come, what Ctrl-C does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import click
from rich.console import Console, RenderableType
from rich.markup import escape

from pkmodel.interrupts import Interrupts, interrupts

SECONDS_APART = 10.0
"""At least, between lines that tell how far a fit has come, where there is no terminal."""


def show(what: RenderableType) -> None:
    """Print to a terminal as wide as it is, and plainly to anything else."""
    from pkmodel.summary import plain_text

    console = Console()
    if console.is_terminal:
        console.print(what)
    else:
        click.echo(plain_text(what), nl=False)


def announced_interrupts() -> AbstractContextManager[Interrupts]:
    """Handle Ctrl-C, and say so on standard error."""
    return interrupts(partial(click.echo, err=True))


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
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
