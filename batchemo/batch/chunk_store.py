"""The chunk store: the folder beside an output where finished chunks wait for the tables.

    results.parquet.chunks/
        lock                     held by the run that writes the output (common/locks.py)
        000000000.chunk.arrow    the rows of one finished chunk, by the chunk's number
        previous.arrow           the rows of the table that --update began with
        naming.json              the tables that are about to get their names (outputs.py)
        .NAME.unfinished         any of these while it is written

Every file is there whole or not at all, and what is there has been synced: whatever kills a run,
the next one goes on from these files. An Arrow file ends with a checksum (4 bytes, CRC-32 of all
before it), since a bit that a disk flips would otherwise become a value of the table.

The files are removed when the tables have their names. The record of these goes last, since a chunk
that comes back after a power cut would pass for one of an interrupted run; the copy of the previous
table goes first: where it is, all chunks are, and with them all rows that the tables should have.
Chunks may be finished in any order; a number is never used for two chunks of one output.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from batchemo.common.files import atomic_write, sync_folder, unfinished_path

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Buffer

    from batchemo.batch.mirror import Mirror

PREVIOUS = -1
"""The number of the copy of the previous table; chunks are numbered from 0 on."""

Reader = Callable[[int], "pa.Table"]
"""Returns all rows of a chunk, or of the previous table, by its number."""

STORE_SUFFIX = ".chunks"
"""What a chunk store's folder is called, after the name of its output."""
_PREVIOUS_NAME = "previous.arrow"
_CHUNK_NAME = "{:09d}.chunk.arrow"
_CHUNK_PATTERN = "[0-9]" * 9 + ".chunk.arrow"

_CACHED_CHUNKS = 8
"""The order of the tables jumps between chunks that were worked on at the same time."""


def store_folder(output: str | Path) -> Path:
    """Name the folder of an output's chunk store.

    >>> str(store_folder("out/results.parquet"))
    'out/results.parquet.chunks'
    """
    output = Path(output)
    return output.with_name(output.name + STORE_SUFFIX)


def longest_chunk_path(output: Path) -> Path:
    """Name the file with the longest path that a chunk store makes."""
    return unfinished_path(store_folder(output) / _CHUNK_NAME.format(0))


@dataclass(frozen=True, slots=True)
class ChunkStore:
    """The finished chunks in a folder, and the copy of the previous table."""

    folder: Path
    mirror: Mirror | None = None
    """Where the chunks are put too, if the output is in a bucket."""

    def numbers(self) -> list[int]:
        """List the finished chunks, in order."""
        found = self.folder.glob(_CHUNK_PATTERN)
        return sorted(int(path.name.partition(".")[0]) for path in found)

    def next_number(self) -> int:
        """Return the number after the last chunk."""
        numbers = self.numbers()
        return numbers[-1] + 1 if numbers else 0

    def write(self, number: int, batch: pa.RecordBatch) -> None:
        """Write the rows of a chunk."""
        path = self._path(number)
        _write(path, [batch], batch.schema)
        if self.mirror is not None:
            self.mirror.put(path)

    def read(self, number: int, schema: pa.Schema) -> pa.Table | None:
        """Read columns of a chunk; None where it is damaged or lacks some of them."""
        table = _read(self._path(number))
        # A chunk of another version, or of a run with other labels, counts as if it were not there:
        # its recordings are analysed again.
        if table is None or not set(schema.names) <= set(table.column_names):
            return None
        table = table.select(schema.names)
        return table if table.schema.equals(schema) else None

    def write_previous(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        """Copy the rows of the previous table, so that any of them can be read at once."""
        _write(self.folder / _PREVIOUS_NAME, batches, schema)

    def find_previous(self) -> pa.Table | None:
        """Read the rows of the previous table; None if there is no copy, or a damaged one."""
        return _read(self.folder / _PREVIOUS_NAME)

    def read_previous(self) -> pa.Table:
        """Read the rows of the previous table, which have been copied."""
        table = self.find_previous()
        if table is None:
            raise OSError(f"the copy of the previous table in {self.folder} is damaged")
        return table

    def discard_previous(self) -> None:
        """Remove the copy of the previous table, if there is one."""
        (self.folder / _PREVIOUS_NAME).unlink(missing_ok=True)

    def reader(self, schema: pa.Schema) -> Reader:
        """Return a reader of chunks and of the previous table that caches the last few."""

        # Apart from the others, as it is long to check and must not be checked again.
        read_previous = lru_cache(maxsize=1)(self.read_previous)

        @lru_cache(maxsize=_CACHED_CHUNKS)
        def read(number: int) -> pa.Table:
            if number == PREVIOUS:
                return read_previous()
            table = self.read(number, schema)
            if table is None:
                raise OSError(f"chunk {number} in {self.folder} was damaged while the scan ran")
            return table

        return read

    def discard(self) -> None:
        """Remove all chunks, finished or not; the folder itself is removed with its lock."""
        # In this order: see the top of this file.
        for pattern in (_PREVIOUS_NAME, _CHUNK_PATTERN, ".*.arrow.unfinished"):
            paths = list(self.folder.glob(pattern))
            for path in paths:
                path.unlink()
            if self.mirror is not None and pattern == _CHUNK_PATTERN:
                self.mirror.remove(paths)
        sync_folder(self.folder)

    def _path(self, number: int) -> Path:
        return self.folder / _CHUNK_NAME.format(number)


_CHECKSUM_BYTES = 4
_BUFFER_BYTES = 1 << 18


class _ChecksumStream(io.RawIOBase):
    """Writes through to a stream and keeps the CRC-32 of what was written."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.checksum = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self.checksum = zlib.crc32(data, self.checksum)
        return self._stream.write(data)


def _write(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    import pyarrow as pa

    # Arrow's own format: it is written and read without conversion, and can be mapped into memory,
    # so that the rows of a previous table of millions are never held as a whole.
    with atomic_write(path) as stream:
        checked = _ChecksumStream(stream)
        # Arrow writes in dozens of small pieces, each of which would be a call to Python.
        with (
            io.BufferedWriter(checked, _BUFFER_BYTES) as buffered,
            pa.ipc.new_file(buffered, schema) as writer,
        ):
            for batch in batches:
                writer.write_batch(batch)
        stream.write(checked.checksum.to_bytes(_CHECKSUM_BYTES, "little"))


def _read(path: Path) -> pa.Table | None:
    """Read an Arrow file through a memory map; None where it is damaged."""
    import pyarrow as pa

    try:
        with pa.memory_map(os.fsencode(path)) as source:
            whole = source.read_buffer()
            content = whole.slice(0, max(0, whole.size - _CHECKSUM_BYTES))
            checksum = whole.slice(content.size).to_pybytes()
            if zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "little") != checksum:
                return None
            table = pa.ipc.open_file(content).read_all()
            # The checksum finds what a disk has changed. A file that was made to look right can
            # still have offsets that lead outside of its buffers, which would crash the reader.
            table.validate(full=True)
    except (pa.ArrowInvalid, OSError):
        return None
    return table
