"""From the bytes that a visitor sent to what the page shows of them; knows no widgets."""

from __future__ import annotations

import dataclasses
import io
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from batchemo.app.config import AppOptions
from batchemo.app.job import Job, Model
from batchemo.app.waveform import Waveform
from batchemo.app.worker_pool import WorkerPool
from batchemo.audio import REASONS
from batchemo.bundles import Bundle
from batchemo.common.arrays import Float32
from batchemo.common.text import for_display, to_text
from batchemo.errors import BatchemoError
from batchemo.inference.model_set import ModelSet
from batchemo.inference.postprocess import PostProcessor
from batchemo.inference.settings import NO_POSTPROCESSING, PostprocessSettings
from batchemo.sources import Recording, SourceOptions
from batchemo.tables.derived import label_or_uncertain, mean_probabilities
from batchemo.tables.rows import RecordingResult, Windows, to_batch
from batchemo.tables.write import open_writer

if TYPE_CHECKING:
    import pyarrow as pa


def join_models(rows: Sequence[RecordingResult], bundles: Sequence[Bundle]) -> RecordingResult:
    """Give the row of all models, labels in the first one's order; it fails where one does."""
    if len(rows) == 1:
        return rows[0]
    model_probabilities, windows = [], []
    for row, bundle in zip(rows, bundles, strict=True):
        if row.probabilities is None or row.windows is None:
            why, found = row.reason, row.detail
            return replace(rows[0], reason=why, detail=found, probabilities=None, windows=None)
        order = [bundle.labels.index(label) for label in bundles[0].labels]
        model_probabilities.append(row.probabilities[order])
        windows.append(replace(row.windows, probabilities=row.windows.probabilities[:, order]))
    stacked = np.stack(model_probabilities)
    mean, joined = mean_probabilities(stacked), _end_to_end(windows)
    return replace(rows[0], probabilities=mean, model_probabilities=stacked, windows=joined)


def _end_to_end(windows: Sequence[Windows]) -> Windows:
    return Windows(
        np.concatenate([each.starts for each in windows]),
        np.concatenate([each.ends for each in windows]),
        np.concatenate([each.probabilities for each in windows]),
        np.repeat(np.arange(len(windows), dtype=np.int32), [len(w.starts) for w in windows]),
    )


ROOT = "upload"
"""What stands in the tables' column `root`: no folder of the server's is told to a visitor."""


FILE = "recording"
"""The name of every temporary file; the decoder goes by contents alone."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A recording that a visitor sent."""

    key: str
    """Unlike that of any other recording, also of one with the same name or contents."""
    name: str
    content: bytes


@dataclass(frozen=True)
class RecordingView:
    """What is known of one recording: a row for each model, by the model's digest."""

    rows: Mapping[str, RecordingResult]
    waveform: Waveform | None = None

    def joined(self, other: RecordingView) -> RecordingView:
        """Add what other models found in the same recording."""
        return RecordingView({**self.rows, **other.rows}, self.waveform or other.waveform)


@dataclass(frozen=True)
class ModelPrediction:
    """What one model says of a recording it could hear."""

    labels: tuple[str, ...]
    probabilities: Float32
    min_confidence: float = 0.0

    @cached_property
    def ranked(self) -> list[tuple[str, float]]:
        """The labels with their probabilities, the likeliest first."""
        pairs = zip(self.labels, map(float, self.probabilities), strict=True)
        return sorted(pairs, key=lambda pair: -pair[1])

    @property
    def label(self) -> str:
        """The likeliest label, or that it is uncertain, as the tables tell it."""
        return str(
            label_or_uncertain(self.probabilities[None], self.labels, self.min_confidence)[0]
        )

    @property
    def likeliest(self) -> str:
        """The likeliest label, however uncertain."""
        return self.ranked[0][0]

    @property
    def confidence(self) -> float:
        """The probability of that label."""
        return float(self.probabilities.max())


def analyse_upload(
    sent: Upload, bundles: Sequence[Bundle], pool: WorkerPool, options: AppOptions
) -> RecordingView:
    """Have a recording analysed by a worker; what is wrong with it is told by its rows.

    It lies in a temporary folder only while a worker reads it, under a name of ours: neither a
    crash nor a name can leave anything behind or write anywhere else.
    """
    models = tuple(Model(os.fspath(bundle.path), bundle.digest) for bundle in bundles)
    job = Job(models, options.max_duration, options.timeout)
    try:
        with (
            pool.borrow() as worker,
            tempfile.TemporaryDirectory(prefix="batchemo-app-") as folder,
        ):
            Path(folder, FILE).write_bytes(sent.content)
            heard = worker.hear(job, Recording(folder, FILE, len(sent.content), None))
    except OSError as error:
        raise BatchemoError(f"the server could not take the recording: {error.strerror}") from error
    rows = (_anonymous(row, sent.name, folder) for row in heard.rows)
    return RecordingView(
        {model.digest: row for model, row in zip(models, rows, strict=True)}, heard.waveform
    )


