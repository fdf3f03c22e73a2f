"""The rows of tables that can be asked about, and their embeddings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_review import LABELS, made_candidates, write_embeddings, write_results

from batchemo.errors import BatchemoError, UsageError
from batchemo.review.candidates import read_candidates, read_embeddings
from batchemo.tables.labels import key_of


def points_of(rows: int) -> np.ndarray:
    return np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)


def test_a_table_is_read_with_the_probabilities_of_every_model(tmp_path: Path) -> None:
    made = made_candidates(5, models=2)
    read = read_candidates(write_results(tmp_path / "r.parquet", made))
    assert read.keys == made.keys
    assert read.labels == LABELS
    np.testing.assert_array_equal(read.probabilities, made.probabilities)
    assert list(read.models) == ["m0", "m1"]
    np.testing.assert_array_equal(read.models["m1"], made.models["m1"])


def test_rows_without_a_prediction_and_second_rows_of_a_window_are_left_out(
    tmp_path: Path,
) -> None:
    made = made_candidates(4)
    keys = [key_of("/d", "a.wav", 0, 3), key_of("/d", "a.wav", 0, 3), *made.keys[2:]]
    path = write_results(tmp_path / "r.parquet", replace(made, keys=keys))
    table = pq.read_table(path)
    column = pa.array([*table["p_happy"].to_pylist()[:3], None], pa.float32())
    pq.write_table(table.set_column(table.column_names.index("p_happy"), "p_happy", column), path)
    assert read_candidates(path).keys == [keys[0], keys[2]]


def test_a_table_without_predictions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    pq.write_table(pa.table({"root": ["/d"], "file": ["a"]}), path)
    with pytest.raises(UsageError, match="has no probabilities"):
        read_candidates(path)
    made = made_candidates(1)
    nothing = replace(made, probabilities=made.probabilities * np.nan)
    with pytest.raises(UsageError, match="nothing to review"):
        read_candidates(write_results(path, nothing))


def test_embeddings_are_found_by_name_and_may_lack_some(tmp_path: Path) -> None:
    made, points = made_candidates(4), points_of(4)
    order = [2, 0, 3]
    some = replace(made, keys=[made.keys[row] for row in order])
    path = write_embeddings(tmp_path / "e.parquet", some, points[order])
    embedding, known = read_embeddings(path, made)
    assert known.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(embedding[known], points[known])


def test_a_null_or_infinite_embedding_is_none(tmp_path: Path) -> None:
    made = made_candidates(3)
    lists = pa.array([[1, 2], None, [np.inf, 0]], pa.list_(pa.float32(), 2))
    path = write_embeddings(tmp_path / "e.parquet", made, points_of(3))
    table = pq.read_table(path)
    pq.write_table(table.set_column(2, "embedding", lists), path)
    embedding, known = read_embeddings(path, made)
    assert known.tolist() == [True, False, False]
    assert embedding.tolist() == [[1, 2], [0, 0], [0, 0]]


def test_windows_have_their_own_embeddings_but_those_without_speech(tmp_path: Path) -> None:
    made = made_candidates(3)
    keys = [key_of("/d", "a", 0, 3), key_of("/d", "b", 0, 3), key_of("/d", "a", 1.5, 4.5)]
    windows = replace(made, keys=keys, of_windows=True)
    path = write_embeddings(tmp_path / "e.parquet", windows, points_of(3))
    embedding, known = read_embeddings(path, windows)
    np.testing.assert_array_equal(embedding, points_of(3))
    table = pq.read_table(path)
    lists = table["by_window"].to_pylist()
    lists[0][0]["embedding"] = None
    silent = pa.array(lists, table.schema.field("by_window").type)
    pq.write_table(table.set_column(3, "by_window", silent), path)
    assert read_embeddings(path, windows)[1].tolist() == [False, True, True]


def test_a_file_without_embeddings_of_these_recordings_is_refused(tmp_path: Path) -> None:
    made = made_candidates(2)
    others = replace(made, keys=[key_of("/other", key.file) for key in made.keys])
    with pytest.raises(BatchemoError, match="no table of embeddings"):
        read_embeddings(write_results(tmp_path / "r.parquet", made), made)
    with pytest.raises(UsageError, match="no embedding of any row"):
        read_embeddings(write_embeddings(tmp_path / "e.parquet", others, points_of(2)), made)
