"""The system beneath a command: signals that end it, standard streams that may be closed."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ASKED_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


KEPT = "What was finished is kept: the same command goes on from there"


class Stopped(BaseException):
    """A signal asked the command to stop."""

    def __init__(self, number: int, outcome: str = KEPT) -> None:
        self.number = number
        self.exit_code = 128 + number
        super().__init__(f"stopped by {signal.Signals(number).name}. {outcome}")


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` at the first such signal within the block, and take no second."""
    # Under nohup, the end of the terminal is asked to be no reason to stop.
    deaf = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
    asked = [number for number in ASKED_TO_STOP if number not in deaf]
    before = {number: signal.signal(number, _stop) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    # A second Ctrl-C must not break off the clean-up that the first one began.
    for other in ASKED_TO_STOP:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


def prepare() -> None:
    """See to it that any text can be written: to a closed stream too, and in any encoding."""
    if None in (sys.stdout, sys.stderr):
        _occupy_closed()
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def _occupy_closed() -> None:
    """Let closed streams lead nowhere.

    Else the next file to be opened would get the number of one, and all that is printed there.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def output_is_closed() -> bool:
    """Tell whether the command was started without a standard output (`>&-`)."""
    return sys.__stdout__ is None


def reader_has_left() -> bool:
    """Tell whether standard output is a pipe that nobody reads any more."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def fall_silent() -> None:
    """Let standard output lead nowhere from now on, also at the flush of the interpreter's exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
