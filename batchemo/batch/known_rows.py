"""What earlier runs have done: finds the row of a recording that has not changed since."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from batchemo.batch.chunk_store import PREVIOUS
from batchemo.batch.name_index import NameIndex
from batchemo.batch.row_groups import group_starts
from batchemo.common.arrays import Int64
from batchemo.common.text import for_display, to_text
from batchemo.sources import Recording
from batchemo.tables.read import UnreadableTableError
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
"""The number of a chunk (or `PREVIOUS`), and of a recording in it: that of its row, where each has
one."""


@dataclass(slots=True)
class KnownRows:
    """Rows by the identity of their recordings.

    A row is valid for a recording of the same size and version if it was computed by the same model
    with the same settings, and if it is no failure that is to be tried again. The version of an
    object that has an ETag is that, and of everything else the time of its last change.

    The columns are arrays of machine integers, and names are looked up by `NameIndex`, since there
    is an entry for each of millions of recordings: 32 bytes, a tenth of what Python objects take.
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
    turns: tuple[str, ...] = ()
    """The columns of turns that the table has; with any, a recording may have several rows."""
    predicted_again: int = 0
    """Rows of the previous table that got their predictions in this run, without decoding."""
    _names: NameIndex = field(default_factory=NameIndex)
    _blocks: list[_Block] = field(default_factory=list)
    _block_starts: list[int] = field(default_factory=list)
    """The first entry of each block."""
    _sizes: array[int] = field(default_factory=lambda: array("q"))
    _versions: array[int] = field(default_factory=lambda: array("q"))
    _valid: bytearray = field(default_factory=bytearray)
    _requested: bytearray = field(default_factory=bytearray)
    _failed: bytearray = field(default_factory=bytearray)
    _tries: array[int] = field(default_factory=lambda: array("i"))
    """Where tries are counted: of failures, those of the same model."""
    _turns: array[int] = field(default_factory=lambda: array("q"))
    """Where turns are given: a hash of those that the rows are of."""
    _last_asked: tuple[Recording | None, int | None] = (None, None)
    """The recording that was asked for last, and its entry: it is asked for several times."""

    def __len__(self) -> int:
        return len(self._names)

    def add(
        self,
        chunk: int,
        first_row: int,
        batch: pa.RecordBatch,
        *,
        retry_transient: bool = False,
    ) -> int:
        """Add the rows of a chunk; return of how many recordings.

        What is added later of a recording replaces what was added earlier. Its rows must be in one
        batch, one after another; unless all of them are valid, none is. Rows whose windows are
        asked for and lost are known but not valid. So are failures that are to be retried: with
        `retry_transient` those for `TRANSIENT_REASONS` too.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        valid = pc.equal(batch["model"], self.model)
        failed = pc.not_equal(batch["status"], STATUS_OK)
        transient = pc.is_in(batch["reason"], pa.array(TRANSIENT_REASONS))
        again = pc.is_in(batch["reason"], pa.array(self.retry_reasons, pa.string()))
        if self.retry_failed:
            again = failed
        if retry_transient:
            again = pc.or_(again, transient)
        tries = None
        if self.max_tries is not None:
            tries = _count_tries(batch, same_model=valid)
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
        is_valid, has_failed = pc.fill_null(valid, False), pc.fill_null(failed, True)
        firsts = batch
        if self.turns:
            starts = group_starts(batch)
            firsts = batch.take(pa.array(starts[:-1]))
            # All rows of a recording count, or none; it has failed if one of them has.
            is_valid = pa.array(_reduce(np.minimum, is_valid, starts))
            has_failed = pa.array(_reduce(np.maximum, has_failed, starts))
            tries = None if tries is None else pa.array(_reduce(np.maximum, tries, starts))
            if "speaker" in self.turns:
                self._turns.extend(_turn_hashes(batch, starts))
        if tries is not None:
            self._tries.extend(tries.to_pylist())
        self._valid.extend(is_valid.to_pylist())
        self._failed.extend(has_failed.to_pylist())
        self._add_recordings(chunk, first_row, firsts)
        return int(firsts.num_rows)

    def _add_recordings(self, chunk: int, first_row: int, batch: pa.RecordBatch) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        roots, files = batch["root"], batch["file"]
        if chunk != PREVIOUS:
            # Copied: each chunk is a file that is mapped into memory, of which a process may have
            # some ten thousands.
            roots, files = (pa.array(names.to_pylist(), pa.string()) for names in (roots, files))
        self._block_starts.append(len(self._sizes))
        self._blocks.append(_Block(chunk, first_row, roots, files))
        self._names.extend(zip(roots.to_pylist(), files.to_pylist(), strict=True))
        self._last_asked = (None, None)
        mtimes = pc.fill_null(batch["mtime"].cast(pa.int64()), _UNKNOWN).to_pylist()
        self._sizes.extend(pc.fill_null(batch["size"], _UNKNOWN).to_pylist())
        self._versions.extend(map(_version, mtimes, batch["etag"].to_pylist()))
        self._requested.extend(bytes(batch.num_rows))

    def check_together(self) -> None:
        """Raise an error unless the rows of each recording stand together, as far as added."""
        if len(self._names) == len(self._sizes):
            return
        first = next(first for first, last in self._names.first_and_last() if first != last)
        block, row = self._place(first)
        raise UnreadableTableError(
            f"the rows of {for_display(block.files[row].as_py())} do not stand together in the"
            " earlier table, as those of one recording must: use --overwrite, or another output"
        )

    def find(self, recording: Recording) -> tuple[bool, RowPosition | None]:
        """Return whether the recording is known at all, and the position of a valid row."""
        entry = self._entry(recording)
        if entry is None:
            return False, None
        valid = self._valid[entry] and self._is_unchanged(entry, recording)
        if valid and self._turns:
            valid = self._turns[entry] == _turn_hash(recording)
        return True, self._position(entry) if valid else None

    def is_new_failure(self, recording: Recording) -> bool:
        """Return whether its row is a failure that the previous table does not have."""
        entry = self._entry(recording)
        failed = entry is not None and self._failed[entry]
        return bool(failed) and not self.had_failed(*_names(recording))

    def had_failed(self, root: str, file: str) -> bool:
        """Return whether the previous table has a failed row of the recording, named as there."""
        return self._failed_before(root, file) is not None

    def _failed_before(self, root: str, file: str) -> int | None:
        """Return the entry of a failed row of the previous table, if a chunk's replaced it too."""
        for entry in self._names.all(root, file):
            if self._failed[entry] and self._place(entry)[0].chunk == PREVIOUS:
                return entry
        return None

    def next_tries(self, result: RecordingResult) -> int | None:
        """Return how many runs have tried the recording, this one included; None if no failure.

        A recording that is missing was not tried, and one that has changed is another.
        """
        if result.reason in (None, "missing"):
            return None
        entry = self._failed_before(result.root, result.file)
        if entry is None:
            return 1
        size = _UNKNOWN if result.size is None else result.size
        version = _version(result.mtime_ns, result.etag)
        is_unchanged = (size, version) == (self._sizes[entry], self._versions[entry])
        return 1 + (self._tries[entry] if is_unchanged else 0)

    def was_read(self, recording: Recording) -> bool:
        """Return whether its row, which must be known, is of a file that was there."""
        entry = self._entry(recording)
        assert entry is not None
        return self._sizes[entry] != _UNKNOWN

    def mark_requested(self, recording: Recording) -> None:
        """Note that the recording is among the sources."""
        entry = self._entry(recording)
        if entry is not None:
            self._requested[entry] = True

    def _entry(self, recording: Recording) -> int | None:
        if not self._sizes:
            return None
        asked, entry = self._last_asked
        if asked is not recording:
            entry = self._names.last(*_names(recording))
            self._last_asked = recording, entry
        return entry

    def _place(self, entry: int) -> tuple[_Block, int]:
        """Return the block of an entry, and its number there."""
        number = bisect_right(self._block_starts, entry) - 1
        return self._blocks[number], entry - self._block_starts[number]

    def _position(self, entry: int) -> RowPosition:
        block, row = self._place(entry)
        return block.chunk, block.first_row + row

    def _is_unchanged(self, entry: int, recording: Recording) -> bool:
        if recording.size is None:
            was_there = self._sizes[entry] != _UNKNOWN
            keep = self.keep_unreachable if was_there else self.keep_missing
            return keep and self._place(entry)[0].chunk == PREVIOUS
        same_size = recording.size == self._sizes[entry]
        version = _version(recording.mtime_ns, recording.etag)
        return same_size and version == self._versions[entry]

    def orphans(self) -> Iterator[tuple[RowPosition, str, str]]:
        """Yield position, root and file of every row whose recording is not among the sources."""
        for first, last in self._names.first_and_last():
            if not self._requested[last]:
                block, row = self._place(first)
                yield self._position(last), block.roots[row].as_py(), block.files[row].as_py()


