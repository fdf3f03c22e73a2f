"""Writes files that appear under their names whole or not at all, and survive a power cut.

    .NAME.unfinished            while NAME is written; what a killed run leaves, the next replaces
    .<32 hex>.unfinished        the same, where several processes may write NAME at once
    OUTPUT.chunks/              finished work of a run (batch/chunk_store.py)

A file takes its name by a rename when it is whole and on the disk: a rename replaces the old file
in one step, and nobody ever sees a part of the new one. The order matters. Without a sync of the
file before the rename, a power cut can leave the name with an empty file; without a sync of the
folder after it, the name itself can be lost.

A file of ours is always a new one (`open_new`): under its name somebody may have put a link, which
would lead what we write to a file of the user that has nothing to do with us.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4


@contextmanager
def atomic_write(path: Path, *, shared: bool = False, durable: bool = True) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all: under another name, synced, then renamed.

    `shared` is for a folder where several processes may write the same file at once: each then
    writes under a name of its own. `durable=False` leaves out the syncs, for what is cheap to make
    again: a power cut may then lose the file, but never leave half of it on a file system that
    writes the data before the rename.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder, "a.txt")) as stream:
    ...         _ = stream.write(b"whole")
    ...     os.listdir(folder)
    ['a.txt']
    """
    unfinished = unfinished_path(path)
    if shared:
        unfinished = unfinished.with_name(f".{uuid4().hex}.unfinished")
    try:
        with naming_errors(path), open_new(unfinished) as stream:
            yield stream
            if durable:
                stream.flush()
                sync(stream.fileno())
        if durable:
            rename(unfinished, path)
        else:
            unfinished.replace(path)
    except BaseException:
        # A random name is never used again, so no later run would replace the file.
        if shared:
            unfinished.unlink(missing_ok=True)
        raise


def open_new(path: Path) -> IO[bytes]:
    """Create a file that nothing leads to but its name; what had the name, a link too, is removed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a")
    ...     path.symlink_to("b")
    ...     open_new(path).close()
    ...     os.listdir(folder)
    ['a']
    """
    path.unlink(missing_ok=True)
    # "x" is O_CREAT and O_EXCL, which follows no link: not even one made since.
    return path.open("xb")


def unfinished_path(path: Path) -> Path:
    """Return the name under which `path` is written until it is whole.

    >>> str(unfinished_path(Path("out/results.parquet")))
    'out/.results.parquet.unfinished'
    """
    return path.with_name(f".{path.name}.unfinished")


_STORE_FILE = re.compile(
    r"\.(?:parquet|csv)\.chunks/(?:lock|naming\.json|previous\.arrow|[0-9]{9}\.chunk\.arrow)\Z"
)


def is_temporary(path: str) -> bool:
    """Return whether a path has the name of a file that a run makes beside its output.

    A run that was killed leaves such files, and they may lie where another looks for recordings.

    >>> is_temporary("rec/.t.parquet.unfinished"), is_temporary("rec/t.parquet.chunks/lock")
    (True, True)
    >>> is_temporary("rec/lock"), is_temporary("rec/t.parquet.chunks/a.wav")
    (False, False)
    """
    if path.endswith(".unfinished"):
        return path.rpartition("/")[2].startswith(".")
    # Most paths are done with this test alone; there may be millions.
    return ".chunks/" in path and _STORE_FILE.search(path) is not None


@contextmanager
def naming_errors(path: Path) -> Iterator[None]:
    """Add the path to disk errors that name no file, as those of an open file do not."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # One without a number has a message of its own.
            error.filename = error.filename or str(path)
        raise


def rename(unfinished: Path, path: Path) -> None:
    """Give a synced file its name, and sync that name too."""
    unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with naming_errors(folder):
            sync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Some file systems cannot sync a folder.
            raise
    finally:
        os.close(descriptor)


def sync(descriptor: int) -> None:
    """Wait until what was written is on the disk."""
    # A function of its own, so that tests can replace it by a disk that fails or loses power.
    os.fsync(descriptor)
