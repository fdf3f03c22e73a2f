"""A chunk is read back whole, or counts as missing."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from batchemo.batch.chunk_store import PREVIOUS, ChunkStore, longest_chunk_path, store_folder
from batchemo.common import files

BATCH = pa.record_batch({"file": ["a", "b"], "size": [1, 2]})


@pytest.fixture
def store(tmp_path: Path) -> ChunkStore:
    return ChunkStore(tmp_path)


def test_a_chunk_is_read_back_by_its_number(store: ChunkStore) -> None:
    store.write(12, BATCH)
    store.write(3, BATCH)
    assert store.numbers() == [3, 12]
    table = store.read(12, BATCH.schema)
    assert table is not None
    assert table.to_batches() == [BATCH]


def test_the_next_number_follows_the_last_chunk(store: ChunkStore) -> None:
    assert store.next_number() == 0
    store.write(12, BATCH)
    store.write(3, BATCH)
    assert store.next_number() == 13


def test_no_path_of_a_store_is_longer_than_the_longest(tmp_path: Path) -> None:
    output = tmp_path / "r.parquet"
    folder = store_folder(output)
    folder.mkdir()
    store = ChunkStore(folder)
    store.write(999_999_999, BATCH)
    store.write_previous([BATCH], BATCH.schema)
    longest = len(str(longest_chunk_path(output)))
    assert all(len(str(files.unfinished_path(path))) <= longest for path in folder.iterdir())


def test_a_chunk_may_have_more_columns_than_are_read_but_not_fewer(store: ChunkStore) -> None:
    store.write(0, BATCH)
    table = store.read(0, pa.schema([("file", pa.string())]))
    assert table is not None
    assert table.column_names == ["file"]
    assert store.read(0, BATCH.schema.append(pa.field("emotion", pa.string()))) is None


def test_a_chunk_with_a_column_of_another_type_counts_as_missing(store: ChunkStore) -> None:
    store.write(0, BATCH)
    assert store.read(0, pa.schema([("file", pa.string()), ("size", pa.float64())])) is None


@pytest.mark.parametrize("kept", [0, 3, 10, 200])
def test_a_chunk_that_was_cut_short_counts_as_missing(
    store: ChunkStore, tmp_path: Path, kept: int
) -> None:
    store.write(0, BATCH)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:kept])
    assert store.read(0, BATCH.schema) is None


def test_a_chunk_with_any_flipped_bit_counts_as_missing(store: ChunkStore, tmp_path: Path) -> None:
    store.write(0, BATCH)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    rng = random.Random(7)
    for _ in range(50):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        assert store.read(0, BATCH.schema) is None
    path.write_bytes(content)
    assert store.read(0, BATCH.schema) is not None


def test_a_chunk_with_a_byte_that_is_no_utf8_counts_as_missing(
    store: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(0, pa.record_batch({"file": ["a long name.wav"]}))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes().replace(b"long name", b"long \xffame"))
    # Not the checksum alone finds it: a file may have been made with the right one.
    monkeypatch.setattr("zlib.crc32", lambda data, value=0: int.from_bytes(checksum, "little"))
    checksum = path.read_bytes()[-4:]
    assert store.read(0, pa.schema([("file", pa.string())])) is None


def test_a_chunk_has_no_name_before_it_is_synced(
    store: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[list[str]] = []

    def power_cut(descriptor: int) -> None:
        names.append([path.name for path in tmp_path.iterdir()])
        raise OSError("power cut")

    monkeypatch.setattr(files, "sync", power_cut)
    with pytest.raises(OSError, match="power cut"):
        store.write(0, BATCH)
    assert names == [[".000000000.chunk.arrow.unfinished"]]
    assert store.numbers() == []


def test_a_reader_returns_chunks_and_the_previous_table_and_reads_each_once(
    store: ChunkStore,
) -> None:
    store.write(0, BATCH)
    store.write_previous([BATCH.slice(1), BATCH], BATCH.schema)
    read = store.reader(BATCH.schema)
    assert read(0).to_pylist() == BATCH.to_pylist()
    assert read(PREVIOUS)["file"].to_pylist() == ["b", "a", "b"]
    assert read(0) is read(0)
    assert read(PREVIOUS) is read(PREVIOUS)


def test_a_reader_raises_where_a_chunk_or_the_previous_table_was_damaged(
    store: ChunkStore, tmp_path: Path
) -> None:
    store.write(0, BATCH)
    store.write_previous([BATCH], BATCH.schema)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    read = store.reader(BATCH.schema)
    with pytest.raises(OSError, match=r"chunk 0 in .* was damaged while the scan ran"):
        read(0)
    with pytest.raises(OSError, match=r"the copy of the previous table in .* is damaged"):
        read(PREVIOUS)


def test_discarding_removes_all_chunks_finished_or_not_and_the_previous_table(
    store: ChunkStore, tmp_path: Path
) -> None:
    store.write(0, BATCH)
    store.write_previous([BATCH], BATCH.schema)
    (tmp_path / ".000000001.chunk.arrow.unfinished").touch()
    (tmp_path / ".previous.arrow.unfinished").touch()
    (tmp_path / "lock").touch()
    store.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