def _anonymous(row: RecordingResult, name: str, folder: str) -> RecordingResult:
    """Give a row the visitor's own name, and take away all that tells of the server."""
    detail = None if row.detail is None else row.detail.replace(folder, ROOT)
    file = to_text(name)
    return dataclasses.replace(row, root=ROOT, file=file, detail=detail, mtime_ns=None)


def judgement(
    row: RecordingResult, bundle: Bundle, how: PostprocessSettings = NO_POSTPROCESSING
) -> ModelPrediction | None:
    """Give what the model says of the recording; None where it failed."""
    if row.probabilities is None:
        return None
    return ModelPrediction(bundle.labels, row.probabilities, how.min_confidence)


def describe_failure(row: RecordingResult) -> str:
    """Say why a recording failed: the reason's sentence, and what was found.

    >>> complaint(Row("upload", "a.wav", reason="empty", detail="0 bytes"))
    'The file has no bytes at all. (0 bytes)'
    """
    sentence = REASONS[row.reason or "internal_error"]
    return f"{sentence} ({for_display(row.detail)})" if row.detail else sentence


def titles(bundles: Sequence[Bundle]) -> list[str]:
    """Give the models' names; those that share one are told apart by their digests."""
    counts = Counter(bundle.name for bundle in bundles)
    return [
        bundle.name if counts[bundle.name] == 1 else f"{bundle.name} {bundle.digest[:6]}"
        for bundle in bundles
    ]


def predictions_of(
    look: RecordingView, bundles: Sequence[Bundle], how: PostprocessSettings = NO_POSTPROCESSING
) -> dict[str, ModelPrediction]:
    """Give what each model that could hear the recording says of it, by the model's title."""
    found = [judgement(look.rows[bundle.digest], bundle, how) for bundle in bundles]
    return {title: each for title, each in zip(titles(bundles), found, strict=True) if each}


def count_agreeing(judgements: Sequence[ModelPrediction]) -> int:
    """Count the models whose likeliest label is that of most of them.

    >>> import numpy as np
    >>> happy, sad = (Judgement(("happy", "sad"), np.array(p)) for p in ([0.9, 0.1], [0.2, 0.8]))
    >>> agreeing([happy, sad, happy])
    2
    """
    votes = Counter(judgement.likeliest for judgement in judgements)
    return max(votes.values(), default=0)


def files_table(
    views: Sequence[RecordingView],
    model_set: ModelSet,
    how: PostprocessSettings = NO_POSTPROCESSING,
) -> pa.Table:
    """Give the files table of a scan with these models."""
    import pyarrow as pa

    labels, models = model_set.labels, model_set.names
    postprocessor = PostProcessor(model_set.shape(how, SourceOptions()))
    digests = [bundle.digest for bundle in model_set.bundles]
    rows = [join_models([look.rows[each] for each in digests], model_set.bundles) for look in views]
    batch = to_batch(rows, labels=labels, model=model_set.model, segments=False, models=models)
    return pa.concat_tables(
        [postprocessor.shape.files().empty_table(), *postprocessor.tables(lambda: [batch])]
    )


def written(table: pa.Table, kind: str) -> bytes:
    """Give the bytes of a table's file, `kind` being `.csv` or `.parquet`."""
    sink = io.BytesIO()
    writer = open_writer(sink, table.schema, kind=kind)
    writer.write(table)
    writer.close()
    return sink.getvalue()


_PLAYED = {b"RIFF": "audio/wav", b"fLaC": "audio/flac", b"OggS": "audio/ogg", b"ID3": "audio/mpeg"}


def media_type(head: bytes) -> str | None:
    """Tell what a browser may play this as, by its first bytes; None for what it cannot.

    What the visitor's browser called it is never believed: it could have said text/html.

    >>> media_type(b"fLaC..."), media_type(b"<html>")
    ('audio/flac', None)
    """
    for start, kind in _PLAYED.items():
        if head.startswith(start):
            return kind
    frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2
    return "audio/mpeg" if frame else None
