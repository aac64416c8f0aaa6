"""What can go wrong, said so that a stranger can mend it.

Every error of the package derives from `PkmodelError`; the command line turns one into exit
status 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One fault, and where it is."""

    message: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class PkmodelError(Exception):
    """Base of all errors that a user can mend; carries every problem found in one pass."""

    def __init__(self, problems: str | Problem | Iterable[str | Problem], source: str = "") -> None:
        if isinstance(problems, str | Problem):
            problems = [problems]
        self.problems = tuple(p if isinstance(p, Problem) else Problem(p) for p in problems)
        self.source = source
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems]
        if not self.source:
            return "\n".join(lines)
        if len(lines) == 1:
            return f"{self.source}: {lines[0]}"
        return "\n".join(
            [f"{self.source}: {len(lines)} problems", *(f"  {line}" for line in lines)]
        )


@contextmanager
def within(source: str) -> Iterator[None]:
    """Name the file in the errors of a block that name none.

    Examples
    --------
    >>> with within("data.csv"):
    ...     raise DataError("no doses")
    Traceback (most recent call last):
    ...
    pkmodel.errors.DataError: data.csv: no doses
    """
    try:
        yield
    except PkmodelError as error:
        if error.source:
            raise
        raise type(error)(error.problems, source) from error.__cause__


class DataError(PkmodelError):
    """The data table has faults."""


class ModelError(PkmodelError):
    """The model, or the definition that holds it, has faults."""


class FitError(PkmodelError):
    """The fit cannot start or cannot go on."""
