"""One recording to analyse, known by its root and its path below that root."""

from __future__ import annotations

import os
from dataclasses import dataclass


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
