"""From the bytes of an upload to what the page shows of it. Knows nothing of widgets."""

from __future__ import annotations

import dataclasses
import io
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from batchemo.app.config import AppOptions
from batchemo.app.job import Job, ModelReference, lost_job_result, run_job
from batchemo.app.spectrogram import Spectrogram
from batchemo.app.waveform import Waveform
from batchemo.app.worker_pool import WorkerPool
from batchemo.audio import REASONS
from batchemo.bundles import Bundle
from batchemo.common.arrays import Float32
from batchemo.common.text import for_display, to_text
from batchemo.errors import BatchemoError
from batchemo.inference.model_set import ModelSet
from batchemo.inference.postprocess import BiasAdapter, PostProcessor
from batchemo.inference.settings import NO_POSTPROCESSING, PostprocessSettings
from batchemo.sources import Recording, SourceOptions
from batchemo.tables.derived import (
    is_long,
    label_or_uncertain,
    mean_familiarity,
    mean_probabilities,
)
from batchemo.tables.rows import RecordingResult, WindowResults, to_batch
from batchemo.tables.write import open_writer

if TYPE_CHECKING:
    import pyarrow as pa

ROOT = "upload"
"""The value of the tables' column `root`: visitors must not see the server's folders."""

FILE = "recording"
"""The name of every temporary file: a visitor's file name could lead out of the folder. It needs no
extension, as the decoder goes by the content alone."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A recording that a visitor uploaded or spoke."""

    key: str
    """Unique, also among uploads with the same name or content."""
    name: str
    content: bytes


@dataclass(frozen=True)
class RecordingView:
    """The results of one recording: a row for each model, by the model's digest."""

    rows: Mapping[str, RecordingResult]
    waveform: Waveform | None = None
    spectrogram: Spectrogram | None = None

    def merged(self, other: RecordingView) -> RecordingView:
        """Return a view with the rows of both, which come from different models."""
        return RecordingView(
            {**self.rows, **other.rows},
            self.waveform or other.waveform,
            self.spectrogram or other.spectrogram,
        )


@dataclass(frozen=True)
class ModelPrediction:
    """The prediction of one model for a recording."""

    labels: tuple[str, ...]
    probabilities: Float32
    min_confidence: float = 0.0
    is_long: bool = False
    """Whether the probabilities are shares of the speaking time."""

    @cached_property
    def ranked(self) -> list[tuple[str, float]]:
        """The labels with their probabilities, the most probable one first."""
        pairs = zip(self.labels, map(float, self.probabilities), strict=True)
        return sorted(pairs, key=lambda pair: -pair[1])

    @property
    def label(self) -> str:
        """The label, or `uncertain` if its probability is too low, exactly as in the tables."""
        found = label_or_uncertain(
            self.probabilities[None], self.labels, self.min_confidence, self.is_long
        )
        return str(found[0])

    @property
    def top_label(self) -> str:
        """The most probable label, whatever its probability."""
        return self.ranked[0][0]

    @property
    def confidence(self) -> float:
        """The probability of the most probable label."""
        return float(self.probabilities.max())


def analyse_upload(
    upload: Upload, bundles: Sequence[Bundle], pool: WorkerPool, options: AppOptions
) -> RecordingView:
    """Analyse an upload in a worker process. Failures of the recording are in the view's rows.

    The recording is on disk only while the worker reads it, in a temporary folder that is removed
    also when the analysis fails.
    """
    models = tuple(ModelReference(os.fspath(bundle.path), bundle.digest) for bundle in bundles)
    job = Job(models, options.max_duration, options.timeout)
    try:
        with (
            pool.borrow() as worker,
            tempfile.TemporaryDirectory(prefix="batchemo-app-") as folder,
        ):
            Path(folder, FILE).write_bytes(upload.content)
            recording = Recording(folder, FILE, len(upload.content), None)
            work, lost = partial(run_job, job), partial(lost_job_result, job)
            result = worker.run(work, lost, [recording], job.timeout).rows[0]
    except OSError as error:
        raise BatchemoError(f"the server could not take the recording: {error.strerror}") from error
    rows = (_anonymous(row, upload.name, folder) for row in result.rows)
    return RecordingView(
        {model.digest: row for model, row in zip(models, rows, strict=True)},
        result.waveform,
        result.spectrogram,
    )


