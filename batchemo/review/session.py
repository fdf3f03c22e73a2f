"""A review: who is asked about what, while several people answer at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock

from batchemo.errors import UsageError
from batchemo.review.candidates import Candidates
from batchemo.review.queues import ROUND, Queue
from batchemo.tables.labels import UNSURE, Answer, LabelsFile, majority, now

LEASE = 300.0
"""Seconds for which a recording that a page has been given is not given to another page."""


@dataclass(slots=True)
class _Row:
    """What is known of a row that was answered or given out."""

    said: dict[str, str] = field(default_factory=dict)
    """The label of each reviewer."""
    shown: set[str] = field(default_factory=set)
    """Who has answered it at any time."""
    leases: dict[str, float] = field(default_factory=dict)
    """Until when each page has it."""

    def wants(self, reviewer: str, page: str, answers: int, at: float) -> bool:
        """Whether a page should ask its reviewer about the row."""
        others = sum(1 for other, end in self.leases.items() if other != page and end > at)
        return reviewer not in self.said and len(self.said) + others < answers


class Session:
    """Gives out the rows of a queue, and keeps the answers."""

    def __init__(
        self,
        candidates: Candidates,
        queue: Queue,
        file: LabelsFile,
        *,
        answers: int = 1,
        limit: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.candidates = candidates
        self._queue = queue
        self._file = file
        self._answers = answers
        self._limit = limit
        self._clock = clock
        self._lock = Lock()
        self._rows: dict[int, _Row] = {}
        self._read: tuple[int, int] = (0, 0)
        """Which list of answers was read, and how many of it."""
        self._given: dict[int, None] = {}
        """The rows given out by this session, in order."""
        self._skipped: set[int] = set()
        self._next: list[int] = []
        """Rows of the queue that come next."""

    def next(
        self, reviewer: str, count: int, *, page: str = "", held: Collection[int] = ()
    ) -> list[int]:
        """Return up to `count` rows to ask a reviewer about, besides those that the page holds."""
        with self._lock:
            self._update()
            at = self._clock()
            for row in held:
                self._give(row, page, at)
            free = (row for row in self._waiting(reviewer, page, at) if row not in held)
            rows = list(islice(free, count))
            if len(rows) < count:
                rows += self._from_queue(count - len(rows))
            for row in rows:
                self._give(row, page, at)
            return rows

    def answer(self, row: int, label: str, reviewer: str, *, shown: str = "") -> None:
        """Keep an answer; an empty label takes back what the reviewer said."""
        root, file, start, end = self.candidates.keys[row]
        self._file.append(Answer(root, file, start, end, label, reviewer, shown, now()))

    def skip(self, row: int) -> None:
        """Ask nobody about a row any more, as it cannot be played."""
        with self._lock:
            self._skipped.add(row)
            self._given.pop(row, None)

    def was_shown(self, row: int, reviewer: str) -> bool:
        """Whether the reviewer has answered the row before: then the prediction was shown."""
        with self._lock:
            self._update()
            known = self._rows.get(row)
            return known is not None and reviewer in known.shown

    def release(self, page: str) -> None:
        """Give back what a page that was closed has not asked."""
        with self._lock:
            for known in self._rows.values():
                known.leases.pop(page, None)

    def counts(self, reviewer: str) -> tuple[int, int]:
        """Return how many recordings the reviewer has answered, and how many anybody has."""
        with self._lock:
            self._update()
            said = [known.said for known in self._rows.values() if known.said]
            return sum(reviewer in each for each in said), len(said)

    def answered(self) -> list[int]:
        """Return the rows that somebody has answered."""
        with self._lock:
            self._update()
            return [row for row, known in self._rows.items() if known.said]

    def _give(self, row: int, page: str, at: float) -> None:
        if row in self._skipped:
            return
        self._rows.setdefault(row, _Row()).leases[page] = at + LEASE
        self._given.setdefault(row)

    def _waiting(self, reviewer: str, page: str, at: float) -> Iterator[int]:
        """Yield rows that others have answered and that need more, then those given out in vain."""
        answered = [row for row, known in self._rows.items() if known.said]
        for row in dict.fromkeys([*answered, *self._given]):
            if row not in self._skipped and self._rows[row].wants(
                reviewer, page, self._answers, at
            ):
                yield row

    def _from_queue(self, count: int) -> list[int]:
        if self._limit is not None:
            count = min(count, self._limit - len(self._given))
        if count <= 0:
            return []
        asked = self._asked()
        rows = [row for row in self._next if row not in asked]
        if len(rows) < count:
            # A page asks for one row at a time; what an answer teaches is not worth the time.
            more = self._queue.next(max(count - len(rows), ROUND), {**asked, **_unsure(rows)})
            rows += map(int, more)
        self._next = rows[count:]
        return rows[:count]

    def _asked(self) -> Mapping[int, str]:
        """Return all rows that need not come from the queue, with their labels so far."""
        return {
            row: majority(known.said.values()) or UNSURE
            for row, known in self._rows.items()
            if known.said or row in self._given
        } | _unsure(self._skipped)

    def _update(self) -> None:
        """Take in the answers that were added to the file, by whomever."""
        self._file.update()
        answers = self._file.labels.answers
        which, count = self._read
        if which != id(answers) or count > len(answers):
            for known in self._rows.values():
                known.said.clear()
            count = 0
        for answer in islice(answers, count, None):
            row = self.candidates.positions.get(answer.key)
            if row is None:
                continue
            known = self._rows.setdefault(row, _Row())
            known.said.pop(answer.reviewer, None)
            known.shown.add(answer.reviewer)
            if answer.label:
                known.said[answer.reviewer] = answer.label
        self._read = id(answers), len(answers)


def _unsure(rows: Collection[int]) -> dict[int, str]:
    return dict.fromkeys(rows, UNSURE)


def check_label_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return label names as they are; raise `UsageError` where they cannot be chosen by a key.

    >>> check_label_names(["happy", "sad"])
    ('happy', 'sad')
    """
    if not 1 <= len(names) <= 9:
        raise UsageError(
            f"{len(names)} labels: the keys 1 to 9 choose one, so name 1 to 9 (--label-names)"
        )
    if len(set(names)) < len(names):
        raise UsageError("--label-names has a name twice")
    for name in names:
        if not name.isprintable() or len(name) > 60 or name != name.strip() or not name:
            raise UsageError(f"--label-names: {name!r} is no name of a label")
    return tuple(names)
