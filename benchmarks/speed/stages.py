"""The time of each stage of a scan, compared with a lower bound for it.

All stages run in this process, on one thread, on the same recordings. A bound is the time that the
library or the machine needs for the part of the work that cannot be left out.
"""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
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
from batchemo.batch.plan import LEAST_FILES
from batchemo.inference.loaded import LoadedModel, load_model
from batchemo.inference.predict import predict_with
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording, SourceOptions, open_sources
from batchemo.tables.rows import RecordingResult, RecordingRows, to_batch
from batchemo.workers.executor import ChunkResult
from speed.corpora import Folder
from speed.markdown import number, table

Float32 = npt.NDArray[np.float32]

REPEATS = 5
BATCH_SIZES = (1, 4, 16, 64)
PIPE_BYTES = 32768
"""A message that fits into a pipe's buffer: a larger one would need a second process to read it."""


@dataclass(frozen=True)
class Stage:
    """The seconds of a stage for all recordings, and those of its bound."""

    name: str
    seconds: float
    bound: float
    bound_is: str


@dataclass(frozen=True)
class Inputs:
    """The recordings in every form that a bound needs."""

    recordings: Sequence[Recording]
    decoded: Sequence[tuple[Float32, int]]
    """The first channel, and the sample rate."""
    resampled: Sequence[Float32]
    features: Sequence[Float32]
    """Those of all windows with speech."""


def stages_table(folder: Folder, model_name: str) -> str:
    """Measure all stages and return their table."""
    with threadpool_limits(1):
        sources = SourceOptions(paths=(str(folder.path),), extensions=("audio",))
        recordings = list(open_sources(sources))
        model = load_model(ModelSettings(model_name))
        stages = measure_stages(model, prepare_inputs(model, recordings))
    total = Stage(
        "all", sum(stage.seconds for stage in stages), sum(stage.bound for stage in stages), ""
    )
    rows = [
        [
            stage.name,
            number(1000 * stage.seconds / len(recordings)),
            number(1000 * stage.bound / len(recordings)),
            f"{stage.seconds / stage.bound:.1f}",
            stage.bound_is,
        ]
        for stage in [*stages, total]
    ]
    return table(["stage", "ms per recording", "bound", "×", "the bound is"], rows)


def prepare_inputs(model: LoadedModel, recordings: Sequence[Recording]) -> Inputs:
    """Decode and resample all recordings and compute features, for the bounds."""
    decoded, features = [], list[Float32]()
    for recording in recordings:
        samples, rate = soundfile.read(recording.path, dtype="float32", always_2d=True)
        decoded.append((np.ascontiguousarray(samples[:, 0]), rate))
        with read_windows(recording.path, model.window_config) as reader:
            for window in reader:
                if window.speech:
                    features.append(model.input.prepare(window.samples, model.window_config.window))
    resampled = [soxr.resample(samples, rate, model.input.rate) for samples, rate in decoded]
    return Inputs(recordings, decoded, resampled, features)


def measure_stages(model: LoadedModel, inputs: Inputs) -> list[Stage]:
    """Measure all stages, in the order in which a recording passes them."""
    runs = [_timed_prediction(model, inputs.recordings) for _ in range(REPEATS)]
    result = runs[-1][1]
    seconds = {name: median(run.stages[name] for _, run in runs) for name in result.stages}
    # What no stage accounts for: opening files, heartbeats, rows.
    rest = median(taken - sum(run.stages.values()) for taken, run in runs)
    chunk = [row for (row,) in result.rows[:LEAST_FILES]]
    chunks = len(inputs.recordings) / len(chunk)
    transfer = median_seconds(lambda: pickle.loads(pickle.dumps(ChunkResult(chunk))))
    return [
        Stage("decode", seconds["decode"], _decode(inputs), "`soundfile.read`, int16"),
        Stage("resample", seconds["resample"], _resample(inputs, model), "soxr, one call"),
        Stage("VAD", seconds["vad"], _scan_samples(inputs), "peak and energy of every sample"),
        Stage(
            "features", seconds["features"], _transform(inputs, model), "the FFTs, no window twice"
        ),
        Stage(
            "model",
            seconds["model"],
            _forward(inputs, model),
            "ONNX Runtime, full batches of the best size",
        ),
        Stage("rest", rest, _stat(inputs), "one `stat`"),
        Stage(
            "transfer to the parent",
            chunks * transfer,
            chunks * _pipe(chunk),
            "the same bytes through a pipe",
        ),
        *_output_stages(chunk, model, chunks),
    ]


