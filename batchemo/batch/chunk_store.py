"""The folder beside an output where finished chunks wait: each part is whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from batchemo.common.files import atomic_write, sync_folder, unfinished_path

if TYPE_CHECKING:
    import pyarrow as pa

_EARLIER = "earlier.arrow"
_PART = "{:09d}.part.arrow"
_DIGITS = "[0-9]" * 9


def store_folder(output: str | Path) -> Path:
    """Name the folder of an output's parts.

    >>> str(folder_beside("out/results.parquet"))
    'out/results.parquet.parts'
    """
    output = Path(output)
    return output.with_name(output.name + ".parts")


def longest_of_parts(output: Path) -> Path:
    """Name the file with the longest path that a scan makes among an output's parts."""
    return unfinished_path(store_folder(output) / _PART.format(0))


@dataclass(frozen=True, slots=True)
class ChunkStore:
    """The parts in a folder, by their numbers, and a copy of the earlier table."""

    folder: Path

    def numbers(self) -> list[int]:
        """List the parts that are there, in order."""
        found = self.folder.glob(f"{_DIGITS}.part.arrow")
        return sorted(int(path.name.partition(".")[0]) for path in found)

    def next_number(self) -> int:
        """Give the number after the last part."""
        numbers = self.numbers()
        return numbers[-1] + 1 if numbers else 0

    def write(self, number: int, batch: pa.RecordBatch) -> None:
        """Write a part."""
        _write(self._path(number), [batch], batch.schema)

    def read(self, number: int, schema: pa.Schema) -> pa.Table | None:
        """Read the columns of a part; None where it is damaged or lacks some."""
        table = _read(self._path(number))
        if table is None or not set(schema.names) <= set(table.column_names):
            return None
        table = table.select(schema.names)
        return table if table.schema.equals(schema) else None

    def write_earlier(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        """Keep the rows of the earlier table where any of them can be had at once."""
        _write(self.folder / _EARLIER, batches, schema)

    def read_earlier(self) -> pa.Table:
        """Read the rows of the earlier table."""
        table = _read(self.folder / _EARLIER)
        if table is None:
            raise OSError(f"the copy of the earlier table in {self.folder} is damaged")
        return table

    def discard(self) -> None:
        """Remove all parts, finished or not; the folder itself goes with its lock.

        They are gone for good before anything else goes: a part that comes back after a power cut
        would be that of an interrupted run.
        """
        for pattern in (f"{_DIGITS}.part.arrow", _EARLIER, ".*.arrow.unfinished"):
            for path in self.folder.glob(pattern):
                path.unlink()
        sync_folder(self.folder)

    def _path(self, number: int) -> Path:
        return self.folder / _PART.format(number)


def _write(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    """Write an Arrow file."""
    import pyarrow as pa

    with atomic_write(path) as stream, pa.ipc.new_file(stream, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _read(path: Path) -> pa.Table | None:
    """Read an Arrow file through a memory map; None where it is damaged."""
    import pyarrow as pa

    try:
        with pa.memory_map(os.fsencode(path)) as source:
            table = pa.ipc.open_file(source).read_all()
            table.validate(full=True)
    except (pa.ArrowInvalid, OSError):
        return None
    return table


PREVIOUS = -1
"""The source that is the earlier table; parts have their numbers, from 0 on."""


Reader = Callable[[int], "pa.Table"]
"""Gives all rows of a source."""


PARTS_AT_HAND = 8


def reader_of(parts: ChunkStore, schema: pa.Schema) -> Reader:
    """Give a reader of sources that keeps the last few at hand."""

    @lru_cache(maxsize=PARTS_AT_HAND)
    def read(source: int) -> pa.Table:
        if source == PREVIOUS:
            return parts.read_earlier()
        table = parts.read(source, schema)
        if table is None:
            raise OSError(f"part {source} in {parts.folder} was damaged while the scan ran")
        return table

    return read
