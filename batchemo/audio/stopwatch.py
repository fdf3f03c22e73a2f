"""Adds up how long each stage of hearing a recording takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

Seconds = dict[str, float]
"""The stages by name."""


@contextmanager
def timed(seconds: Seconds, stage: str) -> Iterator[None]:
    """Add the time that the block takes.

    >>> seconds = {}
    >>> with timed(seconds, "gate"):
    ...     pass
    >>> seconds["gate"] >= 0
    True
    """
    started = perf_counter()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + perf_counter() - started
