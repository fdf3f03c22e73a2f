"""Sorts recordings, as they are found, into what is known already and chunks of what is to do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from batchemo.batch.known_rows import KnownRows, Place
from batchemo.common.text import from_text
from batchemo.sources import Recording
from batchemo.workers.executor import Chunk

FIRST_CHUNK = 4
FILES_A_CHUNK = 64
BYTES_A_CHUNK = 32 * 2**20
"""A chunk ends at either limit. The first are small, so that every worker has work at once and
the first rows come soon; a long recording soon fills one of its own."""


OWN = -1
"""Instead of a place in the manifest: the row keeps the columns that it has."""


@dataclass(slots=True)
class RowRange:
    """Rows that lie together in one source, and in the manifest, if they have a place there."""

    source: int
    start: int
    length: int
    manifest: int | None


@dataclass(slots=True)
class PlanCounts:
    """What became of the recordings that were found."""

    new: int = 0
    changed: int = 0
    kept: int = 0
    unreachable: int = 0
    """Those of the kept that were named and are not there."""
    bytes: int = 0
    """The size of what is new or changed."""
    whole: bool = False
    """All sources were walked to their end."""

    @property
    def to_do(self) -> int:
        """Recordings that this run analyses."""
        return self.new + self.changed


@dataclass(slots=True)
class Plan:
    """The order of the finished table, known as far as the recordings have been found."""

    known_rows: KnownRows
    first_part: int = 0
    limit: int | None = None
    runs: list[RowRange] = field(default_factory=list)
    counts: PlanCounts = field(default_factory=PlanCounts)

    def chunks(self, recordings: Iterable[Recording]) -> Iterator[Chunk]:
        """Yield what is to do, while noting the order of all."""
        number, size, waiting, weight = self.first_part, FIRST_CHUNK, list[Recording](), 0
        for recording in self._within_limit(recordings):
            waiting.append(recording)
            weight += recording.size or 0
            self._note((number, len(waiting) - 1), recording.row)
            if len(waiting) >= size or weight >= BYTES_A_CHUNK:
                yield Chunk(number, tuple(waiting))
                number, waiting, weight = number + 1, [], 0
                size = min(2 * size, FILES_A_CHUNK)
        if waiting:
            yield Chunk(number, tuple(waiting))

    def _within_limit(self, recordings: Iterable[Recording]) -> Iterator[Recording]:
        """Yield the recordings that no earlier run has done, up to the limit; note the others."""
        for recording in recordings:
            known, place = self.known_rows.find(recording)
            if place is not None:
                self.known_rows.ask(recording)
                self.counts.kept += 1
                self.counts.unreachable += recording.size is None
                self._note(place, recording.row)
                continue
            if self.counts.to_do == self.limit:
                return
            self.known_rows.ask(recording)
            if known:
                self.counts.changed += 1
            else:
                self.counts.new += 1
            self.counts.bytes += recording.size or 0
            yield recording
        self.counts.whole = True

    def keep(self, place: Place) -> None:
        """Keep a row that no recording asked for, after all others, as it is."""
        self._note(place, OWN)

    def _note(self, place: Place, manifest: int | None) -> None:
        source, row = place
        last = self.runs[-1] if self.runs else None
        if last is None or not _continues(last, source, row, manifest):
            self.runs.append(RowRange(source, row, 1, manifest))
        else:
            last.length += 1


def _continues(run: RowRange, source: int, row: int, manifest: int | None) -> bool:
    if run.source != source or run.start + run.length != row:
        return False
    if run.manifest in (None, OWN) or manifest in (None, OWN):
        return run.manifest == manifest
    return run.manifest + run.length == manifest


@dataclass(slots=True)
class OrphanRows:
    """What became of such rows."""

    kept: int = 0
    pruned: int = 0
    empty_roots: set[str] = field(default_factory=set)
    """Roots that are not there or empty, as an unmounted disk is: their rows are kept."""


def keep_orphans(plan: Plan, *, prune: bool) -> OrphanRows:
    """Put the rows after all others; with `prune`, not those whose files are gone for certain."""
    left = OrphanRows()
    filled: dict[str, bool] = {}
    for place, root, file in plan.known_rows.unasked():
        if prune and is_gone(root, file):
            if root not in filled:
                filled[root] = _holds_something(root)
            if filled[root]:
                left.pruned += 1
                continue
            left.empty_roots.add(root)
        plan.keep(place)
        left.kept += 1
    return left


def is_gone(root: str, file: str) -> bool:
    """Tell whether there is certainly no such file: one that may not be looked at may be there."""
    try:
        os.lstat(os.path.join(from_text(root), from_text(file)))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _holds_something(root: str) -> bool:
    try:
        with os.scandir(from_text(root)) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
