"""The work of a worker on a chunk: read recordings, fill batches across them, return rows.

    recording ─► windows ─► features ─► a batch for each model ─► probabilities of windows ─► rows

A recording is decoded once for all models. Batches are filled across recordings, so a row is
complete only when the last batch with one of its windows has run: until then the recording is a
`PendingResult` with a `ModelOutput` for each model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from batchemo.audio import AudioInfo, Failure, Window, WindowConfig, read_windows
from batchemo.audio.failure import failure_of_machine
from batchemo.audio.file import OpenAudio, open_audio
from batchemo.audio.read_ahead import ReadAhead
from batchemo.common.arrays import Float32
from batchemo.common.memory import is_out_of_memory
from batchemo.common.text import to_text
from batchemo.common.timing import StageSeconds, add_seconds
from batchemo.errors import DeviceError
from batchemo.inference.loaded import LoadedModel, shared_windows
from batchemo.sources import Recording
from batchemo.tables.derived import mean_familiarity, mean_probabilities
from batchemo.tables.rows import RecordingResult, WindowResults
from batchemo.workers import heartbeat
from batchemo.workers.executor import ChunkResult
from batchemo.workers.heartbeat import Touch


def predict_with(
    models: Sequence[LoadedModel],
    timeout: float,
    recordings: Sequence[Recording],
    touch: Touch | None = None,
    *,
    embeddings: bool = False,
) -> ChunkResult[RecordingResult]:
    """Analyse a chunk of recordings with models that are loaded already.

    Outside of a worker process, which leaves heartbeats, `touch` gets the positions. With
    `embeddings`, the windows of the rows have those of the model, which must be the only one.
    """
    batcher = _Batcher(models, embeddings=embeddings)
    pending = []
    with ReadAhead((recording.path, recording.size) for recording in recordings) as ahead:
        for recording in recordings:
            with heartbeat.monitored(recording, timeout) as leave_heartbeat:
                touch_recording = touch or leave_heartbeat
                pending.append(batcher.process(recording, touch_recording, ahead.open))
    # The last, partly filled batches run under the last recording's time limit: a worker that
    # hangs can be ended only while it has named a recording.
    with heartbeat.monitored(recordings[-1], timeout):
        batcher.flush()
    if batcher.failure is not None and len(recordings) > 1:
        # Windows of several recordings shared the batch that failed: running each recording alone
        # shows which of them it was.
        results = [
            predict_with(models, timeout, [recording], embeddings=embeddings)
            for recording in recordings
        ]
        return ChunkResult(tuple(row for result in results for row in result.rows), batcher.stages)
    for result in pending:
        result.failure = result.failure or batcher.failure
    return ChunkResult(tuple(result.row() for result in pending), batcher.stages)


def read_recording(
    recording: Recording,
    configs: Sequence[WindowConfig],
    process: Callable[[Window], None],
    *,
    stages: StageSeconds,
    touch: Touch,
    open_file: OpenAudio = open_audio,
) -> tuple[AudioInfo, Failure | None]:
    """Pass every window to `process`; return the recording's properties and why it failed.

    Where there is a failure, the windows that were processed before it do not count.
    """
    reader = read_windows(recording.path, *configs, open_file=open_file)
    failure = None
    try:
        with reader as windows:
            for window in windows:
                touch(window.start, reader.declared_duration)
                process(window)
    except Failure as error:
        failure = error
    except (ImportError, DeviceError):
        raise  # No recording is to blame, and none could be analysed.
    except Exception as error:
        # Whatever a recording holds, it must not cost the others in the chunk their rows.
        failure = unexpected_failure(error)
    for stage, seconds in reader.seconds.items():
        add_seconds(stages, stage, seconds)
    return reader.info, failure


def unexpected_failure(error: Exception) -> Failure:
    """Return the failure for an error that no recording should cause.

    >>> unexpected_failure(ValueError("no such shape")).reason
    'internal_error'
    >>> str(unexpected_failure(OSError(116, "Stale file handle")))
    'unreadable: Stale file handle'
    """
    if isinstance(error, OSError):
        return failure_of_machine(error)
    if is_out_of_memory(error):
        return Failure("out_of_memory", "there was not enough memory to analyse it")
    return Failure("internal_error", f"{type(error).__name__}: {error}")


@dataclass(slots=True)
class ModelOutput:
    """The windows of a recording for one model, and their probabilities once they are known."""

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    probabilities: list[Float32 | None] = field(default_factory=list)
    """None for a window that is without speech, or whose batch has not run yet."""
    familiarity: list[float | None] = field(default_factory=list)
    """None for such windows, and for all where the model cannot say."""
    embeddings: dict[int, tuple[Float32, Float32]] = field(default_factory=dict)
    """The embedding and the logits of windows with speech, by index, where they are asked for."""

    def add_window(self, start: float, end: float) -> None:
        """Append a window without probabilities."""
        self.starts.append(start)
        self.ends.append(end)
        self.probabilities.append(None)
        self.familiarity.append(None)

    @property
    def with_speech(self) -> list[Float32]:
        """The probabilities of the windows with speech."""
        return [p for p in self.probabilities if p is not None]

    def mean(self) -> Float32:
        """Return the model's probabilities for the whole recording."""
        # It averages in double precision: a recording may have thousands of windows.
        return mean_probabilities(np.stack(self.with_speech))


