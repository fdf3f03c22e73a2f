"""The work that a worker process does for the page: one recording through one or more models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from batchemo.app.spectrogram import Spectrogram
from batchemo.app.waveform import Waveform, read_pictures
from batchemo.errors import BatchemoError, BundleError
from batchemo.inference import predict_task
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingResult
from batchemo.workers import heartbeat
from batchemo.workers.executor import ChunkResult

if TYPE_CHECKING:
    from batchemo.inference.loaded import LoadedModel

_DECODED_TO_THE_END = {None, "silent", "no_speech", "too_short"}
"""The reasons after which it is safe to decode the recording once more, for its waveform."""

MODEL_CHANGED = "a model was changed or damaged since the page was started: start the page again"
"""The message for visitors. It replaces the original error, which names folders of the server."""


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A model on disk, and its digest when the page was started."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Job:
    """The models to run on a recording, and its limits."""

    models: tuple[ModelReference, ...]
    max_duration: float
    timeout: float


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result for one recording: a row for each model of the job, in the job's order."""

    rows: tuple[RecordingResult, ...]
    waveform: Waveform | None = None
    spectrogram: Spectrogram | None = None


def run_job(job: Job, recordings: Sequence[Recording]) -> ChunkResult[JobResult]:
    """Analyse the recordings, in a worker process."""
    try:
        return ChunkResult(tuple(_analyse(job, recording) for recording in recordings))
    except BatchemoError:
        return ChunkResult(fatal=MODEL_CHANGED)


def lost_job_result(job: Job, recording: Recording, reason: str, detail: str) -> JobResult:
    """Return the result for a recording whose worker died or was stopped."""
    return JobResult(predict_task.lost_result(recording, reason, detail) * len(job.models))


def _analyse(job: Job, recording: Recording) -> JobResult:
    # Imported here, so that the server's own process never loads ONNX Runtime.
    from batchemo.inference.predict import predict_with

    rows: list[RecordingResult] = []
    # One model after another, as `timeout` is for each of them.
    for reference in job.models:
        model = _cached_model(reference, job.max_duration)
        [of_recording] = predict_with([model], job.timeout, [recording]).rows
        rows += of_recording
    if not all(row.reason in _DECODED_TO_THE_END for row in rows):
        return JobResult(tuple(rows))
    with heartbeat.monitored(recording, job.timeout):
        return JobResult(tuple(rows), *read_pictures(recording.path))


# Eight models are shipped; a worker keeps all of them loaded.
@lru_cache(maxsize=8)
def _cached_model(reference: ModelReference, max_duration: float) -> LoadedModel:
    from batchemo.inference.loaded import load_model

    model = load_model(ModelSettings(model=reference.path))
    if model.bundle.digest != reference.digest:
        raise BundleError(MODEL_CHANGED)
    return replace(model, window_config=replace(model.window_config, max_duration=max_duration))
