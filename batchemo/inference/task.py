"""What the parent hands to workers, without importing what they need to do it."""

from __future__ import annotations

from collections.abc import Sequence

from batchemo.common.text import to_text
from batchemo.inference.settings import PredictTask
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingResult
from batchemo.workers.executor import ChunkResult


def work(task: PredictTask, recordings: Sequence[Recording]) -> ChunkResult[RecordingResult]:
    """Analyse a chunk, in a worker."""
    from batchemo.inference.predict import predict_chunk

    return predict_chunk(task, recordings)


def lost_result(recording: Recording, reason: str, detail: str) -> RecordingResult:
    """Make the row of a recording that no worker came back from."""
    return RecordingResult(
        root=to_text(recording.root),
        file=to_text(recording.file),
        reason=reason,
        detail=detail,
        size=recording.size,
        mtime_ns=recording.mtime_ns,
    )
