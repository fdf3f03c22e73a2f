"""Results of workers become batches of a chunk's schema."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from batchemo.tables.rows import RecordingResult, WindowResults, to_batch


def test_a_result_has_either_a_reason_or_probabilities() -> None:
    with pytest.raises(ValueError, match="either"):
        RecordingResult("/r", "a")
    with pytest.raises(ValueError, match="either"):
        RecordingResult("/r", "a", reason="silent", probabilities=np.ones(2, np.float32))


def test_a_result_comes_out_of_a_worker_with_all_that_it_has() -> None:
    window_fields, result_fields = fields(WindowResults), fields(RecordingResult)
    windows = WindowResults(*(np.full(2, i, np.float32) for i in range(len(window_fields))))
    result = replace(
        RecordingResult("/r", "a", probabilities=np.ones(2, np.float32)),
        **{field.name: field.name for field in result_fields if field.name != "reason"}
        | {"windows": windows},
    )
    received = pickle.loads(pickle.dumps(result))
    for field in result_fields:
        if field.name != "windows":
            assert getattr(received, field.name) == getattr(result, field.name)
    for field in window_fields:
        assert np.array_equal(getattr(received.windows, field.name), getattr(windows, field.name))


@pytest.mark.parametrize(
    ("mtime_ns", "known"),
    [(0, True), (2**63 - 1, True), (1 - 2**63, True), (2**63, False), (-(2**63), False)],
)
def test_a_time_that_no_timestamp_holds_is_unknown(mtime_ns: int, known: bool) -> None:
    result = RecordingResult("/r", "a", reason="empty", mtime_ns=mtime_ns)
    batch = to_batch([result], labels=["happy"], model="m", segments=False)
    assert batch["mtime"].is_valid().to_pylist() == [known]


@pytest.mark.parametrize("models", [[], ["one", "two"]])
def test_failed_recordings_have_no_windows(models: list[str]) -> None:
    result = RecordingResult("/r", "g", reason="empty")
    of_models: Any = {"models": models, "several_models": bool(models)}
    batch = to_batch([result], labels=["happy"], model="m", segments=True, **of_models)
    assert batch["segments"].to_pylist() in ([None], [[]])
