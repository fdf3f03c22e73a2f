"""Standard output and error as a command can rely on them, whatever they are in truth."""

from __future__ import annotations

import io
import os
import select
import sys


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