@dataclass(slots=True)
class PendingResult:
    """A recording whose windows are in batches that may not have run yet."""

    recording: Recording
    outputs: Sequence[ModelOutput]
    """One for each model."""
    info: AudioInfo = field(default_factory=AudioInfo)
    failure: Failure | None = None

    def row(self) -> RecordingResult:
        """Return the row; every batch with a window of this recording must have run."""
        failure = self.failure
        if failure is None and not all(output.with_speech for output in self.outputs):
            failure = Failure("no_speech", "no window of it holds anything like speech")
        probabilities = model_probabilities = windows = familiarity = None
        if failure is None:
            familiarity = mean_familiarity(mean_familiarity(o.familiarity) for o in self.outputs)
            model_probabilities = np.stack([output.mean() for output in self.outputs])
            probabilities = mean_probabilities(model_probabilities)
            windows = _window_results(self.outputs)
        if len(self.outputs) == 1:
            # They are those of the row: a single model has no columns of its own.
            model_probabilities = None
        info = self.info
        if failure is not None and failure.reason == "unreadable" and info.size is None:
            # It could not be opened: the file is the one that was found.
            info = AudioInfo(size=self.recording.size, mtime_ns=self.recording.mtime_ns)
        return RecordingResult(
            root=to_text(self.recording.root),
            file=to_text(self.recording.file),
            reason=failure.reason if failure else None,
            detail=failure.detail if failure else None,
            probabilities=probabilities,
            model_probabilities=model_probabilities,
            windows=windows,
            familiarity=familiarity,
            duration=info.duration,
            sample_rate=info.sample_rate,
            channels=info.channels,
            rms_db=info.rms_db,
            clipped=info.clipped,
            silence=info.silence,
            size=info.size,
            mtime_ns=info.mtime_ns,
        )


def _window_results(outputs: Sequence[ModelOutput]) -> WindowResults:
    """Concatenate the windows of all models.

    NaN, not None, stands for a window without speech: they go to the parent as one array.
    """
    missing = np.full_like(outputs[0].with_speech[0], np.nan)
    counts = [len(output.starts) for output in outputs]
    probabilities = [missing if p is None else p for out in outputs for p in out.probabilities]
    familiarity = [f for output in outputs for f in output.familiarity]
    embeddings = logits = None
    if outputs[0].embeddings:
        embeddings, logits = _window_embeddings(outputs[0])
    return WindowResults(
        np.concatenate([output.starts for output in outputs]),
        np.concatenate([output.ends for output in outputs]),
        np.stack(probabilities),
        np.repeat(np.arange(len(outputs), dtype=np.int32), counts) if len(outputs) > 1 else None,
        # None becomes NaN.
        np.array(familiarity, np.float32) if any(f is not None for f in familiarity) else None,
        embeddings,
        logits,
    )


def _window_embeddings(output: ModelOutput) -> tuple[Float32, Float32]:
    """Return the embeddings and the logits of all windows, NaN without speech."""
    examples = next(iter(output.embeddings.values()))
    embeddings, logits = (
        np.full((len(output.starts), len(example)), np.nan, np.float32) for example in examples
    )
    for index, (embedding, row) in output.embeddings.items():
        embeddings[index], logits[index] = embedding, row
    return embeddings, logits