def _anonymous(row: RecordingResult, name: str, folder: str) -> RecordingResult:
    """Return the row under the visitor's file name, without anything that describes the server."""
    detail = None if row.detail is None else row.detail.replace(folder, ROOT)
    file = to_text(name)
    return dataclasses.replace(row, root=ROOT, file=file, detail=detail, mtime_ns=None)


def model_prediction(
    row: RecordingResult, bundle: Bundle, postprocess: PostprocessSettings = NO_POSTPROCESSING
) -> ModelPrediction | None:
    """Return the model's prediction for a recording; None if the analysis failed."""
    if row.probabilities is None:
        return None
    least, long = postprocess.min_confidence, is_long(row.duration)
    return ModelPrediction(bundle.labels, row.probabilities, least, long)


def model_predictions(
    view: RecordingView,
    bundles: Sequence[Bundle],
    postprocess: PostprocessSettings = NO_POSTPROCESSING,
) -> dict[str, ModelPrediction]:
    """Return the predictions of all models that did not fail, by the model's title."""
    predictions = [model_prediction(view.rows[b.digest], b, postprocess) for b in bundles]
    pairs = zip(model_titles(bundles), predictions, strict=True)
    return {title: prediction for title, prediction in pairs if prediction is not None}


def model_titles(bundles: Sequence[Bundle]) -> list[str]:
    """Return the names of the models, with a part of the digest where a name is not unique."""
    counts = Counter(bundle.name for bundle in bundles)
    return [
        bundle.name if counts[bundle.name] == 1 else f"{bundle.name} {bundle.digest[:6]}"
        for bundle in bundles
    ]


def count_agreeing(predictions: Sequence[ModelPrediction]) -> int:
    """Count the models whose likeliest label is that of their mean: the tables' `agreement`.

    >>> labels = ("happy", "sad")
    >>> happy = ModelPrediction(labels, np.array([0.6, 0.4], np.float32))
    >>> sad = ModelPrediction(labels, np.array([0.0, 1.0], np.float32))
    >>> count_agreeing([happy, sad, happy])
    1
    """
    sums: dict[str, float] = defaultdict(float)
    for prediction in predictions:
        for label, probability in zip(prediction.labels, prediction.probabilities, strict=True):
            sums[label] += float(probability)
    likeliest = max(sums, key=sums.__getitem__, default="")
    return sum(prediction.top_label == likeliest for prediction in predictions)


def describe_failure(row: RecordingResult) -> str:
    """Say why the analysis of a recording failed: the sentence of its reason, and the detail.

    >>> describe_failure(RecordingResult("upload", "a.wav", reason="empty", detail="0 bytes"))
    'The file has no bytes at all. (0 bytes)'
    """
    sentence = REASONS[row.reason or "internal_error"]
    return f"{sentence} ({for_display(row.detail)})" if row.detail else sentence


def adapt_views(
    views: Sequence[RecordingView], bundles: Sequence[Bundle], postprocess: PostprocessSettings
) -> Sequence[RecordingView]:
    """Return the views with each model's probabilities adapted to speakers, if that is asked for.

    Their windows stay as they are, as in the tables.
    """
    import pyarrow as pa

    if not postprocess.adapts:
        return views
    adapted: list[dict[str, RecordingResult]] = [dict(view.rows) for view in views]
    for bundle in bundles:
        rows = [view.rows[bundle.digest] for view in views]
        batch = to_batch(rows, labels=bundle.labels, model=bundle.name, segments=False)
        table = pa.Table.from_batches([batch])
        adapter = BiasAdapter(postprocess, bundle.labels, ())
        adapter.update(table)
        probabilities = adapter.adapted_probabilities(table)[:, 0]
        for of_view, row, after in zip(adapted, rows, probabilities, strict=True):
            if row.probabilities is not None:
                of_view[bundle.digest] = replace(row, probabilities=after)
    return [replace(view, rows=rows) for view, rows in zip(views, adapted, strict=True)]


