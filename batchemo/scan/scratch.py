"""Passing folders, swept by a later run where their own was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "batchemo-"
_ALIVE = "alive"
GRACE = 60.0
"""Seconds in which a new folder may still be without its lock."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a new folder, locked for as long as this process lives, and remove it afterwards."""
    _sweep()
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX) as name,
        Path(name, _ALIVE).open("w") as alive,
    ):
        fcntl.flock(alive, fcntl.LOCK_EX)
        yield Path(name)


def _sweep() -> None:
    """Remove the folders of runs that were killed: nobody holds their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > GRACE and _is_abandoned(folder):
                shutil.rmtree(folder)


def _is_abandoned(folder: Path) -> bool:
    descriptor = os.open(folder / _ALIVE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