@dataclass(frozen=True, slots=True)
class _Block:
    """Successive entries, of successive rows of a chunk."""

    chunk: int
    first_row: int
    roots: pa.StringArray
    files: pa.StringArray


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


def _reduce(reduce: np.ufunc, column: pa.Array, starts: Int64) -> np.ndarray:
    """Return the least or the greatest value of each group of rows."""
    values = column.to_numpy(zero_copy_only=False)
    found: np.ndarray = reduce.reduceat(values, starts[:-1]) if len(values) else values
    return found


_TURN_REASONS = ("bad_turns", "no_turns")
"""Why a recording has a row that is not of a turn: until its turns are known."""


def _turn_hashes(batch: pa.RecordBatch, starts: Int64) -> Iterator[int]:
    """Return a hash of the turns of each group of rows, to be compared in this process only."""
    names = ("start", "end", "speaker", "channel", "reason")
    rows = list(zip(*(batch[name].to_pylist() for name in names), strict=True))
    keys = [
        (_milliseconds(start), _milliseconds(end), speaker, channel)
        if reason not in _TURN_REASONS
        else (reason,)
        for start, end, speaker, channel, reason in rows
    ]
    for first, last in pairwise(starts.tolist()):
        yield hash(tuple(keys[first:last]))


def _turn_hash(recording: Recording) -> int:
    if recording.problem is not None:
        return hash(((recording.problem[0],),))
    return hash(
        tuple(
            (_milliseconds(turn.start), _milliseconds(turn.end), turn.speaker, turn.channel)
            for turn in recording.turns or ()
        )
    )


def _milliseconds(seconds: float | None) -> int | None:
    # CSV has no more digits.
    return None if seconds is None else round(seconds * 1000)