def recordings_table(
    views: Sequence[RecordingView],
    model_set: ModelSet,
    postprocess: PostprocessSettings = NO_POSTPROCESSING,
    *,
    segments: bool = False,
) -> pa.Table:
    """Return the recordings table that a scan with these models would write, or its segments."""
    import pyarrow as pa

    labels, models, bundles = model_set.labels, model_set.names, model_set.bundles
    schema = model_set.output_schema(postprocess, SourceOptions(), segments=segments)
    postprocessor = PostProcessor(schema)
    rows = [combine_models([view.rows[b.digest] for b in bundles], bundles) for view in views]
    batch = to_batch(rows, labels=labels, model=model_set.model, segments=segments, models=models)
    tables = list(postprocessor.tables(lambda: [batch]))
    wanted = schema.segments_schema() if segments else schema.recordings_schema()
    if segments:
        tables = [postprocessor.segments(table).cast(wanted) for table in tables]
    # Without a row there is no batch; the empty table keeps the schema.
    return pa.concat_tables([wanted.empty_table(), *tables])


def combine_models(rows: Sequence[RecordingResult], bundles: Sequence[Bundle]) -> RecordingResult:
    """Combine the rows of several models for one recording, as a scan with all of them would.

    The labels are in the order of the first model. If one model fails, the combined row fails.
    """
    if len(rows) == 1:
        return rows[0]
    probabilities, windows = [], []
    for row, bundle in zip(rows, bundles, strict=True):
        if row.probabilities is None or row.windows is None:
            reason, detail = row.reason, row.detail
            return replace(
                rows[0],
                reason=reason,
                detail=detail,
                probabilities=None,
                windows=None,
                familiarity=None,
            )
        order = [bundle.labels.index(label) for label in bundles[0].labels]
        probabilities.append(row.probabilities[order])
        windows.append(replace(row.windows, probabilities=row.windows.probabilities[:, order]))
    stacked = np.stack(probabilities)
    return replace(
        rows[0],
        probabilities=mean_probabilities(stacked),
        model_probabilities=stacked,
        windows=_concatenate(windows),
        familiarity=mean_familiarity(row.familiarity for row in rows),
    )


def _concatenate(windows: Sequence[WindowResults]) -> WindowResults:
    return WindowResults(
        np.concatenate([w.starts for w in windows]),
        np.concatenate([w.ends for w in windows]),
        np.concatenate([w.probabilities for w in windows]),
        np.repeat(np.arange(len(windows), dtype=np.int32), [len(w.starts) for w in windows]),
        np.concatenate([w.known_familiarity() for w in windows]),
    )


def table_bytes(table: pa.Table, extension: str) -> bytes:
    """Return the content of a table's file; the extension is `.csv` or `.parquet`."""
    sink = io.BytesIO()
    writer = open_writer(sink, table.schema, kind=extension)
    writer.write(table)
    writer.close()
    return sink.getvalue()


_MEDIA_TYPES = {
    b"RIFF": "audio/wav",
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"ID3": "audio/mpeg",
}


def media_type(head: bytes) -> str | None:
    """Return the media type for the browser's player, by the first bytes; None if it has none.

    The type that the browser sent with the upload is ignored: it could be text/html.

    >>> media_type(b"fLaC..."), media_type(b"<html>")
    ('audio/flac', None)
    """
    for magic, kind in _MEDIA_TYPES.items():
        if head.startswith(magic):
            return kind
    # An MPEG frame without tags: eleven sync bits, then layer III of any MPEG version.
    is_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2
    return "audio/mpeg" if is_frame else None
