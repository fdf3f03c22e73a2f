"""How long each stage of a scan takes, and beside it how fast it could be.

All of it in this process, on one thread, on the same recordings. A bound is what the library or the
machine needs for the part of the work that nobody can leave out.
"""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft
import soundfile
import soxr
from threadpoolctl import threadpool_limits

from batchemo.audio import read_windows
from batchemo.batch.chunk_store import ChunkStore
from batchemo.batch.plan import FILES_A_CHUNK
from batchemo.features import extract
from batchemo.inference.loaded import LoadedModel, load_model
from batchemo.inference.predict import predict_with
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording, SourceOptions, open_sources
from batchemo.tables.rows import RecordingResult, to_batch
from batchemo.workers.executor import ChunkResult
from speed.corpora import Folder
from speed.markdown import number, table

Floats = npt.NDArray[np.float32]

PASSES = 5
FRAME_LENGTHS, HOP = (512, 1024), 160
"""Of the default model's two spectra, at 16 kHz."""
BATCHES = (1, 4, 16, 64)


@dataclass(frozen=True)
class Stage:
    """Seconds for all recordings, ours and the bound's."""

    name: str
    ours: float
    bound: float
    what: str
    """What the bound is."""


@dataclass(frozen=True)
class Bench:
    """The recordings, in every form that a stage takes them in."""

    recordings: Sequence[Recording]
    sounds: Sequence[tuple[Floats, int]]
    """As decoded, and the rate."""
    resampled: Sequence[Floats]
    windows: int
    """Windows with speech."""
    items: Floats
    """The features of the first windows, as many as the largest batch."""


def stages_table(folder: Folder, model: str) -> str:
    """Measure, and lay out the table."""
    with threadpool_limits(1):
        recordings = list(open_sources(SourceOptions(paths=(str(folder.path),))))
        tools = load_model(ModelSettings(model))
        stages = measured(tools, bench_of(tools, recordings))
    rows = [
        [
            stage.name,
            *(number(1000 * x / len(recordings)) for x in (stage.ours, stage.bound)),
            f"{stage.ours / stage.bound:.1f}",
            stage.what,
        ]
        for stage in stages
    ]
    whole, bounds = sum(stage.ours for stage in stages), sum(stage.bound for stage in stages)
    cells = [number(1000 * x / len(recordings)) for x in (whole, bounds)]
    rows.append(["all", *cells, f"{whole / bounds:.1f}", ""])
    titles = ["stage", "ms a recording", "bound", "×", "the bound is"]
    return table(titles, rows)


def bench_of(tools: LoadedModel, recordings: Sequence[Recording]) -> Bench:
    """Decode, resample and cut once, for the bounds."""
    sounds, windows, items = [], 0, list[Floats]()
    for recording in recordings:
        sound, rate = soundfile.read(recording.path, dtype="float32", always_2d=True)
        sounds.append((np.ascontiguousarray(sound[:, 0]), rate))
        with read_windows(recording.path, tools.window_config) as heard:
            for window in heard:
                windows += window.speech
                if window.speech and len(items) < max(BATCHES):
                    items.append(extract(tools.feature_set, window.samples, tools.window_config.window))
    resampled = [soxr.resample(sound, rate, tools.feature_set.rate) for sound, rate in sounds]
    return Bench(recordings, sounds, resampled, windows, np.stack(items))


def measured(tools: LoadedModel, bench: Bench) -> list[Stage]:
    """All stages in the order of the work."""
    passes = [_analysed(tools, bench.recordings) for _ in range(PASSES)]
    done = passes[-1][1]
    stages = {name: median(each.stages[name] for _, each in passes) for name in done.stages}
    between = median(taken - sum(each.stages.values()) for taken, each in passes)
    chunk = done.rows[:FILES_A_CHUNK]
    a_chunk = len(bench.recordings) / len(chunk)
    return [
        Stage("decode", stages["decode"], fastest(lambda: _read(bench)), "`soundfile.read`, int16"),
        Stage(
            "resample",
            stages["resample"],
            fastest(lambda: _resample(bench, tools)),
            "soxr, one call",
        ),
        Stage(
            "gate", stages["gate"], fastest(lambda: _look(bench)), "peak and energy of every sample"
        ),
        Stage(
            "features",
            stages["features"],
            fastest(lambda: _transform(bench)),
            "the FFTs, no window twice",
        ),
        Stage(
            "net",
            stages["model"],
            _net(bench, tools),
            "ONNX Runtime, full batches of the best size",
        ),
        Stage("between", between, _stat(bench), "one `stat`"),
        Stage(
            "hand-over",
            a_chunk * fastest(lambda: pickle.loads(pickle.dumps(ChunkResult(chunk)))),
            a_chunk * _pipe(chunk),
            "the same bytes through a pipe",
        ),
        *_written(chunk, tools, a_chunk),
    ]


def fastest(work: Callable[[], object]) -> float:
    """The median of some runs, after one that does not count."""
    work()
    return median(_timed(work) for _ in range(PASSES))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _analysed(
    tools: LoadedModel, recordings: Sequence[Recording]
) -> tuple[float, ChunkResult[RecordingResult]]:
    began = time.perf_counter()
    done = predict_with([tools], 0.0, recordings)
    return time.perf_counter() - began, done


def _read(bench: Bench) -> None:
    for recording in bench.recordings:
        soundfile.read(recording.path, dtype="int16")


def _resample(bench: Bench, tools: LoadedModel) -> None:
    for sound, rate in bench.sounds:
        soxr.resample(sound, rate, tools.feature_set.rate)


def _look(bench: Bench) -> None:
    for sound, _ in bench.sounds:
        sound.max(), sound.min(), sound @ sound


def _transform(bench: Bench) -> None:
    for sound in bench.resampled:
        for length in FRAME_LENGTHS:
            frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, length // 2), length)
            scipy.fft.rfft(frames[::HOP], axis=1)


def _net(bench: Bench, tools: LoadedModel) -> float:
    """The time of all windows at the best of some sizes of batch."""
    graph: Any = tools.classifier
    each = []
    for size in BATCHES:
        batch = bench.items[:size]
        each.append(fastest(lambda batch=batch: graph.graph(batch)) / len(batch))
    return min(each) * bench.windows


def _stat(bench: Bench) -> float:
    return fastest(lambda: [Path(recording.path).stat() for recording in bench.recordings])


def _pipe(chunk: Sequence[RecordingResult]) -> float:
    """The time that the rows of a chunk take from one end to the other, as bytes."""
    content = pickle.dumps(ChunkResult(tuple(chunk)))
    pieces = [content[start : start + 32768] for start in range(0, len(content), 32768)]
    one, other = Pipe(duplex=False)

    def send() -> None:
        for piece in pieces:
            other.send_bytes(piece)
            one.recv_bytes()

    return fastest(send)


def _written(chunk: Sequence[RecordingResult], tools: LoadedModel, a_chunk: float) -> list[Stage]:
    labels = tools.bundle.labels

    def batch() -> Any:
        return to_batch(chunk, labels=labels, model="model", segments=False)

    made = batch()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        parts = ChunkStore(Path(folder))
        whole = fastest(lambda: parts.write(0, made))
        content = next(Path(folder).iterdir()).read_bytes()
        plain = fastest(lambda: Path(folder, "plain").write_bytes(content))
    rows = fastest(batch)
    copied = fastest(lambda: made.take(list(range(len(chunk)))))
    return [
        Stage("rows", a_chunk * rows, a_chunk * copied, "Arrow copies them once"),
        Stage("writing", a_chunk * whole, a_chunk * plain, "the same bytes, not synced"),
    ]
