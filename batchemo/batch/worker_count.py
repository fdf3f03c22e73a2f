"""How many workers a run starts: one for each processor, unless less is useful or has room."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from batchemo.workers.executor import Chunk, available_cpus

WORKER_RECORDINGS, WORKER_BYTES = 16, 8 * 2**20
"""Either is enough work for another worker to be worth its start."""
SHARED_BYTES = 20 * 2**20
"""A recording of so many bytes may be long enough for another worker: ten minutes of 16 bits at
16 kHz. How long it is, the workers find out."""
COPIES = 3
"""How often a worker has the weights of a model in memory while it loads them, as measured with a
model of 1.2 GB: the file, ONNX Runtime's copy, and the one in the order in which it multiplies."""


def first_chunks(chunks: Iterator[Chunk], jobs: int) -> list[Chunk]:
    """Take as many chunks as `useful_workers` needs to know: the first are small."""
    wanted = jobs or available_cpus()
    taken: list[Chunk] = []
    recordings = size = 0
    for chunk in chunks:
        taken.append(chunk)
        recordings += len(chunk.recordings)
        size += sum(recording.size or 0 for recording in chunk.recordings)
        is_enough = recordings >= wanted * WORKER_RECORDINGS or size >= wanted * WORKER_BYTES
        if len(taken) >= wanted and (jobs or is_enough):
            break
    return taken


def useful_workers(chunks: Sequence[Chunk], jobs: int) -> int:
    """Return how many of `jobs` workers have something to do, if these are the first chunks.

    With 0 jobs, for as many as there are processors, each also has enough to do to be worth its
    start, which takes half a second.
    """
    recordings = [recording for chunk in chunks for recording in chunk.recordings]
    sizes = [recording.size or 0 for recording in recordings]
    pieces = sum(size // SHARED_BYTES for size in sizes)
    useful = min(jobs or available_cpus(), len(chunks) + pieces)
    if not jobs:
        enough = max(len(recordings) / WORKER_RECORDINGS, sum(sizes) / WORKER_BYTES)
        useful = min(useful, math.ceil(enough))
    return max(1, useful)


def workers_with_room(workers: int, weight_bytes: int, *, is_asked: bool) -> tuple[int, list[str]]:
    """Return how many of the workers to start, and what the user should know about that.

    All of them, if their number is what was asked for. Models whose weights take nothing to speak
    of change nothing.

    >>> workers_with_room(3, 0, is_asked=False)
    (3, [])
    """
    needed = COPIES * weight_bytes
    if not needed or workers == 1:
        return workers, []
    from psutil import virtual_memory

    available = virtual_memory().available
    room = max(1, available // needed)
    if room >= workers:
        return workers, []
    gigabytes = f"{needed / 2**30:.1f} GB a worker, and {available / 2**30:.1f} GB are free"
    if is_asked:
        return workers, [f"-j {workers}: the models take up to {gigabytes}: memory may run out"]
    return room, [f"-j {room}, and not {workers}: the models take up to {gigabytes}"]
