"""Decodes mutants of recordings in a process with limits of memory and time, and counts outcomes.

Guided by coverage: a mutant that reaches a line of batchemo.audio, or has a message, that none
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
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from mutants import mutant
from reference_decoders import READ_FURTHER, find_error

from batchemo import audio
from batchemo.audio import Failure, WindowConfig, read_windows
from batchemo.audio.vad import is_speech

CONFIG = WindowConfig(rate=16_000, window=3.0, hop=1.5, max_duration=600)
MEMORY_LIMIT_MB = 256
"""What the process may map beyond what it has mapped at its start."""
TIME_LIMIT = 20.0
"""Seconds for one file, of some tens of kilobytes."""
ANALYSED = "analysed"
"""The outcome of a recording that would get an emotion."""
_AUDIO_FOLDER = str(Path(audio.__file__).parent)
_BUGS = ("internal_error", "out_of_memory", "unreadable", "missing")
"""Reasons that no content of a file may have."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of decoding one file."""

    reason: str
    """A code of `REASONS`, or `ANALYSED`."""
    error: str | None = None
    """What must never happen: an exception, a crash, a hang, or windows of what is no speech."""
    novel: bool = False
    """Whether the file reached a line, or had a message, that none before it did."""
    seconds: float = 0.0
    megabytes: float = 0.0
    """The most that the process has grown by so far."""


class DecoderProcess:
    """A process that decodes files; it is started again when a file has killed it."""

    def __enter__(self) -> DecoderProcess:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = spawn.Pipe()
        self._process = spawn.Process(target=_decode_requests, args=(child_pipe,), daemon=True)
        self._process.start()
        child_pipe.close()

    def decode(self, path: Path, time_limit: float = TIME_LIMIT) -> Outcome:
        """Decode a file; that it killed the process, or hung, is an outcome too."""
        self._pipe.send(path)
        try:
            if self._pipe.poll(time_limit):
                outcome: Outcome = self._pipe.recv()
                return outcome
            error = f"it hung for {time_limit} s"
        except EOFError:
            self._process.join()
            error = f"it died: {self._process.exitcode}"
        self.__exit__()
        self._start()
        return Outcome(ANALYSED, error)


def _decode_requests(requests: Connection) -> None:
    """Run in the process: decode each path that is sent, and send its outcome, until None."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # Decoders in C print warnings.
    # What libraries map when they are first used belongs to no file.
    with suppress(ImportError):
        import av  # noqa: F401
    is_speech(np.ones(CONFIG.rate, np.float32), CONFIG.rate)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_LIMIT_MB * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    coverage, peak_at_start = _Coverage(), _peak_megabytes()
    while (path := requests.recv()) is not None:
        started = time.perf_counter()
        reason, message, error = _decode(path, coverage)
        # Numbers differ in every mutant, and make no message a new one.
        novel = coverage.is_novel(f"{reason} {re.sub('[0-9.,]+', '#', message)}")
        seconds = time.perf_counter() - started
        requests.send(Outcome(reason, error, novel, seconds, _peak_megabytes() - peak_at_start))


def _peak_megabytes() -> float:
    # Not by getrusage, whose maximum includes what the parent held when it started this process.
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def _decode(path: Path, coverage: _Coverage) -> tuple[str, str, str | None]:
    """Return the reason, the failure's detail, and the error, if there is one."""
    reader = read_windows(str(path), CONFIG)
    try:
        with coverage.measured(), reader:
            windows = list(reader)
        error = find_error(path, windows, reader.info, CONFIG)
    except Failure as failure:
        bug = str(failure) if failure.reason in _BUGS else None
        return failure.reason, failure.detail, bug
    except Exception as exception:  # Any exception is what the test looks for.
        return ANALYSED, "", f"{type(exception).__name__}: {exception}"
    return ANALYSED, "", None if error == READ_FURTHER else error


class _Coverage:
    """Records the lines of batchemo.audio that have run, and the messages so far."""

    def __init__(self) -> None:
        self._seen: set[Any] = set()
        self._size = 0

    @contextmanager
    def measured(self) -> Iterator[None]:
        sys.settrace(self._on_call)
        try:
            yield
        finally:
            sys.settrace(None)

    def is_novel(self, message: str) -> bool:
        """Whether a line or a message is new since the last call."""
        self._seen.add(message)
        grown = len(self._seen) > self._size
        self._size = len(self._seen)
        return grown

    def _on_call(self, frame: FrameType, event: str, arg: object) -> Any:
        return self._on_line if frame.f_code.co_filename.startswith(_AUDIO_FOLDER) else None

    def _on_line(self, frame: FrameType, event: str, arg: object) -> Any:
        self._seen.add((frame.f_code, frame.f_lineno))
        return self._on_line


@dataclass
class FuzzReport:
    """The figures of one format."""

    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    seeds: int = 0
    slowest: float = 0.0
    megabytes: float = 0.0
    errors: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome, title: str) -> None:
        self.tried += 1
        self.outcomes[outcome.reason] += 1
        self.seeds += outcome.novel
        self.slowest = max(self.slowest, outcome.seconds)
        self.megabytes = max(self.megabytes, outcome.megabytes)
        if outcome.error:
            self.errors.append(f"{title}: {outcome.error}")

    def figures(self, name: str) -> Counter[str]:
        """Return all figures, under titles that begin with the name."""
        figures = {
            "tried": self.tried,
            "that became seeds": self.seeds,
            "slowest, ms": round(1000 * self.slowest),
            "most memory, MB": round(self.megabytes),
            "with errors": len(self.errors),
        }
        reasons = {f"that ended as {reason}": count for reason, count in self.outcomes.items()}
        return Counter({f"{name}, {title}": n for title, n in (figures | reasons).items()})


def fuzz(
    seeds: Sequence[bytes], folder: Path, *, count: int, seed: int, decoder: DecoderProcess
) -> FuzzReport:
    """Decode `count` mutants; those with errors are left in the folder."""
    report, pool, rng = FuzzReport(), list(seeds), random.Random(seed)
    path = folder / "mutant"
    for number in range(count):
        content = mutant(pool, rng)
        path.write_bytes(content)
        outcome = decoder.decode(path)
        report.add(outcome, f"number {number} of seed {seed}")
        if outcome.error:
            path.rename(folder / f"error-{number}")
        elif outcome.novel:
            pool.append(content)
    return report
