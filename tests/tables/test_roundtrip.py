"""What is written is read back equal, whatever names and labels hold."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchemo.errors import BatchemoError, UsageError
from batchemo.tables.derived import with_derived_columns
from batchemo.tables.read import UnreadableTableError, open_table
from batchemo.tables.rows import RecordingResult, WindowResults, to_batch
from batchemo.tables.schema import chunk_schema, recordings_schema
from batchemo.tables.write import (
    METADATA_KEY,
    ROWS_PER_GROUP,
    CsvTableWriter,
    open_writer,
    rechunk,
    table_format,
)

LABELS = ("happy", "sad")

# What file names and manifests may hold once bytes that are no UTF-8 are escaped.
text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
number = st.none() | st.floats(0, 1e6, width=32)


@st.composite
def rows(draw: st.DrawFn) -> RecordingResult:
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
        rms_db=draw(number),
        size=draw(st.none() | st.integers(0, 2**62)),
        mtime_ns=draw(st.none() | st.integers(0, 2**62)),
    )


def write(path: Path, rows: list[RecordingResult], provenance: bytes = b"{}") -> pa.Table:
    batch = to_batch(rows, labels=LABELS, model="m@1", segments=False)
    made = with_derived_columns(pa.Table.from_batches([batch]), LABELS)
    schema = recordings_schema(LABELS).with_metadata({METADATA_KEY: provenance})
    writer = open_writer(path, schema, kind=path.suffix)
    for table in rechunk(made.to_batches(), schema):
        writer.write(table)
    writer.close()
    return made


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
@given(st.lists(rows(), min_size=1, max_size=5))
@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_a_table_is_read_back_equal(
    tmp_path: Path, ending: str, made: list[RecordingResult]
) -> None:
    path = tmp_path / f"results{ending}"
    written = write(path, made)
    back = pa.Table.from_batches(open_table(path).batches()).select(written.column_names)
    assert back.cast(written.schema).equals(written)


def test_unknown_is_null_and_never_nan(tmp_path: Path) -> None:
    write(tmp_path / "r.parquet", [RecordingResult("/r", "a", reason="empty")])
    (back,) = open_table(tmp_path / "r.parquet").batches()
    for name in ("p_happy", "confidence", "duration", "windows", "mtime", "emotion"):
        assert back[name].null_count == 1
        assert back[name].to_pylist() == [None]


def test_labels_reasons_and_status_are_dictionaries_and_times_are_utc(tmp_path: Path) -> None:
    schema = recordings_schema(LABELS)
    for name in ("root", "status", "reason", "emotion", "model"):
        assert pa.types.is_dictionary(schema.field(name).type)
    assert schema.field("p_happy").type == pa.float32()
    assert schema.field("mtime").type == pa.timestamp("ns", "UTC")


def test_a_row_is_either_a_failure_or_has_probabilities() -> None:
    with pytest.raises(ValueError, match="either"):
        RecordingResult("/r", "a")
    with pytest.raises(ValueError, match="either"):
        RecordingResult("/r", "a", reason="silent", probabilities=np.ones(2, np.float32))


def test_the_account_of_the_run_comes_back_from_parquet(tmp_path: Path) -> None:
    write(tmp_path / "r.parquet", [RecordingResult("/r", "a", reason="empty")], b'{"model": "m"}')
    assert open_table(tmp_path / "r.parquet").run == {"model": "m"}


def test_row_groups_do_not_depend_on_how_the_rows_arrived() -> None:
    count = ROWS_PER_GROUP + 100
    schema = pa.schema([("n", pa.int64()), ("kind", pa.dictionary(pa.int32(), pa.string()))])
    table = pa.table({"n": range(count), "kind": pa.array(["ab"[i % 2] for i in range(count)])})
    one = list(rechunk(table.to_batches(), schema))
    many = list(rechunk(table.to_batches(max_chunksize=777), schema))
    assert [t.num_rows for t in one] == [ROWS_PER_GROUP, 100]
    assert [t.num_rows for t in many] == [ROWS_PER_GROUP, 100]
    assert all(a.equals(b) for a, b in zip(one, many, strict=True))


@pytest.mark.parametrize(
    "start", ["=cmd()", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1+1", "'quoted"]
)
def test_no_cell_of_a_csv_starts_as_a_formula_does_its_title_neither(
    start: str, tmp_path: Path
) -> None:
    path = tmp_path / "results.csv"
    table = pa.table({"root": ["/"], "file": ["a.wav"], start: [start]})
    writer = CsvTableWriter(path, table.schema)
    writer.write(table)
    writer.close()
    with path.open(newline="") as stream:
        assert [[row[2][:2] for row in csv.reader(stream)]] == [[f"'{start[0]}"] * 2]
    (batch,) = open_table(path).batches()
    assert batch.to_pylist() == table.to_pylist()


def test_a_table_of_another_making_is_refused(tmp_path: Path) -> None:
    pyarrow.csv.write_csv(pa.table({"x": [1]}), tmp_path / "other.csv")
    with pytest.raises(UnreadableTableError, match="no root and file"):
        open_table(tmp_path / "other.csv")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UnreadableTableError, match="cannot be read"):
        open_table(tmp_path / "torn.parquet")


@pytest.mark.parametrize("name", ["results", "results.xlsx", "parquet"])
def test_a_name_without_a_known_ending_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="must end in"):
        table_format(name)


def test_a_nested_column_of_a_manifest_is_refused_for_csv(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nested column tags"):
        CsvTableWriter(tmp_path / "r.csv", pa.schema([("tags", pa.list_(pa.string()))]))


def test_a_part_has_what_was_measured_and_the_windows_but_not_what_follows_from_it() -> None:
    names = [
        n for n in recordings_schema(LABELS).names if n not in ("emotion", "confidence", "margin")
    ]
    assert chunk_schema(LABELS, segments=False).names == names
    assert chunk_schema(LABELS, segments=True).names == [*names, "segments"]


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_a_table_with_damage_anywhere_is_refused_in_words_or_read(
    tmp_path: Path, ending: str
) -> None:
    chance = random.Random(5)
    path = tmp_path / f"results{ending}"
    row = RecordingResult("/data", "a long name.wav", reason="silent", detail="nothing", size=7)
    write(path, [row] * 40)
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


def test_a_bit_that_flips_in_the_rows_of_a_parquet_table_is_always_found(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    write(
        path,
        [RecordingResult("/data", f"{n * 7919}.wav", reason="silent", size=n) for n in range(40)],
    )
    whole = path.read_bytes()
    pages = pq.ParquetFile(path).metadata.row_group(0)
    for index in range(pages.num_columns):
        column = pages.column(index)
        damaged = bytearray(whole)
        # The last byte of a column's pages is content, not a header.
        damaged[column.data_page_offset + _size_behind(column) - 1] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(BatchemoError, match="cannot be read"):
            list(open_table(path).batches())


def _size_behind(column: pq.ColumnChunkMetaData) -> int:
    begin = column.dictionary_page_offset or column.data_page_offset
    return int(column.total_compressed_size - (column.data_page_offset - begin))
