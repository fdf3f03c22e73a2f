"""Opens recordings in object stores and on web servers.

A small one is read whole, by one request. Of a long one only blocks are, as the decoder asks for
them: its header, and the pieces that this process analyses.
"""

from __future__ import annotations

import errno
from collections import OrderedDict
from typing import Any

from batchemo.audio.failure import Failure, failure_of_machine
from batchemo.audio.file import OpenFile
from batchemo.storage.requests import ObjectInfo, get
from batchemo.storage.url import Access, split_access

MAX_WHOLE_BYTES = 4 * 2**20
"""Larger recordings are read in blocks."""
_BLOCK_BYTES = 2 * 2**20
_HELD_BLOCKS = 4


def open_object(address: str) -> OpenFile:
    """Open the recording at a URL, which may hold what lets us in; see `file.open_audio`."""
    url, access = split_access(address)
    try:
        content = get(url, access, most=MAX_WHOLE_BYTES)
        if content is None:
            reader = BlockReader(url, access)
            return OpenFile(
                None, reader.info.size, reader.info.mtime_ns, etag=reader.info.etag, blocks=reader
            )
    except FileNotFoundError as error:
        raise Failure("missing", error.strerror or "no such object") from None
    except OSError as error:
        raise failure_of_machine(error) from None
    info = content.info
    return OpenFile(None, info.size, info.mtime_ns, etag=info.etag, content=content.data)


class BlockReader:
    """Reads an object in blocks, of which it holds the last few."""

    def __init__(self, url: str, access: Access) -> None:
        self._url, self._access = url, access
        self._blocks: OrderedDict[int, memoryview] = OrderedDict()
        self._etag: str | None = None
        self.info = self._load(0)
        """What the object was when it was opened."""
        self._etag = self.info.etag

    def read_into(self, offset: int, buffer: Any) -> int:
        """Fill a buffer from `offset` on, as far as the object goes; return how much was read."""
        view = memoryview(buffer).cast("B")[: max(0, self.info.size - offset)]
        filled = 0
        while filled < len(view):
            number, inside = divmod(offset + filled, _BLOCK_BYTES)
            block = self._block(number)[inside : inside + len(view) - filled]
            view[filled : filled + len(block)] = block
            filled += len(block)
        return filled

    def _block(self, number: int) -> memoryview:
        if number not in self._blocks:
            info = self._load(number)
            # A server without ETags may have given a part of another file.
            if (info.size, info.mtime_ns) != (self.info.size, self.info.mtime_ns):
                raise OSError(errno.ESTALE, "the file changed while it was read", self._url)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _load(self, number: int) -> ObjectInfo:
        start = number * _BLOCK_BYTES
        content = get(
            self._url, self._access, part=range(start, start + _BLOCK_BYTES), etag=self._etag
        )
        assert content is not None
        self._blocks[number] = content.data
        if len(self._blocks) > _HELD_BLOCKS:
            self._blocks.popitem(last=False)
        return content.info
