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

    from batchemo.tables.rows import RecordingResult

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

    A row is valid for a recording of the same size and version if it was computed by the same model
    with the same settings, and if it is no failure that is to be tried again. The version of an
    object that has an ETag is that, and of everything else the time of its last change.

    The columns are arrays of machine integers, since there is an entry for each of millions of
    recordings: Python objects would take ten times the memory.
    """

    model: str
    retry_failed: bool = False
    retry_reasons: tuple[str, ...] = ()
    max_tries: int | None = None
    """How many runs may try a recording that fails; None for any number, which is not counted."""
    keep_unreachable: bool = False
    """Whether a recording that was named and is not there keeps its row of the previous table."""
    keep_missing: bool = False
    """Whether a row is valid which says that its recording was missing, if it still is."""
    transient: int = 0
    """Rows of the previous table that `retry_transient` makes invalid, or would make."""
    predicted_again: int = 0
    """Rows of the previous table that got their predictions in this run, without decoding."""
    _index: dict[str, int] = field(default_factory=dict)
    _chunks: array[int] = field(default_factory=lambda: array("q"))
    _rows: array[int] = field(default_factory=lambda: array("q"))
    _sizes: array[int] = field(default_factory=lambda: array("q"))
    _versions: array[int] = field(default_factory=lambda: array("q"))
    _valid: bytearray = field(default_factory=bytearray)
    _requested: bytearray = field(default_factory=bytearray)
    _failed: bytearray = field(default_factory=bytearray)
    _tries: array[int] = field(default_factory=lambda: array("i"))
    """Where tries are counted: of failures, those of the same model."""
    _failed_before: dict[str, int] = field(default_factory=dict)
    """The entries of failures of the previous table, whose rows a chunk may have replaced since."""

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

        Rows whose windows are asked for and lost are known but not valid. So are failures that are
        to be retried: with `retry_transient` those for `TRANSIENT_REASONS` too.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        roots, files = batch["root"].to_pylist(), batch["file"].to_pylist()
        valid = pc.equal(batch["model"], self.model)
        failed = pc.not_equal(batch["status"], STATUS_OK)
        transient = pc.is_in(batch["reason"], pa.array(TRANSIENT_REASONS))
        again = pc.is_in(batch["reason"], pa.array(self.retry_reasons, pa.string()))
        if self.retry_failed:
            again = failed
        if retry_transient:
            again = pc.or_(again, transient)
        if self.max_tries is not None:
            tries = _count_tries(batch, same_model=valid)
            self._tries.extend(tries.to_pylist())
            may_retry = pc.less(tries, self.max_tries)
            again, transient = pc.and_(again, may_retry), pc.and_(transient, may_retry)
        if chunk == PREVIOUS:
            self.transient += pc.sum(pc.and_(valid, transient)).as_py() or 0
        valid = pc.and_(valid, pc.invert(again))
        if "segments" in batch.schema.names:
            stored = pc.list_value_length(batch["segments"])
            complete = pc.equal(pc.fill_null(stored, 0), pc.fill_null(batch["windows"], 0))
            valid = pc.and_(valid, complete)
        if "by_window" in batch.schema.names:
            valid = pc.and_(valid, pc.or_(failed, batch["by_window"].is_valid()))
        mtimes = pc.fill_null(batch["mtime"].cast(pa.int64()), _UNKNOWN).to_pylist()
        first = len(self._rows)
        self._chunks.extend([chunk] * len(files))
        self._rows.extend(range(first_row, first_row + len(files)))
        self._sizes.extend(pc.fill_null(batch["size"], _UNKNOWN).to_pylist())
        self._versions.extend(map(_version, mtimes, batch["etag"].to_pylist()))
        self._valid.extend(pc.fill_null(valid, False).to_pylist())
        self._requested.extend(bytes(len(files)))
        self._failed.extend(pc.fill_null(failed, True).to_pylist())
        for entry, (root, file) in enumerate(zip(roots, files, strict=True), first):
            key = _key(root, file)
            self._index[key] = entry
            if chunk == PREVIOUS and self._failed[entry]:
                self._failed_before[key] = entry

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

    def next_tries(self, result: RecordingResult) -> int | None:
        """Return how many runs have tried the recording, this one included; None if no failure.

        A recording that is missing was not tried, and one that has changed is another.
        """
        if result.reason in (None, "missing"):
            return None
        entry = self._failed_before.get(_key(result.root, result.file))
        if entry is None:
            return 1
        size = _UNKNOWN if result.size is None else result.size
        version = _version(result.mtime_ns, result.etag)
        is_unchanged = (size, version) == (self._sizes[entry], self._versions[entry])
        return 1 + (self._tries[entry] if is_unchanged else 0)

    def was_read(self, recording: Recording) -> bool:
        """Return whether its row, which must be known, is of a file that was there."""
        return self._sizes[self._index[_key(*_names(recording))]] != _UNKNOWN

    def mark_requested(self, recording: Recording) -> None:
        """Note that the recording is among the sources."""
        entry = self._entry(recording)
        if entry is not None:
            self._requested[entry] = True

    def _entry(self, recording: Recording) -> int | None:
        if not self._index:
            return None
        return self._index.get(_key(*_names(recording)))

    def _is_unchanged(self, entry: int, recording: Recording) -> bool:
        if recording.size is None:
            was_there = self._sizes[entry] != _UNKNOWN
            keep = self.keep_unreachable if was_there else self.keep_missing
            return keep and self._chunks[entry] == PREVIOUS
        same_size = recording.size == self._sizes[entry]
        version = _version(recording.mtime_ns, recording.etag)
        return same_size and version == self._versions[entry]

    def orphans(self) -> Iterator[tuple[RowPosition, str, str]]:
        """Yield position, root and file of every row whose recording is not among the sources."""
        for key, entry in self._index.items():
            if not self._requested[entry]:
                root, _, file = key.partition("\0")
                yield (self._chunks[entry], self._rows[entry]), root, file


def _version(mtime_ns: int | None, etag: str | None) -> int:
    """Return a number that differs between two versions of a recording."""
    if etag is not None:
        return hash(etag)
    return _UNKNOWN if mtime_ns is None else mtime_ns


def _names(recording: Recording) -> tuple[str, str]:
    """Return root and file as they stand in a table."""
    return to_text(recording.root), to_text(recording.file)


def _count_tries(batch: pa.RecordBatch, *, same_model: pa.BooleanArray) -> pa.Int32Array:
    """Return how often each row's recording was tried by the same model.

    Once at least, also where the run that made the row did not count.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    counted = "tries" in batch.schema.names
    tries = batch["tries"] if counted else pa.nulls(batch.num_rows, pa.int32())
    return pc.if_else(pc.fill_null(same_model, False), pc.fill_null(tries, 1), 0)


def _key(root: str, file: str) -> str:
    # One string instead of a tuple of two: half the memory of the index.
    return f"{root}\0{file}"
