"""What lets the parent name the recording that killed its worker, and end a worker that hangs.

A worker leaves a crumb before each recording: which one, and how long it may take. The parent
looks at the crumbs now and then: one that stays the same for longer than that is of a process
that stands still, in a decoder that never returns, stopped, or before a disk that is gone. Where
no crumb changes at all, whoever has work stands still elsewhere, and nobody else does any.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from batchemo.sources import Recording

Touch = Callable[[float], None]
"""Told the position in the recording, in seconds, now and then."""

Name = tuple[str, str]
"""Root and file of a recording."""

HOUR = 3600.0
INTERVAL = 0.5
"""Seconds between two looks."""

STARTING = 60.0
"""Seconds that workers may take, beside the patience with a recording, to start and load models."""

AT_REST = 0.0
"""How long a worker may take that has nothing to do: for ever."""

_FOLDER = "BATCHEMO_WORKER_CRUMBS"
_PR_SET_PDEATHSIG = 1


def start_worker(folder: str, parent: int, tied: bool) -> None:
    """Prepare a worker process: a place for its crumbs, no Ctrl-C, no life after its parent.

    And no voice: decoders in C grumble at broken recordings, which are told as rows. `tied` asks
    the kernel to end the process with the thread that started it.
    """
    os.environ[_FOLDER] = folder
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    if tied:
        _tie()
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _tie() -> None:
    """Ask Linux for a SIGKILL at the parent's death: also in C code that lets no thread run."""
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@contextmanager
def monitored(recording: Recording, timeout: float) -> Iterator[Touch]:
    """Let the work on a recording be watched over; what is done in no worker is not."""
    folder = os.environ.get(_FOLDER)
    if folder is None:
        yield lambda position: None
        return
    heartbeat_file = Path(folder, f"{os.getpid()}.json")
    hours = 0.0

    def touch(position: float) -> None:
        nonlocal hours
        if position >= (hours + 1) * HOUR:
            hours = position // HOUR
            _leave(heartbeat_file, recording, timeout)

    _leave(heartbeat_file, recording, timeout)
    try:
        yield touch
    finally:
        _leave(heartbeat_file, recording, AT_REST)


def _leave(heartbeat_file: Path, recording: Recording, patience: float) -> None:
    # The time makes it another crumb: who comes to the same recording again has moved.
    text = json.dumps([recording.root, recording.file, patience, time.monotonic()])
    # A full disk may cost us the name of a culprit, but no recording its row.
    with suppress(OSError):
        _overwrite(heartbeat_file, text.encode())


def _overwrite(path: Path, content: bytes) -> None:
    """Write over what is there: to empty a file first takes ext4 ten times as long."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.ftruncate(descriptor, len(content))
    finally:
        os.close(descriptor)


def _text_of(heartbeat_file: Path) -> str:
    """Read a crumb; whoever tidies passing files up may have taken it."""
    try:
        return heartbeat_file.read_text()
    except FileNotFoundError:
        return ""


def _read(text: str) -> tuple[Name, float] | None:
    """Give the recording and how long it may take; None for a crumb that is not whole."""
    try:
        root, file, patience, _ = json.loads(text)
    except ValueError:
        return None
    return (root, file), patience


@dataclass(slots=True)
class HeartbeatMonitor:
    """The parent's eye on the workers that leave their crumbs in a folder."""

    folder: Path
    patience: float
    """Seconds for a recording, or for each started hour of it; 0 for no limit."""
    hung: set[Name] = field(default_factory=set)
    """The recordings whose workers stood still, and were ended."""
    _stood: dict[Path, tuple[str, float]] = field(default_factory=dict)
    """Each worker's last crumb, and for how long we have seen no other."""
    _still: float = 0.0
    """For how long we have seen no new crumb of anybody."""
    _looked: float = field(default_factory=time.monotonic)

    def look(self) -> bool:
        """End the workers that stand still with a recording; tell whether all others do too.

        Only the time counts in which we looked ourselves: who is suspended with us, by Ctrl-Z or
        by a lid that is closed, has not stood still.
        """
        passed = time.monotonic() - self._looked
        if passed < INTERVAL:
            return False
        self._looked += passed
        seen = min(passed, 2 * INTERVAL)
        self._still += seen
        for heartbeat_file in self.folder.glob("*.json"):
            self._look_at(heartbeat_file, seen)
        return 0 < self.patience <= self._still - STARTING

    def _look_at(self, heartbeat_file: Path, seen: float) -> None:
        text = _text_of(heartbeat_file)
        before, stood = self._stood.get(heartbeat_file, ("", 0.0))
        if text != before:
            self._stood[heartbeat_file] = text, 0.0
            self._still = 0.0
            return
        self._stood[heartbeat_file] = text, stood + seen
        found = _read(text)
        if found is not None and AT_REST < found[1] <= stood + seen:
            self.hung.add(found[0])
            with suppress(ProcessLookupError):
                os.kill(int(heartbeat_file.stem), signal.SIGKILL)

    def begun(self) -> set[Name]:
        """Tell which recordings the workers had begun last; forget them."""
        names = set()
        for heartbeat_file in self.folder.glob("*.json"):
            found = _read(_text_of(heartbeat_file))
            heartbeat_file.unlink(missing_ok=True)
            if found is not None:
                names.add(found[0])
        self._stood.clear()
        self._still = 0.0
        return names
