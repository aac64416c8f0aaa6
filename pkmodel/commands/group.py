"""The group of all commands, and the exit status of each ending."""

from __future__ import annotations

import click

from pkmodel.errors import PkmodelError
from pkmodel.interrupts import ENDED

NOT_CONVERGED = 1
BAD_INPUT = 2


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
