"""Sorts recordings, as they are found, into those with a known row and chunks of those to analyse.

The plan keeps the order of the finished tables as ranges: a number of recordings of a chunk (or of
the previous table), from a given one on. Millions of rows that lie in order are one range.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from batchemo.batch.known_rows import KnownRows, RowPosition
from batchemo.common.text import from_text
from batchemo.sources import Recording
from batchemo.sources.objects import holds_objects, object_is_gone
from batchemo.storage.url import is_url
from batchemo.workers.executor import Chunk

FIRST_CHUNK = 4
FILES_PER_CHUNK = 256
BYTES_PER_CHUNK = 32 * 2**20
"""A chunk ends at either limit. The first are small, so that every worker has work at once and
the first rows come soon; a long recording soon fills one of its own."""

LEAST_FILES = 64
SECONDS_PER_CHUNK = 0.5
"""From so many files on, a chunk also ends with so many seconds of work, by what the chunks before
it took: a larger one costs the parent less for each file, until the end of a run, where the other
workers wait for the last one."""

OWN_COLUMNS = -1
"""Instead of a row of the manifest: the row keeps the columns that it has."""


ManifestRows: TypeAlias = "int | tuple[int | None, ...] | None"
"""The row of the manifest that names a recording, or `OWN_COLUMNS`; of a recording whose turns the
manifest gives, the row of each."""

ROWS_PER_CHUNK = 4096
"""From so many turns on a chunk ends too."""


@dataclass(slots=True)
class RowRange:
    """Consecutive recordings of one chunk, and of the manifest if it names them."""

    chunk: int
    start: int
    """The first of them, counted in recordings, of which each may have several rows."""
    length: int
    manifest: ManifestRows


@dataclass(slots=True)
class PlanCounts:
    """How many of the recordings found so far are new, changed or kept."""

    new: int = 0
    changed: int = 0
    kept: int = 0
    unreachable: int = 0
    """Those of the kept that were named and do not exist, or cannot be reached."""
    new_failures: int = 0
    """Those of the kept that failed in an interrupted run, and not in the previous table."""
    bytes: int = 0
    """The size of the new and changed recordings."""
    all_found: bool = False
    """Whether all sources were read to their end."""

    @property
    def to_do(self) -> int:
        """Recordings that this run analyses."""
        return self.new + self.changed


@dataclass(slots=True)
class Plan:
    """The order of the finished tables, known as far as the recordings have been found."""

    known_rows: KnownRows
    first_chunk: int = 0
    limit: int | None = None
    ranges: list[RowRange] = field(default_factory=list)
    counts: PlanCounts = field(default_factory=PlanCounts)
    _seconds: float = 0.0
    _bytes: int = 0
    """What finished chunks took, and their size."""

    def add_cost(self, chunk: Chunk, seconds: float) -> None:
        """Learn from a finished chunk how long workers take."""
        self._seconds += seconds
        self._bytes += chunk.bytes

    def chunks(self, recordings: Iterable[Recording]) -> Iterator[Chunk]:
        """Yield the chunks to analyse, while noting the order of all rows."""
        number, size, waiting, bytes_waiting = self.first_chunk, FIRST_CHUNK, list[Recording](), 0
        rows_waiting = 0
        for recording in self._to_do(recordings):
            waiting.append(recording)
            bytes_waiting += recording.size or 0
            rows_waiting += len(recording.turns or ())
            self._append((number, len(waiting) - 1), manifest_rows(recording))
            if (
                len(waiting) >= size
                or bytes_waiting >= BYTES_PER_CHUNK
                or rows_waiting >= ROWS_PER_CHUNK
                or (len(waiting) >= LEAST_FILES and self._takes_long(bytes_waiting))
            ):
                yield Chunk(number, tuple(waiting))
                number, waiting, bytes_waiting, rows_waiting = number + 1, [], 0, 0
                size = min(2 * size, FILES_PER_CHUNK)
        if waiting:
            yield Chunk(number, tuple(waiting))

    def _takes_long(self, size: int) -> bool:
        return bool(self._bytes) and size * self._seconds / self._bytes >= SECONDS_PER_CHUNK

    def _to_do(self, recordings: Iterable[Recording]) -> Iterator[Recording]:
        """Yield the recordings without a valid row, up to the limit; append the rows of others."""
        for recording in recordings:
            known, position = self.known_rows.find(recording)
            if position is not None:
                self.known_rows.mark_requested(recording)
                self.counts.kept += 1
                is_gone = recording.size is None
                self.counts.unreachable += is_gone and self.known_rows.was_read(recording)
                self.counts.new_failures += self.known_rows.is_new_failure(recording)
                self._append(position, manifest_rows(recording))
                continue
            # Before it is marked as requested: a recording beyond the limit keeps its earlier row.
            if self.counts.to_do == self.limit:
                return
            self.known_rows.mark_requested(recording)
            if known:
                self.counts.changed += 1
            else:
                self.counts.new += 1
            self.counts.bytes += recording.size or 0
            yield recording
        self.counts.all_found = True

    def keep(self, position: RowPosition) -> None:
        """Append a row whose recording is not among the sources, with the columns that it has."""
        self._append(position, OWN_COLUMNS)

    def _append(self, position: RowPosition, manifest: ManifestRows) -> None:
        chunk, row = position
        last = self.ranges[-1] if self.ranges else None
        if last is None or not _continues(last, chunk, row, manifest):
            self.ranges.append(RowRange(chunk, row, 1, manifest))
        else:
            last.length += 1


def manifest_rows(recording: Recording) -> ManifestRows:
    """Return the rows of the manifest that name a recording, or its turns."""
    rows = tuple(turn.row for turn in recording.turns or ())
    return recording.row if all(row is None for row in rows) else rows


def _continues(last: RowRange, chunk: int, row: int, manifest: ManifestRows) -> bool:
    if isinstance(last.manifest, tuple) or isinstance(manifest, tuple):
        return False
    if last.chunk != chunk or last.start + last.length != row:
        return False
    if last.manifest in (None, OWN_COLUMNS) or manifest in (None, OWN_COLUMNS):
        return last.manifest == manifest
    return last.manifest + last.length == manifest


@dataclass(slots=True)
class OrphanRows:
    """How many rows of the previous table had no recording among the sources, and were kept."""

    kept: int = 0
    pruned: int = 0
    empty_roots: set[str] = field(default_factory=set)
    """Roots that are not there or empty, as an unmounted disk is: their rows are kept."""


def keep_orphans(plan: Plan, *, prune: bool) -> OrphanRows:
    """Append orphan rows after all others; with `prune`, not those whose files are surely gone.

    Files below a root that is empty are not surely gone: an unmounted disk looks the same.
    """
    orphans = OrphanRows()
    holds_files: dict[str, bool] = {}
    for position, root, file in plan.known_rows.orphans():
        if prune and is_gone(root, file):
            if root not in holds_files:
                holds_files[root] = _holds_files(root)
            if holds_files[root]:
                orphans.pruned += 1
                continue
            orphans.empty_roots.add(root)
        plan.keep(position)
        orphans.kept += 1
    return orphans


def is_gone(root: str, file: str) -> bool:
    """Return whether there is certainly no such file; one that cannot be looked up may exist."""
    if is_url(root):
        return object_is_gone(os.path.join(root, from_text(file)))
    try:
        os.lstat(os.path.join(from_text(root), from_text(file)))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _holds_files(root: str) -> bool:
    if is_url(root):
        return holds_objects(root)
    try:
        with os.scandir(from_text(root)) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
