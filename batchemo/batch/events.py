"""What a scan reports while it runs, and how its progress is added up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from batchemo.batch.plan import Plan
from batchemo.common.timing import StageSeconds
from batchemo.tables.rows import RecordingResult
from batchemo.tables.summary import Summary
from batchemo.workers.dispatcher import FinishedChunk


@dataclass(frozen=True, slots=True)
class Started:
    """The scan has a model, a lock on the output and workers."""

    model: str
    workers: int
    output: str | None
    known: int
    """Rows that earlier runs left."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """A chunk of recordings is done and safe on disk."""

    done: int
    failed: int
    found: int
    """Recordings found so far that this run has to analyse."""
    kept: int
    """Recordings found so far that an earlier run did."""
    all_found: bool
    seconds: float
    """Seconds of sound analysed so far."""
    bytes_done: int
    bytes_found: int


@dataclass(frozen=True, slots=True)
class RecordingFailed:
    """A recording could not be analysed."""

    root: str
    file: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the user should know, and that stops nothing."""

    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """How the scan went."""

    output: str | None
    model: str
    summary: Summary
    analysed: int
    kept: int
    left_over: int
    """Rows of an earlier table whose recordings were not among the sources."""
    pruned: int
    young: int
    duplicates: int
    hidden: int
    """Hidden files and folders that were passed over."""
    links: int
    """Links that were not followed."""
    problems: tuple[str, ...]
    """Sources that could not be read: folders without permission, broken rows of a manifest."""
    sound: float
    """Seconds of sound analysed in this run."""
    elapsed: float
    stages: dict[str, float]
    """Seconds that the workers spent in each stage."""
    limited: bool = False
    """The run stopped at its limit, before all recordings were looked at."""
    unreachable: int = 0
    """Recordings that were named and could not be found, whose earlier rows are kept."""
    empty_roots: tuple[str, ...] = ()
    """Roots that are not there or empty, as an unmounted disk is: nothing of theirs is pruned."""
    warnings: tuple[str, ...] = ()
    """What else the user should know, in words."""

    @property
    def failed(self) -> int:
        """Recordings in the table that could not be analysed."""
        return self.summary.count_recordings("failed")

    @property
    def exit_code(self) -> int:
        """0 where all is well, 3 where some recordings failed or could not be reached."""
        return 3 if self.failed or self.problems else 0

    @property
    def times_real_time(self) -> float:
        """Seconds of sound a second."""
        return self.sound / self.elapsed if self.elapsed else 0.0


Event = Started | Advanced | RecordingFailed | Warned | Report
EventHandler = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """Listen to nothing."""


@dataclass(slots=True)
class Progress:
    """What has been done since this was made."""

    done: int = 0
    failed: int = 0
    sound: float = 0.0
    bytes: int = 0
    stages: StageSeconds = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def tell(
        self, finished: FinishedChunk[RecordingResult], plan: Plan, listener: EventHandler
    ) -> None:
        """Add a chunk, and tell the listener of its failures and how far all is."""
        self._add(finished)
        for row in finished.rows:
            if row.reason is not None:
                listener(RecordingFailed(row.root, row.file, row.reason, row.detail or ""))
        listener(
            Advanced(
                done=self.done,
                failed=self.failed,
                found=plan.counts.to_do,
                kept=plan.counts.kept,
                all_found=plan.counts.whole,
                seconds=self.sound,
                bytes_done=self.bytes,
                bytes_found=plan.counts.bytes,
            )
        )

    def _add(self, finished: FinishedChunk[RecordingResult]) -> None:
        self.done += len(finished.rows)
        self.failed += sum(row.reason is not None for row in finished.rows)
        self.sound += sum(row.duration or 0.0 for row in finished.rows)
        self.bytes += finished.chunk.bytes
        for stage, seconds in finished.stages.items():
            self.stages[stage] = self.stages.get(stage, 0.0) + seconds
