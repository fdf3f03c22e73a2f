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

from batchemo.sources.filters import AUDIO_EXTENSIONS, VIDEO_EXTENSIONS

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

    @property
    def path(self) -> str:
        """The path to open."""
        return os.path.join(self.root, self.file)


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


def split_path(name: str, base: str) -> tuple[str, str]:
    """Split a name into root and file: below `base` if it lies there, else below its own folder.

    >>> split_path("a/../b/c.wav", "/data"), split_path("/data/c.wav", "/data")
    (('/data', 'b/c.wav'), ('/data', 'c.wav'))
    >>> split_path("../c.wav", "/data")
    ('/', 'c.wav')
    """
    path = os.path.abspath(os.path.join(base, name))
    prefix = os.path.join(base, "")
    if path.startswith(prefix):
        return base, path[len(prefix) :]
    return os.path.dirname(path), os.path.basename(path)


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
        folder, name = os.path.split(path)
        real = os.path.join(self._real_folder(folder), name)
        if os.path.islink(real):
            real = os.path.realpath(real)
        digest = hashlib.blake2b(os.fsencode(real), digest_size=16).digest()
        if digest in self._digests:
            return False
        self._digests.add(digest)
        return True
