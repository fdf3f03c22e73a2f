"""The work of a worker on one chunk: read each recording, fill batches, hand back results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from batchemo.audio import AudioInfo, Failure, Window, WindowConfig, read_windows
from batchemo.common.arrays import Float32
from batchemo.common.text import to_text
from batchemo.common.timing import StageSeconds, add_seconds
from batchemo.errors import BatchemoError
from batchemo.features import extract
from batchemo.inference.loaded import LoadedModel, cached_models, shared_windows
from batchemo.inference.settings import PredictTask
from batchemo.sources import Recording
from batchemo.tables.derived import mean_probabilities
from batchemo.tables.rows import RecordingResult, WindowResults
from batchemo.workers import heartbeat
from batchemo.workers.executor import ChunkResult
from batchemo.workers.heartbeat import Touch


def hear(
    recording: Recording,
    several: Sequence[WindowConfig],
    take: Callable[[Window], None],
    *,
    stages: StageSeconds,
    touch: Touch,
) -> tuple[AudioInfo, Failure | None]:
    """Hand every window to `take`; tell what was learned, and why the windows do not count."""
    window_config = read_windows(recording.path, *several)
    failure = None
    try:
        with window_config as heard:
            for window in heard:
                touch(window.start)
                take(window)
    except Failure as why:
        failure = why
    except Exception as error:  # One recording must never hurt the others, whatever is in it.
        failure = unexpected(error)
    for stage, seconds in window_config.seconds.items():
        add_seconds(stages, stage, seconds)
    return window_config.info, failure


def unexpected(error: Exception) -> Failure:
    """Make a failure of an error that no recording should cause."""
    if isinstance(error, MemoryError):
        return Failure("out_of_memory", "there was not enough memory to analyse it")
    return Failure("internal_error", f"{type(error).__name__}: {error}")


@dataclass(slots=True)
class ModelOutput:
    """What one model finds: its windows, and their probabilities as soon as they are known."""

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    probabilities: list[Float32 | None] = field(default_factory=list)

    def begin(self, start: float, end: float) -> None:
        """Note a window; without speech it stays without probabilities."""
        self.starts.append(start)
        self.ends.append(end)
        self.probabilities.append(None)

    @property
    def voiced(self) -> list[Float32]:
        """The probabilities of the windows with speech."""
        return [p for p in self.probabilities if p is not None]

    def opinion(self) -> Float32:
        """What the model says of the whole recording."""
        # In double precision: thousands of windows must not add up to a rounding error.
        return mean_probabilities(np.stack(self.voiced))


@dataclass(slots=True)
class PendingResult:
    """A recording, with a sheet for each model."""

    recording: Recording
    sheets: Sequence[ModelOutput]
    info: AudioInfo = field(default_factory=AudioInfo)
    failure: Failure | None = None

    def row(self) -> RecordingResult:
        """Make the row, when every batch with a window of this recording has been run."""
        failure = self.failure
        if failure is None and not all(sheet.voiced for sheet in self.sheets):
            failure = Failure("no_speech", "no window of it holds anything like speech")
        model_probabilities = (
            None if failure else np.stack([sheet.opinion() for sheet in self.sheets])
        )
        info = self.info
        return RecordingResult(
            root=to_text(self.recording.root),
            file=to_text(self.recording.file),
            reason=failure.reason if failure else None,
            detail=failure.detail if failure else None,
            probabilities=None
            if model_probabilities is None
            else mean_probabilities(model_probabilities),
            model_probabilities=None
            if model_probabilities is None or len(model_probabilities) == 1
            else model_probabilities,
            windows=None if failure else _windows(self.sheets),
            duration=info.duration,
            sample_rate=info.sample_rate,
            channels=info.channels,
            rms_db=info.rms_db,
            clipped=info.clipped,
            silence=info.silence,
            size=info.size,
            mtime_ns=info.mtime_ns,
        )


def _windows(sheets: Sequence[ModelOutput]) -> WindowResults:
    """Lay the models' windows end to end."""
    unheard = np.full_like(sheets[0].voiced[0], np.nan)
    counts = [len(sheet.starts) for sheet in sheets]
    probabilities = [unheard if p is None else p for sheet in sheets for p in sheet.probabilities]
    return WindowResults(
        np.concatenate([sheet.starts for sheet in sheets]),
        np.concatenate([sheet.ends for sheet in sheets]),
        np.stack(probabilities),
        np.repeat(np.arange(len(sheets), dtype=np.int32), counts) if len(sheets) > 1 else None,
    )


