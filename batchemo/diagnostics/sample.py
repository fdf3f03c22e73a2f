"""The recordings that a bench hears: some of the user's, or made ones."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import perf_counter

from batchemo.common.locks import scratch_folder
from batchemo.diagnostics.doctor import write_made_voice
from batchemo.errors import UsageError
from batchemo.sources import Recording, SourceOptions, open_sources

MOST = 64
LOOKED_AT = 4096
"""Recordings among which they are chosen, evenly, so that a bench begins at once."""
LARGEST = 8 * 2**20
"""Bytes. A larger recording takes too long for a bench that takes a minute."""

MADE, MADE_RATE = 12, 48_000
AT_ONCE = 2**20


@contextmanager
def recordings_for(options: SourceOptions) -> Iterator[tuple[Sequence[Recording], int]]:
    """Give the recordings to hear, and how many were passed over because they are too large."""
    if options.paths:
        yield chosen(list(islice(open_sources(options), LOOKED_AT)))
        return
    with scratch_folder() as folder:
        for number in range(MADE):
            seconds = 2.0 + 3.0 * number / MADE
            write_made_voice(folder / f"{number:02d}.wav", seconds, rate=MADE_RATE, seed=number)
        yield list(open_sources(SourceOptions(paths=(str(folder),)))), 0


def chosen(found: Sequence[Recording]) -> tuple[Sequence[Recording], int]:
    """Choose evenly among those that are not too large."""
    if not found:
        raise UsageError("there are no recordings in what was named; see --ext")
    fitting = [recording for recording in found if (recording.size or 0) <= LARGEST]
    if not fitting:
        raise UsageError(
            f"all recordings are larger than {LARGEST // 2**20} MiB: a bench would take too long "
            "on them. Name shorter ones of their kind"
        )
    count = min(MOST, len(fitting))
    picked = [fitting[number * len(fitting) // count] for number in range(count)]
    return picked, len(found) - len(fitting)


def reading_time(recordings: Sequence[Recording]) -> float:
    """Seconds that the disk needs for a recording, in the mean, with none of it in memory."""
    began = perf_counter()
    for recording in recordings:
        if recording.size is not None:
            _read(Path(recording.path))
    return (perf_counter() - began) / len(recordings)


def _read(path: Path) -> None:
    with path.open("rb", buffering=0) as stream:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while stream.read(AT_ONCE):
            pass
