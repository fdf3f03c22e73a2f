"""A recording to analyse, what was left out of the sources, and the paths that were seen."""

# Paths are strings here and in all of this package: pathlib normalises them, and costs more than
# the system call that follows.

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from batchemo.sources.filters import AUDIO_EXTENSIONS, VIDEO_EXTENSIONS
from batchemo.storage.url import (
    NO_ACCESS,
    Access,
    absolute,
    is_url,
    split_access,
    split_url,
    with_access,
)

if TYPE_CHECKING:
    from batchemo.common.turns import Turns

MAX_NAMED = 20
"""Problems of one kind that are named one by one."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, which may turn out not to exist.

    `root` and `file` are file-system strings (`os.fsdecode`): a byte that is no UTF-8 is a lone
    surrogate in them. `size` and `mtime_ns` are None if there is no such file.

    >>> Recording("/data", "a/b.wav", 10, 0).path
    '/data/a/b.wav'
    """

    root: str
    file: str
    size: int | None
    mtime_ns: int | None
    row: int | None = None
    """The row of the manifest that names it, if one does."""
    etag: str | None = None
    """What an object store calls this version of it."""
    access: Access = NO_ACCESS
    turns: Turns | None = None
    """The parts of it that are rows; None for a recording that is one row as a whole."""
    speech_share: float | None = None
    """The share of it that is speech, where its turns were found."""
    problem: tuple[str, str] | None = None
    """Why its turns are not known: a code of `audio.failure.REASONS`, and what was found."""

    @property
    def path(self) -> str:
        """The path or URL, as it may be shown."""
        return os.path.join(self.root, self.file)

    @property
    def address(self) -> str:
        """The path or URL to open: with what is secret in it, so that it may not be shown."""
        return with_access(self.path, self.access)


@dataclass(slots=True)
class Skipped:
    """Counts of what was left out, and what could not be read, with reasons."""

    young: int = 0
    """Files younger than the minimum age."""
    duplicates: int = 0
    """Files, and linked folders, that were reached a second time."""
    hidden: int = 0
    """Hidden files that would have been taken, and hidden folders that would have been walked."""
    links: int = 0
    """Links that were not followed; what they lead to is not looked at."""
    other_extensions: Counter[str] = field(default_factory=Counter)
    """Files in folders whose extension was not asked for, by extension in lower case."""

    empty: list[tuple[str, Counter[str]]] = field(default_factory=list)
    """Sources without any recording, as printable text, and the other extensions there."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Folders that could not be listed, as printable text, and why."""
    rejected: int = 0
    """Entries of lists and manifests that name no recording."""
    first_rejected: list[tuple[str, str]] = field(default_factory=list)
    """The first of them: which one, and why."""

    def reject(self, title: str, reason: str) -> None:
        """Count an entry that names no recording."""
        self.rejected += 1
        if len(self.first_rejected) < MAX_NAMED:
            self.first_rejected.append((title, reason))

    def other_recordings(self) -> dict[str, int]:
        """Return those of the other extensions that recordings have, the most frequent first."""
        common = by_frequency(self.other_extensions)
        known = {*AUDIO_EXTENSIONS, *VIDEO_EXTENSIONS}
        return {name: number for name, number in common if name[1:] in known}


def by_frequency(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return names and counts, the most frequent first, equal ones by name.

    >>> by_frequency({".txt": 1, ".mp3": 2, ".jpg": 1})
    [('.mp3', 2), ('.jpg', 1), ('.txt', 1)]
    """
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def split_path(name: str, base: str) -> tuple[str, str, Access]:
    """Split a name into root and file: below `base` if it lies there, else below its own folder.

    Both may be URLs; the third value is what is secret in them. The file is empty where a URL names
    a bucket or server and nothing in it.

    >>> split_path("a/../b/c.wav", "/data")[:2], split_path("/data/c.wav", "/data")[:2]
    (('/data', 'b/c.wav'), ('/data', 'c.wav'))
    >>> split_path("../c.wav", "/data")[:2], split_path("s3://bucket/a/c.wav", "/data")[:2]
    (('/', 'c.wav'), ('s3://bucket/a', 'c.wav'))
    """
    access = NO_ACCESS
    if is_url(base):
        base, access = split_access(base)
    if is_url(name):
        name, access = split_access(name)
    path = absolute(base, name)
    if path is None:
        path = os.path.abspath(os.path.join(base, name))
    prefix = os.path.join(base, "")
    if path.startswith(prefix):
        return base, path[len(prefix) :], access
    if is_url(path) and not split_url(path)[1]:
        return path, "", access
    root, _, file = path.rpartition("/")
    return root or "/", file, access


def absolute_folder(name: str, base: str) -> str:
    """Return a folder relative to a base, as a path or a URL with all that is in it.

    >>> absolute_folder("a", "/data"), absolute_folder("", "s3://bucket/calls/")
    ('/data/a', 's3://bucket/calls')
    """
    url, access = split_access(base) if is_url(base) else (base, NO_ACCESS)
    if is_url(name):
        url, access = split_access(name)
    path = absolute(url, "" if is_url(name) else name)
    if path is None:
        return os.path.abspath(os.path.join(base, name))
    return with_access(path, access)


def stat_recording(root: str, file: str, row: int | None = None) -> Recording | None:
    """Return the recording of a named file, existing or not; None if it is no regular file.

    A missing file that a user named becomes a row with the reason `missing`; a folder or a pipe is
    a mistake in the list.
    """
    try:
        status = os.stat(os.path.join(root, file))
    except OSError:
        return Recording(root, file, None, None, row)
    if stat.S_ISREG(status.st_mode):
        return Recording(root, file, status.st_size, status.st_mtime_ns, row)
    return None


class SeenPaths:
    """The real paths seen so far; only a digest of 16 bytes is kept of each.

    >>> seen = SeenPaths()
    >>> seen.add("/data/a.wav"), seen.add("/data/../data/a.wav")
    (True, False)
    """

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        # Most neighbours share their folder, whose links need not be resolved for each of them.
        self._real_folder = lru_cache(maxsize=256)(os.path.realpath)

    def add(self, path: str) -> bool:
        """Return whether this is the first path to its file. Hard links are different files."""
        real = path if is_url(path) else self._real_path(path)
        digest = hashlib.blake2b(os.fsencode(real), digest_size=16).digest()
        if digest in self._digests:
            return False
        self._digests.add(digest)
        return True

    def _real_path(self, path: str) -> str:
        folder, name = os.path.split(path)
        real = os.path.join(self._real_folder(folder), name)
        return os.path.realpath(real) if os.path.islink(real) else real
