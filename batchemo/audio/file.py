"""Opens recordings. Nothing else in batchemo does: what may be opened is decided here alone.

What is in no file system is opened by `objects`.

All reading goes through here as well, and errors are kept: decoders in C take a part of the file
that could not be read for its end, or for damage.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

from batchemo.audio.failure import Failure, failure_of_machine
from batchemo.storage.url import is_url

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Takes an offset and a count; returns up to `count` bytes that stand at the offset."""
Piece: TypeAlias = bytes | range
"""Bytes, or the offsets of bytes of a file."""

_MAX_OFFSET = (1 << 63) - 1
# O_NONBLOCK: if a pipe took the file's place since `stat`, opening it must not block the worker.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Blocks(Protocol):
    """Reads what has no descriptor."""

    def read_into(self, offset: int, buffer: Any) -> int:
        """Fill a buffer from `offset` on, as far as the file goes; return how much was read."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A regular file that is open for reading, or a part of one, and its modification time."""

    descriptor: int | None
    """None for an object of a store, of which there is `content` or `blocks`."""
    size: int
    mtime_ns: int | None
    start: int = 0
    """Where the part begins in the whole file."""
    is_part: bool = False
    content: bytearray | memoryview | None = None
    """The whole file, if it was read ahead."""
    blocks: Blocks | None = None
    etag: str | None = None
    """What a store calls this version of an object."""
    errors: list[OSError | MemoryError] = field(default_factory=list)
    """What reading has raised, of the whole file and all its parts."""

    def read_at(self, offset: int, count: int) -> bytes:
        """Read up to `count` bytes at `offset`; the descriptor's position stays where it is."""
        # A damaged header can name an offset beyond 2**63, which pread refuses.
        if offset >= self.size:
            return b""
        if self.content is not None:
            first = self.start + offset
            return bytes(memoryview(self.content)[first : first + min(count, self.size - offset)])
        count = min(count, self.size - offset)
        if self.descriptor is None:
            buffer = bytearray(count)
            return bytes(memoryview(buffer)[: self.read_into(offset, buffer)])
        try:
            return os.pread(self.descriptor, count, self.start + offset)
        except (OSError, MemoryError) as error:
            self.errors.append(error)
            raise

    def read_into(self, offset: int, buffer: Any) -> int:
        """Fill a buffer from `offset` on, as far as the file goes; return how much was read."""
        if self.content is not None:
            first, view = self.start + offset, memoryview(buffer).cast("B")
            count = max(0, min(len(view), len(self.content) - first))
            view[:count] = memoryview(self.content)[first : first + count]
            return count
        try:
            if self.descriptor is None:
                assert self.blocks is not None
                return self.blocks.read_into(self.start + offset, buffer)
            return os.preadv(self.descriptor, [buffer], self.start + offset)
        except (OSError, MemoryError) as error:
            self.errors.append(error)
            raise

    def part(self, start: int, end: int) -> OpenFile:
        """Return the bytes from `start` to `end` as a file of their own."""
        return replace(self, start=self.start + start, size=end - start, is_part=True)

    def close(self) -> None:
        """Close the descriptor, if there is one."""
        if self.descriptor is not None:
            os.close(self.descriptor)


OpenAudio: TypeAlias = Callable[[str], AbstractContextManager[OpenFile]]
"""Opens the recording at a path for a block, as `open_audio` does."""


class FileView(io.RawIOBase):
    """What decoders in C read: pieces of an open file, and other bytes in the place of some.

    So a header is repaired, or one stream taken out of several, without a copy of the file. After
    an error, which `OpenFile.errors` has, it is at its end and stays there: C code that calls us
    cannot be told, and must not try for ever to read what is in between.
    """

    def __init__(self, file: OpenFile, *pieces: Piece) -> None:
        self._file = file
        self._pieces = pieces
        self._position = 0
        self.size = sum(map(len, pieces))
        self._first: int | None = None
        """Where it begins, if it is the rest of a file and nothing else."""
        if len(pieces) == 1 and isinstance(pieces[0], range) and not file.is_part:
            self._first = pieces[0].start if pieces[0].stop == file.size else None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset; stay in place, as a file does, where that lies before the start."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}
        if self._file.errors:
            self._position = self.size
        elif 0 <= origin[whence] + offset <= _MAX_OFFSET:
            self._position = origin[whence] + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readable(self) -> bool:
        """Return True: PyAV asks before it reads."""
        return True

    def seekable(self) -> bool:
        """Return True: PyAV asks before it seeks."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and return the number of bytes."""
        try:
            # libsndfile asks for 8 KB at a time, so a plain file must take no more than this.
            if self._first is not None:
                filled = self._file.read_into(self._first + self._position, buffer)
            else:
                filled = self._fill(memoryview(buffer))
        except (OSError, MemoryError):
            self._position, filled = self.size, 0
        self._position += filled
        return filled

    def _fill(self, view: memoryview) -> int:
        filled, start = 0, 0
        for piece in self._pieces:
            skipped = self._position + filled - start
            start += len(piece)
            if 0 <= skipped < len(piece) and filled < len(view):
                filled += self._copy(piece[skipped : skipped + len(view) - filled], view[filled:])
        return filled

    def _copy(self, piece: Piece, view: memoryview) -> int:
        if isinstance(piece, range):
            return self._file.read_into(piece.start, view[: len(piece)])
        view[: len(piece)] = piece
        return len(piece)


@contextmanager
def open_audio(path: str) -> Iterator[OpenFile]:
    """Open the recording at `path` for the block.

    Raises `Failure` if it does not exist, is no regular file, or may not be read.
    """
    file = open_file(path)
    try:
        yield file
    finally:
        file.close()


def open_file(path: str) -> OpenFile:
    """Open the recording at `path`, which may be a URL; the caller closes it. See `open_audio`."""
    if is_url(path):
        from batchemo.audio.objects import open_object

        return open_object(path)
    descriptor = _open(path)
    try:
        status = os.fstat(descriptor)
        _require_regular(status.st_mode)
    except BaseException:
        os.close(descriptor)
        raise
    return OpenFile(descriptor, status.st_size, status.st_mtime_ns)


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
        raise failure_of_machine(error) from None
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
