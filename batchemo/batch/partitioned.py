"""Writes a partitioned table: first beside the folder that it is for, then file by file into it.

    .results.unfinished/                the new table while it is written (common/files.py)
      speaker=anna/<digest>.parquet     partitions that are not in results/ yet
      _batchemo.json                    the manifest (tables/partitions.py)
      3.rows                            rows of a partition that wait for those that follow

Rows wait in memory up to a number, then on the disk. So memory does not grow with the table, and
a partition's bytes depend on its own rows alone.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from batchemo.common.files import naming_errors, open_new, rename, sync, sync_folder
from batchemo.tables.partitions import (
    FILE,
    MANIFEST,
    Partition,
    Partitions,
    partition_folder,
    partition_key,
    read_manifest,
    split_rows,
)
from batchemo.tables.read import without_dictionaries
from batchemo.tables.write import ParquetTableWriter, rechunk

if TYPE_CHECKING:
    import pyarrow as pa

MAX_WAITING = 32_768
"""Rows of all partitions that wait in memory."""


class PartitionedOutput:
    """A partitioned table that is being written; whoever opens it publishes or removes it."""

    def __init__(self, unfinished: Path, path: Path, schema: pa.Schema, by: str) -> None:
        """Write into the folder `unfinished` what is to be the table at `path`."""
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        self._folder, self._path = unfinished, path
        self._schema, self._by = schema, by
        self._waiting: dict[str | None, list[pa.RecordBatch]] = {}
        self._count = 0
        self._numbers: dict[str | None, int] = {}
        """Of all values so far: the file with rows of each has its number."""

    def __enter__(self) -> PartitionedOutput:
        return self

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        for value, rows in split_rows(table, self._by):
            self._numbers.setdefault(value, len(self._numbers))
            if self._by in rows.column_names:
                rows = rows.drop_columns(self._by)
            batches = map(without_dictionaries, rows.combine_chunks().to_batches())
            self._waiting.setdefault(value, []).extend(batches)
        self._count += table.num_rows
        if self._count >= MAX_WAITING:
            self._spill()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            with naming_errors(self._path):
                self._finish()

    def _spill(self) -> None:
        import pyarrow as pa

        for value, batches in self._waiting.items():
            with (
                self._spilled(value).open("ab") as stream,
                pa.ipc.new_stream(stream, batches[0].schema) as writer,
            ):
                for batch in batches:
                    writer.write_batch(batch)
        self._waiting.clear()
        self._count = 0

    def _spilled(self, value: str | None) -> Path:
        return self._folder / f"{self._numbers[value]}.rows"

    def _rows(self, value: str | None) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        path = self._spilled(value)
        if path.exists():
            with path.open("rb") as stream:
                while stream.tell() < path.stat().st_size:
                    yield from pa.ipc.open_stream(stream)
            path.unlink()
        yield from self._waiting.pop(value, ())

    def _finish(self) -> None:
        key = partition_key(self._by)
        schema = Partitions(self._by, self._schema, ()).file_schema
        folders = sorted((partition_folder(key, value), value) for value in self._numbers)
        files = [self._write_partition(folder, value, schema) for folder, value in folders]
        manifest = Partitions(self._by, self._schema, tuple(files))
        with open_new(self._folder / MANIFEST) as stream:
            stream.write(manifest.to_json())
            stream.flush()
            sync(stream.fileno())

    def _write_partition(self, folder: str, value: str | None, schema: pa.Schema) -> Partition:
        rows = 0
        (self._folder / folder).mkdir()
        unfinished = self._folder / folder / "rows"
        with open_new(unfinished) as stream:
            writer = ParquetTableWriter(stream, schema)
            for table in rechunk(self._rows(value), schema):
                writer.write(table)
                rows += table.num_rows
            writer.close()
            stream.flush()
            sync(stream.fileno())
        file = f"{folder}/{_digest(unfinished)}.parquet"
        if (self._path / file).is_file():
            # The rows that it has already.
            unfinished.unlink()
            unfinished.parent.rmdir()
        else:
            unfinished.rename(self._folder / file)
        return Partition(file, value, rows)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()[:16]


def publish(unfinished: Path, path: Path) -> None:
    """Make a finished partitioned table the one at `path`; its manifest is the last to go there."""
    path.mkdir(exist_ok=True)
    for found in sorted(unfinished.glob("*/*.parquet")):
        target = path / found.parent.name / found.name
        target.parent.mkdir(exist_ok=True)
        rename(found, target)
    sync_folder(path)
    rename(unfinished / MANIFEST, path / MANIFEST)
    _remove_others(path)
    shutil.rmtree(unfinished, ignore_errors=True)


def _remove_others(path: Path) -> None:
    """Remove partitions of earlier tables, and of a run that was interrupted."""
    named = {file.file for file in read_manifest(path).files}
    for folder in [entry for entry in path.iterdir() if entry.is_dir() and "=" in entry.name]:
        for found in folder.iterdir():
            name = f"{folder.name}/{found.name}"
            if FILE.fullmatch(name) and name not in named:
                found.unlink()
        with suppress(OSError):  # It holds something.
            folder.rmdir()
