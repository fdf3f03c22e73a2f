"""Work for other processes: they import it, which they cannot with functions of a test module."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from batchemo.inference.predict_task import lost_result
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingRows
from batchemo.workers.executor import ChunkResult


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


def file_names(recordings: Sequence[Recording]) -> ChunkResult[str]:
    """Return the name of each recording; "kill" kills the parent, a cluster's worker."""
    if any(recording.file == "kill" for recording in recordings):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return ChunkResult(tuple(recording.file for recording in recordings))


def find_nothing(recordings: Sequence[Recording]) -> ChunkResult[RecordingRows]:
    """Return what a worker does that sees no recording."""
    rows = (lost_result(recording, "missing", "no such file") for recording in recordings)
    return ChunkResult(tuple(rows))