def predict_chunk(
    task: PredictTask, recordings: Sequence[Recording]
) -> ChunkResult[RecordingResult]:
    """Analyse a chunk of recordings."""
    try:
        several = cached_models(task.settings)
    except BatchemoError as error:
        return ChunkResult(fatal=str(error))
    except MemoryError:
        return ChunkResult(
            fatal="there is not enough memory to load a model: try fewer workers (-j)"
        )
    return predict_with(several, task.timeout, recordings)


def predict_with(
    several: Sequence[LoadedModel], timeout: float, recordings: Sequence[Recording]
) -> ChunkResult[RecordingResult]:
    """Analyse a chunk of recordings with models that are loaded already."""
    desk = _Batcher(several)
    drafts = []
    for recording in recordings:
        with heartbeat.monitored(recording, timeout) as touch:
            drafts.append(desk.hear(recording, touch))
    with heartbeat.monitored(recordings[-1], timeout):
        desk.finish()
    if desk.trouble is not None and len(recordings) > 1:
        # Their windows shared batches: whose the trouble was only shows when each is alone.
        alone = [predict_with(several, timeout, [recording]) for recording in recordings]
        return ChunkResult(tuple(row for done in alone for row in done.rows), desk.stages)
    for draft in drafts:
        draft.failure = draft.failure or desk.trouble
    return ChunkResult(tuple(draft.row() for draft in drafts), desk.stages)


class _Batcher:
    """Where recordings pass all models: decoded once, with a batch for each model."""

    def __init__(self, several: Sequence[LoadedModel]) -> None:
        self.stages: StageSeconds = {}
        self._wishes = shared_windows(several)
        labels = several[0].bundle.labels
        self._batches = [_ModelBatch(tools, labels, self.stages) for tools in several]

    def hear(self, recording: Recording, touch: heartbeat.Touch) -> PendingResult:
        draft = PendingResult(recording, [ModelOutput() for _ in self._batches])
        draft.info, draft.failure = hear(
            recording,
            [wish.window_config for wish in self._wishes],
            lambda window: self._take(window, draft.sheets),
            stages=self.stages,
            touch=touch,
        )
        return draft

    def _take(self, window: Window, sheets: Sequence[ModelOutput]) -> None:
        wish = self._wishes[window.of]
        for recipe, places in wish.recipes.items():
            for place in places:
                sheets[place].begin(window.start, window.end)
            if not window.speech:
                continue
            began = perf_counter()
            item = extract(recipe, window.samples, wish.window_config.window)
            add_seconds(self.stages, "features", perf_counter() - began)
            for place in places:
                self._batches[place].add(item, sheets[place])

    def finish(self) -> None:
        for batch in self._batches:
            batch.flush()

    @property
    def trouble(self) -> Failure | None:
        """What went wrong with a batch, whoever's windows were in it."""
        return next((batch.trouble for batch in self._batches if batch.trouble), None)


class _ModelBatch:
    """Collects a model's windows across recordings and runs them when its net's batch is full."""

    def __init__(self, tools: LoadedModel, labels: Sequence[str], stages: StageSeconds) -> None:
        self._tools, self._stages = tools, stages
        self._order = tools.order_of(labels)
        self._items: list[Float32] = []
        self._owners: list[tuple[ModelOutput, int]] = []
        self.trouble: Failure | None = None

    def add(self, item: Float32, sheet: ModelOutput) -> None:
        """Take the features of the sheet's last window."""
        self._items.append(item)
        self._owners.append((sheet, len(sheet.probabilities) - 1))
        if len(self._items) == self._tools.batch_size:
            self.flush()

    def flush(self) -> None:
        if not self._items:
            return
        began = perf_counter()
        try:
            results = self._tools.classifier.run(np.stack(self._items))[:, self._order]
        except Exception as error:  # Want of memory has many names in the runtimes.
            self.trouble = unexpected(error)
        else:
            for (sheet, index), result in zip(self._owners, results, strict=True):
                sheet.probabilities[index] = result
        self._items, self._owners = [], []
        add_seconds(self._stages, "model", perf_counter() - began)
