"""Opens recordings. Nothing else in batchemo does: what may be opened is decided here alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from batchemo.audio.failure import Failure

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Takes an offset and a count; returns up to `count` bytes that stand at the offset."""

# O_NONBLOCK: if a pipe took the file's place since `stat`, opening it must not block the worker.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A regular file that is open for reading, with its size and modification time."""

    descriptor: int
    size: int
    mtime_ns: int

    def read_at(self, offset: int, count: int) -> bytes:
        """Read up to `count` bytes at `offset`; the descriptor's position stays where it is."""
        # A damaged header can name an offset beyond 2**63, which pread refuses.
        return os.pread(self.descriptor, count, offset) if offset < self.size else b""


@contextmanager
def open_audio(path: str) -> Iterator[OpenFile]:
    """Open the recording at `path` for the block.

    Raises `Failure` if it does not exist, is no regular file, or may not be read.
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
        # By bytes, since a name need not be valid UTF-8.
        name = os.fsencode(path)
        # Checked before opening too, because opening a device can have an effect of its own.
        _require_regular(os.stat(name).st_mode)
        return os.open(name, _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        raise Failure("missing", "no such file") from None
    except OSError as error:
        raise Failure("unreadable", error.strerror or str(error)) from None
    except ValueError:  # a NUL, or a surrogate that no byte decodes to
        raise Failure("missing", "no file can have this name") from None


def _require_regular(mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    names = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    raise Failure("not_a_file", names.get(stat.S_IFMT(mode), "not a regular file"))
