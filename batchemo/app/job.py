"""What a worker does for the page: one recording through some models, and its outline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from batchemo.app.waveform import Waveform, read_waveform
from batchemo.errors import BatchemoError, BundleError
from batchemo.inference import task
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingResult
from batchemo.workers import heartbeat
from batchemo.workers.executor import ChunkResult

if TYPE_CHECKING:
    from batchemo.inference.loaded import LoadedModel

_HEARD_TO_THE_END = {None, "silent", "no_speech", "too_short"}
"""The reasons that say nothing against reading the recording once more."""


CHANGED = "a model was changed or damaged since the page was started: start the page again"
"""What a visitor is told; no folder of the server's is."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as it was when the page was started."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with a recording."""

    models: tuple[Model, ...]
    max_duration: float
    timeout: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a recording: a row for each model of the job, in their order."""

    rows: tuple[RecordingResult, ...]
    waveform: Waveform | None = None


def work(job: Job, recordings: Sequence[Recording]) -> ChunkResult[Heard]:
    """Hear the recordings, in a worker."""
    try:
        return ChunkResult(tuple(_hear(job, recording) for recording in recordings))
    except BatchemoError:
        return ChunkResult(fatal=CHANGED)


def lost_result(job: Job, recording: Recording, reason: str, detail: str) -> Heard:
    """Tell of a recording that no worker came back from."""
    return Heard((task.lost_result(recording, reason, detail),) * len(job.models))


def _hear(job: Job, recording: Recording) -> Heard:
    from batchemo.inference.predict import predict_with

    rows: list[RecordingResult] = []
    for model in job.models:
        tools = _tools_at_hand(model, job.max_duration)
        rows += predict_with([tools], job.timeout, [recording]).rows
    if not all(row.reason in _HEARD_TO_THE_END for row in rows):
        return Heard(tuple(rows))
    with heartbeat.monitored(recording, job.timeout):
        return Heard(tuple(rows), read_waveform(recording.path))


@lru_cache(maxsize=8)
def _tools_at_hand(model: Model, max_duration: float) -> LoadedModel:
    from batchemo.inference.loaded import load_model

    tools = load_model(ModelSettings(model=model.path))
    if tools.bundle.digest != model.digest:
        raise BundleError(CHANGED)
    return replace(tools, window_config=replace(tools.window_config, max_duration=max_duration))
