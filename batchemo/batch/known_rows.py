"""What earlier runs have done: finds the row of a recording that has not changed since."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchemo.batch.chunk_store import PREVIOUS
from batchemo.common.text import to_text
from batchemo.sources import Recording
from batchemo.tables.schema import STATUS_OK

if TYPE_CHECKING:
    import pyarrow as pa

_UNKNOWN = -1
"""A size or mtime that is null in the table; no file has it."""

TRANSIENT_REASONS = ("unreadable", "worker_died", "out_of_memory")
"""Reasons of failure that may have had nothing to do with the recording: a disk or a share that did
not answer, too little memory, a process that somebody killed."""

RowPosition = tuple[int, int]
"""The number of a chunk (or `PREVIOUS`) and a row in it."""


@dataclass(slots=True)
class KnownRows:
    """Rows by the identity of their recordings.

    A row is valid for a recording of the same size and mtime if it was computed by the same model
    with the same settings; where failures are to be tried again, only if it is none.

    The columns are arrays of machine integers, since there is an entry for each of millions of
    recordings: Python objects would take ten times the memory.
    """

    model: str
    retry_failed: bool = False
    keep_unreachable: bool = False
    """Whether a recording that was named and is not there keeps its row of the previous table."""
    _index: dict[str, int] = field(default_factory=dict)
    _chunks: array[int] = field(default_factory=lambda: array("q"))
    _rows: array[int] = field(default_factory=lambda: array("q"))
    _sizes: array[int] = field(default_factory=lambda: array("q"))
    _mtimes: array[int] = field(default_factory=lambda: array("q"))
    _valid: bytearray = field(default_factory=bytearray)
    _requested: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self._index)

    def add(
        self,
        chunk: int,
        first_row: int,
        batch: pa.RecordBatch,
        *,
        retry_transient: bool = False,
    ) -> None:
        """Add the rows of a chunk; a later row of the same recording replaces the earlier one.

        Rows whose windows are asked for and lost are known but not valid. So are, with
        `retry_transient`, failures for `TRANSIENT_REASONS`.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        roots, files = batch["root"].to_pylist(), batch["file"].to_pylist()
        valid = pc.equal(batch["model"], self.model)
        if self.retry_failed:
            valid = pc.and_(valid, pc.equal(batch["status"], STATUS_OK))
        if "segments" in batch.schema.names:
            stored = pc.list_value_length(batch["segments"])
            complete = pc.equal(pc.fill_null(stored, 0), pc.fill_null(batch["windows"], 0))
            valid = pc.and_(valid, complete)
        if retry_transient:
            transient = pc.is_in(batch["reason"], pa.array(TRANSIENT_REASONS))
            valid = pc.and_(valid, pc.invert(transient))
        mtimes = batch["mtime"].cast(pa.int64())
        first = len(self._rows)
        self._chunks.extend([chunk] * len(files))
        self._rows.extend(range(first_row, first_row + len(files)))
        self._sizes.extend(pc.fill_null(batch["size"], _UNKNOWN).to_pylist())
        self._mtimes.extend(pc.fill_null(mtimes, _UNKNOWN).to_pylist())
        self._valid.extend(pc.fill_null(valid, False).to_pylist())
        self._requested.extend(bytes(len(files)))
        for offset, (root, file) in enumerate(zip(roots, files, strict=True)):
            self._index[_key(root, file)] = first + offset

    def find(self, recording: Recording) -> tuple[bool, RowPosition | None]:
        """Return whether the recording is known at all, and the position of a valid row."""
        entry = self._entry(recording)
        if entry is None:
            return False, None
        valid = self._valid[entry] and self._is_unchanged(entry, recording)
        return True, (self._chunks[entry], self._rows[entry]) if valid else None

    def mark_requested(self, recording: Recording) -> None:
        """Note that the recording is among the sources."""
        entry = self._entry(recording)
        if entry is not None:
            self._requested[entry] = True

    def _entry(self, recording: Recording) -> int | None:
        return self._index.get(_key(to_text(recording.root), to_text(recording.file)))

    def _is_unchanged(self, entry: int, recording: Recording) -> bool:
        if recording.size is None:
            was_analysed = self._sizes[entry] != _UNKNOWN and self._chunks[entry] == PREVIOUS
            return self.keep_unreachable and was_analysed
        same_size = recording.size == self._sizes[entry]
        return same_size and recording.mtime_ns == self._mtimes[entry]

    def orphans(self) -> Iterator[tuple[RowPosition, str, str]]:
        """Yield position, root and file of every row whose recording is not among the sources."""
        for key, entry in self._index.items():
            if not self._requested[entry]:
                root, _, file = key.partition("\0")
                yield (self._chunks[entry], self._rows[entry]), root, file


def _key(root: str, file: str) -> str:
    # One string instead of a tuple of two: half the memory of the index.
    return f"{root}\0{file}"
