"""One recording to analyse, and what was left out on the way to it."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Recording:
    """A place where a recording is, or should be.

    `root` and `file` are file-system strings (`os.fsdecode`): a byte that is no UTF-8 stands in
    them as a lone surrogate. `size` and `mtime_ns` are None when there is no such file.

    >>> Recording("/data", "a/b.wav", 10, 0).path
    '/data/a/b.wav'
    """

    root: str
    file: str
    size: int | None
    mtime_ns: int | None
    row: int | None = None
    """The row of the manifest that named it, if one did."""

    @property
    def path(self) -> str:
        """The path to open."""
        return os.path.join(self.root, self.file)


@dataclass(slots=True)
class Skipped:
    """Counts of what a run left out, and what it could not look at."""

    young: int = 0
    """Files younger than the minimum age."""
    duplicates: int = 0
    """Files, and linked folders, that were reached a second time."""
    hidden: int = 0
    """Hidden files that would have been taken, and hidden folders that would have been walked."""
    links: int = 0
    """Links that were not followed, nor even asked what they lead to."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Folders that could not be listed, as printable text, and why."""
    rejected: list[tuple[str, str]] = field(default_factory=list)
    """Entries of lists and manifests that name no recording: which one, and why."""


class RealPaths:
    """The real paths met so far; a digest of 16 bytes is all that is kept of each.

    >>> met = RealPaths()
    >>> met.is_new("/data/a.wav"), met.is_new("/data/../data/a.wav")
    (True, False)
    """

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        # Neighbours share their folder, so its links need not be resolved for each of them.
        self._real_folder = lru_cache(maxsize=256)(os.path.realpath)

    def is_new(self, path: str) -> bool:
        """Say whether this is the first path that leads to its file. Hard links are files."""
        folder, name = os.path.split(path)
        real = os.path.join(self._real_folder(folder), name)
        if os.path.islink(real):
            real = os.path.realpath(real)
        digest = hashlib.blake2b(os.fsencode(real), digest_size=16).digest()
        if digest in self._digests:
            return False
        self._digests.add(digest)
        return True


def place(name: str, base: str) -> tuple[str, str]:
    """Split a name into root and file: below `base` where it lies there, else below its folder.

    >>> place("a/../b/c.wav", "/data"), place("/data/c.wav", "/data"), place("../c.wav", "/data")
    (('/data', 'b/c.wav'), ('/data', 'c.wav'), ('/', 'c.wav'))
    """
    path = os.path.abspath(os.path.join(base, name))
    below = os.path.join(base, "")
    if path.startswith(below):
        return base, path[len(below) :]
    return os.path.dirname(path), os.path.basename(path)


def look_up(root: str, file: str, row: int | None = None) -> Recording | None:
    """Make a recording of a named file, there or not; None if it is something else than a file."""
    try:
        status = os.stat(os.path.join(root, file))
    except OSError:
        return Recording(root, file, None, None, row)
    if stat.S_ISREG(status.st_mode):
        return Recording(root, file, status.st_size, status.st_mtime_ns, row)
    return None
