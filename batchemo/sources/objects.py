"""Recordings in object stores and on web servers: listed, looked up, and checked for existence.

A bucket is listed a page at a time, in the order of the store, so that memory does not grow with
the number of objects. Addresses that are named one by one are looked up, many at a time.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.sources.filters import FileFilter, has_wildcards, parse_glob
from batchemo.sources.recording import Recording, Skipped, stat_recording
from batchemo.sources.walk import count_extension
from batchemo.storage.requests import exists, head, list_objects
from batchemo.storage.url import (
    NO_ACCESS,
    Access,
    is_bucket,
    is_url,
    split_access,
    split_url,
)

_LOOKED_UP_AT_ONCE = 32


class Named(NamedTuple):
    """A recording that a list, a manifest or a plan names."""

    root: str
    file: str
    number: int
    """Where it is named: the entry of the list, or the row of the manifest or plan."""
    row: int | None = None
    access: Access = NO_ACCESS


def look_up(names: Iterable[Named]) -> Iterator[tuple[Named, Recording | None]]:
    """Yield what is there under each name, in order; None where that is no regular file or object.

    >>> next(look_up([Named("/nowhere", "a.wav", 1)]))[1].size is None
    True
    """
    waiting = deque[tuple[Named, "Future[Recording] | None"]]()

    def first() -> tuple[Named, Recording | None]:
        named, future = waiting.popleft()
        return named, _stat_file(named) if future is None else future.result()

    with ThreadPoolExecutor(_LOOKED_UP_AT_ONCE, "look-up") as threads:
        for named in names:
            if is_url(named.root) and named.file:
                waiting.append((named, threads.submit(_stat_object, named)))
            elif waiting:
                waiting.append((named, None))
            else:
                yield named, _stat_file(named)
            while len(waiting) >= 2 * _LOOKED_UP_AT_ONCE:
                yield first()
        while waiting:
            yield first()


def _stat_file(named: Named) -> Recording | None:
    return None if is_url(named.root) else stat_recording(named.root, named.file, named.row)


def _stat_object(named: Named) -> Recording:
    """Return what is known of an object without reading it; nothing if that is refused.

    What lets somebody read an address need not let him ask what it is.
    """
    recording = Recording(named.root, named.file, None, None, named.row, access=named.access)
    try:
        info = head(recording.path, named.access)
    except OSError:
        return recording
    return replace(recording, size=info.size, mtime_ns=info.mtime_ns, etag=info.etag)


def stat_url(address: str) -> Recording:
    """Return the recording of a single address; UsageError if there is certainly none."""
    url, access = split_access(address)
    root, _, file = url.rpartition("/")
    if not split_url(url)[1]:
        raise UsageError(f"{for_display(url)}: this names a server, not a recording")
    try:
        info = head(url, access)
    except FileNotFoundError:
        raise UsageError(f"There is no recording {for_display(url)}: check the name.") from None
    except OSError:
        return Recording(root, file, None, None, access=access)
    return Recording(root, file, info.size, info.mtime_ns, etag=info.etag, access=access)


def url_source(address: str, file_filter: FileFilter) -> tuple[str, FileFilter | None]:
    """Return the URL to walk below, and what to take there; no filter for a single object.

    UsageError where nothing is there, or the store does not let us look.
    """
    url = split_access(address)[0].rstrip("/")
    if not is_bucket(url):
        return url, None
    address_of_store, key = split_url(url)
    try:
        if next(list_objects(url), None) is not None:
            return url, file_filter
        if key and exists(url):
            return url, None
        if has_wildcards(key):
            glob = parse_glob("/" + key, is_folder=lambda _: False)
            if glob.names_extension:
                file_filter = replace(file_filter, suffixes=(b"",))
            return address_of_store + glob.root.rstrip("/"), replace(file_filter, glob=glob)
    except OSError as error:
        raise UsageError(f"{for_display(url)} cannot be read: {error.strerror}.") from None
    raise UsageError(f"There is nothing at '{for_display(url)}': check the name.")


def walk_bucket(url: str, file_filter: FileFilter, skipped: Skipped) -> Iterator[Recording]:
    """Yield the recordings below a name in a bucket; count what is left out in `skipped`."""
    key = split_url(url)[1]
    start = len(key) + 1 if key else 0
    suffixes = tuple(map(os.fsdecode, file_filter.suffixes))
    try:
        for info in list_objects(url):
            file = info.key[start:]
            name = file.rpartition("/")[2]
            if not name.lower().endswith(suffixes):
                count_extension(os.fsencode(name), skipped)
            elif not file_filter.accepts(file) or (info.size == 0 and "." not in name):
                continue  # An empty object without an extension stands for a folder.
            elif not file_filter.hidden and (file.startswith(".") or "/." in file):
                skipped.hidden += 1
            else:
                yield Recording(url, file, info.size, info.mtime_ns, etag=info.etag)
    except OSError as error:
        skipped.unreadable.append((for_display(url), error.strerror or str(error)))


def object_is_gone(url: str) -> bool:
    """Return whether there is certainly no such object."""
    try:
        return not exists(url)
    except OSError:
        return False


def holds_objects(url: str) -> bool:
    """Return whether anything is below a URL; a web server, which lists nothing, is believed."""
    try:
        return not is_bucket(url) or next(list_objects(url), None) is not None
    except OSError:
        return False
