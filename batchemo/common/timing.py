"""Adds up how long each stage of the work on recordings takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeAlias

StageSeconds: TypeAlias = dict[str, float]
"""Seconds by the name of the stage."""


@contextmanager
def timed(seconds: StageSeconds, stage: str) -> Iterator[None]:
    """Add the time that the block takes, also if it raises.

    >>> seconds = {}
    >>> with timed(seconds, "vad"):
    ...     pass
    >>> seconds["vad"] >= 0
    True
    """
    started = perf_counter()
    try:
        yield
    finally:
        add_seconds(seconds, stage, perf_counter() - started)


def add_seconds(seconds: StageSeconds, stage: str, duration: float) -> None:
    """Add a duration to the time that a stage has taken."""
    seconds[stage] = seconds.get(stage, 0.0) + duration
