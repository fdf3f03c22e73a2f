"""Derived columns follow from the probabilities of their row alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from batchemo.tables.derived import (
    COORDINATES,
    expected_dimensions,
    label_or_uncertain,
    segments_table,
    with_derived_columns,
)
from batchemo.tables.rows import RecordingResult, WindowResults, to_batch
from batchemo.tables.schema import chunk_schema

LABELS = ("happy", "sad")
NAN = float("nan")


@pytest.mark.parametrize("limit", [0.3, 0.7, 0.9])
def test_a_confidence_equal_to_the_limit_is_not_uncertain(limit: float) -> None:
    just_below = np.nextafter(np.float32(limit), np.float32(0))
    probabilities = np.array([[limit], [just_below]], np.float32)
    assert label_or_uncertain(probabilities, ["happy"], limit).tolist() == ["happy", "uncertain"]


@given(arrays(np.float32, (5, len(COORDINATES)), elements=st.floats(0, 1, width=32)))
def test_dimensions_lie_within_the_coordinates_and_depend_on_their_row_alone(
    weights: np.ndarray,
) -> None:
    assume((weights.sum(axis=1) > 0).all())
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    found = expected_dimensions(probabilities, list(COORDINATES))
    coordinates = np.array(list(COORDINATES.values()))
    assert (found >= coordinates.min(axis=0) - 1e-5).all()
    assert (found <= coordinates.max(axis=0) + 1e-5).all()
    alone = [expected_dimensions(row[None], list(COORDINATES))[0] for row in probabilities]
    assert found.tobytes() == np.stack(alone).tobytes()


def test_a_failed_recording_has_no_derived_values() -> None:
    results = [
        RecordingResult("/r", "a", reason="empty"),
        RecordingResult("/r", "b", probabilities=np.float32([0.6, 0.4])),
    ]
    batch = to_batch(results, labels=LABELS, model="m", segments=False)
    table = with_derived_columns(
        pa.Table.from_batches([batch]), LABELS, min_confidence=0.7, dimensions=True
    )
    columns = ["emotion", "confidence", "margin", "valence_est", "arousal_est", "dominance_est"]
    failed, predicted = table.select(columns).to_pylist()
    assert set(failed.values()) == {None}
    assert predicted["emotion"] == "uncertain"
    assert predicted["confidence"] == np.float32(0.6)
    assert predicted["valence_est"] == pytest.approx(0.6 * 0.8 - 0.4 * 0.6)


def test_windows_become_rows_and_those_without_speech_have_no_emotion() -> None:
    results = []
    for file, happy in (("a.wav", 0.75), ("b.wav", 0.25)):
        probabilities = np.array([[happy, 1 - happy], [NAN, NAN]], np.float32)
        windows = WindowResults(np.array([0.0, 1.5]), np.array([3.0, 4.5]), probabilities)
        results.append(RecordingResult("/r", file, probabilities=probabilities[0], windows=windows))
    results.append(RecordingResult("/r", "c.wav", reason="silent"))
    batch = to_batch(results, labels=LABELS, model="m", segments=True)

    segments = segments_table(pa.Table.from_batches([batch]), LABELS)

    assert segments["file"].to_pylist() == ["a.wav"] * 2 + ["b.wav"] * 2
    assert segments["emotion"].to_pylist() == ["happy", None, "sad", None]
    assert segments["p_happy"].to_pylist() == [0.75, None, 0.25, None]
    assert segments["start"].to_pylist() == [0.0, 1.5] * 2


def test_windows_of_several_models_become_rows_with_their_models() -> None:
    models = ["one", "two"]
    mean = np.array([0.9, 0.1], np.float32)
    windows = WindowResults(
        np.array([0.0, 1.0]),
        np.array([1.0, 2.0]),
        np.array([mean, [NAN, NAN]], np.float32),
        np.array([0, 1], np.int32),
    )
    results = [
        RecordingResult(
            "/r",
            "f",
            probabilities=mean,
            model_probabilities=np.stack([mean, mean]),
            windows=windows,
        ),
        RecordingResult("/r", "g", reason="empty"),
    ]
    of_models: Any = {"models": models, "several_models": bool(models)}
    batch = to_batch(results, labels=LABELS, model="m", segments=True, **of_models)
    assert batch.schema.equals(chunk_schema(LABELS, segments=True, **of_models))

    segments = segments_table(pa.Table.from_batches([batch]), LABELS, models)

    assert segments.select(["file", "model", "start", "emotion"]).to_pylist() == [
        {"file": "f", "model": "one", "start": 0.0, "emotion": "happy"},
        {"file": "f", "model": "two", "start": 1.0, "emotion": None},
    ]
