"""Partitioned tables: a folder of Parquet files, one for each value of what the rows are parted by.

    results/
      _batchemo.json                      names the files that are the table; written last
      speaker=anna/3f9a0c52b1d4e67f.parquet   the rows of anna, without the column speaker
      speaker=(none)/81d0c2…              those without a speaker

Other programs read this layout, Hive's, as one table. A file is named after its content: so a
partition that has not changed keeps its file, and while a new table takes the place of an older
one, the files of both are there, and the manifest says which are the table.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from batchemo.common.memory import is_out_of_memory
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, UsageError
from batchemo.storage.requests import delete, download, list_objects, upload
from batchemo.storage.url import split_url
from batchemo.tables.summary import NO_GROUP, group_names, is_path_part

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "_batchemo.json"
FORMAT = 1
FILE = re.compile(r"[^/=]+=[^/=]+/[0-9a-f]{16}\.parquet")
"""The name of a partition's file; nothing else in the folder is ours."""
_LONGEST = 200
"""Bytes of a folder's name; file systems allow 255."""
_REQUESTS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Partition:
    """A file of the table, and the value that all of its rows have."""

    file: str
    value: str | None
    rows: int


@dataclass(frozen=True)
class Partitions:
    """What a partitioned table consists of."""

    by: str
    """What the rows are parted by, as `group_names` takes it."""
    schema: pa.Schema
    """Of the whole table, with the run that made it."""
    files: tuple[Partition, ...]

    @property
    def file_schema(self) -> pa.Schema:
        """The schema of a file: without the column that its folder's name gives."""
        import pyarrow as pa

        return pa.schema([field for field in self.schema if field.name != self.by])

    def to_json(self) -> bytes:
        """Return the content of the manifest."""
        content = {
            "format": FORMAT,
            "partition_by": self.by,
            "schema": base64.b64encode(self.schema.serialize().to_pybytes()).decode(),
            "files": [asdict(file) for file in self.files],
        }
        return json.dumps(content, indent=1).encode()

    def whole_rows(self, batch: pa.RecordBatch, value: str | None) -> pa.RecordBatch:
        """Return rows of a file with the column that its folder's name gives, as text or number."""
        import pyarrow as pa

        columns = {name: batch[name] for name in batch.schema.names}
        if self.by in self.schema.names:
            kind = self.schema.field(self.by).type
            if pa.types.is_dictionary(kind):
                kind = pa.string()
            text = pa.scalar(value, pa.string())
            columns[self.by] = pa.repeat(text, batch.num_rows).cast(kind)
        names = [name for name in self.schema.names if name in columns]
        return pa.record_batch([columns[name] for name in names], names)


def is_partitioned(path: Path) -> bool:
    """Whether a path is that of a partitioned table."""
    return (path / MANIFEST).is_file()


def holds_other_files(path: Path) -> bool:
    """Whether a folder holds what no partitioned table put there."""
    return path.is_dir() and not is_partitioned(path) and any(path.iterdir())


def read_manifest(folder: Path) -> Partitions:
    """Read what a partitioned table consists of; ValueError where the manifest is damaged."""
    import pyarrow as pa

    content = json.loads((folder / MANIFEST).read_bytes())
    try:
        if content["format"] != FORMAT:
            raise ValueError("it is of another version")
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(content["schema"])))
        files = tuple(Partition(**file) for file in content["files"])
        by = str(content["partition_by"])
    except (KeyError, TypeError, pa.ArrowException) as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        raise ValueError(f"its manifest {MANIFEST} is damaged ({error!r})") from error
    # A manifest may come from somebody else: it must lead to no other file.
    if not all(FILE.fullmatch(file.file) and ".." not in file.file for file in files):
        raise ValueError(f"its manifest {MANIFEST} names files that are none of a table")
    return Partitions(by, schema, files)


def fetch_partitions(url: str, folder: Path) -> None:
    """Copy a partitioned table from a bucket into a folder; FileNotFoundError if there is none."""
    folder.mkdir(exist_ok=True)
    download(f"{url}/{MANIFEST}", folder / MANIFEST)
    try:
        files = read_manifest(folder).files
    except ValueError:
        return  # Whoever reads the copy says that it is damaged.
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as threads:
        copied = []
        for file in files:
            (folder / file.file).parent.mkdir(exist_ok=True)
            copied.append(threads.submit(_fetch_file, f"{url}/{file.file}", folder / file.file))
        for each in copied:
            each.result()


def _fetch_file(url: str, path: Path) -> None:
    try:
        download(url, path)
    except FileNotFoundError:
        raise BatchemoError(
            f"{for_display(url)}: this part of the table is gone. Put it back, or write over the"
            " table with --overwrite"
        ) from None


def put_partitions(folder: Path, url: str, check: Callable[[], None]) -> None:
    """Make what is in a bucket the table that is in a folder; its manifest is the last to change.

    `check` is called before that, and raises if the bucket may not be written to any more.
    """
    there = set(_stored(url))
    files = {file.file for file in read_manifest(folder).files}
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as threads:
        for put in [
            threads.submit(upload, folder / file, f"{url}/{file}") for file in sorted(files - there)
        ]:
            put.result()
    check()
    upload(folder / MANIFEST, f"{url}/{MANIFEST}")
    delete([f"{url}/{name}" for name in sorted(there - files) if FILE.fullmatch(name)])


def bucket_holds_others(url: str) -> bool:
    """Whether objects are below a name in a bucket that no partitioned table put there."""
    return any(name != MANIFEST and not FILE.fullmatch(name) for name in _stored(url))


def _stored(url: str) -> Iterator[str]:
    start = len(split_url(url)[1]) + 1
    for info in list_objects(url):
        yield info.key[start:]


def partition_key(by: str) -> str:
    """Return what stands before the value in the names of folders.

    >>> partition_key("speaker"), partition_key("part:2"), partition_key("regex:^s([0-9]+)")
    ('speaker', 'part2', 'group')
    """
    if by.startswith("regex:"):
        return "group"
    return quote(by.replace(":", "") if is_path_part(by) else by, safe=" ")


def partition_folder(key: str, value: str | None) -> str:
    """Name the folder of a partition; UsageError if no file system has such a long name.

    >>> partition_folder("folder", "2024/anna"), partition_folder("speaker", None)
    ('folder=2024%2Fanna', 'speaker=(none)')
    """
    # Not Hive's own name for null, with which pandas cannot read the table. It is no value's name:
    # these have no brackets.
    name = f"{key}={NO_GROUP if value is None else quote(value, safe=' ')}"
    if len(name) > _LONGEST:
        raise UsageError(
            f"--partition-by: {name[:80]}…: this value is too long for the name of a folder: part"
            " by something shorter"
        )
    return name


def split_rows(table: pa.Table, by: str) -> Iterator[tuple[str | None, pa.Table]]:
    """Yield the rows of each partition, in their order, by the value that they have."""
    import numpy as np
    import pyarrow as pa

    values = group_names(table, by)
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    codes = values.dictionary_encode(null_encoding="encode")
    indices = np.asarray(codes.indices)
    order = np.argsort(indices, kind="stable")
    edges = np.flatnonzero(np.diff(indices[order])) + 1
    for rows in np.split(order, edges):
        if len(rows):
            value = codes.dictionary[int(indices[rows[0]])].as_py()
            yield value, table.take(pa.array(rows))