def _timed_prediction(
    model: LoadedModel, recordings: Sequence[Recording]
) -> tuple[float, ChunkResult[RecordingRows]]:
    start = time.perf_counter()
    result = predict_with([model], 0.0, recordings)
    return time.perf_counter() - start, result


def median_seconds(work: Callable[[], object]) -> float:
    """Return the median of several runs, after one that only warms up caches."""
    work()
    return median(_seconds(work) for _ in range(REPEATS))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _decode(inputs: Inputs) -> float:
    return median_seconds(
        lambda: [soundfile.read(one.path, dtype="int16") for one in inputs.recordings]
    )


def _resample(inputs: Inputs, model: LoadedModel) -> float:
    def resample() -> None:
        for samples, rate in inputs.decoded:
            soxr.resample(samples, rate, model.input.rate)

    return median_seconds(resample)


def _scan_samples(inputs: Inputs) -> float:
    def scan() -> None:
        for samples, _ in inputs.decoded:
            samples.max(), samples.min(), samples @ samples

    return median_seconds(scan)


def _transform(inputs: Inputs, model: LoadedModel) -> float:
    assert model.input.feature_set is not None
    params: Any = model.input.feature_set.params

    def transform() -> None:
        for samples in inputs.resampled:
            padded = np.pad(samples, params.n_fft // 2)
            frames = np.lib.stride_tricks.sliding_window_view(padded, params.n_fft)
            scipy.fft.rfft(frames[:: params.hop], axis=1)

    return median_seconds(transform)


def _forward(inputs: Inputs, model: LoadedModel) -> float:
    """Return the time of all windows, those of each shape in batches of the fastest size."""
    classifier: Any = model.classifier
    by_shape: dict[tuple[int, ...], list[Float32]] = {}
    for features in inputs.features:
        by_shape.setdefault(features.shape, []).append(features)
    total = 0.0
    for same in by_shape.values():
        batches = [np.stack([same[i % len(same)] for i in range(size)]) for size in BATCH_SIZES]
        times = (median_seconds(partial(classifier.graph, batch)) / len(batch) for batch in batches)
        total += min(times) * len(same)
    return total


def _stat(inputs: Inputs) -> float:
    return median_seconds(lambda: [Path(one.path).stat() for one in inputs.recordings])


def _pipe(chunk: Sequence[RecordingResult]) -> float:
    """Return the time that the pickled rows of a chunk take through a pipe."""
    content = pickle.dumps(ChunkResult(tuple(chunk)))
    pieces = [content[i : i + PIPE_BYTES] for i in range(0, len(content), PIPE_BYTES)]
    receiver, sender = Pipe(duplex=False)

    def send() -> None:
        for piece in pieces:
            sender.send_bytes(piece)
            receiver.recv_bytes()

    return median_seconds(send)


def _output_stages(
    chunk: Sequence[RecordingResult], model: LoadedModel, chunks: float
) -> list[Stage]:
    labels = model.bundle.labels

    def make_batch() -> Any:
        return to_batch(chunk, labels=labels, model="model", segments=False)

    batch = make_batch()
    # On the disk of the current folder: a temporary folder may be in memory.
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = ChunkStore(Path(folder))
        stored = median_seconds(lambda: store.write(0, batch))
        content = next(Path(folder).iterdir()).read_bytes()
        plain = median_seconds(lambda: Path(folder, "plain").write_bytes(content))
    made = median_seconds(make_batch)
    copied = median_seconds(lambda: batch.take(list(range(len(chunk)))))
    return [
        Stage("rows", chunks * made, chunks * copied, "one copy by Arrow"),
        Stage("writing", chunks * stored, chunks * plain, "the same bytes, not synced"),
    ]