class _Batcher:
    """Reads recordings once for all models and fills a batch for each model."""

    def __init__(self, models: Sequence[LoadedModel], *, embeddings: bool) -> None:
        self.stages: StageSeconds = {}
        self._shared = shared_windows(models)
        # Models may have the same labels in different orders; columns are in the first one's.
        labels = models[0].bundle.labels
        self._batches = [
            _ModelBatch(model, labels, self.stages, embeddings=embeddings) for model in models
        ]

    def process(self, recording: Recording, touch: Touch, open_file: OpenAudio) -> PendingResult:
        """Read a recording and put its windows into the batches."""
        result = PendingResult(recording, [ModelOutput() for _ in self._batches])
        result.info, result.failure = read_recording(
            recording,
            [shared.window_config for shared in self._shared],
            lambda window: self._add(window, result.outputs),
            stages=self.stages,
            touch=touch,
            open_file=open_file,
        )
        return result

    def flush(self) -> None:
        """Run what is left in the batches."""
        for batch in self._batches:
            batch.flush()

    @property
    def failure(self) -> Failure | None:
        """Why a batch failed, whichever recordings its windows are of."""
        return next((batch.failure for batch in self._batches if batch.failure), None)

    def _add(self, window: Window, outputs: Sequence[ModelOutput]) -> None:
        shared = self._shared[window.config_index]
        for model_input, models in shared.models_by_input.items():
            for model in models:
                outputs[model].add_window(window.start, window.end)
            if not window.speech:
                continue
            began = perf_counter()
            prepared = model_input.prepare(window.samples, shared.window_config.window)
            add_seconds(self.stages, "features", perf_counter() - began)
            for model in models:
                self._batches[model].add(prepared, outputs[model])


@dataclass(slots=True)
class _PendingWindows:
    """Windows of one shape that wait for their batch to be full."""

    inputs: list[Float32] = field(default_factory=list)
    targets: list[tuple[ModelOutput, int]] = field(default_factory=list)
    """Where the probabilities of each window go: the output, and the index in it."""


class _ModelBatch:
    """Collects a model's windows across recordings and runs them when the batch is full."""

    def __init__(
        self,
        model: LoadedModel,
        labels: Sequence[str],
        stages: StageSeconds,
        *,
        embeddings: bool,
    ) -> None:
        self._model, self._stages, self._keep_embeddings = model, stages, embeddings
        self._label_indices = model.label_indices(labels)
        # By shape: where padding is forbidden, a short window is smaller than the others, and a
        # batch takes windows of one shape only.
        self._pending: dict[tuple[int, ...], _PendingWindows] = {}
        self.failure: Failure | None = None

    def add(self, prepared: Float32, output: ModelOutput) -> None:
        """Add the last window of `output`, as the model takes it."""
        pending = self._pending.setdefault(prepared.shape, _PendingWindows())
        pending.inputs.append(prepared)
        pending.targets.append((output, len(output.probabilities) - 1))
        if len(pending.inputs) == self._model.batch_size:
            self._run(self._pending.pop(prepared.shape))

    def flush(self) -> None:
        """Run the windows that were collected."""
        while self._pending:
            self._run(self._pending.popitem()[1])

    def _run(self, pending: _PendingWindows) -> None:
        began = perf_counter()
        try:
            result = self._model.classifier.run(np.stack(pending.inputs))
        except DeviceError:
            raise
        except Exception as error:
            # Not only MemoryError: each runtime raises errors of its own when memory runs out.
            self.failure = unexpected_failure(error)
        else:
            probabilities = result.probabilities[:, self._label_indices]
            for (output, index), row in zip(pending.targets, probabilities, strict=True):
                output.probabilities[index] = row
            if result.familiarity is not None:
                values = result.familiarity.tolist()
                for (output, index), value in zip(pending.targets, values, strict=True):
                    output.familiarity[index] = value
            if self._keep_embeddings:
                assert result.embedding is not None
                assert result.logits is not None
                pairs = zip(result.embedding, result.logits, strict=True)
                for (output, index), pair in zip(pending.targets, pairs, strict=True):
                    output.embeddings[index] = pair
        add_seconds(self._stages, "model", perf_counter() - began)
