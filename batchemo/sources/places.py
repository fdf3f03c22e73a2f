"""Recordings that are named rather than found: which root and file a name stands for."""

# Paths stay the strings they are: pathlib rewrites them, and costs more than the look-up itself.

from __future__ import annotations

import os
import stat

from batchemo.sources.recording import Recording


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
