"""What lets the parent name the recording that killed or hung a worker.

A worker leaves a crumb before each recording: which one, and since when. The kernel's own timer
ends a process that stands still, even inside a decoder that never returns to Python.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from batchemo.sources import Recording

Rearm = Callable[[float], None]
"""Told the position in the recording, in seconds, now and then."""

HOUR = 3600.0
_FOLDER = "BATCHEMO_WORKER_CRUMBS"


def enter(folder: str, parent: int) -> None:
    """Prepare a worker process: a place for its crumbs, no Ctrl-C, no life after its parent.

    And no voice: decoders in C grumble at broken recordings, which are told as rows.
    """
    os.environ[_FOLDER] = folder
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@contextmanager
def over(recording: Recording, timeout: float) -> Iterator[Rearm]:
    """Watch over the work on a recording; a process that is no worker is not watched."""
    folder = os.environ.get(_FOLDER)
    if folder is None:
        yield lambda position: None
        return
    crumb = Path(folder, f"{os.getpid()}.json")
    _leave(crumb, recording)
    hours = 0.0

    def rearm(position: float) -> None:
        nonlocal hours
        if position >= (hours + 1) * HOUR:
            hours = position // HOUR
            signal.setitimer(signal.ITIMER_REAL, timeout)
            _leave(crumb, recording)

    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield rearm
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _leave(crumb: Path, recording: Recording) -> None:
    crumb.write_text(json.dumps([recording.root, recording.file, time.monotonic()]))


def seconds_under_way(folder: str) -> dict[tuple[str, str], float]:
    """Tell which recordings the workers had begun last, and how long ago; forget them."""
    found = {}
    for crumb in Path(folder).glob("*.json"):
        try:
            root, file, began = json.loads(crumb.read_text())
        except ValueError:  # The worker died while it wrote this.
            root = None
        crumb.unlink()
        if root is not None:
            found[root, file] = time.monotonic() - began
    return found
