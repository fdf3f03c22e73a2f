"""Single recordings, analysed in this process one after another, with the results of a scan."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from batchemo.audio.file import OpenAudio
from batchemo.common.arrays import Float32
from batchemo.common.memory import RUNTIME_BYTES, require_memory
from batchemo.common.text import for_display, to_text
from batchemo.errors import UsageError
from batchemo.inference.in_memory import InMemory, opener
from batchemo.inference.loaded import LoadedModel, load_model
from batchemo.inference.model_set import ModelSet, load_model_set
from batchemo.inference.postprocess import BiasAdapter, PostProcessor
from batchemo.inference.predict import predict_with
from batchemo.inference.settings import (
    EACH_CHANNEL,
    NO_POSTPROCESSING,
    ModelSettings,
    PostprocessSettings,
)
from batchemo.sources import Recording, SourceOptions
from batchemo.sources.objects import stat_url
from batchemo.sources.recording import stat_recording
from batchemo.storage.url import is_url
from batchemo.tables.derived import mean_probabilities
from batchemo.tables.rows import RecordingResult, to_batch
from batchemo.workers.heartbeat import RecordingPosition, Touch

if TYPE_CHECKING:
    import pyarrow as pa

OnPosition = Callable[[RecordingPosition], None]


def open_predictor(
    sources: Iterable[str | os.PathLike[str] | InMemory],
    *settings: ModelSettings,
    postprocess: PostprocessSettings = NO_POSTPROCESSING,
) -> Predictor:
    """Check the paths and load the models, before anything is analysed."""
    if any(each.channel == EACH_CHANNEL for each in settings):
        raise UsageError("--channel each: a scan has a row for each channel; here name one, or mix")
    sources = tuple(sources)
    recordings = tuple(map(_recording, sources))
    contents = {each.name: each.content for each in sources if isinstance(each, InMemory)}
    # OpenBLAS would end the process, and what it says of that is not shown while recordings are
    # decoded.
    require_memory("onnxruntime", RUNTIME_BYTES)
    model_set = load_model_set(settings)
    model_set.check_postprocess(postprocess)
    # There is no manifest here whose columns could name the speakers.
    postprocess.check_speaker([])
    loaded = tuple(map(load_model, settings))
    return Predictor(recordings, model_set, loaded, postprocess, opener(contents))


@dataclass(frozen=True, slots=True)
class Predictor:
    """Recordings, and the loaded models to analyse them with."""

    recordings: tuple[Recording, ...]
    model_set: ModelSet
    loaded: tuple[LoadedModel, ...]
    postprocess: PostprocessSettings
    open_file: OpenAudio
    warnings: list[str] = field(default_factory=list)
    """Messages for the user, complete once all recordings are analysed."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the first model's order."""
        return self.model_set.labels

    @property
    def models(self) -> tuple[str, ...]:
        """The names of several models with labels; empty for one."""
        return self.model_set.with_labels

    @property
    def model(self) -> str:
        """The value of the column `model`."""
        return self.model_set.model

    def rows(self, on_position: OnPosition | None = None) -> Iterator[RecordingResult]:
        """Analyse one recording after another; `on_position` gets how far, at every window.

        If they are adapted to each other, the first row comes when all recordings are analysed.
        """
        rows = self._unadapted_rows(on_position)
        return self._adapted_rows(list(rows)) if self.postprocess.adapts else rows

    def table(self, *, segments: bool = False) -> pa.Table:
        """Analyse all recordings and return the recordings table, or the segments table."""
        import pyarrow as pa

        sources = SourceOptions(paths=tuple(recording.path for recording in self.recordings))
        schema = self.model_set.output_schema(self.postprocess, sources, segments=segments)
        postprocessor = PostProcessor(schema)
        batches = [self._batch([row], segments=segments) for row in self._unadapted_rows()]
        tables = list(postprocessor.tables(lambda: batches))
        self.warnings.extend(postprocessor.warnings())
        wanted = schema.segments_schema() if segments else schema.recordings_schema()
        if segments:
            tables = [postprocessor.segments(table).cast(wanted) for table in tables]
        return pa.concat_tables([wanted.empty_table(), *tables])

    def _unadapted_rows(self, on_position: OnPosition | None = None) -> Iterator[RecordingResult]:
        from threadpoolctl import threadpool_limits

        for recording in self.recordings:
            # As in a worker process: a sum over several threads differs in the last bits.
            with threadpool_limits(1, user_api="blas"):
                touch = None if on_position is None else _touch(recording, on_position)
                result = predict_with(
                    self.loaded, 0.0, [recording], touch, open_file=self.open_file
                )
            [rows] = result.rows
            yield from rows

    def _adapted_rows(self, rows: list[RecordingResult]) -> Iterator[RecordingResult]:
        import pyarrow as pa

        table = pa.Table.from_batches([self._batch(rows, segments=False)])
        adapter = BiasAdapter(self.postprocess, self.labels, self.models)
        adapter.update(table)
        self.warnings.extend(adapter.warnings())
        return map(_with_probabilities, rows, adapter.adapted_probabilities(table))

    def _batch(self, rows: list[RecordingResult], *, segments: bool) -> pa.RecordBatch:
        return to_batch(
            rows,
            labels=self.labels,
            model=self.model,
            segments=segments,
            models=self.models,
            several_models=bool(self.model_set.names),
            measured=self.model_set.measured,
        )


def _touch(recording: Recording, on_position: OnPosition) -> Touch:
    root, file, size = to_text(recording.root), to_text(recording.file), recording.size

    def touch(position: float, duration: float | None) -> None:
        on_position(RecordingPosition(root, file, size, position, duration))

    return touch


def _with_probabilities(row: RecordingResult, adapted: Float32) -> RecordingResult:
    """Return the row with these probabilities (models, labels) in place of its own."""
    if row.probabilities is None:
        return row
    model_probabilities = None if row.model_probabilities is None else adapted
    return replace(
        row, probabilities=mean_probabilities(adapted), model_probabilities=model_probabilities
    )


def _recording(source: str | os.PathLike[str] | InMemory) -> Recording:
    if isinstance(source, InMemory):
        return Recording("", source.name, len(source.content), None)
    path = os.fspath(source)
    if is_url(path):
        return stat_url(path)
    if os.path.isdir(path):
        shown = for_display(path)
        raise UsageError(f"{shown} is a folder: `batchemo scan {shown}` analyses all that is in it")
    root, file = os.path.split(os.path.abspath(path))
    recording = stat_recording(root, file)
    if recording is None:
        raise UsageError(f"{for_display(path)} is no regular file.")
    if recording.size is None:
        raise UsageError(f"There is no file {for_display(path)!r}: check the name.")
    return recording
