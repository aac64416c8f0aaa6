"""What Ctrl-C does to a command: the first one ends what is running, the second one all."""

from __future__ import annotations

import signal
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from types import FrameType

ENDED = 130
"""Exit status of a program that was ended from the keyboard, by the shells' convention."""

AGAIN = "Ctrl-C again ends at once"


CALLBACK = "_raw_object_cache"
"""How the names of llvmlite's functions begin that its compiled code calls."""

SOON = 0.05
"""Seconds after which the signal is given again where it came at the wrong moment."""


class Interrupts:
    """Ctrl-C during one command.

    Parameters
    ----------
    tell : callable
        Shows a line to the user.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._count = 0
        self._said = ""
        self._is_cut = True

    @contextmanager
    def stopping(self, said: str) -> Iterator[None]:
        """Have the first Ctrl-C raise KeyboardInterrupt, at which a fit ends with what it has.

        Parameters
        ----------
        said : str
            What is kept.
        """
        with self._during(f"stopping: {said}", is_cut=True):
            yield

    @contextmanager
    def finishing(self, said: str) -> Iterator[None]:
        """Have the first Ctrl-C wait for the end of what is running.

        Parameters
        ----------
        said : str
            What is waited for.
        """
        with self._during(said, is_cut=False):
            yield

    @contextmanager
    def _during(self, said: str, *, is_cut: bool) -> Iterator[None]:
        before = self._said, self._is_cut
        self._said, self._is_cut = said, is_cut
        try:
            yield
        finally:
            self._said, self._is_cut = before

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        if _is_in_compiler(frame):
            again = Timer(SOON, interrupt_main)
            again.daemon = True
            again.start()
            return
        self._count += 1
        if self._count > 1 or not self._said:
            self._tell("ended: what was not written before is lost")
            raise SystemExit(ENDED)
        self._tell(f"{self._said}; {AGAIN}")
        if self._is_cut:
            raise KeyboardInterrupt


def _is_in_compiler(frame: FrameType | None) -> bool:
    """Tell whether the compiler has called back: it would drop an exception and go on."""
    while frame is not None:
        if frame.f_code.co_name.startswith(CALLBACK):
            return True
        frame = frame.f_back
    return False


@contextmanager
def interrupts(tell: Callable[[str], None]) -> Iterator[Interrupts]:
    """Handle Ctrl-C while a command runs; where nothing else is said the first one ends it."""
    found = Interrupts(tell)
    before = signal.signal(signal.SIGINT, found)
    try:
        yield found
    finally:
        signal.signal(signal.SIGINT, before)
