"""Opens recordings. Nothing else in batchemo does: what may be opened is decided here alone."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from batchemo.audio.failure import Failure

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Takes an offset and a count; returns up to `count` bytes that stand at the offset."""
Piece: TypeAlias = bytes | range
"""Bytes, or the offsets of bytes of a file."""

# O_NONBLOCK: if a pipe took the file's place since `stat`, opening it must not block the worker.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A regular file that is open for reading, or a part of one, and its modification time."""

    descriptor: int
    size: int
    mtime_ns: int
    start: int = 0
    """Where the part begins in the whole file."""
    is_part: bool = False

    def read_at(self, offset: int, count: int) -> bytes:
        """Read up to `count` bytes at `offset`; the descriptor's position stays where it is."""
        # A damaged header can name an offset beyond 2**63, which pread refuses.
        if offset >= self.size:
            return b""
        return os.pread(self.descriptor, min(count, self.size - offset), self.start + offset)

    def part(self, start: int, end: int) -> OpenFile:
        """Return the bytes from `start` to `end` as a file of their own."""
        return replace(self, start=self.start + start, size=end - start, is_part=True)


class FileView(io.RawIOBase):
    """What decoders read in the place of an open file: pieces of it, and other bytes.

    This repairs a header, or takes one stream out of several, without a copy of the file.
    """

    def __init__(self, file: OpenFile, *pieces: Piece) -> None:
        self._file = file
        self._pieces = pieces
        self._position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset."""
        size = sum(map(len, self._pieces))
        self._position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: size}[whence]
        self._position += offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and return the number of bytes."""
        data, start = b"", 0
        for piece in self._pieces:
            skipped = self._position + len(data) - start
            start += len(piece)
            if 0 <= skipped < len(piece) and len(data) < len(buffer):
                data += self._read(piece[skipped : skipped + len(buffer) - len(data)])
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _read(self, piece: Piece) -> bytes:
        return piece if isinstance(piece, bytes) else self._file.read_at(piece.start, len(piece))


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
