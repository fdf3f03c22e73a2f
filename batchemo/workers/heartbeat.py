"""Heartbeats: how the parent knows at which recording a worker is, died or hangs, and how far.

Each worker process has one small file, which it overwrites before and after every recording:

    <folder>/<process id>.json    [root, file, time limit in seconds, monotonic time]
                                  [size in bytes, position and duration in seconds]

The first line is the heartbeat. The second is there if the recording takes longer than a second,
and is then written about once a second; it changes nothing about the time limit.

A time limit of 0 means that the worker has no recording in hand. The parent looks at the files a
few times a second. A file that does not change for longer than its time limit belongs to a worker
that hangs: in a decoder that never returns, stopped by a signal, or waiting for a disk that is
gone. Where no file changes at all, some worker hangs without a recording in hand, and the others
have nothing to do.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from batchemo.common.text import for_display, to_text
from batchemo.sources import Recording

Touch = Callable[[float, float | None], None]
"""Called now and then with the position in the recording, and with its duration if it is known."""

RecordingKey = tuple[str, str]
"""Root and file of a recording."""

CHECK_INTERVAL = 0.5
"""Seconds between two looks at the heartbeats."""

POSITION_INTERVAL = 1.0
"""Seconds after which a worker first writes its position in a recording, and then again."""

STARTUP_SECONDS = 120.0
"""How long workers may take to start and to load models, beyond the time limit of a recording.

More than the trial of a model may take: so it is the trial that says which model hangs."""

SECONDS_AN_HOUR = 3600.0
NO_LIMIT = 0.0
"""The time limit of a worker without a recording in hand: it may wait for ever."""

_FOLDER_VARIABLE = "BATCHEMO_HEARTBEATS"

_PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>: the signal that a process gets when its parent dies."""


@dataclass(frozen=True, slots=True)
class RecordingPosition:
    """How far into a long recording a worker is.

    >>> print(RecordingPosition("/data", "interview.wav", 44, 2480.0, 7200.0))
    0:41:20 of 2:00:00  interview.wav
    """

    root: str
    file: str
    size: int | None
    position: float
    """Seconds."""
    duration: float | None
    """Seconds, as the recording declares them; None if it declares none."""

    @property
    def share(self) -> float:
        """The share that is done; 0 if the duration is not known."""
        return min(1.0, self.position / self.duration) if self.duration else 0.0

    @property
    def left(self) -> float:
        """Seconds that are left; infinite if the duration is not known."""
        return math.inf if self.duration is None else self.duration - self.position

    def __str__(self) -> str:
        # The name comes last: where there is no room for all of it, the numbers are still there.
        total = "" if self.duration is None else f" of {_clock(self.duration)}"
        return f"{_clock(self.position)}{total}  {for_display(self.file)}"


OnPositions = Callable[[Sequence[RecordingPosition]], None]
"""Called with the positions in all long recordings that are worked on, when one has changed."""


def ignore_positions(positions: Sequence[RecordingPosition]) -> None:
    """Do nothing with positions."""


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
    ...     touch(1.5, 4.0)
    """
    folder = os.environ.get(_FOLDER_VARIABLE)
    if folder is None:
        yield lambda position, duration: None
        return
    path = Path(folder, f"{os.getpid()}.json")
    hours = 0.0
    written_at = time.monotonic()
    line = _heartbeat_line(recording, timeout)

    def touch(position: float, duration: float | None) -> None:
        nonlocal hours, line, written_at
        now = time.monotonic()
        if position // SECONDS_AN_HOUR != hours:
            # The time limit counts anew for each hour of the recording: a day of audio may take
            # longer than a minute of it. So it does where the recording is read a second time.
            hours = position // SECONDS_AN_HOUR
            line = _heartbeat_line(recording, timeout)
        elif now - written_at < POSITION_INTERVAL:
            return
        written_at = now
        # Whole seconds: a line that never becomes shorter is never read with a rest of the last.
        _write(path, f"{line}\n{json.dumps([recording.size, int(position), duration])}")

    _write(path, line)
    try:
        yield touch
    finally:
        _write(path, _heartbeat_line(recording, NO_LIMIT))


def _heartbeat_line(recording: Recording, limit: float) -> str:
    # The time makes every heartbeat another one, also when a worker takes up the same recording
    # again: the parent compares only the text.
    return json.dumps([recording.root, recording.file, limit, time.monotonic()])


def _write(path: Path, text: str) -> None:
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
    positions: tuple[RecordingPosition, ...] = ()
    """Where in long recordings the workers were, at the last look."""
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
        positions = []
        for path in self.folder.glob("*.json"):
            line, _, rest = _read_heartbeat(path).partition("\n")
            self._check_worker(path, line, counted)
            position = _parse_position(line, rest)
            if position is not None:
                positions.append(position)
        self.positions = tuple(positions)
        return 0 < self.timeout <= self._unchanged - STARTUP_SECONDS

    def take_started(self) -> set[RecordingKey]:
        """Return the recordings that the workers had started last; forget all heartbeats."""
        keys = set()
        for path in self.folder.glob("*.json"):
            heartbeat = _parse_heartbeat(_read_heartbeat(path).partition("\n")[0])
            path.unlink(missing_ok=True)
            if heartbeat is not None:
                keys.add(heartbeat[0])
        self._last.clear()
        self._unchanged = 0.0
        return keys

    def _check_worker(self, path: Path, line: str, passed: float) -> None:
        last, unchanged = self._last.get(path, ("", 0.0))
        if line != last:
            self._last[path] = line, 0.0
            self._unchanged = 0.0
            return
        self._last[path] = line, unchanged + passed
        heartbeat = _parse_heartbeat(line)
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


def _parse_heartbeat(line: str) -> tuple[RecordingKey, float] | None:
    """Return the recording and its time limit; None for a heartbeat that is not whole."""
    try:
        root, file, limit, _ = json.loads(line)
    except ValueError:
        return None
    return (root, file), limit


def _parse_position(line: str, rest: str) -> RecordingPosition | None:
    """Return the position that follows a heartbeat; None if there is none, or it is not whole."""
    heartbeat = _parse_heartbeat(line)
    if heartbeat is None or not rest:
        return None
    (root, file), _ = heartbeat
    try:
        size, position, duration = json.loads(rest)
    except ValueError:
        return None
    return RecordingPosition(to_text(root), to_text(file), size, position, duration)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))
