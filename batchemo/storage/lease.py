"""The lock of an output in a bucket: an object that its holder renews while it lives.

    OUTPUT.chunks/lock    {"holder": "process 12 on host", "run": random, "number": of renewals}

No store releases a lock when its holder dies. So a lock that has not been renewed for its term is
taken over. Clocks of machines differ: one that looks old is watched for a whole term first. Every
write says which version it replaces, so that of two that take over only one succeeds, and a holder
that was taken for dead learns of it.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from batchemo.common.text import for_display
from batchemo.errors import LockedError
from batchemo.storage.requests import TRIES, ObjectInfo, delete, get, head, put

TERM = 60.0
"""Seconds after which a lock that nobody has renewed belongs to nobody."""
_RENEWALS = 4
"""How often a holder renews its lock in a term."""


class Lease:
    """A lock that is held, and renewed by a thread of its own."""

    def __init__(self, url: str, run: str, lock: ObjectInfo) -> None:
        self._url, self._run, self._lock = url, run, lock
        self._number = 0
        self._ended, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise `LockedError` if another run has taken the lock over."""
        if self._lost.is_set():
            raise LockedError(
                f"{for_display(self._url)}: another run has taken this output over, since this one"
                " could not renew its lock in time"
            )

    def release(self) -> None:
        """Remove the lock, if it is still ours."""
        self._ended.set()
        self._thread.join()
        if not self._lost.is_set():
            # It ends by itself after its term.
            with suppress(OSError):
                delete([self._url])

    def _keep(self) -> None:
        renewed = time.monotonic()
        while not self._ended.wait(TERM / _RENEWALS):
            self._number += 1
            try:
                self._lock = _put(self._url, _content(self._run, self._number), self._lock)
                renewed = time.monotonic()
            except OSError:
                if self._is_ours() is False or time.monotonic() - renewed > TERM:
                    self._lost.set()
                    return

    def _is_ours(self) -> bool | None:
        """Whether the lock that is there is ours; None where that cannot be said."""
        try:
            found = get(self._url)
        except FileNotFoundError:
            return False
        except OSError:
            return None
        if found is None or self._run.encode() not in bytes(found.data):
            return False
        self._lock = found.info
        return True


@contextmanager
def hold(url: str, *, wait: bool) -> Iterator[Lease]:
    """Hold the lock at a URL; `LockedError` if another run does, unless told to `wait` for it."""
    run = uuid4().hex
    lease = Lease(url, run, _acquire(url, _content(run, 0), wait=wait))
    try:
        yield lease
    finally:
        lease.release()


def _acquire(url: str, content: bytes, *, wait: bool) -> ObjectInfo:
    """Put a lock."""
    tries = 0
    while True:
        try:
            return _put(url, content, None)
        except FileExistsError:
            pass
        except ConnectionError:
            # Whether it was put is not known; such a request is not repeated by itself.
            tries += 1
            if tries == TRIES:
                raise
        try:
            found = head(url)
        except FileNotFoundError:
            continue
        age = time.time() - (found.mtime_ns or 0) / 1e9
        if age > TERM or wait:
            if _is_abandoned(url, found):
                with suppress(OSError):
                    return _put(url, content, found)
            if wait:
                continue
        raise LockedError(_words(url))


def _put(url: str, content: bytes, replaces: ObjectInfo | None) -> ObjectInfo:
    """Put a lock. It may be there although that failed, if only the answer was lost."""
    try:
        return put(url, content, replaces=replaces)
    except OSError:
        with suppress(OSError):
            found = get(url)
            if found is not None and bytes(found.data) == content:
                return found.info
        raise


def _is_abandoned(url: str, lock: ObjectInfo) -> bool:
    """Watch a lock for its term, and return whether it is neither renewed nor released."""
    end = time.monotonic() + TERM
    while time.monotonic() < end:
        time.sleep(min(TERM / _RENEWALS, 1.0))
        try:
            if head(url).etag != lock.etag:
                return False
        except FileNotFoundError:
            return False
    return True


def _words(url: str) -> str:
    holder = "another run"
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = get(url, most=10_000)
        if found is not None:
            holder = str(json.loads(bytes(found.data))["holder"])
    return (
        f"{for_display(url)}: {for_display(holder)} is writing this output. Wait for it"
        " (--if-locked wait), pass it over (--if-locked skip), or write to another output. If that"
        f" run is dead, its lock ends {TERM:g} s after it was last renewed"
    )


def _content(run: str, number: int) -> bytes:
    holder = f"process {os.getpid()} on {socket.gethostname()}"
    return json.dumps({"holder": holder, "run": run, "number": number}).encode()
