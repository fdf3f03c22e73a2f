"""The work of a worker on a chunk: read recordings, fill batches across them, return rows.

    recording ─► windows ─► features ─► a batch for each model ─► probabilities of windows ─► rows

A recording is decoded once for all models. Batches are filled across recordings, so a row is
complete only when the last batch with one of its windows has run: until then the recording is a
`PendingResult` with a `ModelOutput` for each model (see `recording_output`).

A long recording is left to several workers where that is asked for: then there is no row, but the
number of its pieces (see `audio.pieces`), each of which is worked on like a recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TypeAlias

import numpy as np

from batchemo.audio import AudioInfo, Failure, Window, WindowConfig, WindowReader, read_windows
from batchemo.audio.failure import failure_of_machine
from batchemo.audio.file import OpenAudio, open_audio
from batchemo.audio.read_ahead import ReadAhead
from batchemo.audio.turn_reader import TurnReader, read_turns
from batchemo.common.arrays import Float32
from batchemo.common.memory import is_out_of_memory
from batchemo.common.timing import StageSeconds, add_seconds
from batchemo.errors import DeviceError
from batchemo.inference.loaded import LoadedModel, shared_windows
from batchemo.inference.provenance import table_labels
from batchemo.inference.recording_output import ModelOutput, PendingResult, PieceResult
from batchemo.inference.turn_finding import TurnFinding, find_turns
from batchemo.inference.turn_output import PendingTurns, PieceOfTurns
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingRows
from batchemo.workers import heartbeat
from batchemo.workers.executor import ChunkResult, CutRecording
from batchemo.workers.heartbeat import Touch

Pending: TypeAlias = "PendingResult | PendingTurns"

MOST_PIECES = 4
"""A recording with more pieces is left to several workers, where that is asked for. One with fewer
is soon analysed, and each piece fills its last batch up with nothing."""


def predict_with(
    models: Sequence[LoadedModel],
    timeout: float,
    recordings: Sequence[Recording],
    touch: Touch | None = None,
    *,
    embeddings: bool = False,
    cut: bool = False,
    open_file: OpenAudio | None = None,
    finding: TurnFinding | None = None,
) -> ChunkResult[RecordingRows]:
    """Analyse a chunk of recordings with models that are loaded already.

    Outside of a worker process, which leaves heartbeats, `touch` gets the positions. With
    `embeddings`, the windows of the rows have those of the model, which must be the only one. With
    `cut`, long recordings are not analysed, but named in `ChunkResult.cut`. `open_file` opens them
    in place of reading ahead. `finding` says what the turns of recordings are where none are given.
    """
    batcher = _Batcher(models, embeddings=embeddings)
    pending, long = list[Pending](), dict[int, CutRecording]()
    files = ((each.address, each.size) for each in recordings if each.problem is None)
    with ReadAhead(files) as ahead:
        for place, recording in enumerate(recordings):
            with heartbeat.monitored(recording, timeout) as leave_heartbeat:
                result, pieces = _read_one(
                    batcher,
                    recording,
                    finding,
                    touch or leave_heartbeat,
                    open_file or ahead.open,
                    most_pieces=MOST_PIECES if cut else None,
                )
            if pieces is None:
                pending.append(result)
            else:
                long[place] = pieces
    # The last, partly filled batches run under the last recording's time limit: a worker that
    # hangs can be ended only while it has named a recording.
    with heartbeat.monitored(recordings[-1], timeout):
        batcher.flush()
    if batcher.failure is not None and len(pending) > 1:
        # Windows of several recordings shared the batch that failed: running each recording alone
        # shows which of them it was.
        results = [
            predict_with(
                models, timeout, [result.recording], embeddings=embeddings, finding=finding
            )
            for result in pending
        ]
        rows = tuple(row for result in results for row in result.rows)
        return ChunkResult(rows, batcher.stages, cut=long)
    for result in pending:
        result.failure = result.failure or batcher.failure
    return ChunkResult(tuple(result.rows() for result in pending), batcher.stages, cut=long)


def _read_one(
    batcher: _Batcher,
    recording: Recording,
    finding: TurnFinding | None,
    touch: Touch,
    open_file: OpenAudio,
    *,
    most_pieces: int | None,
) -> tuple[Pending, CutRecording | None]:
    """Put the windows of a recording into the batches; or return its pieces, if it has too many."""
    if recording.problem is None and recording.turns is None and finding is not None:
        config, stages = batcher.configs[0], batcher.stages
        found = find_turns(
            recording, finding, config, stages=stages, touch=touch, open_file=open_file
        )
        if found.failure is not None:
            return batcher.failed(found.recording, found.failure, found.info), None
        # It is opened again, and what was read ahead is used up.
        recording, open_file = found.recording, open_audio
    if recording.problem is not None:
        info = AudioInfo(recording.size, recording.mtime_ns, etag=recording.etag)
        return batcher.failed(recording, Failure(*recording.problem), info), None
    reader, result = batcher.open(recording, open_file=open_file), batcher.pending(recording)
    result.failure = batcher.read(reader, result, touch, most_pieces=most_pieces)
    result.add_reading(reader)
    count = len(reader.pieces)
    if most_pieces is None or result.failure is not None or count <= most_pieces:
        return result, None
    return result, CutRecording(count, reader.declared_duration, recording if finding else None)


def predict_pieces_with(
    models: Sequence[LoadedModel],
    timeout: float,
    recording: Recording,
    numbers: Sequence[int],
    *,
    embeddings: bool = False,
) -> ChunkResult[PieceResult | PieceOfTurns]:
    """Analyse pieces of a recording; after one that fails, those that follow are left out."""
    batcher = _Batcher(models, embeddings=embeddings)
    results = list[PieceResult | PieceOfTurns]()
    for number in numbers:
        with heartbeat.monitored(recording, timeout) as touch:
            reader, pending = batcher.open(recording, piece=number), batcher.pending(recording)
            failure = batcher.read(reader, pending, touch)
        results.append(_piece_result(reader, pending, batcher.configs, failure))
        if failure is not None:
            break
    with heartbeat.monitored(recording, timeout):
        batcher.flush()
    if batcher.failure is not None and len(numbers) > 1:
        alone = [
            predict_pieces_with(models, timeout, recording, [number], embeddings=embeddings)
            for number in numbers
        ]
        rows = tuple(row for result in alone for row in result.rows)
        return ChunkResult(rows, batcher.stages)
    rows = tuple(replace(each, failure=each.failure or batcher.failure) for each in results)
    return ChunkResult(rows, batcher.stages)


def _piece_result(
    reader: WindowReader, pending: Pending, configs: list[WindowConfig], failure: Failure | None
) -> PieceResult | PieceOfTurns:
    pieces = len(reader.pieces)
    if isinstance(pending, PendingTurns):
        assert isinstance(reader, TurnReader)
        measures, frames = reader.turn_measures, reader.frames_read
        return PieceOfTurns(
            pending.outputs, measures, configs[0], reader.info, frames, pieces, failure
        )
    return PieceResult(pending.outputs, configs, reader.info, pieces, reader.measures, failure)


def read_recording(
    reader: WindowReader,
    process: Callable[[Window], None],
    *,
    stages: StageSeconds,
    touch: Touch,
    most_pieces: int | None = None,
) -> Failure | None:
    """Pass every window to `process`; return why the recording failed, if it did.

    Where there is a failure, the windows that were processed before it do not count. A recording of
    more than `most_pieces` is opened, and not read.
    """
    failure = None
    try:
        with reader as windows:
            windows.open()
            if most_pieces is None or len(windows.pieces) <= most_pieces:
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
    return failure


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


class _Batcher:
    """Reads recordings once for all models and fills a batch for each model."""

    def __init__(self, models: Sequence[LoadedModel], *, embeddings: bool) -> None:
        self.stages: StageSeconds = {}
        self._shared = shared_windows(models)
        self.configs = [shared.window_config for shared in self._shared]
        # Models may have the same labels in different orders; columns are in the first one's.
        labels = table_labels(model.bundle for model in models)
        self._batches = [
            _ModelBatch(model, labels, self.stages, embeddings=embeddings) for model in models
        ]

    def pending(self, recording: Recording) -> Pending:
        """Return the result of a recording, without windows."""
        if recording.turns is not None:
            return PendingTurns(recording, len(self._batches), self.configs[0])
        return PendingResult(recording, [ModelOutput() for _ in self._batches])

    def failed(self, recording: Recording, failure: Failure, info: AudioInfo) -> Pending:
        """Return the result of a recording whose turns are not known."""
        models = len(self._batches)
        return PendingTurns(recording, models, self.configs[0], info=info, failure=failure)

    def open(
        self, recording: Recording, *, piece: int | None = None, open_file: OpenAudio = open_audio
    ) -> WindowReader:
        """Return the reader of a recording, or of one of its pieces."""
        address, turns = recording.address, recording.turns
        if turns is not None:
            return read_turns(address, turns, *self.configs, piece=piece, open_file=open_file)
        return read_windows(address, *self.configs, piece=piece, open_file=open_file)

    def read(
        self,
        reader: WindowReader,
        pending: Pending,
        touch: Touch,
        *,
        most_pieces: int | None = None,
    ) -> Failure | None:
        """Put the windows of a reader into the batches; see `read_recording`."""
        return read_recording(
            reader,
            lambda window: self._add(window, pending.outputs_of(window.turn)),
            stages=self.stages,
            touch=touch,
            most_pieces=most_pieces,
        )

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
        self._measured_indices = model.measured_indices()
        self._window_shape = model.input.shape(model.window_config.window)
        # By shape: where padding is forbidden, a short window is smaller than the others, and a
        # batch takes windows of one shape only.
        self._pending: dict[tuple[int, ...], _PendingWindows] = {}
        self.failure: Failure | None = None

    def add(self, prepared: Float32, output: ModelOutput) -> None:
        """Add the last window of `output`, as the model takes it."""
        pending = self._pending.setdefault(prepared.shape, _PendingWindows())
        pending.inputs.append(prepared)
        pending.targets.append((output, len(output.probabilities) - 1))
        if len(pending.inputs) == self._model.batch_size or self._is_alone(prepared.shape):
            self._run(self._pending.pop(prepared.shape))

    def _is_alone(self, shape: tuple[int, ...]) -> bool:
        """Return whether a window of that shape has a batch for itself.

        A recording that is shorter than a window, and may not be padded, has a length that hardly
        another one has: a batch would be filled up with zeros, each as slow as a window.
        """
        return self._model.input.padding == "forbidden" and shape != self._window_shape

    def flush(self) -> None:
        """Run the windows that were collected."""
        while self._pending:
            self._run(self._pending.popitem()[1])

    def _run(self, pending: _PendingWindows) -> None:
        began = perf_counter()
        try:
            inputs = np.stack(pending.inputs)
            alone = self._is_alone(inputs.shape[1:])
            result = self._model.classifier.run(inputs, one_by_one=alone)
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
            if result.dimensions is not None:
                measured = result.dimensions[:, self._measured_indices]
                for (output, index), row in zip(pending.targets, measured, strict=True):
                    output.measured[index] = row
            if self._keep_embeddings:
                assert result.embedding is not None
                assert result.logits is not None
                pairs = zip(result.embedding, result.logits, strict=True)
                for (output, index), pair in zip(pending.targets, pairs, strict=True):
                    output.embeddings[index] = pair
        add_seconds(self._stages, "model", perf_counter() - began)
