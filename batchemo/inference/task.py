"""What the parent hands to workers, without importing what they need to do it."""

from __future__ import annotations

from collections.abc import Sequence

from batchemo.common.text import to_text
from batchemo.inference.settings import Task
from batchemo.sources import Recording
from batchemo.tables.rows import Row
from batchemo.workers.executor import Done


def work(task: Task, recordings: Sequence[Recording]) -> Done[Row]:
    """Analyse a chunk, in a worker."""
    from batchemo.inference.predict import analyse

    return analyse(task, recordings)


def given_up(recording: Recording, reason: str, detail: str) -> Row:
    """Make the row of a recording that no worker came back from."""
    return Row(
        root=to_text(recording.root),
        file=to_text(recording.file),
        reason=reason,
        detail=detail,
        size=recording.size,
        mtime_ns=recording.mtime_ns,
    )
