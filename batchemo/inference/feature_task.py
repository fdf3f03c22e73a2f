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
from batchemo.workers.executor import Done

if TYPE_CHECKING:
    from batchemo.audio import Failure, ListenOptions, Window
    from batchemo.features import Recipe

ENDING = ".features"


@dataclass(frozen=True, slots=True)
class Gathering:
    """What to do with every chunk."""

    recipe: Recipe
    listening: ListenOptions
    folder: str
    """Where the files of numbers go."""
    timeout: float = 0.0


@dataclass(frozen=True, slots=True)
class Harvest:
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


def gather(task: Gathering, recordings: Sequence[Recording]) -> Done[Harvest]:
    """Compute the features of a chunk, in a worker."""
    stages: StageSeconds = {}
    found = []
    for recording in recordings:
        with heartbeat.over(recording, task.timeout) as rearm, _Basket(task, stages) as basket:
            found.append(_harvest(recording, task, basket, stages, rearm))
        if basket.broken is not None:
            return Done(fatal=f"{task.folder}: {basket.broken.strerror}")
    return Done(tuple(found), stages)


@dataclass(slots=True)
class _Basket:
    """The features of one recording, on their way into a file."""

    task: Gathering
    stages: StageSeconds
    windows: list[tuple[float, float, bool]] = field(default_factory=list)
    broken: OSError | None = None
    """The file could not be written: that is no fault of the recording."""
    path: Path = field(init=False)
    _stream: IO[bytes] = field(init=False)

    def __enter__(self) -> _Basket:
        self.path = Path(self.task.folder, uuid4().hex + ENDING)
        self._stream = self.path.open("wb")
        return self

    def take(self, window: Window) -> None:
        from batchemo.common.timing import add_seconds
        from batchemo.features import extract

        began = perf_counter()
        array = extract(self.task.recipe, window.samples, self.task.listening.window)
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
    task: Gathering,
    basket: _Basket,
    stages: StageSeconds,
    rearm: heartbeat.Rearm,
) -> Harvest:
    from batchemo.inference.predict import hear

    facts, failure = hear(recording, [task.listening], basket.take, stages=stages, rearm=rearm)
    if failure is not None:
        basket.path.unlink()
        return _failed(recording, failure)
    return Harvest(
        to_text(recording.root),
        to_text(recording.file),
        recording.row,
        duration=facts.duration,
        windows=tuple(basket.windows),
        path=str(basket.path),
    )


def _failed(recording: Recording, failure: Failure) -> Harvest:
    return given_up(recording, failure.reason, failure.detail)


def given_up(recording: Recording, reason: str, detail: str) -> Harvest:
    """Make the harvest of a recording that gives none."""
    root, file = to_text(recording.root), to_text(recording.file)
    return Harvest(root, file, recording.row, reason, detail)


def in_order(chunks: Iterator[tuple[int, tuple[Harvest, ...]]]) -> Iterator[Harvest]:
    """Put finished chunks, numbered from 0, in order.

    >>> one, two = Harvest("/", "a", None), Harvest("/", "b", None)
    >>> [harvest.file for harvest in in_order(iter([(1, (two,)), (0, (one,))]))]
    ['a', 'b']
    """
    waiting: dict[int, tuple[Harvest, ...]] = {}
    following = 0
    for number, harvests in chunks:
        waiting[number] = harvests
        while following in waiting:
            yield from waiting.pop(following)
            following += 1
