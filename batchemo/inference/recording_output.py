"""What models give for a recording, window by window, and the row that is made of it.

A row is made in the process that ran the models. Of a recording that was analysed in pieces, by
several processes, it is made in the parent: this module needs no decoder and no runtime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from batchemo.audio.config import WindowConfig
from batchemo.audio.failure import Failure, file_changed
from batchemo.audio.measures import AudioInfo, Measures
from batchemo.common.arrays import Float32
from batchemo.common.text import to_text
from batchemo.common.turns import Turn
from batchemo.sources import Recording
from batchemo.tables.derived import is_long, mean_familiarity, mean_probabilities
from batchemo.tables.rows import RecordingResult, RecordingRows, WindowResults
from batchemo.timelines.shares import speaking_shares

if TYPE_CHECKING:
    from batchemo.audio.reader import WindowReader


@dataclass(slots=True)
class ModelOutput:
    """The windows of a recording for one model, and their probabilities once they are known."""

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    probabilities: list[Float32 | None] = field(default_factory=list)
    """None for a window that is without speech, or whose batch has not run yet."""
    familiarity: list[float | None] = field(default_factory=list)
    """None for such windows, and for all where the model cannot say."""
    measured: dict[int, Float32] = field(default_factory=dict)
    """The dimensions of windows with speech, by index, of a model that gives them."""
    embeddings: dict[int, tuple[Float32, Float32]] = field(default_factory=dict)
    """The embedding and the logits of windows with speech, by index, where they are asked for."""

    def add_window(self, start: float, end: float) -> None:
        """Append a window without probabilities."""
        self.starts.append(start)
        self.ends.append(end)
        self.probabilities.append(None)
        self.familiarity.append(None)

    def add(self, later: ModelOutput) -> None:
        """Append the windows of the next piece of the recording."""
        first = len(self.starts)
        self.starts += later.starts
        self.ends += later.ends
        self.probabilities += later.probabilities
        self.familiarity += later.familiarity
        self.measured |= {first + index: row for index, row in later.measured.items()}
        self.embeddings |= {first + index: pair for index, pair in later.embeddings.items()}

    @property
    def with_speech(self) -> list[Float32]:
        """The probabilities of the windows with speech."""
        return [p for p in self.probabilities if p is not None]

    def summary(self, duration: float | None) -> Float32:
        """Return the mean of the windows; of a long recording, the labels' shares of its time."""
        with_speech = np.stack(self.with_speech)
        if is_long(duration) and with_speech.shape[1]:
            missing = np.full_like(with_speech[0], np.nan)
            p = np.stack([missing if row is None else row for row in self.probabilities])
            return speaking_shares(np.array(self.starts), np.array(self.ends), p)
        return mean_probabilities(with_speech)

    def mean_measured(self) -> Float32 | None:
        """Return the dimensions of the whole recording; None where the model gives none."""
        rows = [self.measured[index] for index in sorted(self.measured)]
        return mean_probabilities(np.stack(rows)) if rows else None


@dataclass(slots=True)
class PendingResult:
    """A recording whose windows are in batches that may not have run yet."""

    recording: Recording
    outputs: Sequence[ModelOutput]
    """One for each model."""
    info: AudioInfo = field(default_factory=AudioInfo)
    failure: Failure | None = None
    turn: Turn | None = None
    """The part of the recording that the row is of, if it is not of all of it."""
    overlap: float | None = None
    """The share of the turn in which others speak."""

    def outputs_of(self, turn: int) -> Sequence[ModelOutput]:
        """Return where windows go: a recording without turns is one row."""
        return self.outputs

    def add_reading(self, reader: WindowReader) -> None:
        """Take over what was measured."""
        self.info = reader.info

    def rows(self) -> RecordingRows:
        """Return the only row."""
        return (self.row(),)

    def row(self) -> RecordingResult:
        """Return the row; every batch with a window of this recording must have run."""
        failure = self.failure
        if failure is None and not all(output.with_speech for output in self.outputs):
            failure = Failure("no_speech", "no window of it holds anything like speech")
        probabilities = model_probabilities = windows = familiarity = measured = None
        if failure is None:
            familiarity = mean_familiarity(mean_familiarity(o.familiarity) for o in self.outputs)
            summaries = [output.summary(self.info.duration) for output in self.outputs]
            with_labels = [summary for summary in summaries if summary.size]
            probabilities = with_labels[0] if with_labels else summaries[0]
            # Those of a single model are those of the row: it has no columns of its own.
            if len(with_labels) > 1:
                model_probabilities = np.stack(with_labels)
                probabilities = mean_probabilities(model_probabilities)
            means = (output.mean_measured() for output in self.outputs)
            measured = next((mean for mean in means if mean is not None), None)
            windows = _window_results(self.outputs, labels=probabilities.size)
        info = self.info
        if failure is not None and failure.reason == "unreadable" and info.size is None:
            # It could not be opened: the file is the one that was found.
            found = self.recording
            info = AudioInfo(size=found.size, mtime_ns=found.mtime_ns, etag=found.etag)
        return RecordingResult(
            root=to_text(self.recording.root),
            file=to_text(self.recording.file),
            reason=failure.reason if failure else None,
            detail=failure.detail if failure else None,
            probabilities=probabilities,
            measured=measured,
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
            etag=info.etag,
            turn=self.turn,
            overlap=self.overlap,
            speech_share=self.recording.speech_share,
        )


