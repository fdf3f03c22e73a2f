"""What a worker gets at a time: recordings of a chunk, or pieces of a long recording.

Several pieces go to a worker together. Their number falls towards the end of the recording: large
groups cost less, small ones let all workers end at the same time. Which pieces went together makes
no difference to the row that all of them become.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol

from batchemo.common.text import to_text
from batchemo.sources import Recording
from batchemo.workers.executor import Chunk, ChunkResult, CutRecording, R
from batchemo.workers.heartbeat import RecordingPosition


class PieceResult(Protocol):
    """What the dispatcher has to know of the result for a piece."""

    @property
    def failed(self) -> bool:
        """Whether the recording fails at this piece, so that no later one counts."""


@dataclass(frozen=True, slots=True)
class PieceWork(Generic[R]):
    """How recordings are worked on that are named in `ChunkResult.cut`."""

    work: Callable[[Sequence[int], Sequence[Recording]], ChunkResult[Any]]
    """Picklable; takes the numbers of pieces and their recording alone. It has a result for each
    piece, up to the first that failed."""
    join: Callable[[Recording, Sequence[Any]], R]
    """Makes the row of the results of all pieces, or of those up to the first that failed."""


@dataclass(eq=False, slots=True)
class LongRecording:
    """A recording of which some pieces are not finished."""

    chunk: Chunk
    place: int
    cut: CutRecording
    next: int = 0
    """The first piece that no worker has got yet."""
    stop: int = field(init=False)
    """The pieces from here on are not needed."""
    results: dict[int, PieceResult] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stop = self.cut.pieces

    @property
    def recording(self) -> Recording:
        """The recording itself."""
        return self.cut.recording or self.chunk.recordings[self.place]

    def take(self, workers: int) -> tuple[int, ...]:
        """Return the next pieces for one of so many workers; none if all are taken."""
        left = self.stop - self.next
        numbers = tuple(range(self.next, self.next + max(min(1, left), left // (2 * workers))))
        self.next += len(numbers)
        return numbers

    def add(self, numbers: Sequence[int], results: Iterable[PieceResult]) -> bool:
        """Add results; return whether all that are needed are there."""
        for number, result in zip(numbers, results, strict=False):
            self.results[number] = result
            if result.failed:
                self.stop = min(self.stop, number + 1)
        return all(number in self.results for number in range(self.stop))

    def ordered(self) -> list[PieceResult]:
        """Return the results that are needed, in order; all must be there."""
        return [self.results[number] for number in range(self.stop)]

    def position(self) -> RecordingPosition:
        """Return how much of the recording is finished, as a position."""
        recording, duration = self.recording, self.cut.duration
        seconds = len(self.results) / self.cut.pieces * (duration or 0.0)
        root, file = to_text(recording.root), to_text(recording.file)
        return RecordingPosition(root, file, recording.size, seconds, duration)


@dataclass(frozen=True, slots=True)
class Part:
    """Recordings of a chunk by their places in it, or pieces of one of them by their numbers."""

    chunk: Chunk
    places: tuple[int, ...]
    long: LongRecording | None = None
    """The recording whose pieces they are."""

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """The recording at each place."""
        if self.long is not None:
            return (self.long.recording,) * len(self.places)
        return tuple(self.chunk.recordings[place] for place in self.places)

    def single(self, place: int) -> Part:
        """Return one of the recordings, or pieces, as a part of its own."""
        return replace(self, places=(place,))


def whole_chunk(chunk: Chunk | None) -> Part | None:
    """Return all of a chunk, if there is one."""
    return None if chunk is None else Part(chunk, tuple(range(len(chunk.recordings))))
