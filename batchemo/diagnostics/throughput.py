"""How fast workers and the model are once they are warm, on given or synthetic recordings."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter

import numpy as np

from batchemo.audio import Failure, read_windows
from batchemo.bundles import BATCH_SIZE, GPU_BATCH_SIZE
from batchemo.common.arrays import Float32
from batchemo.common.locks import scratch_folder
from batchemo.diagnostics.doctor import write_synthetic_voice
from batchemo.errors import BatchemoError, UsageError
from batchemo.inference.gpu_pool import open_gpu_pool
from batchemo.inference.loaded import LoadedModel, load_model
from batchemo.inference.predict_task import PredictTask, lost_result, predict_chunk
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording, SourceOptions, open_sources
from batchemo.storage.url import is_url
from batchemo.tables.rows import RecordingRows
from batchemo.workers.dispatcher import FinishedChunk, run_chunks
from batchemo.workers.executor import Chunk

MAX_RECORDINGS = 64
MAX_CANDIDATES = 4096
"""How many of the recordings are looked at, so that a bench of a million begins at once."""
MAX_BYTES = 8 * 2**20
"""A larger recording takes too long for a bench of less than a minute."""

SYNTHETIC_RECORDINGS = 12
SYNTHETIC_RATE = 48_000
"""No model's own rate, so that the time for resampling counts."""

BATCH_SIZES = (1, BATCH_SIZE, 16, 64)
GPU_BATCH_SIZES = (BATCH_SIZE, 32, GPU_BATCH_SIZE, 256)

CHUNK_RECORDINGS = 32
CHUNK_BYTES = 8 * 2**20
TIMEOUT = 60.0


@contextmanager
def bench_recordings(options: SourceOptions) -> Iterator[tuple[Sequence[Recording], int]]:
    """Yield the recordings to measure on, and how many were left out because they are too large.

    Without any path in the options, they are synthetic, and exist within the context only.
    """
    if any(map(is_url, options.paths)):
        raise UsageError("bench measures files of this machine: copy some recordings to it")
    if options.paths:
        yield choose_recordings(list(islice(open_sources(options), MAX_CANDIDATES)))
        return
    with scratch_folder() as folder:
        for number in range(SYNTHETIC_RECORDINGS):
            seconds = 2.0 + 3.0 * number / SYNTHETIC_RECORDINGS
            path = folder / f"{number:02d}.wav"
            write_synthetic_voice(path, seconds, rate=SYNTHETIC_RATE, seed=number)
        yield list(open_sources(SourceOptions(paths=(str(folder),)))), 0


