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


UNKNOWN = -1

OF_THE_MACHINE = ("worker_died", "out_of_memory")
"""Reasons of failure that may have been no fault of the recording's."""

Place = tuple[int, int]
"""A source and a row in it."""


@dataclass(slots=True)
class KnownRows:
    """Rows by the identity of their recordings.

    A row is good for a recording of the same size and mtime, if it was computed by the same
    model with the same settings; where failures are to be tried again, only if it is none.
    """

    model: str
    retry_failed: bool = False
    keep_unreachable: bool = False
    """A recording that was named and is not there keeps the row of the earlier table."""
    _index: dict[str, int] = field(default_factory=dict)
    _sources: array[int] = field(default_factory=lambda: array("q"))
    _rows: array[int] = field(default_factory=lambda: array("q"))
    _sizes: array[int] = field(default_factory=lambda: array("q"))
    _mtimes: array[int] = field(default_factory=lambda: array("q"))
    _good: bytearray = field(default_factory=bytearray)
    _asked: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self._index)

    def add(
        self,
        source: int,
        first_row: int,
        batch: pa.RecordBatch,
        *,
        complete: bool = True,
        interrupted: bool = False,
    ) -> None:
        """Enter the rows of a source; a later entry for the same recording replaces the earlier.

        Rows that are not `complete`, since their windows are asked for and lost, are known but
        good for nothing. So are failures of an `interrupted` run that another fault may explain.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        roots, files = batch["root"].to_pylist(), batch["file"].to_pylist()
        good = pc.equal(batch["model"], self.model)
        if self.retry_failed:
            good = pc.and_(good, pc.equal(batch["status"], STATUS_OK))
        if interrupted:
            explained = pc.is_in(batch["reason"], pa.array(OF_THE_MACHINE))
            good = pc.and_(good, pc.invert(explained))
        mtimes = batch["mtime"].cast(pa.int64())
        first = len(self._rows)
        self._sources.extend([source] * len(files))
        self._rows.extend(range(first_row, first_row + len(files)))
        self._sizes.extend(pc.fill_null(batch["size"], UNKNOWN).to_pylist())
        self._mtimes.extend(pc.fill_null(mtimes, UNKNOWN).to_pylist())
        self._good.extend(complete and known for known in pc.fill_null(good, False).to_pylist())
        self._asked.extend(bytes(len(files)))
        for offset, (root, file) in enumerate(zip(roots, files, strict=True)):
            self._index[_key(root, file)] = first + offset

    def find(self, recording: Recording) -> tuple[bool, Place | None]:
        """Tell whether the recording is known at all, and where a row lies that is good for it."""
        entry = self._entry(recording)
        if entry is None:
            return False, None
        good = self._good[entry] and self._fits(entry, recording)
        return True, (self._sources[entry], self._rows[entry]) if good else None

    def ask(self, recording: Recording) -> None:
        """Note that the recording is among the sources."""
        entry = self._entry(recording)
        if entry is not None:
            self._asked[entry] = True

    def _entry(self, recording: Recording) -> int | None:
        return self._index.get(_key(to_text(recording.root), to_text(recording.file)))

    def _fits(self, entry: int, recording: Recording) -> bool:
        if recording.size is None:
            heard_once = self._sizes[entry] != UNKNOWN and self._sources[entry] == PREVIOUS
            return self.keep_unreachable and heard_once
        same_size = recording.size == self._sizes[entry]
        return same_size and recording.mtime_ns == self._mtimes[entry]

    def unasked(self) -> Iterator[tuple[Place, str, str]]:
        """Yield the place of every row whose recording nobody asked for, with root and file."""
        for key, entry in self._index.items():
            if not self._asked[entry]:
                root, _, file = key.partition("\0")
                yield (self._sources[entry], self._rows[entry]), root, file


def _key(root: str, file: str) -> str:
    return f"{root}\0{file}"
