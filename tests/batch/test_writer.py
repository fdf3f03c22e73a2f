"""Tables get their names when all are whole, or keep the old ones; CSV streams keep the order."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchemo.batch import writer
from batchemo.batch.chunk_store import ChunkStore, store_folder
from batchemo.batch.known_rows import KnownRows
from batchemo.batch.outputs import NamingRecord, OutputPaths, read_record
from batchemo.batch.plan import OWN_COLUMNS, Plan, RowRange
from batchemo.batch.writer import (
    OrderedCsv,
    first_difference,
    ordered_rows,
    write_table,
    write_tables,
)
from batchemo.common import files
from batchemo.common.files import rename
from batchemo.errors import UsageError
from batchemo.inference.output_schema import OutputSchema
from batchemo.inference.postprocess import PostProcessor
from batchemo.inference.settings import PostprocessSettings
from batchemo.tables.rows import RecordingResult, WindowResults, to_batch
from batchemo.tables.summary import Summary

LABELS = ("happy", "sad")


def rows(*names: str, happy: float = 0.75) -> pa.RecordBatch:
    probabilities = np.array([happy, 1 - happy], np.float32)
    windows = WindowResults(np.zeros(1), np.ones(1), probabilities[None])
    results = [
        RecordingResult("/data", name, probabilities=probabilities, windows=windows)
        for name in names
    ]
    return to_batch(results, labels=LABELS, model="m", segments=True)


def schema(**changes: Any) -> OutputSchema:
    return OutputSchema(
        **{"labels": LABELS, "manifest": None, "segments": True, "provenance": {}} | changes
    )


@pytest.fixture
def outputs(tmp_path: Path) -> OutputPaths:
    """The paths of three tables, with a chunk store."""
    store_folder(tmp_path / "r.parquet").mkdir()
    return OutputPaths(*(tmp_path / name for name in ("r.parquet", "s.csv", "y.csv")))


def write(outputs: OutputPaths, *names: str, fresh: bool = True, happy: float = 0.75) -> None:
    source, record = [rows(*names, happy=happy)], NamingRecord(tuple(outputs.all()))
    write_tables(
        *(lambda: source, PostProcessor(schema()), outputs, Summary(None)),
        fresh=fresh,
        record=record if fresh else None,
    )


def tables_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_all_tables_are_written_and_get_their_names_the_recordings_table_last(
    outputs: OutputPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[str] = []

    def recorded_rename(unfinished: Path, path: Path) -> None:
        record = NamingRecord(tuple(outputs.all()))
        assert read_record(outputs) == record, "recorded before the first has its name"
        named.append(path.name)
        rename(unfinished, path)

    monkeypatch.setattr(writer, "rename", recorded_rename)
    write(outputs, "a.wav", "b.wav")
    assert named == ["s.csv", "y.csv", "r.parquet"]
    assert tables_in(tmp_path) == ["r.parquet", "s.csv", "y.csv"]
    table = pq.read_table(outputs.recordings)
    assert table["file"].to_pylist() == ["a.wav", "b.wav"]
    assert table["emotion"].to_pylist() == ["happy", "happy"]
    assert "segments" not in table.column_names
    assert (tmp_path / "s.csv").read_text().count("a.wav") == 1
    assert '"happy"' in (tmp_path / "y.csv").read_text()


def test_a_recordings_table_can_be_written_alone(tmp_path: Path) -> None:
    store_folder(tmp_path / "r.csv").mkdir()
    write(OutputPaths(tmp_path / "r.csv"), "a.wav")
    assert tables_in(tmp_path) == ["r.csv"]


def test_a_table_that_somebody_else_wrote_meanwhile_is_not_replaced(
    outputs: OutputPaths, tmp_path: Path
) -> None:
    (tmp_path / "y.csv").write_text("somebody's")
    with pytest.raises(UsageError, match=r"y\.csv exists"):
        write(outputs, "a.wav")
    assert tables_in(tmp_path) == ["y.csv"]
    assert (tmp_path / "y.csv").read_text() == "somebody's"


def test_an_update_replaces_tables_and_keeps_their_permissions(outputs: OutputPaths) -> None:
    outputs.recordings.touch()
    outputs.recordings.chmod(0o640)
    write(outputs, "a.wav", fresh=False)
    assert outputs.recordings.stat().st_mode & 0o777 == 0o640
    assert read_record(outputs) is None


def failing_rows() -> Iterator[pa.RecordBatch]:
    yield rows("a.wav")
    raise OSError("the disk is gone")


def test_a_failure_leaves_the_old_tables_and_no_temporary_ones(
    outputs: OutputPaths, tmp_path: Path
) -> None:
    write(outputs, "a.wav")
    before = outputs.recordings.read_bytes()
    with pytest.raises(OSError, match="the disk is gone"):
        write_tables(failing_rows, PostProcessor(schema()), outputs, Summary(None), fresh=False)
    assert tables_in(tmp_path) == ["r.parquet", "s.csv", "y.csv"]
    assert outputs.recordings.read_bytes() == before


def test_a_signal_while_tables_get_their_names_leaves_no_temporary_one(
    outputs: OutputPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted_at_the_second(unfinished: Path, path: Path) -> None:
        if path.name == "y.csv":
            raise KeyboardInterrupt
        rename(unfinished, path)

    monkeypatch.setattr(writer, "rename", interrupted_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        write(outputs, "a.wav")
    assert tables_in(tmp_path) == ["s.csv"]
    assert read_record(outputs) == NamingRecord(tuple(outputs.all())), "the same command goes on"


def test_an_error_of_the_disk_names_the_table_and_not_its_temporary_file(
    outputs: OutputPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "sync", full)
    with pytest.raises(OSError, match="No space") as raised:
        write(outputs, "a.wav")
    # Of several tables, the last opened is the first to be synced.
    assert raised.value.filename == str(outputs.summary)


def test_the_first_table_that_differs_is_found_and_none_is_changed(
    outputs: OutputPaths, tmp_path: Path
) -> None:
    write(outputs, "a.wav")
    before = {path: path.read_bytes() for path in outputs.all()}

    def difference(happy: float) -> Path | None:
        source = [rows("a.wav", happy=happy)]
        return first_difference(lambda: source, PostProcessor(schema()), outputs, Summary(None))

    assert difference(0.75) is None
    assert difference(0.7) == outputs.segments
    assert {path: path.read_bytes() for path in outputs.all()} == before
    assert tables_in(tmp_path) == ["r.parquet", "s.csv", "y.csv"]


def test_a_single_table_gets_its_name_at_the_end_of_the_block(tmp_path: Path) -> None:
    path, table = tmp_path / "t.csv", pa.table({"x": [1]})
    with write_table(path, table.schema) as output:
        output.write(table)
        assert not path.exists()
    assert path.read_text() == '"x"\n1\n'
    assert tables_in(tmp_path) == ["t.csv"]


@pytest.mark.parametrize("moment", ["block", "rename"])
def test_a_single_table_that_fails_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def interrupted(*paths: Path) -> None:
        raise KeyboardInterrupt

    def write_and_fail() -> None:
        with write_table(tmp_path / "t.parquet", pa.schema([("x", pa.int64())])):
            if moment == "block":
                interrupted()

    monkeypatch.setattr(writer, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert os.listdir(tmp_path) == []


def extras(ranges: list[RowRange], output_schema: OutputSchema, chunk: pa.Table) -> list[Any]:
    found = ordered_rows(ranges, lambda number: chunk, output_schema)
    return [row["speaker"] for batch in found for row in batch.to_pylist()]


def test_rows_get_the_columns_of_the_manifest_or_keep_those_that_they_have() -> None:
    manifest = pa.table({"speaker": ["m0", "m1", "m2"]})
    chunk = pa.Table.from_batches([rows("a", "b", "c", "d")])
    chunk = chunk.append_column("speaker", pa.array(["own0", "own1", "own2", "own3"]))
    ranges = [RowRange(0, 1, 2, 0), RowRange(0, 0, 1, None), RowRange(0, 3, 1, OWN_COLUMNS)]
    found = extras(ranges, schema(manifest=manifest), chunk)
    assert found == ["m0", "m1", None, "own3"]


def test_rows_without_a_column_of_the_previous_table_have_nulls_there() -> None:
    chunk = pa.Table.from_batches([rows("a")])
    previous_columns = pa.schema([("speaker", pa.string())])
    ranges = [RowRange(0, 0, 1, None)]
    assert extras(ranges, schema(previous_columns=previous_columns), chunk) == [None]


@pytest.fixture
def store(tmp_path: Path) -> ChunkStore:
    """Three chunks of one recording each."""
    store = ChunkStore(tmp_path)
    for number, name in enumerate(("a.wav", "b.wav", "c.wav")):
        store.write(number, rows(name))
    return store


def ordered_csv(store: ChunkStore, stream: io.BytesIO, **settings: Any) -> OrderedCsv:
    plan = Plan(KnownRows("m"), ranges=[RowRange(number, 0, 1, None) for number in range(3)])
    columns = schema(segments=False, postprocess=PostprocessSettings(**settings))
    return OrderedCsv(stream, columns, plan, store, Summary(None))


def files_in(stream: io.BytesIO) -> list[str]:
    return [line.split(",")[1].strip('"') for line in stream.getvalue().decode().splitlines()[1:]]


def test_a_stream_has_the_rows_of_a_chunk_as_soon_as_all_before_it_are_finished(
    store: ChunkStore,
) -> None:
    stream = io.BytesIO()
    csv = ordered_csv(store, stream)
    csv.add(1)
    assert files_in(stream) == []
    csv.add(0)
    assert files_in(stream) == ["a.wav", "b.wav"]
    csv.add(2)
    csv.close()
    assert files_in(stream) == ["a.wav", "b.wav", "c.wav"]


@pytest.mark.parametrize("settings", [{"speaker": "folder"}, {"class_shares": "even"}])
def test_a_stream_of_rows_adapted_to_others_waits_for_the_end(
    store: ChunkStore, settings: dict[str, str]
) -> None:
    stream = io.BytesIO()
    csv = ordered_csv(store, stream, **settings)
    for number in range(3):
        csv.add(number)
    assert files_in(stream) == []
    csv.close()
    assert files_in(stream) == ["a.wav", "b.wav", "c.wav"]


def test_tables_are_synced_before_any_has_its_name(
    outputs: OutputPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(writer, "sync", lambda descriptor: calls.append("sync"))
    monkeypatch.setattr(writer, "rename", lambda unfinished, path: calls.append("rename"))
    monkeypatch.setattr(files, "sync", lambda descriptor: None)
    write(outputs, "a.wav")
    assert calls == ["sync"] * 3 + ["rename"] * 3


def test_thousands_of_columns_take_no_more_than_their_share_of_time() -> None:
    def seconds(columns: int) -> float:
        manifest = pa.table({f"c{number}": [1] for number in range(columns)})
        with_columns = schema(manifest=manifest)
        batch = pa.Table.from_batches([rows("a.wav")])
        started = time.perf_counter()
        for _ in ordered_rows([RowRange(0, 0, 1, 0)], lambda _: batch, with_columns):
            pass
        return time.perf_counter() - started

    # Sixteen times the columns took more than two hundred times as long.
    assert min(seconds(8000) for _ in range(3)) < 60 * min(seconds(500) for _ in range(3))
