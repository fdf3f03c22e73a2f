"""A clean stop: the signals that ask for one become an exception in the main thread."""

from __future__ import annotations

import signal
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
