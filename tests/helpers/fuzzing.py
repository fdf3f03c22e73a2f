"""Hears mutants in a process of its own, with a limit of memory and time, and keeps the account.

Guided by coverage: a mutant that reaches a line of batchemo.audio, or draws an answer, that none
before it did becomes a seed itself. The same seed makes the same mutants.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from mutants import mutant
from reference_decoders import READ_FURTHER, objection

from batchemo import audio
from batchemo.audio import Failure, WindowConfig, read_windows

OPTIONS = WindowConfig(rate=16_000, window=3.0, hop=1.5, max_duration=600)
MEGABYTES = 256
"""What a listener may map beyond what it has mapped at its start."""
PATIENCE = 20.0
"""Seconds for one file, of some tens of kilobytes."""
HEARD = "heard"
"""The outcome of a recording that would get an emotion."""
_AUDIO = str(Path(audio.__file__).parent)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one file."""

    reason: str
    """A code of `REASONS`, or `HEARD`."""
    wrong: str | None = None
    """What must never be: an exception, a death, a hang, or windows of what is no speech."""
    novel: bool = False
    """Whether it went where none before it went."""
    seconds: float = 0.0
    megabytes: float = 0.0
    """What the process has grown by at most, so far."""


def _listen_for(requests: Connection) -> None:
    """Work as a listener: hear the path that comes, tell its outcome, until none comes."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # Decoders in C grumble.
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    explorer, before = _Explorer(), _peak()
    while (path := requests.recv()) is not None:
        started = time.perf_counter()
        reason, answer, wrong = _hear(path, explorer)
        novel = explorer.is_novel(f"{reason} {re.sub('[0-9.,]+', '#', answer)}")
        seconds = time.perf_counter() - started
        requests.send(Outcome(reason, wrong, novel, seconds, _peak() - before))


def _peak() -> float:
    """Megabytes; what `getrusage` tells is no less than what the parent held at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def _hear(path: Path, explorer: _Explorer) -> tuple[str, str, str | None]:
    """Give the reason, what was said of it, and what is wrong with that."""
    listening = read_windows(str(path), OPTIONS)
    try:
        with explorer.watching(), listening as heard:
            windows = list(heard)
        wrong = objection(path, windows, listening.facts, OPTIONS)
    except Failure as failure:
        ours = failure.reason in ("internal_error", "out_of_memory", "unreadable", "missing")
        return failure.reason, failure.detail, str(failure) if ours else None
    except Exception as error:  # Whatever it is, it is what is looked for.
        return HEARD, "", f"{type(error).__name__}: {error}"
    return HEARD, "", None if wrong == READ_FURTHER else wrong


class _Explorer:
    """Knows the lines of batchemo.audio that have run, and the answers that were given."""

    def __init__(self) -> None:
        self._known: set[Any] = set()
        self._size = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(None)

    def is_novel(self, answer: str) -> bool:
        self._known.add(answer)
        grown = len(self._known) > self._size
        self._size = len(self._known)
        return grown

    def _enter(self, frame: FrameType, event: str, arg: object) -> Any:
        return self._step if frame.f_code.co_filename.startswith(_AUDIO) else None

    def _step(self, frame: FrameType, event: str, arg: object) -> Any:
        self._known.add((frame.f_code, frame.f_lineno))
        return self._step


class EventHandler:
    """A process that hears files; it is started again when one has killed it."""

    def __enter__(self) -> EventHandler:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, other = spawn.Pipe()
        self._process = spawn.Process(target=_listen_for, args=(other,), daemon=True)
        self._process.start()
        other.close()

    def hear(self, path: Path, patience: float = PATIENCE) -> Outcome:
        """Have a file heard; a death or a hang is its outcome too."""
        self._pipe.send(path)
        try:
            if self._pipe.poll(patience):
                outcome: Outcome = self._pipe.recv()
                return outcome
            wrong = f"it hung for {patience} s"
        except EOFError:
            self._process.join()
            wrong = f"it died: {self._process.exitcode}"
        self.__exit__()
        self._start()
        return Outcome(HEARD, wrong)


@dataclass
class Account:
    """The figures of one format."""

    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    seeds: int = 0
    slowest: float = 0.0
    megabytes: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome, what: str) -> None:
        self.tried += 1
        self.outcomes[outcome.reason] += 1
        self.seeds += outcome.novel
        self.slowest = max(self.slowest, outcome.seconds)
        self.megabytes = max(self.megabytes, outcome.megabytes)
        if outcome.wrong:
            self.wrong.append(f"{what}: {outcome.wrong}")

    def figures(self, name: str) -> Counter[str]:
        """Everything that was counted, under titles that begin with the name."""
        counted = {
            "tried": self.tried,
            "that became seeds": self.seeds,
            "slowest, ms": round(1000 * self.slowest),
            "most memory, MB": round(self.megabytes),
            "with something wrong": len(self.wrong),
        }
        ends = {f"that ended as {reason}": count for reason, count in self.outcomes.items()}
        return Counter({f"{name}, {title}": n for title, n in (counted | ends).items()})


def fuzz(
    seeds: Sequence[bytes], folder: Path, *, count: int, seed: int, listener: EventHandler
) -> Account:
    """Try `count` mutants; those that something is wrong with are left in the folder."""
    account, pool, chance = Account(), list(seeds), random.Random(seed)
    place = folder / "mutant"
    for number in range(count):
        content = mutant(pool, chance)
        place.write_bytes(content)
        outcome = listener.hear(place)
        account.add(outcome, f"number {number} of seed {seed}")
        if outcome.wrong:
            place.rename(folder / f"wrong-{number}")
        elif outcome.novel:
            pool.append(content)
    return account
