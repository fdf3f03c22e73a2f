"""Adds up what the workers have done, and tells it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from batchemo.batch.events import Advanced, Listener, RecordingFailed
from batchemo.batch.plan import Plan
from batchemo.common.timing import StageSeconds
from batchemo.tables.rows import Row
from batchemo.workers.dispatcher import Finished


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

    def tell(self, finished: Finished[Row], plan: Plan, listener: Listener) -> None:
        """Add a chunk, and tell the listener of its failures and how far all is."""
        self._add(finished)
        for row in finished.rows:
            if row.reason is not None:
                listener(RecordingFailed(row.root, row.file, row.reason, row.detail or ""))
        listener(
            Advanced(
                done=self.done,
                failed=self.failed,
                found=plan.tally.to_do,
                kept=plan.tally.kept,
                all_found=plan.tally.whole,
                seconds=self.sound,
                bytes_done=self.bytes,
                bytes_found=plan.tally.bytes,
            )
        )

    def _add(self, finished: Finished[Row]) -> None:
        self.done += len(finished.rows)
        self.failed += sum(row.reason is not None for row in finished.rows)
        self.sound += sum(row.duration or 0.0 for row in finished.rows)
        self.bytes += finished.chunk.bytes
        for stage, seconds in finished.stages.items():
            self.stages[stage] = self.stages.get(stage, 0.0) + seconds
