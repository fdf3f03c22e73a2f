"""The process of a command: signals that stop it, standard streams that may be closed."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

RESUMABLE = "Finished work is kept: run the same command again to resume"


class Stopped(BaseException):
    """A signal asked the command to stop.

    Not an `Exception`, as KeyboardInterrupt is none: no handler of errors may swallow it.
    """

    def __init__(self, number: int, outcome: str = RESUMABLE) -> None:
        self.number = number
        # What a shell reports of a program that a signal ended.
        self.exit_code = 128 + number
        super().__init__(f"stopped by {signal.Signals(number).name}. {outcome}")


_NO_THREAD = "can't start new thread"
"""What Python says where the system allows no further thread, or no memory for it."""


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise `Stopped` at the first stop signal within the block, and ignore later ones."""
    # nohup ignores SIGHUP, so that the end of the terminal does not end the command: respect it.
    ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
    handled = [number for number in STOP_SIGNALS if number not in ignored]
    before = {number: signal.signal(number, _raise_stopped) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise_stopped(number: int, frame: FrameType | None) -> None:
    # A second Ctrl-C must not interrupt the clean-up that the first one started.
    for other in STOP_SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


def quieten_threads() -> None:
    """Keep threads that end for want of memory or of threads from printing a traceback.

    They are those of the pool of processes; the run notices, and reports it in words.
    """

    def report(ended: threading.ExceptHookArgs) -> None:
        if not isinstance(ended.exc_value, MemoryError) and _NO_THREAD not in str(ended.exc_value):
            threading.__excepthook__(ended)

    threading.excepthook = report


def prepare_streams() -> None:
    """Make standard output and error accept any text, even if closed or of another encoding."""
    if None in (sys.stdout, sys.stderr):
        _reserve_closed_descriptors()
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def _reserve_closed_descriptors() -> None:
    """Connect closed standard streams to the null device.

    The system gives the lowest free number to the next file that is opened: a table opened as
    number 1 would receive everything that is printed.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


@contextmanager
def libraries_silenced() -> Iterator[None]:
    """Discard what libraries in C write to standard error by themselves, within the block.

    libmpg123 comments on damaged recordings there, which get a row with a reason anyway. What
    Python prints still gets through.
    """
    if sys.stderr is not sys.__stderr__ or sys.stderr is None:  # A test's stream, or none.
        yield
        return
    python_stderr, descriptor = sys.stderr, os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    encoding, errors = python_stderr.encoding, python_stderr.errors
    sys.stderr = os.fdopen(descriptor, "w", 1, encoding, errors, closefd=False)
    try:
        yield
    finally:
        with suppress(OSError):
            sys.stderr.flush()
        sys.stderr = python_stderr
        os.dup2(descriptor, 2)
        os.close(descriptor)


def stdout_is_closed() -> bool:
    """Return whether the command was started without a standard output (`>&-`)."""
    return sys.__stdout__ is None


def stdout_reader_is_gone() -> bool:
    """Return whether standard output is a pipe whose reader has closed its end."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def discard_stdout() -> None:
    """Connect standard output to the null device, also for the flush when the interpreter exits."""
    _discard(sys.stdout.fileno())


def flush_stderr() -> bool:
    """Write what is left for standard error; return False where nobody reads it any more."""
    try:
        sys.stderr.flush()
    except OSError:
        # Python would try again as it exits, and end with the code 120.
        _discard(2)
        return False
    return True


def _discard(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
