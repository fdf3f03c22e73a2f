"""Tells whether a file was met before, under whatever name."""

# Paths stay the strings they are: pathlib rewrites them, and costs more than the look-up itself.

from __future__ import annotations

import hashlib
import os
from functools import lru_cache


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
