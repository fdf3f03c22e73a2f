"""One run at a time on one output: a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from batchemo.common.files import naming_errors, sync_folder
from batchemo.common.text import for_display
from batchemo.errors import LockedError

NAME = "lock"


@contextmanager
def hold(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of an output's folder of parts, making the folder where it is not there."""
    descriptor = _acquire(folder, wait=wait)
    try:
        with naming_errors(folder / NAME):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        _tidy(folder)
        os.close(descriptor)


def _tidy(folder: Path) -> None:
    """Remove a folder that holds nothing but the lock; one with parts waits for the next run."""
    # The folder may be gone, or its disk; and another run may have begun in it since.
    with suppress(OSError):
        if os.listdir(folder) == [NAME]:
            (folder / NAME).unlink()
            folder.rmdir()


def _acquire(folder: Path, *, wait: bool) -> int:
    path = folder / NAME
    while True:
        # Not by exist_ok: that fails where the last holder removes the folder meanwhile.
        with suppress(FileExistsError):
            folder.mkdir()
            sync_folder(folder.parent)
        try:
            # No link is followed: it could lead to a file of somebody's that is none of ours.
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o666)
        except FileNotFoundError:
            if folder.is_symlink():
                raise
            continue  # Its last holder has just removed the folder.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
            os.close(descriptor)
            raise LockedError(
                f"{for_display(str(folder))}: {for_display(holder)} is writing this output. Wait "
                "for it (--if-locked wait), pass it over (--if-locked skip), or write to another "
                "output"
            ) from error
        except BaseException:
            os.close(descriptor)
            raise
        if _is_still(path, descriptor):
            return descriptor
        # The last holder finished and removed the file while we waited: this lock is nobody's.
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)


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
