"""The folder beside an output where finished chunks wait: each part is whole or not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_EARLIER = "earlier.arrow"
_PART = "{:09d}.part.arrow"
_DIGITS = "[0-9]" * 9


def folder_beside(output: str | Path) -> Path:
    """Name the folder of an output's parts.

    >>> str(folder_beside("out/results.parquet"))
    'out/results.parquet.parts'
    """
    output = Path(output)
    return output.with_name(output.name + ".parts")


def unfinished_beside(output: Path) -> Path:
    """Name the file that becomes the output when it is whole."""
    return output.with_name(f".{output.name}.unfinished")


def longest_of_parts(output: Path) -> Path:
    """Name the file with the longest path that a scan makes among an output's parts."""
    return _unfinished(folder_beside(output) / _PART.format(0))


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".unfinished")


@dataclass(frozen=True, slots=True)
class Parts:
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
        for pattern in (f"{_DIGITS}.part.arrow*", f"{_EARLIER}*"):
            for path in self.folder.glob(pattern):
                path.unlink()
        sync_names(self.folder)

    def _path(self, number: int) -> Path:
        return self.folder / _PART.format(number)


def _write(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    """Write an Arrow file."""
    import pyarrow as pa

    with whole_file(path) as stream, pa.ipc.new_file(stream, schema) as writer:
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


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Let an error of the disk that names no file, as those of an open file do, name this one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # else its own words tell
            error.filename = error.filename or str(path)
        raise


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all: under another name, synced, then renamed."""
    unfinished = _unfinished(path)
    with blaming(path), unfinished.open("wb") as stream:
        yield stream
        stream.flush()
        sync(stream.fileno())
    put_in_place(unfinished, path)


def put_in_place(unfinished: Path, path: Path) -> None:
    """Give a synced file its name, and see that the name too survives a power cut."""
    unfinished.replace(path)
    sync_names(path.parent)


def sync_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with blaming(folder):
            sync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # So say file systems that know no such thing.
            raise
    finally:
        os.close(descriptor)


def sync(descriptor: int) -> None:
    """Wait until what was written is on the disk."""
    os.fsync(descriptor)
