"""The command line: parses, calls, prints.

Exit status 0: done; 1: the fit ran but did not converge, or was stopped, its outputs are written;
2: bad input, one message on standard error, nothing written; 130: stopped with nothing to show.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper

import click

import pkmodel
from pkmodel.commands.compare import compare
from pkmodel.commands.compare_groups import compare_groups
from pkmodel.commands.fitting import certify, check, evaluate, fit
from pkmodel.commands.group import Commands
from pkmodel.commands.showing import list_shipped, report
from pkmodel.commands.simulate import simulate


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(pkmodel.__version__, package_name="pkmodel")
def main() -> None:
    """Fit population pharmacokinetic models.

    FILE is a fit definition (TOML), or the name of a shipped one; see "pkmodel list".
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


for command in (
    fit,
    evaluate,
    certify,
    check,
    compare,
    compare_groups,
    simulate,
    report,
    list_shipped,
):
    main.add_command(command)


if __name__ == "__main__":
    main()
