"""How many recordings a second so many workers finish, in the steady state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from time import monotonic

from batchemo.common.locks import scratch_folder
from batchemo.inference.settings import Settings, Task
from batchemo.inference.task import given_up, work
from batchemo.sources import Recording
from batchemo.tables.rows import Row
from batchemo.workers.dispatcher import Dispatcher, Finished
from batchemo.workers.executor import Chunk, LocalProcesses

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
    settings: Settings, recordings: Sequence[Recording], jobs: int, seconds: float
) -> Measured:
    """Let workers hear the same recordings again and again, for so many seconds."""
    measured, clock = Measured(), _Clock(seconds)
    with scratch_folder() as crumbs:
        dispatcher: Dispatcher[Row] = Dispatcher(
            partial(LocalProcesses, str(crumbs)),
            partial(work, Task((settings,), TIMEOUT)),
            given_up,
            workers=jobs,
            timeout=TIMEOUT,
            crumbs=str(crumbs),
        )
        with closing(dispatcher.run(clock.chunks(recordings))) as chunks:
            for number, finished in enumerate(chunks):
                # Before the first chunks are done, workers start and load their models.
                if number < jobs:
                    clock.start()
                elif not (measured.recordings and clock.is_over):
                    _add(measured, finished)
                    measured.seconds = clock.elapsed
    return measured


def _add(measured: Measured, finished: Finished[Row]) -> None:
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
