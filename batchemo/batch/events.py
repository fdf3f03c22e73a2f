"""What a scan reports while it runs: a small type for each event, for a progress bar or a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from batchemo.batch.plan import Plan
from batchemo.common.timing import StageSeconds, add_seconds
from batchemo.tables.summary import Summary
from batchemo.workers.dispatcher import FinishedChunk
from batchemo.workers.heartbeat import RecordingPosition

if TYPE_CHECKING:
    from batchemo.common.turns import Turn


@dataclass(frozen=True, slots=True)
class Started:
    """The scan has a model, a lock on the output and workers."""

    model: str
    workers: int
    output: str | None
    known: int
    """Rows that earlier runs left."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """A chunk of recordings is done and safe on disk, or `positions` have changed."""

    done: int
    failed: int
    found: int
    """Recordings found so far that this run has to analyse."""
    kept: int
    """Recordings found so far whose rows an earlier run made."""
    all_found: bool
    seconds: float
    """Seconds of sound analysed so far."""
    bytes_done: int
    bytes_found: int
    positions: tuple[RecordingPosition, ...] = ()
    """How far into long recordings the workers are. None of these is in the numbers above."""

    @property
    def most_left(self) -> list[RecordingPosition]:
        """The positions, those first that have the most left to analyse."""
        return sorted(self.positions, key=lambda position: position.left, reverse=True)

    @property
    def seconds_read(self) -> float:
        """Seconds of sound, with those that were read of recordings that are not done."""
        return self.seconds + sum(position.position for position in self.positions)

    @property
    def bytes_read(self) -> float:
        """Bytes, with those that were read of recordings that are not done."""
        return self.bytes_done + sum(
            position.share * (position.size or 0) for position in self.positions
        )


@dataclass(frozen=True, slots=True)
class RecordingFailed:
    """A recording, or a turn of it, could not be analysed."""

    root: str
    file: str
    reason: str
    detail: str
    new: bool
    """Whether the earlier table has no failed row of it."""
    start: float | None = None
    end: float | None = None
    """Of the turn, in seconds."""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a scan: the last event, if it ends well."""

    output: str | None
    model: str
    summary: Summary
    analysed: int
    """Recordings that were opened, whether or not they failed."""
    kept: int
    """Recordings whose earlier rows are still right, or could be made right without decoding."""
    predicted_again: int
    """Rows of the previous table that were predicted by another model, without decoding."""
    new_failures: int
    """Recordings in the table that failed, and not in the table before."""
    orphans: int
    """Rows of the previous table that were kept and whose recordings are not in the sources."""
    pruned: int
    young: int
    """Files younger than the minimum age, which were left for a later run."""
    duplicates: int
    """Files that were reached a second time."""
    hidden: int
    """Hidden files and folders that were skipped."""
    links: int
    """Links that were not followed."""
    other_recordings: dict[str, int]
    """Recordings in folders whose extension was not asked for, by extension."""
    problems: tuple[str, ...]
    """Sources that could not be read: folders without permission, broken rows of a manifest."""
    empty: tuple[str, ...]
    """A message for each source without recordings, unless that is allowed."""
    sound: float
    """Seconds of sound analysed in this run."""
    elapsed: float
    stages: StageSeconds
    """Seconds that the workers spent in each stage."""
    fail_on: Literal["any", "new", "none"] = "any"
    """Which failures the exit code is about."""
    missing: int = 0
    """Recordings that were named, and that this run did not find."""
    limited: bool = False
    """The run stopped at its limit, before all recordings were found."""
    unreachable: int = 0
    """Recordings that were named and could not be found, whose earlier rows are kept."""
    empty_roots: tuple[str, ...] = ()
    """Roots that are not there or empty, as an unmounted disk is: nothing of theirs is pruned."""
    warnings: tuple[str, ...] = ()
    """Other messages for the user."""

    @property
    def failed(self) -> int:
        """Recordings in the table that could not be analysed."""
        return self.summary.count_recordings("failed")

    @property
    def failed_missing(self) -> int:
        """Those of the failed recordings that are missing."""
        missing = self.summary.by_outcome("failed").get("missing")
        return missing.recordings if missing else 0

    @property
    def exit_code(self) -> int:
        """0 where all is well, 3 where recordings failed, or sources are empty or unreadable."""
        failures = {"any": self.failed, "new": self.new_failures, "none": 0}[self.fail_on]
        return 3 if failures or self.problems or self.empty else 0

    @property
    def times_real_time(self) -> float:
        """Seconds of sound per second."""
        return self.sound / self.elapsed if self.elapsed else 0.0


Event: TypeAlias = Started | Progressed | RecordingFailed | Report
EventHandler: TypeAlias = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """Do nothing with an event."""


class Result(Protocol):
    """What `Progress` needs of the result of one recording."""

    @property
    def root(self) -> str: ...  # noqa: D102
    @property
    def file(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str | None: ...  # noqa: D102
    @property
    def detail(self) -> str | None: ...  # noqa: D102
    @property
    def duration(self) -> float | None: ...  # noqa: D102
    @property
    def turn(self) -> Turn | None: ...  # noqa: D102


def _failed(row: Result, reason: str, *, is_new: bool) -> RecordingFailed:
    start, end = (None, None) if row.turn is None else (row.turn.start, row.turn.end)
    return RecordingFailed(row.root, row.file, reason, row.detail or "", is_new, start, end)


@dataclass(slots=True)
class Progress:
    """What has been done since this was made."""

    done: int = 0
    failed: int = 0
    missing: int = 0
    new_failures: int = 0
    sound: float = 0.0
    bytes: int = 0
    stages: StageSeconds = field(default_factory=dict)
    positions: tuple[RecordingPosition, ...] = ()
    _started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def add(
        self,
        finished: FinishedChunk[Any],
        recordings: Iterable[Sequence[Result]],
        plan: Plan,
        on_event: EventHandler,
    ) -> None:
        """Add a chunk, with the rows of each of its recordings; report failures, and how far it is.

        Of a recording with several rows, each that failed is reported.
        """
        rows = list[Result]()
        for recording in recordings:
            rows += recording
            self.done += 1
            reasons = {row.reason for row in recording}
            self.failed += reasons != {None}
            self.missing += "missing" in reasons
        for row in rows:
            if row.reason is not None:
                is_new = not plan.known_rows.had_failed(row.root, row.file)
                self.new_failures += is_new
                on_event(_failed(row, row.reason, is_new=is_new))
        plan.add_cost(finished.chunk, sum(finished.stages.values()))
        self.sound += sum(result.duration or 0.0 for result in rows)
        self.bytes += finished.chunk.bytes
        for stage, seconds in finished.stages.items():
            add_seconds(self.stages, stage, seconds)
        # What is done is not counted twice, until the workers' positions are looked at again.
        done = {(result.root, result.file) for result in rows}
        self.update_positions(
            [known for known in self.positions if (known.root, known.file) not in done],
            plan,
            on_event,
        )

    def update_positions(
        self, positions: Sequence[RecordingPosition], plan: Plan, on_event: EventHandler
    ) -> None:
        """Replace the positions in recordings that are not done; report how far the whole is."""
        self.positions = tuple(positions)
        on_event(
            Progressed(
                done=self.done,
                failed=self.failed,
                found=plan.counts.to_do,
                kept=plan.counts.kept,
                all_found=plan.counts.all_found,
                seconds=self.sound,
                bytes_done=self.bytes,
                bytes_found=plan.counts.bytes,
                positions=self.positions,
            )
        )
