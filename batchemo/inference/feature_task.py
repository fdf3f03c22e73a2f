"""Features gathered by workers: small facts go to the parent, the numbers into files beside them.

The features of a long recording are too many to send or to hold: they are written as they come,
as raw float32, and read back piece by piece. All that is heavy is imported in the worker alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from batchemo.common.text import to_text
from batchemo.common.timing import StageSeconds
from batchemo.sources import Recording
from batchemo.workers import heartbeat
from batchemo.workers.executor import ChunkResult

if TYPE_CHECKING:
    from batchemo.audio import Failure, Window, WindowConfig
    from batchemo.features import FeatureSet

ENDING = ".features"


@dataclass(frozen=True, slots=True)
class FeatureTask:
    """What to do with every chunk."""

    recipe: FeatureSet
    window_config: WindowConfig
    folder: str
    """Where the files of numbers go."""
    timeout: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordingFeatures:
    """The windows of a recording and the file that holds their features, or why there are none."""

    root: str
    file: str
    row: int | None
    """The row of the manifest that named the recording, if one did."""
    reason: str | None = None
    detail: str | None = None
    duration: float | None = None
    windows: tuple[tuple[float, float, bool], ...] = ()
    """Start, end, and whether it sounds like speech."""
    path: str | None = None

    def discard(self) -> None:
        """Remove the file."""
        if self.path is not None:
            Path(self.path).unlink()


def gather(task: FeatureTask, recordings: Sequence[Recording]) -> ChunkResult[RecordingFeatures]:
    """Compute the features of a chunk, in a worker."""
    stages: StageSeconds = {}
    found = []
    for recording in recordings:
        with (
            heartbeat.monitored(recording, task.timeout) as touch,
            _SpillWriter(task, stages) as basket,
        ):
            found.append(_harvest(recording, task, basket, stages, touch))
        if basket.broken is not None:
            return ChunkResult(fatal=f"{task.folder}: {basket.broken.strerror}")
    return ChunkResult(tuple(found), stages)


@dataclass(slots=True)
class _SpillWriter:
    """The features of one recording, on their way into a file."""

    task: FeatureTask
    stages: StageSeconds
    windows: list[tuple[float, float, bool]] = field(default_factory=list)
    broken: OSError | None = None
    """The file could not be written: that is no fault of the recording."""
    path: Path = field(init=False)
    _stream: IO[bytes] = field(init=False)

    def __enter__(self) -> _SpillWriter:
        self.path = Path(self.task.folder, uuid4().hex + ENDING)
        self._stream = self.path.open("wb")
        return self

    def take(self, window: Window) -> None:
        from batchemo.common.timing import add_seconds
        from batchemo.features import extract

        began = perf_counter()
        array = extract(self.task.recipe, window.samples, self.task.window_config.window)
        add_seconds(self.stages, "features", perf_counter() - began)
        try:
            self._stream.write(array.tobytes())
        except OSError as error:
            self.broken = error
            raise
        self.windows.append((window.start, window.end, window.speech))

    def __exit__(self, *_: object) -> None:
        try:
            self._stream.close()
        except OSError as error:
            self.broken = error


def _harvest(
    recording: Recording,
    task: FeatureTask,
    basket: _SpillWriter,
    stages: StageSeconds,
    touch: heartbeat.Touch,
) -> RecordingFeatures:
    from batchemo.inference.predict import hear

    info, failure = hear(recording, [task.window_config], basket.take, stages=stages, touch=touch)
    if failure is not None:
        basket.path.unlink()
        return _failed(recording, failure)
    return RecordingFeatures(
        to_text(recording.root),
        to_text(recording.file),
        recording.row,
        duration=info.duration,
        windows=tuple(basket.windows),
        path=str(basket.path),
    )


def _failed(recording: Recording, failure: Failure) -> RecordingFeatures:
    return lost_result(recording, failure.reason, failure.detail)


def lost_result(recording: Recording, reason: str, detail: str) -> RecordingFeatures:
    """Make the harvest of a recording that gives none."""
    root, file = to_text(recording.root), to_text(recording.file)
    return RecordingFeatures(root, file, recording.row, reason, detail)


def in_order(
    chunks: Iterator[tuple[int, tuple[RecordingFeatures, ...]]],
) -> Iterator[RecordingFeatures]:
    """Put finished chunks, numbered from 0, in order.

    >>> one, two = Harvest("/", "a", None), Harvest("/", "b", None)
    >>> [harvest.file for harvest in in_order(iter([(1, (two,)), (0, (one,))]))]
    ['a', 'b']
    """
    waiting: dict[int, tuple[RecordingFeatures, ...]] = {}
    following = 0
    for number, harvests in chunks:
        waiting[number] = harvests
        while following in waiting:
            yield from waiting.pop(following)
            following += 1
