"""Tables are read back equal, whatever names and labels hold, and damage is found."""

from __future__ import annotations

import errno
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchemo.errors import BatchemoError
from batchemo.tables.derived import with_derived_columns
from batchemo.tables.read import UnreadableTableError, open_table
from batchemo.tables.rows import RecordingResult, WindowResults, to_batch
from batchemo.tables.schema import recordings_schema
from batchemo.tables.write import METADATA_KEY, open_writer, rechunk

LABELS = ("happy", "sad")
each_format = pytest.mark.parametrize("ending", [".parquet", ".csv"])

# What file names and manifests may hold once bytes that are not UTF-8 are escaped.
text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
number = st.none() | st.floats(0, 1e6, width=32)
# Levels have two decimals in text: finer ones would not be read back.
level = st.none() | st.integers(-12_000, 0).map(lambda hundredths: hundredths / 100)


@st.composite
def result(draw: st.DrawFn) -> RecordingResult:
    failed = draw(st.booleans())
    p = draw(st.floats(0, 1, width=32))
    windows = WindowResults(np.array([0.0]), np.array([1.5]), np.array([[p, 1 - p]], np.float32))
    return RecordingResult(
        root=draw(text),
        file=draw(text),
        reason="silent" if failed else None,
        detail=draw(text) if failed else None,
        probabilities=None if failed else windows.probabilities[0],
        windows=None if failed else windows,
        duration=draw(number),
        rms_db=draw(level),
        size=draw(st.none() | st.integers(0, 2**62)),
        mtime_ns=draw(st.none() | st.integers(0, 2**62)),
    )


def write_table(
    path: Path,
    results: Sequence[RecordingResult],
    labels: Sequence[str] = LABELS,
    models: Sequence[str] = (),
    provenance: bytes = b"{}",
) -> pa.Table:
    batch = to_batch(results, labels=labels, model="m@1", segments=False, models=models)
    written = with_derived_columns(pa.Table.from_batches([batch]), labels, models)
    schema = recordings_schema(labels, models=models).with_metadata({METADATA_KEY: provenance})
    writer = open_writer(path, schema, kind=path.suffix)
    for table in rechunk(written.to_batches(), schema):
        writer.write(table)
    writer.close()
    return written


def read_table(path: Path, like: pa.Table) -> pa.Table:
    batches = list(open_table(path).batches())
    if not batches:
        return like.schema.empty_table()
    return pa.Table.from_batches(batches).select(like.column_names).cast(like.schema)


@each_format
@given(results=st.lists(result(), min_size=1, max_size=5))
@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_a_table_is_read_back_equal(
    tmp_path: Path, ending: str, results: list[RecordingResult]
) -> None:
    path = tmp_path / f"results{ending}"
    written = write_table(path, results)
    assert read_table(path, written).equals(written)


@each_format
@given(
    probabilities=st.lists(st.lists(st.floats(0, 1, width=16), min_size=3, max_size=3), max_size=4)
)
@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_a_table_of_several_models_is_read_back_equal(
    tmp_path: Path, ending: str, probabilities: list[list[float]]
) -> None:
    path = tmp_path / f"results{ending}"
    labels, models = ["sad", "a_sad"], ["x", "sad", "a"]
    results = [RecordingResult("/r", "gone", reason="missing", detail="no such file")]
    for values in probabilities:
        by_model = np.array([[p, 1 - p] for p in values], np.float32)
        mean = by_model.mean(axis=0)
        results.append(RecordingResult("/r", "f", probabilities=mean, model_probabilities=by_model))

    written = write_table(path, results, labels, models)

    table = open_table(path)
    assert (table.labels, table.models, table.extra_columns) == (labels, models, [])
    assert read_table(path, written).equals(written)


def test_unknown_is_null_and_never_nan(tmp_path: Path) -> None:
    write_table(tmp_path / "r.parquet", [RecordingResult("/r", "a", reason="empty")])
    (batch,) = open_table(tmp_path / "r.parquet").batches()
    for name in ("p_happy", "confidence", "duration", "windows", "mtime", "emotion"):
        assert batch[name].null_count == 1
        assert batch[name].to_pylist() == [None]


def test_the_run_that_made_a_table_is_read_back_from_parquet(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    failed = RecordingResult("/r", "a", reason="empty")
    write_table(path, [failed], provenance=b'{"model": "m"}')
    assert open_table(path).run == {"model": "m"}


def test_a_table_that_batchemo_did_not_write_is_refused(tmp_path: Path) -> None:
    pyarrow.csv.write_csv(pa.table({"x": [1]}), tmp_path / "other.csv")
    with pytest.raises(UnreadableTableError, match="no root and file"):
        open_table(tmp_path / "other.csv")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UnreadableTableError, match="cannot be read"):
        open_table(tmp_path / "torn.parquet")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (pa.ArrowMemoryError("std::bad_alloc"), MemoryError),
        (pa.ArrowException("Unknown error: Failed to launch worker thread"), MemoryError),
        (OSError(errno.EIO, "Error reading bytes from file"), OSError),
    ],
)
def test_what_the_machine_lacks_is_not_called_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception]
) -> None:
    path = tmp_path / "r.parquet"
    write_table(path, [RecordingResult("/r", "a", reason="empty")])

    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(pq, "ParquetFile", fail)
    with pytest.raises(expected) as raised:
        open_table(path)
    if isinstance(raised.value, OSError):
        assert (raised.value.errno, raised.value.filename) == (errno.EIO, str(path))


@each_format
def test_a_table_with_random_damage_is_read_or_refused_with_a_message(
    tmp_path: Path, ending: str
) -> None:
    chance = random.Random(5)
    path = tmp_path / f"results{ending}"
    failed = RecordingResult("/data", "a long name.wav", reason="silent", detail="nothing", size=7)
    write_table(path, [failed] * 40)
    whole = path.read_bytes()
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])])
        try:
            for batch in open_table(path).batches():
                batch.to_pylist()
        except BatchemoError:
            refused += 1
    assert refused > 20


def test_a_flipped_bit_in_the_rows_of_a_parquet_table_is_always_found(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    write_table(
        path,
        [RecordingResult("/data", f"{n * 7919}.wav", reason="silent", size=n) for n in range(40)],
    )
    whole = path.read_bytes()
    row_group = pq.ParquetFile(path).metadata.row_group(0)
    for index in range(row_group.num_columns):
        column = row_group.column(index)
        damaged = bytearray(whole)
        # The last byte of a column's pages is content, not a header.
        damaged[column.data_page_offset + _size_of_data_pages(column) - 1] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(BatchemoError, match="cannot be read"):
            list(open_table(path).batches())


def _size_of_data_pages(column: pq.ColumnChunkMetaData) -> int:
    begin = column.dictionary_page_offset or column.data_page_offset
    return int(column.total_compressed_size - (column.data_page_offset - begin))
