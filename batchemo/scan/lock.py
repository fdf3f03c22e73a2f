"""One run at a time on one output: a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from batchemo.errors import LockedError
from batchemo.scan.parts import blaming, sync_names
from batchemo.sources.names import for_display

NAME = "lock"


@contextmanager
def hold(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of an output's folder of parts, making the folder where it is not there."""
    descriptor = _acquire(folder, wait=wait)
    try:
        with blaming(folder / NAME):
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
            sync_names(folder.parent)
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
