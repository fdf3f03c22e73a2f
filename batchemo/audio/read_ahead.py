"""Opens and reads the next recordings while one is analysed, where opening them takes long.

On a disk that turns or a share of a network, every file costs its latency again. Threads wait for
many files at once, and hold what they have read, up to a number of files and bytes.

Most disks are fast, and most files in the page cache: threads would only cost time there. So a
process reads ahead from the first recording on that made it wait; recordings in object stores and
on web servers from the very first on.

A file that cannot be opened or read ahead is opened and read as if there were no threads, so that
its failure is found, and told, in one place only. Not so an object: its request has been repeated.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

from batchemo.audio.failure import Failure
from batchemo.audio.file import OpenFile, open_audio, open_file
from batchemo.audio.objects import MAX_WHOLE_BYTES
from batchemo.storage.url import is_url

MAX_FILES = 32
"""How many files are open at once: at 20 ms each, as many as are analysed at .6 ms each."""
MAX_BYTES = 16 * 2**20
"""How much is read ahead."""
MAX_FILE_BYTES = MAX_WHOLE_BYTES
"""Larger files are opened ahead, but not read: their decoding takes longer than the latency."""

_UNKNOWN_BYTES = MAX_BYTES // MAX_FILES
"""What is expected of an object whose size is not known."""

_WAIT = 0.002
_WAIT_SHARE = 0.25
"""A recording is slow to open and read if this process, while it had it open, waited for so many
seconds and for such a share of the time."""

_slow = threading.Event()
"""Set in a process once a recording was slow."""


class ReadAhead:
    """Opens files in the order in which they are given, as paths and sizes.

    >>> with ReadAhead([]) as ahead, ahead.open("missing.wav"):
    ...     pass
    Traceback (most recent call last):
    batchemo.audio.failure.Failure: missing: no such file
    """

    def __init__(self, files: Iterable[tuple[str, int | None]]) -> None:
        self._waiting = deque(files)
        self._ahead: dict[str, tuple[Future[OpenFile | Failure | None], int]] = {}
        """What is opened for each path, and how many bytes of it may be held."""
        self._bytes = 0

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, *_: object) -> None:
        for future, _size in self._ahead.values():
            future.add_done_callback(_close)

    @contextmanager
    def open(self, path: str) -> Iterator[OpenFile]:
        """Open the recording at `path` for the block, as `open_audio` does."""
        if _slow.is_set() or is_url(path):
            self._start_more()
        elif self._waiting:
            self._waiting.popleft()
        ahead = self._ahead.pop(path, None)
        file = None
        if ahead is not None:
            future, size = ahead
            file = future.result()
            self._bytes -= size
        if isinstance(file, Failure):
            raise file
        if file is not None:
            try:
                yield file
            finally:
                file.close()
            return
        began, worked = time.perf_counter(), time.thread_time()
        try:
            with open_audio(path) as file:
                yield file
        finally:
            passed = time.perf_counter() - began
            waited = passed - (time.thread_time() - worked)
            if waited > max(_WAIT, _WAIT_SHARE * passed):
                _slow.set()

    def _start_more(self) -> None:
        """Open as many of the next files as may be open at once."""
        while self._waiting and len(self._ahead) < MAX_FILES:
            path, size = self._waiting[0]
            if size is None and is_url(path):
                size = _UNKNOWN_BYTES
            held = size if size is not None and size <= MAX_FILE_BYTES else 0
            if self._bytes + held > MAX_BYTES:
                return
            self._waiting.popleft()
            if path in self._ahead:
                continue  # The second time, it is opened when it is its turn.
            try:
                # Made here: memory that threads allocate is kept for each of them.
                content = bytearray(0 if is_url(path) else held)
                future = _threads().submit(_open_ahead, path, content)
            except RuntimeError:
                self._waiting.clear()  # No thread can be had.
                return
            self._ahead[path] = future, held
            self._bytes += held


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_FILES, "read-ahead")


def _open_ahead(path: str, content: bytearray) -> OpenFile | Failure | None:
    """Open a file, and read it if it still fills `content`; return None if it cannot be opened.

    Of an object, return its failure.
    """
    try:
        file = open_file(path)
    except Failure as failure:
        return failure if is_url(path) else None
    except OSError:
        return None
    if file.descriptor is None or not 0 < len(content) == file.size:
        return file
    try:
        filled = os.preadv(file.descriptor, [content], 0)
    except OSError:
        return file
    return replace(file, content=content) if filled == len(content) else file


def _close(future: Future[OpenFile | Failure | None]) -> None:
    if future.exception() is None and isinstance(file := future.result(), OpenFile):
        file.close()
