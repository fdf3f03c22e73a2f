"""Single recordings, analysed in this process one after another, exactly as a scan would."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from batchemo.common.arrays import Float32
from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.inference.loaded import LoadedModel, load_model
from batchemo.inference.model_set import ModelSet, load_model_set
from batchemo.inference.output_schema import OutputSchema
from batchemo.inference.postprocess import PostProcessor, SpeakerAdapter
from batchemo.inference.predict import predict_with
from batchemo.inference.settings import NO_POSTPROCESSING, ModelSettings, PostprocessSettings
from batchemo.sources import Recording, SourceOptions
from batchemo.sources.recording import look_up
from batchemo.tables.derived import mean_probabilities
from batchemo.tables.rows import RecordingResult, to_batch

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Predictor:
    """Recordings, and the models to look at them with."""

    recordings: tuple[Recording, ...]
    model_set: ModelSet
    tools: tuple[LoadedModel, ...]
    postprocess: PostprocessSettings
    warnings: list[str] = field(default_factory=list)
    """What the user should know, once all is analysed."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the first model's order."""
        return self.model_set.labels

    @property
    def models(self) -> tuple[str, ...]:
        """The names of several models; none where there is one."""
        return self.model_set.names

    @property
    def model(self) -> str:
        """What stands in the column `model`."""
        return self.model_set.model

    def rows(self) -> Iterator[RecordingResult]:
        """Analyse one recording after another; where they are adapted to speakers, all at first."""
        if self.postprocess.speaker is None:
            return self._heard()
        return self._adapted(list(self._heard()), self.postprocess.speaker)

    def _adapted(self, rows: list[RecordingResult], speaker: str) -> Iterator[RecordingResult]:
        import pyarrow as pa

        labels, models = self.labels, self.models
        batch = to_batch(rows, labels=labels, model=self.model, segments=False, models=models)
        table, voices = pa.Table.from_batches([batch]), SpeakerAdapter(speaker, labels, models)
        voices.learn(table)
        self.warnings.extend(voices.warnings())
        return map(_with_opinions, rows, voices.adapted(table))

    def _heard(self) -> Iterator[RecordingResult]:
        """Analyse with one thread, as in a worker: sums of several have other last bits."""
        from threadpoolctl import threadpool_limits

        for recording in self.recordings:
            with threadpool_limits(1, user_api="blas"):
                done = predict_with(self.tools, 0.0, [recording])
            yield from done.rows

    def table(self, *, segments: bool = False) -> pa.Table:
        """Analyse all and give the files table, or the segments table."""
        import pyarrow as pa

        postprocessor, models = PostProcessor(self._shape(segments=segments)), self.models
        batches = [
            to_batch([row], labels=self.labels, model=self.model, segments=segments, models=models)
            for row in self._heard()
        ]
        shape, tables = postprocessor.shape, list(postprocessor.tables(lambda: batches))
        self.warnings.extend(postprocessor.warnings())
        if segments:
            tables = [postprocessor.windows(table).cast(shape.windows()) for table in tables]
        empty = (shape.windows() if segments else shape.files()).empty_table()
        return pa.concat_tables([empty, *tables])

    def _shape(self, *, segments: bool = False) -> OutputSchema:
        sources = SourceOptions(paths=tuple(recording.path for recording in self.recordings))
        return self.model_set.shape(self.postprocess, sources, segments=segments)


def open_predictor(
    paths: Iterable[str | os.PathLike[str]],
    *settings: ModelSettings,
    postprocess: PostprocessSettings = NO_POSTPROCESSING,
) -> Predictor:
    """Check the names and load the models, before anything is analysed."""
    recordings = tuple(_recording(os.fspath(path)) for path in paths)
    model_set = load_model_set(settings)
    postprocess.check_labels(model_set.bundles[0].name, model_set.labels)
    postprocess.check_speaker([])
    return Predictor(recordings, model_set, tuple(map(load_model, settings)), postprocess)


def _with_opinions(row: RecordingResult, adapted: Float32) -> RecordingResult:
    """Give the row with the probabilities that each model has for it."""
    if row.probabilities is None:
        return row
    model_probabilities = None if row.model_probabilities is None else adapted
    return replace(
        row, probabilities=mean_probabilities(adapted), model_probabilities=model_probabilities
    )


def _recording(path: str) -> Recording:
    if os.path.isdir(path):
        shown = for_display(path)
        raise UsageError(f"{shown} is a folder: `batchemo scan {shown}` analyses all that is in it")
    root, file = os.path.split(os.path.abspath(path))
    recording = look_up(root, file)
    if recording is None:
        raise UsageError(f"{for_display(path)} is no regular file.")
    if recording.size is None:
        raise UsageError(f"There is no file {for_display(path)!r}: check the name.")
    return recording
