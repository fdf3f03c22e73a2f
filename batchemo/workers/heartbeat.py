"""Heartbeats: how the parent knows which recording a worker died of, or hangs at.

Each worker process has one small file, which it overwrites before and after every recording:

    <folder>/<process id>.json    [root, file, time limit in seconds, monotonic time]

A time limit of 0 means that the worker has no recording in hand. The parent looks at the files a
few times a second. A file that does not change for longer than its time limit belongs to a worker
that hangs: in a decoder that never returns, stopped by a signal, or waiting for a disk that is
gone. Where no file changes at all, some worker hangs without a recording in hand, and the others
have nothing to do.
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
"""Called now and then with the position in the recording, in seconds."""

RecordingKey = tuple[str, str]
"""Root and file of a recording."""

CHECK_INTERVAL = 0.5
"""Seconds between two looks at the heartbeats."""

STARTUP_SECONDS = 60.0
"""How long workers may take to start and to load models, beyond the time limit of a recording."""

SECONDS_AN_HOUR = 3600.0
NO_LIMIT = 0.0
"""The time limit of a worker without a recording in hand: it may wait for ever."""

_FOLDER_VARIABLE = "BATCHEMO_HEARTBEATS"

_PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>: the signal that a process gets when its parent dies."""


def start_worker(
    folder: str | None, parent: int, *, follow_thread: bool, silence_stderr: bool
) -> None:
    """Prepare this process as a worker of the process `parent`; `folder` is for its heartbeats.

    `follow_thread` asks the kernel to kill the process with the thread that started it.
    """
    if folder is not None:
        os.environ[_FOLDER_VARIABLE] = folder
    # Ctrl-C goes to the whole process group. The parent alone decides what to do: it keeps what
    # is finished and ends the workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The mask was inherited from the parent, which blocks signals while it starts workers.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if silence_stderr:
        # Decoders in C write to the descriptor itself about broken recordings. They become rows
        # with a reason; on a terminal, the messages would tear the progress bar.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
    if follow_thread:
        _die_with_parent()
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies.

    `_exit_with_parent` needs Python to switch threads, which a decoder in C that holds the
    interpreter's lock prevents; the kernel needs nobody's help. "Parent" here means the thread
    that started this process, so this is only right if that thread lives as long as its process.
    """
    with suppress(AttributeError):  # No prctl: not Linux.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _exit_with_parent(parent: int) -> None:
    """Wait until another process has become the parent, as happens when the parent dies."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@contextmanager
def monitored(recording: Recording, timeout: float) -> Iterator[Touch]:
    """Leave heartbeats for the work on a recording; outside of a worker process, do nothing.

    >>> with monitored(Recording("/data", "a.wav", 44, 0), timeout=300.0) as touch:
    ...     touch(1.5)
    """
    folder = os.environ.get(_FOLDER_VARIABLE)
    if folder is None:
        yield lambda position: None
        return
    path = Path(folder, f"{os.getpid()}.json")
    hours = 0.0

    def touch(position: float) -> None:
        # The time limit counts anew for each hour of the recording: a day of audio may take
        # longer than a minute of it.
        nonlocal hours
        if position >= (hours + 1) * SECONDS_AN_HOUR:
            hours = position // SECONDS_AN_HOUR
            _write_heartbeat(path, recording, timeout)

    _write_heartbeat(path, recording, timeout)
    try:
        yield touch
    finally:
        _write_heartbeat(path, recording, NO_LIMIT)


def _write_heartbeat(path: Path, recording: Recording, limit: float) -> None:
    # The time makes every heartbeat another one, also when a worker takes up the same recording
    # again: the parent compares only the text.
    text = json.dumps([recording.root, recording.file, limit, time.monotonic()])
    # On a full disk the parent may not learn which recording a worker died of; that is no reason
    # for this recording to fail.
    with suppress(OSError):
        _overwrite(path, text.encode())


def _overwrite(path: Path, content: bytes) -> None:
    """Write over what is there; on ext4, truncating a file first takes ten times as long."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, content)
        os.ftruncate(descriptor, len(content))
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class HeartbeatMonitor:
    """The parent's view of the workers that leave heartbeats in a folder."""

    folder: Path
    timeout: float
    """Seconds for a recording, or for each started hour of it; 0 for no limit."""
    timed_out: set[RecordingKey] = field(default_factory=set)
    """The recordings at which a worker hung and was killed."""
    _last: dict[Path, tuple[str, float]] = field(default_factory=dict)
    """Each worker's last heartbeat, and for how many seconds it has not changed."""
    _unchanged: float = 0.0
    """For how many seconds no heartbeat of any worker has changed."""
    _checked_at: float = field(default_factory=time.monotonic)

    def check(self) -> bool:
        """Kill the workers that hang at a recording; return whether all workers are stuck."""
        passed = time.monotonic() - self._checked_at
        if passed < CHECK_INTERVAL:
            return False
        self._checked_at += passed
        # Only time in which this process ran counts. Ctrl-Z or a closed lid suspends the workers
        # as well: after an hour of that, none of them hangs.
        counted = min(passed, 2 * CHECK_INTERVAL)
        self._unchanged += counted
        for path in self.folder.glob("*.json"):
            self._check_worker(path, counted)
        return 0 < self.timeout <= self._unchanged - STARTUP_SECONDS

    def take_started(self) -> set[RecordingKey]:
        """Return the recordings that the workers had started last; forget all heartbeats."""
        keys = set()
        for path in self.folder.glob("*.json"):
            heartbeat = _parse_heartbeat(_read_heartbeat(path))
            path.unlink(missing_ok=True)
            if heartbeat is not None:
                keys.add(heartbeat[0])
        self._last.clear()
        self._unchanged = 0.0
        return keys

    def _check_worker(self, path: Path, passed: float) -> None:
        text = _read_heartbeat(path)
        last, unchanged = self._last.get(path, ("", 0.0))
        if text != last:
            self._last[path] = text, 0.0
            self._unchanged = 0.0
            return
        self._last[path] = text, unchanged + passed
        heartbeat = _parse_heartbeat(text)
        if heartbeat is None:
            return
        key, limit = heartbeat
        if NO_LIMIT < limit <= unchanged + passed:
            self.timed_out.add(key)
            with suppress(ProcessLookupError):
                os.kill(int(path.stem), signal.SIGKILL)


def _read_heartbeat(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""  # Whatever cleans temporary files may have removed it.


def _parse_heartbeat(text: str) -> tuple[RecordingKey, float] | None:
    """Return the recording and its time limit; None for a heartbeat that is not whole."""
    try:
        root, file, limit, _ = json.loads(text)
    except ValueError:
        return None
    return (root, file), limit
