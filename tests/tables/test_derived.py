"""What follows from probabilities is told beside them, and can be told otherwise at any time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from batchemo.tables.columns import labels_of, models_of, optional_of, recordings_columns
from batchemo.tables.derived import (
    COORDINATES,
    expected_dimensions,
    label_or_uncertain,
    with_derived_columns,
)
from batchemo.tables.rows import RecordingResult, to_batch

LABELS = ("happy", "sad")
WORDS = ("a", "a_b", "b", "p_a", "unadapted_a", "valence_est", "agreement", "windows", "emotion_a")
names = st.lists(st.sampled_from(WORDS), min_size=2, max_size=4, unique=True)
extras = st.lists(
    st.sampled_from([*WORDS, "arousal_est", "dominance_est", "unadapted_b"]), max_size=4
)


@given(
    labels=names,
    models=st.just([]) | names,
    optional=st.sets(st.sampled_from(["unadapted", "dimensions"])),
    extras=extras,
)
def test_what_a_table_also_has_is_read_back_from_the_columns_alone(
    labels: list[str], models: list[str], optional: set[str], extras: list[str]
) -> None:
    columns = [name for name, _ in recordings_columns(labels, models, optional)]
    assume(len(set(columns)) == len(columns))
    columns += extras
    assert set(optional_of(columns)) == optional
    assert (labels_of(columns), models_of(columns)) == (labels, models)


def test_a_table_of_another_kind_has_nothing_of_it() -> None:
    assert optional_of(["root", "file", "speech", "mfcc_0"]) == ()


@pytest.mark.parametrize("bar", [0.3, 0.7, 0.9])
def test_a_confidence_that_reads_as_the_bar_reaches_it(bar: float) -> None:
    probabilities = np.array([[bar], [np.nextafter(np.float32(bar), np.float32(0))]], np.float32)
    assert label_or_uncertain(probabilities, ["happy"], bar).tolist() == ["happy", "uncertain"]


@given(arrays(np.float32, (5, len(COORDINATES)), elements=st.floats(0, 1, width=32)))
def test_an_estimate_lies_among_the_coordinates_and_depends_on_its_row_alone(
    weights: np.ndarray,
) -> None:
    assume((weights.sum(axis=1) > 0).all())
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    found = expected_dimensions(probabilities, list(COORDINATES))
    corners = np.array(list(COORDINATES.values()))
    assert (found >= corners.min(axis=0) - 1e-5).all()
    assert (found <= corners.max(axis=0) + 1e-5).all()
    alone = [expected_dimensions(row[None], list(COORDINATES))[0] for row in probabilities]
    assert found.tobytes() == np.stack(alone).tobytes()


def test_a_failed_recording_has_no_verdict_of_any_kind() -> None:
    rows = [
        RecordingResult("/r", "a", reason="empty"),
        RecordingResult("/r", "b", probabilities=np.float32([0.6, 0.4])),
    ]
    batch = to_batch(rows, labels=LABELS, model="m", segments=False)
    told = with_derived_columns(
        pa.Table.from_batches([batch]), LABELS, min_confidence=0.7, dimensions=True
    )
    columns = ["emotion", "confidence", "margin", "valence_est", "arousal_est", "dominance_est"]
    failed, heard = told.select(columns).to_pylist()
    assert set(failed.values()) == {None}
    assert heard["emotion"] == "uncertain"
    assert heard["confidence"] == np.float32(0.6)
    assert heard["valence_est"] == pytest.approx(0.6 * 0.8 - 0.4 * 0.6)
