"""Files that appear under their names whole or not at all, and survive a power cut.

A file is written beside its place, as `.NAME.unfinished`, and takes its name by a rename when it is
whole and on the disk. What a killed run leaves is such a hidden file, which the next one replaces.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4


def unfinished_path(path: Path) -> Path:
    """Name the file that becomes `path` when it is whole.

    >>> str(unfinished_path(Path("out/results.parquet")))
    'out/.results.parquet.unfinished'
    """
    return path.with_name(f".{path.name}.unfinished")


@contextmanager
def atomic_write(path: Path, *, shared: bool = False, durable: bool = True) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all: under another name, synced, then renamed.

    `shared` is for a folder into which several processes may write the same file at once: each
    then writes under a name of its own. Without `durable` a power cut may take the file, but never
    half of it on a file system that orders a rename behind its data; for what is cheap to make
    again.
    """
    unfinished = unfinished_path(path)
    if shared:
        unfinished = unfinished.with_name(f".{uuid4().hex}.unfinished")
    try:
        with naming_errors(path), unfinished.open("xb" if shared else "wb") as stream:
            yield stream
            if durable:
                stream.flush()
                sync(stream.fileno())
        if durable:
            rename(unfinished, path)
        else:
            unfinished.replace(path)
    except BaseException:
        # A name of its own would be replaced by nobody.
        if shared:
            unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def naming_errors(path: Path) -> Iterator[None]:
    """Let a disk error that names no file, as those of an open file do, name this one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # Without a number it has words of its own.
            error.filename = error.filename or str(path)
        raise


def rename(unfinished: Path, path: Path) -> None:
    """Give a synced file its name, and see that the name too survives a power cut."""
    unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with naming_errors(folder):
            sync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Some file systems cannot sync a folder, and say so.
            raise
    finally:
        os.close(descriptor)


def sync(descriptor: int) -> None:
    """Wait until what was written is on the disk."""
    os.fsync(descriptor)
