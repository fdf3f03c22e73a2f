"""A plan: the recordings of a scan, listed once, so that several machines can share them.

    plan.parquet
        root, file       where a recording is, as in a table of results
        size, mtime      bytes and time of the last change when it was listed; null where missing
        etag             what an object store called this version of it; null for a file
        ...              the other columns of the manifest, if there was one
      metadata batchemo-plan: {"format": 3, "sources": what a table of results says of its sources}
      metadata batchemo-plan-digest: SHA-256 of the sources and of all rows, as the file has them

The digest is in the file, since each of many shards would have to read all of a large plan for it.

A shard is the i-th of n parts of these rows, in their order and of nearly equal numbers: so the
tables of all shards, one after another, have the rows of one scan of the whole plan.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from batchemo.common.files import atomic_write
from batchemo.common.text import for_display, from_text, to_text
from batchemo.errors import UsageError
from batchemo.sources.objects import Named, look_up
from batchemo.sources.recording import Recording
from batchemo.storage.url import NO_ACCESS

if TYPE_CHECKING:
    import pyarrow as pa

METADATA_KEY = b"batchemo-plan"
DIGEST_KEY = b"batchemo-plan-digest"
FORMAT = 3
COLUMNS = ("root", "file", "size", "mtime", "etag")
_ROWS_PER_GROUP = 65_536


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of a plan: the number, from 1, and how many there are."""

    number: int
    count: int
    """How many parts there are."""

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read a shard as it is written in options; UsageError for anything else.

        >>> Shard.parse("3/16")
        Shard(number=3, count=16)
        """
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal()):
            raise UsageError(f"--shard {for_display(text)}: write 3/16 for the third of sixteen")
        shard = cls(int(number), int(count))
        if not 1 <= shard.number <= shard.count:
            raise UsageError(
                f"--shard {for_display(text)}: it is from 1/{count} to {count}/{count}"
            )
        return shard

    def rows(self, total: int) -> range:
        """Return the rows of the plan that belong to this shard.

        >>> [Shard(n, 3).rows(10) for n in (1, 2, 3)]
        [range(0, 3), range(3, 6), range(6, 10)]
        """
        return range(total * (self.number - 1) // self.count, total * self.number // self.count)


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan on disk."""

    path: str
    digest: str
    """What tells plans apart: shards of different ones do not belong together."""
    sources: dict[str, Any]
    """What a table of results says of its sources."""
    total: int
    """How many recordings it lists."""

    def rows_of(self, shard: Shard | None) -> range:
        """Return the rows of a shard, or all; UsageError where there are more shards than rows."""
        if shard is None:
            return range(self.total)
        if shard.count > self.total:
            raise UsageError(
                f"--shard {shard.number}/{shard.count}: {for_display(self.path)} lists"
                f" {self.total:,} recordings, which makes as many shards at most"
            )
        return shard.rows(self.total)

    def recordings(self, rows: range) -> Iterator[Recording]:
        """Yield the recordings of these rows as they are now; a missing one has no size."""
        for named, recording in look_up(self._names(rows)):
            # What is no regular file any more is as good as missing.
            yield recording or Recording(named.root, named.file, None, None, named.row)

    def _names(self, rows: range) -> Iterator[Named]:
        number = 0
        for batch in self._batches(rows, ["root", "file"]):
            for root, file in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield Named(from_text(root), from_text(file), number, number)
                number += 1

    def extras(self, rows: range) -> pa.Table | None:
        """Return the columns that came from a manifest, of these rows; None if there are none."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pq.read_schema(self.path)
        names = [name for name in schema.names if name not in COLUMNS]
        if not names:
            return None
        fields = pa.schema([schema.field(name) for name in names])
        return pa.Table.from_batches(self._batches(rows, names), fields)

    def _batches(self, rows: range, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield columns of these rows; row groups without any of them are not read."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            start = 0
            for group in range(file.num_row_groups):
                length = file.metadata.row_group(group).num_rows
                first, last = max(rows.start, start), min(rows.stop, start + length)
                if first < last:
                    table = file.read_row_group(group, columns=columns)
                    yield from table.slice(first - start, last - first).to_batches()
                start += length


def open_plan(path: str) -> PlanFile:
    """Open a plan; UsageError where the file is none."""
    if not os.path.isfile(path):
        raise UsageError(f"{for_display(path)}: there is no such plan. `batchemo plan` makes one")
    status = os.stat(path)
    return _open_plan(path, status.st_size, status.st_mtime_ns)


# A scan opens its plan several times.
@lru_cache(maxsize=1)
def _open_plan(path: str, size: int, mtime_ns: int) -> PlanFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    shown = for_display(path)
    try:
        metadata = pq.read_metadata(path)
        known = metadata.metadata or {}
        plan = json.loads(known[METADATA_KEY])
        names = pq.read_schema(path).names
        if plan["format"] != FORMAT or tuple(names[: len(COLUMNS)]) != COLUMNS:
            raise UsageError(f"{shown}: this plan is of another version: make it again")
        sources, digest = dict(plan["sources"]), known[DIGEST_KEY].decode()
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{shown} is no plan: give a file that `batchemo plan` wrote") from error
    return PlanFile(path, digest, sources, metadata.num_rows)


def write_plan(
    recordings: Iterable[Recording],
    path: Path,
    sources: Mapping[str, Any],
    extras: pa.Table | None = None,
) -> int:
    """Write a plan of recordings, in their order; return how many there are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [*zip(COLUMNS, _types(), strict=True), *([] if extras is None else extras.schema)]
    content = json.dumps({"format": FORMAT, "sources": sources}, sort_keys=True)
    schema = pa.schema(fields).with_metadata({METADATA_KEY: content.encode()})
    count = 0
    stream = iter(recordings)
    with atomic_write(path) as file:
        hashed = _HashedFile(file)
        hashed.digest.update(content.encode())
        with pq.ParquetWriter(pa.PythonFile(hashed, "w"), schema, compression="zstd") as writer:
            while group := list(islice(stream, _ROWS_PER_GROUP)):
                writer.write_table(_table(group, extras, schema))
                count += len(group)
            writer.add_key_value_metadata({DIGEST_KEY: hashed.digest.hexdigest()})
    return count


@dataclass(slots=True)
class _HashedFile:
    """Hands on what Arrow writes, and hashes it."""

    file: IO[bytes]
    digest: Any = field(default_factory=hashlib.sha256)
    closed: bool = False

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        return self.file.write(content)

    def tell(self) -> int:
        return self.file.tell()

    def flush(self) -> None:
        self.file.flush()


def _table(group: list[Recording], extras: pa.Table | None, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    if any(recording.access != NO_ACCESS for recording in group):
        raise UsageError(
            "A plan holds no passwords or signatures, which some of these addresses need: scan the"
            " list of them itself"
        )
    columns = [
        pa.array([to_text(recording.root) for recording in group]),
        pa.array([to_text(recording.file) for recording in group]),
        pa.array([recording.size for recording in group], _types()[2]),
        pa.array([recording.mtime_ns for recording in group]).cast(_types()[3]),
        pa.array([recording.etag for recording in group], pa.string()),
    ]
    if extras is not None:
        # A recording that the manifest does not name has none of its columns.
        rows = pa.array([recording.row for recording in group], pa.int64())
        columns += extras.take(rows).columns
    return pa.table(columns, schema=schema)


def _types() -> tuple[Any, ...]:
    import pyarrow as pa

    return pa.string(), pa.string(), pa.int64(), pa.timestamp("ns", "UTC"), pa.string()
