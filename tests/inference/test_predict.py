"""The work on a chunk: rows, and failures that cost no other recording."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from batchemo.audio import read_windows
from batchemo.bundles import Bundle
from batchemo.common.arrays import Float32
from batchemo.inference.loaded import LoadedModel, load_model
from batchemo.inference.predict import predict_with
from batchemo.inference.predict_task import PredictTask, lost_result, predict_chunk
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording


class FailingClassifier:
    """A classifier that fails at batches with a certain window."""

    def __init__(self, model: LoadedModel, window: Float32, error: Exception) -> None:
        self._classifier, self._window, self._error = model.classifier, window, error

    def run(self, inputs: Float32, *, one_by_one: bool) -> Float32:
        if any(np.array_equal(each, self._window) for each in inputs):
            raise self._error
        return self._classifier.run(inputs, one_by_one=one_by_one)


@pytest.fixture
def model(tiny_bundle: Bundle) -> LoadedModel:
    return load_model(ModelSettings(str(tiny_bundle.path), batch_size=4))


@pytest.fixture
def recordings(corpus: Path) -> list[Recording]:
    paths = sorted(corpus.rglob("*.wav"))
    return [Recording(str(corpus), str(path.relative_to(corpus)), 1, 0) for path in paths]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "out_of_memory"),
        (RuntimeError("bad allocation"), "out_of_memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out_of_memory"),
        (OSError(errno.ESTALE, "Stale file handle"), "unreadable"),
        (RuntimeError("no such shape"), "internal_error"),
    ],
)
def test_a_batch_that_fails_costs_only_the_recording_that_it_fails_at(
    recordings: list[Recording], model: LoadedModel, error: Exception, reason: str
) -> None:
    with read_windows(recordings[5].path, model.window_config) as windows:
        window = next(iter(windows))
    prepared = model.input.prepare(window.samples, model.window_config.window)
    failing = replace(model, classifier=FailingClassifier(model, prepared, error))
    rows = [row for (row,) in predict_with([failing], 0.0, recordings).rows]
    assert [row.reason for row in rows] == [reason if n == 5 else None for n in range(12)]
    expected = [row for (row,) in predict_with([model], 0.0, recordings).rows]
    for row, unaffected in zip(rows, expected, strict=True):
        if row.reason is None:
            assert np.array_equal(row.probabilities, unaffected.probabilities)


def test_a_row_does_not_depend_on_the_other_recordings_of_its_chunk(
    recordings: list[Recording], model: LoadedModel
) -> None:
    together = predict_with([model], 0.0, recordings).rows
    for recording, (row,) in zip(recordings, together, strict=True):
        ((alone,),) = predict_with([model], 0.0, [recording]).rows
        assert np.array_equal(row.probabilities, alone.probabilities)


def test_the_seconds_of_every_stage_are_measured(
    recordings: list[Recording], model: LoadedModel
) -> None:
    stages = predict_with([model], 0.0, recordings).stages
    assert {"decode", "vad", "features", "model"} <= set(stages)
    assert all(seconds > 0 for stage, seconds in stages.items() if stage != "resample")


def test_a_chunk_with_a_model_that_cannot_be_loaded_is_fatal(recordings: list[Recording]) -> None:
    result = predict_chunk(PredictTask((ModelSettings("no-such-model"),)), recordings)
    assert result.rows == ()
    assert result.fatal is not None
    assert "no-such-model: there is no such model" in result.fatal


def test_a_lost_recording_keeps_its_size_and_time() -> None:
    (row,) = lost_result(Recording("/data", "a.wav", 44, 7), "worker_died", "alone")
    assert (row.reason, row.detail, row.size, row.mtime_ns) == ("worker_died", "alone", 44, 7)