def _window_results(outputs: Sequence[ModelOutput], *, labels: int) -> WindowResults:
    """Concatenate the windows of all models.

    NaN, not None, stands for a window without speech: they go to the parent as one array.
    """
    missing = np.full(labels, np.nan, np.float32)
    counts = [len(output.starts) for output in outputs]
    given = [p for output in outputs for p in output.probabilities]
    # Those of a model without labels have no numbers.
    probabilities = [missing if p is None or len(p) < labels else p for p in given]
    familiarity = [f for output in outputs for f in output.familiarity]
    embeddings = logits = measured = None
    dimensions = next((len(row) for out in outputs for row in out.measured.values()), 0)
    if dimensions:
        measured = np.concatenate([_by_window(out, out.measured, dimensions) for out in outputs])
    if outputs[0].embeddings:
        embeddings, logits = _window_embeddings(outputs[0])
    return WindowResults(
        np.array([start for output in outputs for start in output.starts], np.float64),
        np.array([end for output in outputs for end in output.ends], np.float64),
        np.array(probabilities),
        np.repeat(np.arange(len(outputs), dtype=np.int32), counts) if len(outputs) > 1 else None,
        # None becomes NaN.
        np.array(familiarity, np.float32) if any(f is not None for f in familiarity) else None,
        embeddings,
        logits,
        measured,
    )


def _window_embeddings(output: ModelOutput) -> tuple[Float32, Float32]:
    """Return the embeddings and the logits of all windows, NaN without speech."""
    embeddings = {index: embedding for index, (embedding, _) in output.embeddings.items()}
    logits = {index: row for index, (_, row) in output.embeddings.items()}
    embedding, row = next(iter(output.embeddings.values()))
    return (
        _by_window(output, embeddings, len(embedding)),
        _by_window(output, logits, len(row)),
    )


def _by_window(output: ModelOutput, rows: Mapping[int, Float32], size: int) -> Float32:
    """Return a row for each window, NaN for one that has none."""
    values = np.full((len(output.starts), size), np.nan, np.float32)
    for index, row in rows.items():
        values[index] = row
    return values


@dataclass(frozen=True, slots=True)
class PieceResult:
    """What is known from one piece of a recording."""

    outputs: Sequence[ModelOutput]
    """One for each model."""
    configs: Sequence[WindowConfig]
    info: AudioInfo
    pieces: int
    """The number of pieces of the file that was read."""
    measures: Measures | None
    """None where the file could not be opened."""
    failure: Failure | None

    @property
    def failed(self) -> bool:
        """Whether no later piece counts."""
        return self.failure is not None


def join_pieces(recording: Recording, results: Sequence[PieceResult]) -> RecordingRows:
    """Return the row of a recording: of all its pieces in order, or up to the first that failed."""
    first, last = results[0], results[-1]
    joined = PendingResult(recording, [ModelOutput() for _ in first.outputs], first.info)
    for result in results:
        for output, of_piece in zip(joined.outputs, result.outputs, strict=True):
            output.add(of_piece)
    measures = deepcopy(first.measures)
    for result in results[1:]:
        if measures is not None and result.measures is not None:
            measures.add(result.measures)
    if measures is not None:
        joined.info = measures.describe(first.info)
    try:
        _check_joined(results, measures)
    except Failure as failure:
        joined.failure = failure
    joined.failure = last.failure or joined.failure
    return joined.rows()


def _check_joined(results: Sequence[PieceResult], measures: Measures | None) -> None:
    """Raise `Failure` for what is wrong with pieces of which none failed."""
    first = results[0]
    files = {(each.info.size, each.info.mtime_ns, each.info.etag, each.pieces) for each in results}
    if len(files) > 1 or first.pieces != len(results):
        raise file_changed()
    assert measures is not None
    assert first.info.sample_rate is not None
    measures.check_duration(first.info.sample_rate, first.configs[0])
    measures.check_content(first.configs)
