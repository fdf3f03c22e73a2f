"""The one place that opens a recording; where recordings may come from is decided here alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from batchemo.audio.failure import Failure

# A pipe that was put in a file's place after we looked must not block the worker.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A regular file that is open for reading, and what the descriptor says of it."""

    descriptor: int
    size: int
    mtime_ns: int

    def read_at(self, offset: int, count: int) -> bytes:
        """Read up to `count` bytes at `offset`; the descriptor's position stays where it is."""
        # A header may name an offset that no system call takes.
        return os.pread(self.descriptor, count, offset) if offset < self.size else b""


@contextmanager
def open_audio(path: str) -> Iterator[OpenFile]:
    """Open the recording of that name, by its bytes, and close it afterwards.

    Raises `Failure` for what is not there, is no regular file, or may not be read.
    """
    descriptor = _open(path)
    try:
        status = os.fstat(descriptor)
        _require_regular(status.st_mode)
        yield OpenFile(descriptor, status.st_size, status.st_mtime_ns)
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    try:
        name = os.fsencode(path)
        # Looking before opening: to open a device can already have an effect.
        _require_regular(os.stat(name).st_mode)
        return os.open(name, _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        raise Failure("missing", "no such file") from None
    except OSError as error:
        raise Failure("unreadable", error.strerror or str(error)) from None
    except ValueError:  # a NUL, or a surrogate that stands for no byte
        raise Failure("missing", "no file can have this name") from None


def _require_regular(mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    raise Failure("not_a_file", kinds.get(stat.S_IFMT(mode), "not a regular file"))
