"""The computation of features of a chunk: from recordings to files of numbers.

The features of a long recording are too many to send to the parent or to hold in memory: the
worker writes them to a file as they are computed, and returns only the path and the times of the
windows. The files lie in the folder of the task:

    <random name>.features    float32, in the machine's byte order: windows × frames × features

The parent reads such a file piece by piece, and removes it. It imports this module without what is
needed to decode audio.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from batchemo.common.files import open_new
from batchemo.common.text import to_text
from batchemo.common.timing import StageSeconds, add_seconds
from batchemo.sources import Recording
from batchemo.workers import heartbeat
from batchemo.workers.executor import ChunkResult

if TYPE_CHECKING:
    from batchemo.audio import Window, WindowConfig
    from batchemo.audio.file import OpenAudio
    from batchemo.features import FeatureSet

SPILL_SUFFIX = ".features"


@dataclass(frozen=True, slots=True)
class FeatureTask:
    """What to do with every chunk, the same for the whole run."""

    feature_set: FeatureSet
    window_config: WindowConfig
    folder: str
    """Where the files of features go."""
    timeout: float = 0.0
    """Seconds for a recording; 0 for no limit."""


@dataclass(frozen=True, slots=True)
class RecordingFeatures:
    """The windows of a recording and the file of their features, or why there are none."""

    root: str
    file: str
    row: int | None
    """The index of the manifest's row that names the recording, if one does."""
    reason: str | None = None
    detail: str | None = None
    duration: float | None = None
    windows: tuple[tuple[float, float, bool], ...] = ()
    """Start, end, and whether there is speech."""
    path: str | None = None

    @property
    def turn(self) -> None:
        """Features are of whole recordings."""

    def discard(self) -> None:
        """Remove the file."""
        if self.path is not None:
            Path(self.path).unlink()


def compute_features(
    task: FeatureTask, recordings: Sequence[Recording]
) -> ChunkResult[RecordingFeatures]:
    """Compute the features of a chunk of recordings, in a worker."""
    from batchemo.audio.read_ahead import ReadAhead

    stages: StageSeconds = {}
    results = []
    with ReadAhead((recording.address, recording.size) for recording in recordings) as ahead:
        for recording in recordings:
            with (
                heartbeat.monitored(recording, task.timeout) as touch,
                _SpillWriter(task, stages) as writer,
            ):
                results.append(
                    _recording_features(recording, task, writer, stages, touch, ahead.open)
                )
            if writer.error is not None:
                return ChunkResult(fatal=f"{task.folder}: {writer.error.strerror}")
    return ChunkResult(tuple(results), stages)


def lost_result(recording: Recording, reason: str, detail: str) -> RecordingFeatures:
    """Return the failed result of a recording whose features could not be computed."""
    root, file = to_text(recording.root), to_text(recording.file)
    return RecordingFeatures(root, file, recording.row, reason, detail)


def in_chunk_order(
    chunks: Iterable[tuple[int, tuple[RecordingFeatures, ...]]],
) -> Iterator[RecordingFeatures]:
    """Yield the results of chunks in the order of their numbers, which begin at 0.

    >>> first, second = RecordingFeatures("/", "a", None), RecordingFeatures("/", "b", None)
    >>> [result.file for result in in_chunk_order([(1, (second,)), (0, (first,))])]
    ['a', 'b']
    """
    waiting: dict[int, tuple[RecordingFeatures, ...]] = {}
    next_number = 0
    for number, results in chunks:
        waiting[number] = results
        while next_number in waiting:
            yield from waiting.pop(next_number)
            next_number += 1


def _recording_features(
    recording: Recording,
    task: FeatureTask,
    writer: _SpillWriter,
    stages: StageSeconds,
    touch: heartbeat.Touch,
    open_file: OpenAudio,
) -> RecordingFeatures:
    from batchemo.audio import read_windows
    from batchemo.inference.predict import read_recording

    reader = read_windows(recording.address, task.window_config, open_file=open_file)
    failure = read_recording(reader, writer.add, stages=stages, touch=touch)
    if failure is not None:
        writer.path.unlink()
        return lost_result(recording, failure.reason, failure.detail)
    return RecordingFeatures(
        to_text(recording.root),
        to_text(recording.file),
        recording.row,
        duration=reader.info.duration,
        windows=tuple(writer.windows),
        path=str(writer.path),
    )


@dataclass(slots=True)
class _SpillWriter:
    """Computes the features of one recording and writes them to a file."""

    task: FeatureTask
    stages: StageSeconds
    windows: list[tuple[float, float, bool]] = field(default_factory=list)
    error: OSError | None = None
    """Why the file could not be written. It ends the run: the recording is not at fault."""
    path: Path = field(init=False)
    _stream: IO[bytes] = field(init=False)

    def __enter__(self) -> _SpillWriter:
        self.path = Path(self.task.folder, uuid4().hex + SPILL_SUFFIX)
        self._stream = open_new(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stream.close()
        except OSError as error:
            self.error = error

    def add(self, window: Window) -> None:
        """Compute the features of a window and append them to the file."""
        from batchemo.features import extract

        began = perf_counter()
        array = extract(self.task.feature_set, window.samples, self.task.window_config.window)
        add_seconds(self.stages, "features", perf_counter() - began)
        try:
            self._stream.write(array.tobytes())
        except OSError as error:
            # `read_recording` makes a failed row of any error; `self.error` is what is acted on.
            self.error = error
            raise
        self.windows.append((window.start, window.end, window.speech))
