"""Locks that the kernel releases when their holder dies: of an output, and of scratch folders.

    OUTPUT.chunks/lock             held by the one run that writes OUTPUT; names its holder
    $TMPDIR/batchemo-scratch-*/    one folder a run, locked itself; named after the run's process

Both use `flock` on an open file. A lock file whose existence is the lock would outlive a run that
was killed, and somebody would have to decide whether a process of that number on that host is
still the same one. An `flock` ends with its process, however that ends.

Two runs on one output would delete each other's finished work; so the second one waits or is
refused. Nothing is shared in scratch folders: there the lock only shows the next run which folders
belong to nobody any more, so that killed runs do not fill the disk.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from batchemo.common.files import naming_errors, sync_folder
from batchemo.common.text import for_display
from batchemo.errors import LockedError, UsageError

LOCK_NAME = "lock"
SCRATCH_PREFIX = "batchemo-scratch-"
SHARED_MEMORY = Path("/dev/shm")
"""Where Linux keeps the semaphores that the parent and its workers wait on."""


_EXIT_SECONDS = 0.5
"""How long the kernel may take, at most, to end a process after it has closed its files."""


@contextmanager
def hold(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock in an output's folder of chunks, which is created if it does not exist.

    Raises `LockedError` if another process holds it, unless told to `wait` for it.

    >>> with tempfile.TemporaryDirectory() as parent, hold(Path(parent, "chunks"), wait=False):
    ...     os.listdir(Path(parent, "chunks"))
    ['lock']
    """
    descriptor = _acquire(folder, wait=wait)
    try:
        with naming_errors(folder / LOCK_NAME):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        # Before the lock is released: nobody else can hold it while the file is removed.
        _remove_if_empty(folder)
        os.close(descriptor)


def _acquire(folder: Path, *, wait: bool) -> int:
    """Return the descriptor of the locked file."""
    path = folder / LOCK_NAME
    while True:
        # Not by exist_ok: that fails if the last holder removes the folder meanwhile.
        with suppress(FileExistsError):
            folder.mkdir()
            sync_folder(folder.parent)
        if folder.is_symlink():
            # All that we write would go to a folder that somebody else has chosen.
            raise _is_link(folder)
        try:
            # A link is not followed: it could lead to a file of somebody else, which we would
            # overwrite with our name.
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o666)
        except FileNotFoundError:
            continue  # The last holder has just removed the folder.
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise _is_link(path) from error
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
        if _is_still_there(path, descriptor):
            return descriptor
        # The last holder removed the file while we waited for it: another run may already hold a
        # new file of that name, and our lock excludes nobody.
        os.close(descriptor)


def _is_link(path: Path) -> UsageError:
    return UsageError(
        f"{for_display(str(path))} is a link. A run keeps its finished work, and the lock of its "
        "output, under that name: remove the link"
    )


def _is_still_there(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the open file."""
    try:
        current = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (current.st_dev, current.st_ino) == (held.st_dev, held.st_ino)


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing but the lock; one with chunks is kept for the next run."""
    # Errors do not matter: the folder or its disk may be gone, and what went wrong in the block of
    # `hold` must not be hidden by another error.
    with suppress(OSError):
        if os.listdir(folder) == [LOCK_NAME]:
            (folder / LOCK_NAME).unlink()
            folder.rmdir()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Create a temporary folder for the block; also remove those of runs that were killed."""
    _remove_abandoned()
    folder, descriptor = _create_locked()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _create_locked() -> tuple[Path, int]:
    """Create a folder with this process's number in its name, and lock it."""
    while True:
        folder = tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-")
        # Before it is locked, another run may take it for abandoned and remove it: then again.
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.isdir(folder):
                return Path(folder), descriptor
            os.close(descriptor)


def _remove_abandoned() -> None:
    """Remove the folders of runs that were killed: nobody holds their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH_PREFIX}*"):
        # A folder that is locked, belongs to another user or is removed meanwhile is skipped.
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove_semaphores(folder.name.removeprefix(SCRATCH_PREFIX).partition("-")[0])
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)


def _remove_semaphores(process: str) -> None:
    """Remove the semaphores of a run whose processes were all killed at once.

    loky's resource tracker removes them if only the parent dies, but dies with it when a container
    ends or the kernel kills a whole group.
    """
    if process.isdecimal() and _has_ended(int(process)):
        for semaphore in SHARED_MEMORY.glob(f"sem.loky-{process}-*"):
            semaphore.unlink(missing_ok=True)


def semaphore_path(name: str) -> Path:
    """Return the file that is a semaphore, whose name begins with a slash."""
    return SHARED_MEMORY / f"sem.{name[1:]}"


def _has_ended(process: int) -> bool:
    """Whether a process that has lost its lock has ended, or does so within moments.

    The kernel releases locks a little earlier. A process that goes on is another one, which has
    been given the number since, as our own may have been.
    """
    deadline = time.monotonic() + _EXIT_SECONDS
    while process != os.getpid() and time.monotonic() < deadline:
        if not _is_running(process):
            return True
        time.sleep(0.01)
    return False


def _is_running(process: int) -> bool:
    # A process that is dead, but that its parent has not asked about, still has a number.
    with suppress(OSError):
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        if state in ("Z", "X"):
            return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # It runs, but belongs to another user.
        return True
    return True
