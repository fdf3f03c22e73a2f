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

TRANSIENT_REASONS = ("unreadable", "needs_av", "worker_died", "out_of_memory")
"""Reasons of failure that may have had nothing to do with the recording: a disk or a share that did
not answer, a package that is missing, too little memory, a process that somebody killed."""

RowPosition = tuple[int, int]
"""The number of a chunk (or `PREVIOUS`) and a row in it."""


@dataclass(slots=True)
class KnownRows:
    """Rows by the identity of their recordings.

    A row is valid for a recording of the same size and mtime if it was computed by the same model
    with the same settings, and if it is no failure that is to be tried again.

    The columns are arrays of machine integers, since there is an entry for each of millions of
    recordings: Python objects would take ten times the memory.
    """

    model: str
    retry_failed: bool = False
    retry_reasons: tuple[str, ...] = ()
    keep_unreachable: bool = False
    """Whether a recording that was named and is not there keeps its row of the previous table."""
    _index: dict[str, int] = field(default_factory=dict)
    _chunks: array[int] = field(default_factory=lambda: array("q"))
    _rows: array[int] = field(default_factory=lambda: array("q"))
    _sizes: array[int] = field(default_factory=lambda: array("q"))
    _mtimes: array[int] = field(default_factory=lambda: array("q"))
    _valid: bytearray = field(default_factory=bytearray)
    _requested: bytearray = field(default_factory=bytearray)
    _failed: bytearray = field(default_factory=bytearray)
    _failed_before: set[str] = field(default_factory=set)
    """The failures of the previous table, whose rows a chunk may have replaced since."""

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
        failed = pc.not_equal(batch["status"], STATUS_OK)
        if self.retry_failed:
            valid = pc.and_(valid, pc.invert(failed))
        retried = self.retry_reasons + (TRANSIENT_REASONS if retry_transient else ())
        if retried:
            again = pc.is_in(batch["reason"], pa.array(retried))
            valid = pc.and_(valid, pc.invert(again))
        if "segments" in batch.schema.names:
            stored = pc.list_value_length(batch["segments"])
            complete = pc.equal(pc.fill_null(stored, 0), pc.fill_null(batch["windows"], 0))
            valid = pc.and_(valid, complete)
        mtimes = batch["mtime"].cast(pa.int64())
        first = len(self._rows)
        self._chunks.extend([chunk] * len(files))
        self._rows.extend(range(first_row, first_row + len(files)))
        self._sizes.extend(pc.fill_null(batch["size"], _UNKNOWN).to_pylist())
        self._mtimes.extend(pc.fill_null(mtimes, _UNKNOWN).to_pylist())
        self._valid.extend(pc.fill_null(valid, False).to_pylist())
        self._requested.extend(bytes(len(files)))
        self._failed.extend(pc.fill_null(failed, True).to_pylist())
        for entry, (root, file) in enumerate(zip(roots, files, strict=True), first):
            key = _key(root, file)
            self._index[key] = entry
            if chunk == PREVIOUS and self._failed[entry]:
                self._failed_before.add(key)

    def find(self, recording: Recording) -> tuple[bool, RowPosition | None]:
        """Return whether the recording is known at all, and the position of a valid row."""
        entry = self._entry(recording)
        if entry is None:
            return False, None
        valid = self._valid[entry] and self._is_unchanged(entry, recording)
        return True, (self._chunks[entry], self._rows[entry]) if valid else None

    def is_new_failure(self, recording: Recording) -> bool:
        """Return whether its row is a failure that the previous table does not have."""
        entry = self._entry(recording)
        failed = entry is not None and self._failed[entry]
        return bool(failed) and not self.had_failed(*_names(recording))

    def had_failed(self, root: str, file: str) -> bool:
        """Return whether the previous table has a failed row of the recording, named as there."""
        return _key(root, file) in self._failed_before

    def mark_requested(self, recording: Recording) -> None:
        """Note that the recording is among the sources."""
        entry = self._entry(recording)
        if entry is not None:
            self._requested[entry] = True

    def _entry(self, recording: Recording) -> int | None:
        return self._index.get(_key(*_names(recording)))

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


def _names(recording: Recording) -> tuple[str, str]:
    """Return root and file as they stand in a table."""
    return to_text(recording.root), to_text(recording.file)


def _key(root: str, file: str) -> str:
    # One string instead of a tuple of two: half the memory of the index.
    return f"{root}\0{file}"
