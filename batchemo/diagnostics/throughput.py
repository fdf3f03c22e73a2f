"""How fast workers and the net are in the steady state, on real or made recordings."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter

import numpy as np

from batchemo.audio import Failure, read_windows
from batchemo.bundles import BATCH_SIZE
from batchemo.common.arrays import Float32
from batchemo.common.locks import scratch_folder
from batchemo.diagnostics.doctor import write_made_voice
from batchemo.errors import BatchemoError, UsageError
from batchemo.inference.loaded import LoadedModel, load_model
from batchemo.inference.predict_task import PredictTask, lost_result, predict_chunk
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording, SourceOptions, open_sources
from batchemo.tables.rows import RecordingResult
from batchemo.workers.dispatcher import FinishedChunk, run_chunks
from batchemo.workers.executor import Chunk

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


SIZES = (1, 4, BATCH_SIZE, 64)


def batch_times(
    settings: ModelSettings, recordings: Sequence[Recording], seconds: float
) -> dict[int, float]:
    """Run full batches of each size on features of these recordings, in turn."""
    tools = load_model(settings)
    heard = list(islice(_items(tools, recordings), max(SIZES)))
    if not heard:
        raise BatchemoError("none of these recordings could be heard: `batchemo scan` tells why")
    items = np.stack(list(islice(cycle(heard), max(SIZES))))
    runtimes = {size: load_model(replace(settings, batch_size=size)).classifier for size in SIZES}
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    end = perf_counter() + seconds
    while perf_counter() < end or not all(taken.values()):
        for size, classifier in runtimes.items():
            began = perf_counter()
            classifier.run(items[:size])
            taken[size].append((perf_counter() - began) / size)
    # The first run of a shape makes room for it.
    return {size: median(times[1:] or times) for size, times in taken.items()}


def _items(tools: LoadedModel, recordings: Sequence[Recording]) -> Iterator[Float32]:
    """Yield the model's input for windows with speech, of recordings that can be decoded."""
    window_config = tools.window_config
    shape = tools.input.shape(window_config.window)
    for recording in recordings:
        try:
            with read_windows(recording.path, window_config) as heard:
                for window in heard:
                    if window.speech:
                        prepared = tools.input.prepare(window.samples, window_config.window)
                        if prepared.shape == shape:  # A batch takes one shape only.
                            yield prepared
        except Failure:
            continue


RECORDINGS_A_CHUNK = 32
BYTES_A_CHUNK = 8 * 2**20
TIMEOUT = 60.0


@dataclass(slots=True)
class Measured:
    """What was finished between two moments at which a chunk was done."""

    recordings: int = 0
    sound: float = 0.0
    seconds: float = 0.0
    stages: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    """The reasons by the path."""


def measure(
    settings: ModelSettings, recordings: Sequence[Recording], jobs: int, seconds: float
) -> Measured:
    """Let workers hear the same recordings again and again, for so many seconds."""
    measured, clock = Measured(), _Clock(seconds)
    chunks = run_chunks(
        clock.chunks(recordings),
        partial(predict_chunk, PredictTask((settings,), TIMEOUT)),
        lost_result,
        workers=jobs,
        timeout=TIMEOUT,
    )
    with closing(chunks):
        for number, finished in enumerate(chunks):
            # Before the first chunks are done, workers start and load their models.
            if number < jobs:
                clock.start()
            elif not (measured.recordings and clock.is_over):
                _add(measured, finished)
                measured.seconds = clock.elapsed
    return measured


def _add(measured: Measured, finished: FinishedChunk[RecordingResult]) -> None:
    measured.recordings += len(finished.rows)
    measured.sound += sum(row.duration or 0.0 for row in finished.rows)
    measured.stages.update(finished.stages)
    for row in finished.rows:
        if row.reason is not None:
            measured.failed[row.file] = row.reason


class _Clock:
    """Runs from the last start on, and has chunks made until its time is over."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: float | None = None

    def start(self) -> None:
        self._began = monotonic()

    @property
    def elapsed(self) -> float:
        return 0.0 if self._began is None else monotonic() - self._began

    @property
    def is_over(self) -> bool:
        return self.elapsed > self._seconds

    def chunks(self, recordings: Sequence[Recording]) -> Iterator[Chunk]:
        """Chunks of the same recordings, for as long as there is time."""
        endless = cycle(recordings)
        number = 0
        while not self.is_over:
            chunk: list[Recording] = []
            while len(chunk) < RECORDINGS_A_CHUNK and _weight(chunk) < BYTES_A_CHUNK:
                chunk.append(next(endless))
            yield Chunk(number, tuple(chunk))
            number += 1


def _weight(chunk: Sequence[Recording]) -> int:
    return sum(recording.size or 0 for recording in chunk)
