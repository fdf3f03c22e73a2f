"""Passing folders, swept by the next run where their own was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "batchemo-scratch-"
SHARED_MEMORY = Path("/dev/shm")
"""Where Linux keeps the semaphores by which the parent and its workers wait for each other."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a new folder, locked for as long as this process lives, and remove it afterwards."""
    _sweep()
    folder, descriptor = _make()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _make() -> tuple[Path, int]:
    """Make a folder that tells its process by its name, and lock it."""
    while True:
        folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
        # Before we have locked it, another run may take it for abandoned.
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.isdir(folder):
                return Path(folder), descriptor
            os.close(descriptor)


def _sweep() -> None:
    """Remove the folders of runs that were killed: nobody holds their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _sweep_semaphores(folder.name.removeprefix(PREFIX).partition("-")[0])
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)


def _sweep_semaphores(process: str) -> None:
    """Remove those of a run all of whose processes were killed, as by a container that ended."""
    if process.isdecimal() and not _lives(int(process)):
        for semaphore in SHARED_MEMORY.glob(f"sem.loky-{process}-*"):
            semaphore.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
