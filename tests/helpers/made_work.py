"""Work for other processes: they import it, which they cannot with functions of a test module."""

from __future__ import annotations

import os
import time


def process_id(item: object) -> int:
    """Return the id of the process that works on the item."""
    return os.getpid()


def sleep(seconds: float) -> float:
    """Sleep, and return for how long."""
    time.sleep(seconds)
    return seconds


def thread_limit(item: object) -> str:
    """Return how many threads numeric libraries may use in this process."""
    return os.environ["OMP_NUM_THREADS"]


def kept_memory(item: None) -> str | None:
    """Return how many freed bytes this process keeps, as glibc was told."""
    return os.environ.get("MALLOC_TRIM_THRESHOLD_")
