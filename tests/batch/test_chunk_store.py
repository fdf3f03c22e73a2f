"""A part is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from batchemo.batch.chunk_store import ChunkStore
from batchemo.common import files

BATCH = pa.record_batch({"file": ["a", "b"], "size": [1, 2]})


def test_a_part_is_read_back_by_its_number(tmp_path: Path) -> None:
    parts = ChunkStore(tmp_path)
    parts.write(12, BATCH)
    parts.write(3, BATCH)
    assert parts.numbers() == [3, 12]
    table = parts.read(12, BATCH.schema)
    assert table is not None
    assert table.to_batches() == [BATCH]


def test_a_part_may_have_more_columns_than_are_wanted_but_not_fewer(tmp_path: Path) -> None:
    parts = ChunkStore(tmp_path)
    parts.write(0, BATCH)
    fewer = pa.schema([("file", pa.string())])
    table = parts.read(0, fewer)
    assert table is not None
    assert table.column_names == ["file"]
    assert parts.read(0, BATCH.schema.append(pa.field("emotion", pa.string()))) is None


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_damaged_part_is_no_part(tmp_path: Path, keep: int) -> None:
    parts = ChunkStore(tmp_path)
    parts.write(0, BATCH)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:keep])
    assert parts.read(0, BATCH.schema) is None


def test_a_part_has_no_name_before_it_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def power_cut(descriptor: int) -> None:
        seen.append([path.name for path in tmp_path.iterdir()])
        raise OSError("power cut")

    monkeypatch.setattr(files, "sync", power_cut)
    with pytest.raises(OSError, match="power cut"):
        ChunkStore(tmp_path).write(0, BATCH)
    assert seen == [[".000000000.part.arrow.unfinished"]]
    assert ChunkStore(tmp_path).numbers() == []


def test_to_discard_removes_finished_and_unfinished_parts(tmp_path: Path) -> None:
    parts = ChunkStore(tmp_path)
    parts.write(0, BATCH)
    (tmp_path / ".000000001.part.arrow.unfinished").touch()
    parts.discard()
    assert not list(tmp_path.iterdir())


def test_a_part_with_a_byte_that_is_no_utf8_is_no_part(tmp_path: Path) -> None:
    parts = ChunkStore(tmp_path)
    parts.write(0, pa.record_batch({"file": ["a long name.wav"]}))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes().replace(b"long name", b"long \xffame"))
    assert parts.read(0, pa.schema([("file", pa.string())])) is None