def choose_recordings(candidates: Sequence[Recording]) -> tuple[Sequence[Recording], int]:
    """Return recordings evenly spaced among those that are not too large, and how many are."""
    if not candidates:
        raise UsageError("there are no recordings in what was named; see --ext")
    small = [recording for recording in candidates if (recording.size or 0) <= MAX_BYTES]
    if not small:
        raise UsageError(
            f"all recordings are larger than {MAX_BYTES // 2**20} MiB: a bench would take too long "
            "on them. Name shorter ones of their kind"
        )
    count = min(MAX_RECORDINGS, len(small))
    chosen = [small[number * len(small) // count] for number in range(count)]
    return chosen, len(candidates) - len(small)


def read_seconds(recordings: Sequence[Recording]) -> float:
    """Return the mean seconds that the disk needs for a recording that is not in memory."""
    began = perf_counter()
    for recording in recordings:
        if recording.size is not None:
            _read_uncached(Path(recording.path))
    return (perf_counter() - began) / len(recordings)


def _read_uncached(path: Path) -> None:
    with path.open("rb", buffering=0) as stream:
        if hasattr(os, "posix_fadvise"):
            # Drop it from the page cache: a scan meets most recordings for the first time.
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while stream.read(2**20):
            pass


def window_seconds_by_batch_size(
    settings: ModelSettings, recordings: Sequence[Recording], seconds: float
) -> dict[int, float]:
    """Return the model's median seconds for a window, by batch size, on these recordings.

    The sizes take turns, so that a machine that gets slower meanwhile slows all of them.
    """
    sizes = BATCH_SIZES if settings.device == "cpu" else GPU_BATCH_SIZES
    model = load_model(settings)
    available = list(islice(_model_inputs(model, recordings), max(sizes)))
    if not available:
        raise BatchemoError("none of these recordings could be decoded: `batchemo scan` says why")
    inputs = np.stack(list(islice(cycle(available), max(sizes))))
    classifiers = {
        size: load_model(replace(settings, batch_size=size)).classifier for size in sizes
    }
    measured: dict[int, list[float]] = {size: [] for size in sizes}
    end = perf_counter() + seconds
    while perf_counter() < end or not all(measured.values()):
        for size, classifier in classifiers.items():
            began = perf_counter()
            classifier.run(inputs[:size])
            measured[size].append((perf_counter() - began) / size)
    # The first run of a shape also allocates memory for it.
    return {size: median(times[1:] or times) for size, times in measured.items()}


def _model_inputs(model: LoadedModel, recordings: Sequence[Recording]) -> Iterator[Float32]:
    """Yield the model's input for windows with speech, of recordings that can be decoded."""
    window_config = model.window_config
    # Padded in any case: all get one shape, and speed does not depend on what fills a window.
    model_input = replace(model.input, padding="trained", padding_step=None)
    for recording in recordings:
        try:
            with read_windows(recording.path, window_config) as windows:
                for window in windows:
                    if window.speech:
                        yield model_input.prepare(window.samples, window_config.window)
        except Failure:
            continue


@dataclass(slots=True)
class Measurement:
    """What workers finished between two moments at which a chunk was done."""

    recordings: int = 0
    audio_seconds: float = 0.0
    seconds: float = 0.0
    stages: Counter[str] = field(default_factory=Counter)
    """Seconds by the name of the stage, over all workers."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reasons by the file."""

    def add(self, finished: FinishedChunk[RecordingRows]) -> None:
        """Add the recordings of a chunk."""
        rows = [row for of_recording in finished.rows for row in of_recording]
        self.recordings += len(finished.rows)
        self.audio_seconds += sum(row.duration or 0.0 for row in rows)
        self.stages.update(finished.stages)
        for row in rows:
            if row.reason is not None:
                self.failed[row.file] = row.reason


def measure_workers(
    settings: ModelSettings, recordings: Sequence[Recording], jobs: int, seconds: float
) -> Measurement:
    """Let workers analyse the same recordings again and again, for that many seconds."""
    measurement, clock = Measurement(), _Clock(seconds)
    with ExitStack() as stack:
        gpu_pool = stack.enter_context(open_gpu_pool([settings]))
        gpu_folder = None if gpu_pool is None else str(gpu_pool.folder)
        task = PredictTask((settings,), TIMEOUT, gpu_folder=gpu_folder)
        chunks = run_chunks(
            _endless_chunks(recordings, clock),
            partial(predict_chunk, task),
            lost_result,
            workers=jobs,
            timeout=TIMEOUT,
        )
        stack.enter_context(closing(chunks))
        for number, finished in enumerate(chunks):
            # The first chunk of each worker includes its start and the loading of the model.
            if number < jobs:
                clock.start()
            # And what finishes after the end is left out, as some workers are idle by then; but
            # at least one chunk counts, on however slow a machine.
            elif not (measurement.recordings and clock.is_over):
                measurement.add(finished)
                measurement.seconds = clock.elapsed
    return measurement


class _Clock:
    """Measures from its last start, and tells when its time is over."""

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


def _endless_chunks(recordings: Sequence[Recording], clock: _Clock) -> Iterator[Chunk]:
    """Yield chunks of the same recordings until the clock's time is over."""
    endless = cycle(recordings)
    number = 0
    while not clock.is_over:
        chunk: list[Recording] = []
        size = 0
        while len(chunk) < CHUNK_RECORDINGS and size < CHUNK_BYTES:
            chunk.append(next(endless))
            size += chunk[-1].size or 0
        yield Chunk(number, tuple(chunk))
        number += 1
